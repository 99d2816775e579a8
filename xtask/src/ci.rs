//! `cargo xtask ci`: what CI runs, in the order that fails soonest.

use std::process::ExitCode;

use crate::{
    star::{CPU_FEATURES, cargo, is_installed, root, target},
    test, wheel,
};

pub fn run(_args: &[String]) -> Result<ExitCode, String> {
    step("formatting");
    cargo(&["fmt", "--all", "--check"])?;
    step("licences and advisories");
    check_dependencies()?;
    step("clippy");
    cargo(&[
        "clippy",
        "--release",
        "--workspace",
        "--features",
        CPU_FEATURES,
        "--all-targets",
        "--",
        "-D",
        "warnings",
    ])?;
    for backend in ["wgpu", "cuda"] {
        step(&format!("cargo check with {backend}"));
        cargo(&[
            "check",
            "--release",
            "--package",
            "star-cli",
            "--features",
            backend,
        ])?;
    }
    step("fuzz targets");
    check_fuzz()?;
    step("tests");
    test::run(&[])?;
    step("the Python package");
    check_python()?;
    Ok(ExitCode::SUCCESS)
}

/// Builds the wheel and tests it. Python is no part of a Rust toolchain, so a machine without it is not held up.
fn check_python() -> Result<(), String> {
    if let Some(missing) = wheel::missing() {
        println!("skipped: {missing}");
        return Ok(());
    }
    wheel::test(&[])
}

/// `cargo deny check` by deny.toml. It is no part of a toolchain and asks the network for advisories, so a machine without it is not held up.
fn check_dependencies() -> Result<(), String> {
    if !is_installed("cargo-deny") {
        println!("skipped: cargo-deny is not installed (cargo install cargo-deny)");
        return Ok(());
    }
    // Which crate brings which: `cargo tree -i NAME` says it, of the one that matters.
    cargo(&["deny", "check", "--hide-inclusion-graph"])
}

/// Compiles what `fuzz/` needs a nightly compiler to run. Its lock file is the workspace's: what is fuzzed is what is shipped, and
/// everything that both need is compiled once.
fn check_fuzz() -> Result<(), String> {
    let fuzz = root().join("fuzz");
    let (from, to) = (root().join("Cargo.lock"), fuzz.join("Cargo.lock"));
    std::fs::copy(&from, &to).map_err(|e| format!("{}: {e}", to.display()))?;
    let manifest = fuzz.join("Cargo.toml");
    let target = target();
    cargo(&[
        "check",
        "--release",
        "--manifest-path",
        &manifest.to_string_lossy(),
        "--target-dir",
        &target.to_string_lossy(),
    ])
}

fn step(name: &str) {
    println!("== {name}");
}
