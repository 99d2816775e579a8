//! Builds `star` with the backend asked for and hands the arguments on.

use std::{
    path::PathBuf,
    process::{Command, ExitCode},
};

/// The features of star-cli that are backends.
const BACKENDS: [&str; 4] = ["flex", "ndarray", "wgpu", "cuda"];

pub fn run(command: &str, args: &[String]) -> Result<ExitCode, String> {
    let binary = build(backend_of(args)?)?;
    let status = Command::new(&binary)
        .arg(command)
        .args(args)
        .status()
        .map_err(|e| format!("{}: {e}", binary.display()))?;
    // A run that Ctrl-C stopped says so itself.
    Ok(ExitCode::from(status.code().map_or(130, |c| c as u8)))
}

/// The value of `--backend`, flex where there is none.
pub fn backend_of(args: &[String]) -> Result<&str, String> {
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        let value = match arg.strip_prefix("--backend") {
            Some("") => args.next().map(String::as_str),
            Some(rest) => rest.strip_prefix('='),
            None => continue,
        };
        return match value {
            Some(name) if BACKENDS.contains(&name) => Ok(name),
            other => Err(format!(
                "--backend {}: there are {}",
                other.unwrap_or("(nothing)"),
                BACKENDS.join(", ")
            )),
        };
    }
    Ok("flex")
}

/// The features of every build: both CPU backends, so that `train` and `test` share one.
pub const CPU_FEATURES: &str = "star-cli/flex,star-cli/ndarray";

/// Builds the release binary; the CPU backends stay in, as commands that compute nothing much run on them.
fn build(backend: &str) -> Result<PathBuf, String> {
    let features = format!("{CPU_FEATURES},star-cli/{backend}");
    cargo(&[
        "build",
        "--release",
        "--package",
        "star-cli",
        "--features",
        &features,
    ])?;
    Ok(target()
        .join("release")
        .join(format!("star{}", std::env::consts::EXE_SUFFIX)))
}

/// Where Cargo builds.
pub fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}

/// The workspace's folder.
pub fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .map(PathBuf::from)
        .unwrap_or_default()
}

/// Runs cargo in the workspace; an error when it fails.
pub fn cargo(args: &[&str]) -> Result<(), String> {
    cargo_with(args, &[])
}

/// As [`cargo`], with some of the environment set.
pub fn cargo_with(args: &[&str], environment: &[(&str, &str)]) -> Result<(), String> {
    let program = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(program)
        .args(args)
        .envs(environment.iter().copied())
        .current_dir(root())
        .status()
        .map_err(|e| format!("cargo {}: {e}", args.join(" ")))?;
    if status.success() {
        Ok(())
    } else {
        Err(format!("`cargo {}` failed", args.join(" ")))
    }
}
