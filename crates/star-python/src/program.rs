//! The program `star`, run inside Python.

use std::{ffi::OsString, io::Write};

use pyo3::{Python, pyfunction};

/// Runs `star` with these arguments, the first of them its own name; gives the exit code. `again` are the words that start it anew.
#[pyfunction]
pub fn run_program(py: Python<'_>, args: Vec<OsString>, again: Vec<OsString>) -> u8 {
    py.detach(|| {
        star_cli::starts_again_as(again);
        let code = star_cli::number(star_cli::run(args));
        // Rust's own main would do it. A reader that is gone is no error.
        let _ = std::io::stdout().flush();
        code
    })
}
