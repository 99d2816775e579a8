//! `cargo xtask test`: in release, because tensor code is unusable without optimisation, and so that `train` and `test` share one build.

use std::process::ExitCode;

use crate::star::{CPU_FEATURES, cargo};

pub fn run(args: &[String]) -> Result<ExitCode, String> {
    let mut command = vec![
        "test",
        "--release",
        "--workspace",
        "--features",
        CPU_FEATURES,
    ];
    match args.first().map(String::as_str) {
        Some("golden") => {
            command.extend(["--test", "golden"]);
            command.extend(args[1..].iter().map(String::as_str));
        }
        Some("--help" | "-h") => {
            println!(
                "cargo xtask test [golden] [OPTIONS of cargo test]\n\n\
                 STAR_GOLDEN_DIR=DIR cargo xtask test golden   runs the golden tests on another folder of vectors"
            );
            return Ok(ExitCode::SUCCESS);
        }
        _ => command.extend(args.iter().map(String::as_str)),
    }
    cargo(&command)?;
    Ok(ExitCode::SUCCESS)
}
