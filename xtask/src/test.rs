//! `cargo xtask test`: in release, because tensor code is unusable without optimisation, and so that `train` and `test` share one build.

use std::process::ExitCode;

use crate::star::{CPU_FEATURES, backend_of, cargo, cargo_with};

const HELP: &str = "\
cargo xtask test [golden] [OPTIONS of cargo test]
cargo xtask test --backend wgpu|cuda

  golden             the golden tests alone; STAR_GOLDEN_DIR=DIR runs them on another folder of vectors
  --backend NAME     builds this backend in and holds it against flex: losses of 20 steps, weights of one read by the other.
                     Without its device this fails. docs/gpu.md says how to get a software Vulkan for wgpu";

pub fn run(args: &[String]) -> Result<ExitCode, String> {
    match args.first().map(String::as_str) {
        Some("--help" | "-h") => println!("{HELP}"),
        Some("golden") => all(&["--test", "golden"], &args[1..])?,
        Some(arg) if arg.starts_with("--backend") => {
            beside_flex(backend_of(args)?.unwrap_or("flex"))?;
        }
        _ => all(&[], args)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn all(which: &[&str], args: &[String]) -> Result<(), String> {
    let mut command = vec![
        "test",
        "--release",
        "--workspace",
        "--features",
        CPU_FEATURES,
    ];
    command.extend(which);
    command.extend(args.iter().map(String::as_str));
    cargo(&command)
}

/// One backend beside flex, and aloud.
fn beside_flex(backend: &str) -> Result<(), String> {
    let features = format!("{CPU_FEATURES},star-cli/{backend}");
    cargo_with(
        &[
            "test",
            "--release",
            "--package",
            "star-cli",
            "--features",
            &features,
            "--test",
            "backends",
            "--",
            "--nocapture",
        ],
        &[("STAR_TEST_BACKENDS", backend)],
    )
}
