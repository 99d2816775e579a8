//! `cargo xtask wheel`: the Python package as a wheel, and its tests.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, ExitCode},
};

use crate::star::{is_installed, root, target};

const HELP: &str = "\
cargo xtask wheel [--test | OPTIONS of maturin build]

Writes target/wheels/star_landmarks-VERSION-cp39-abi3-SYSTEM.whl, for Python 3.9 and later; needs maturin. docs/python.md describes the package.

  --test             installs the wheel into target/python and runs pytest there; needs pip, pytest and numpy beside it";

pub fn run(args: &[String]) -> Result<ExitCode, String> {
    match args.first().map(String::as_str) {
        Some("--help" | "-h") => println!("{HELP}"),
        Some("--test") => test(&args[1..])?,
        _ => {
            let wheel = build(args)?;
            let bytes = fs::metadata(&wheel).map_err(|e| said(&wheel, e))?.len();
            println!("{} ({:.1} MB)", wheel.display(), bytes as f64 / 1e6);
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// What is missing to build the wheel and test it; nothing where all is there.
pub fn missing() -> Option<&'static str> {
    if !is_installed("maturin") {
        return Some("maturin is not installed (pip install maturin)");
    }
    let Some(python) = python() else {
        return Some("there is no python3");
    };
    let has = |modules: &str| {
        let mut command = Command::new(python);
        let command = command.args(["-c", &format!("import {modules}")]);
        command.output().is_ok_and(|o| o.status.success())
    };
    (!has("pip, pytest, numpy"))
        .then_some("Python has no pip, pytest or numpy (pip install pytest numpy)")
}

/// Builds the wheel and gives its path; alone in its folder, so that it is the one.
fn build(args: &[String]) -> Result<PathBuf, String> {
    if !is_installed("maturin") {
        return Err(
            "maturin, which builds Python wheels, is not installed: pip install maturin, or cargo install maturin. `pip install .` in this \
             folder needs no maturin beforehand; it fetches its own."
                .into(),
        );
    }
    let wheels = target().join("wheels");
    if wheels.exists() {
        fs::remove_dir_all(&wheels).map_err(|e| said(&wheels, e))?;
    }
    let mut command = Command::new("maturin");
    command.args(["build", "--release", "--out"]).arg(&wheels);
    command.arg("--target-dir").arg(target()).args(args);
    succeed(&mut command)?;
    let entries = fs::read_dir(&wheels).map_err(|e| said(&wheels, e))?;
    let mut files = entries.filter_map(|entry| Some(entry.ok()?.path()));
    let wheel = files.find(|path| path.extension().is_some_and(|e| e == "whl"));
    wheel.ok_or_else(|| format!("{}: maturin left no wheel there", wheels.display()))
}

/// Installs the wheel into a folder of its own, where nothing else of this Python changes, and runs pytest on it.
pub fn test(args: &[String]) -> Result<(), String> {
    if let Some(missing) = missing() {
        return Err(missing.into());
    }
    let python = python().ok_or("there is no python3")?;
    let wheel = build(&[])?;
    let site = target().join("python");
    if site.exists() {
        fs::remove_dir_all(&site).map_err(|e| said(&site, e))?;
    }
    // What it depends on is there already: no network is needed.
    let mut install = Command::new(python);
    install.args(["-m", "pip", "install", "--quiet", "--no-deps", "--no-index"]);
    succeed(install.arg("--target").arg(&site).arg(&wheel))?;
    let mut pytest = Command::new(python);
    pytest.args(["-m", "pytest", "-rs", "-p", "no:cacheprovider"]);
    succeed(pytest.args(args).env("PYTHONPATH", &site))
}

/// Python as it is called here.
fn python() -> Option<&'static str> {
    ["python3", "python"].into_iter().find(|p| is_installed(p))
}

fn succeed(command: &mut Command) -> Result<(), String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let status = command.current_dir(root()).status();
    let status = status.map_err(|e| format!("{name}: {e}"))?;
    if status.success() {
        Ok(())
    } else {
        Err(format!("{name} failed"))
    }
}

fn said(path: &Path, error: std::io::Error) -> String {
    format!("{}: {error}", path.display())
}
