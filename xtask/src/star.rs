//! Builds `star` with the backend asked for and hands the arguments on.

use std::{
    path::{Path, PathBuf},
    process::{Command, ExitCode, Stdio},
};

/// The features of star-cli that are backends.
const BACKENDS: [&str; 4] = ["flex", "ndarray", "wgpu", "cuda"];

pub fn run(command: &str, args: &[String]) -> Result<ExitCode, String> {
    let binary = build(&backend_for(command, args)?)?;
    let status = Command::new(&binary)
        .arg(command)
        .args(args)
        // What hints are to name: the program that was typed.
        .env("STAR_PROGRAM", "cargo xtask")
        .status()
        .map_err(|e| format!("{}: {e}", binary.display()))?;
    // A run that Ctrl-C stopped says so itself.
    Ok(ExitCode::from(status.code().map_or(130, |c| c as u8)))
}

/// The backend to build in: that of `--backend`, otherwise the one that a run to be resumed was last started on, otherwise flex.
fn backend_for(command: &str, args: &[String]) -> Result<String, String> {
    let resumed = || {
        let run = value_of("--resume", args).filter(|_| command == "train")??;
        let text = std::fs::read_to_string(Path::new(run).join("run.toml")).ok()?;
        // Anything odd in the file is for `star` to say.
        let line = text.lines().find_map(|l| l.strip_prefix("backend = "))?;
        let name = line.trim().trim_matches('"');
        BACKENDS.contains(&name).then(|| name.to_owned())
    };
    Ok(match backend_of(args)? {
        Some(name) => name.to_owned(),
        None => resumed().unwrap_or_else(|| "flex".into()),
    })
}

/// The value of `--backend`, if it is there.
pub fn backend_of(args: &[String]) -> Result<Option<&str>, String> {
    match value_of("--backend", args) {
        None => Ok(None),
        Some(Some(name)) if BACKENDS.contains(&name) => Ok(Some(name)),
        Some(other) => Err(format!(
            "--backend {}: there are {}",
            other.unwrap_or("(nothing)"),
            BACKENDS.join(", ")
        )),
    }
}

/// What follows an option, as `--name VALUE` or `--name=VALUE`; `Some(None)` where nothing does.
fn value_of<'a>(name: &str, args: &'a [String]) -> Option<Option<&'a str>> {
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        match arg.strip_prefix(name) {
            Some("") => return Some(args.next().map(String::as_str)),
            Some(rest) if rest.starts_with('=') => return Some(rest.strip_prefix('=')),
            _ => {}
        }
    }
    None
}

/// The features of every build: both CPU backends, so that `train` and `test` share one.
pub const CPU_FEATURES: &str = "star-cli/flex,star-cli/ndarray";

/// Builds the release binary; the CPU backends stay in, as commands that compute nothing much run on them.
pub fn build(backend: &str) -> Result<PathBuf, String> {
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

/// Whether a program is there and says its version.
pub fn is_installed(program: &str) -> bool {
    Command::new(program)
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(line: &str) -> Vec<String> {
        line.split_whitespace().map(String::from).collect()
    }

    #[test]
    fn the_backend_is_the_one_asked_for_or_the_runs_own() {
        let run = std::env::temp_dir().join(format!("star-xtask-{}", std::process::id()));
        std::fs::create_dir_all(&run).expect("a temporary folder");
        std::fs::write(
            run.join("run.toml"),
            "# About it.\nbackend = \"wgpu\"\ndevices = [0, 1]\n",
        )
        .expect("a file");
        let run = run.display().to_string();
        let backend = |command: &str, line: &str| {
            backend_for(command, &args(&line.replace("RUN", &run))).expect(line)
        };
        assert_eq!(backend("train", "--config a.toml"), "flex");
        assert_eq!(backend("train", "--config a.toml --backend cuda"), "cuda");
        assert_eq!(backend("train", "--resume RUN"), "wgpu");
        assert_eq!(backend("train", "--resume=RUN"), "wgpu");
        assert_eq!(
            backend("train", "--resume RUN --backend=ndarray"),
            "ndarray"
        );
        assert_eq!(backend("train", "--resume nowhere"), "flex");
        assert!(backend_for("train", &args("--backend gpu")).is_err());
        std::fs::remove_dir_all(run).expect("clean up");
    }
}
