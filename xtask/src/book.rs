//! `cargo xtask book`: docs/ as a book with a search, by mdbook and book.toml.

use std::process::{Command, ExitCode};

use crate::star::{is_installed, root};

const HELP: &str = "\
cargo xtask book [OPTIONS of mdbook build]

Writes target/book. `cargo xtask book --open` opens it in a browser.";

pub fn run(args: &[String]) -> Result<ExitCode, String> {
    if matches!(args.first().map(String::as_str), Some("--help" | "-h")) {
        println!("{HELP}");
        return Ok(ExitCode::SUCCESS);
    }
    if !is_installed("mdbook") {
        return Err("mdbook is not installed: cargo install mdbook".into());
    }
    let status = Command::new("mdbook")
        .arg("build")
        .args(args)
        .current_dir(root())
        .status()
        .map_err(|e| format!("mdbook: {e}"))?;
    if !status.success() {
        return Err("`mdbook build` failed".into());
    }
    println!("{}", root().join("target/book/index.html").display());
    Ok(ExitCode::SUCCESS)
}
