//! `cargo xtask ci`: what CI runs, in the order that fails soonest.

use std::process::ExitCode;

use crate::{
    star::{CPU_FEATURES, cargo},
    test,
};

pub fn run(_args: &[String]) -> Result<ExitCode, String> {
    step("formatting");
    cargo(&["fmt", "--all", "--check"])?;
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
    step("tests");
    test::run(&[])
}

fn step(name: &str) {
    println!("== {name}");
}
