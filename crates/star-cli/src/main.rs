//! `star`: the crate's library with the program's memory allocator.

#[cfg(all(unix, feature = "jemalloc"))]
mod allocator;

use std::process::ExitCode;

fn main() -> ExitCode {
    star_cli::run(std::env::args_os())
}
