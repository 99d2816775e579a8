//! What the program `star` does: reads arguments, picks the backend, calls the library, prints.
//!
//! Two programs begin here: `star` itself, whose `main` adds its memory allocator, and the `star` of the Python package, which runs
//! inside Python. It is no library to build on: who wants landmarks in a program of their own takes `star-infer`.

#![warn(missing_docs)]

mod backend;
mod commands;
mod error;
mod finder;
mod program;
mod progress;
mod shipped;
mod stdout;
mod version;
mod writable;

use std::{ffi::OsString, process::ExitCode};

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

pub use program::starts_again_as;

/// Facial landmarks with STAR loss (CVPR 2023): train, evaluate, predict.
///
/// Runs on the CPU (flex, ndarray), on any GPU (wgpu) and on NVIDIA GPUs (cuda), whichever were built in.
/// Through `cargo xtask` the right one is built first.
#[derive(Debug, Parser)]
#[command(name = "star", version = version::version(), max_term_width = 110)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Train(commands::train::Args),
    Eval(commands::eval::Args),
    Compare(commands::compare::Args),
    Predict(commands::predict::Args),
    Serve(commands::serve::Args),
    Calibrate(commands::calibrate::Args),
    Analyze(commands::analyze::Args),
    Prepare(commands::prepare::Args),
    Data(commands::data::Args),
    Model(commands::model::Args),
    Bench(commands::bench::Args),
    Completions(commands::completions::Args),
    Man(commands::man::Args),
}

/// Runs the program with these arguments, the first of them its own name, and says how it ends.
pub fn run(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let parsed = program::help_as_typed(Cli::command())
        .try_get_matches_from(args)
        .and_then(|matches| Cli::from_arg_matches(&matches));
    let cli = match parsed {
        Ok(cli) => cli,
        // Help and the version are such errors too, whose exit code is 0.
        Err(error) => {
            let _ = error.print(); // that nobody reads it is no further error
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    // A run of hours goes on when nobody reads what it prints, and a server when a browser hangs up.
    let goes_on = matches!(
        cli.command,
        Command::Train(_) | Command::Predict(_) | Command::Serve(_)
    );
    if !goes_on {
        end_quietly_with_the_reader();
    }
    if !matches!(cli.command, Command::Train(_) | Command::Serve(_)) {
        star_files::remember_inputs();
    }
    let result = stdout::guarded(|| dispatch(cli.command));
    match result {
        Ok(code) => code,
        Err(error) => {
            eprintln!(
                "error: {}",
                program::as_typed(&format!("{error}{}", error.advice()))
            );
            ExitCode::FAILURE
        }
    }
}

fn dispatch(command: Command) -> Result<ExitCode, error::CliError> {
    match command {
        Command::Train(args) => commands::train::run(args),
        Command::Eval(args) => commands::eval::run(args),
        Command::Compare(args) => commands::compare::run(args),
        Command::Predict(args) => commands::predict::run(args),
        Command::Serve(args) => commands::serve::run(args),
        Command::Calibrate(args) => commands::calibrate::run(args),
        Command::Analyze(args) => commands::analyze::run(args),
        Command::Prepare(args) => commands::prepare::run(args),
        Command::Data(args) => commands::data::run(args),
        Command::Model(args) => commands::model::run(args),
        Command::Bench(args) => commands::bench::run(args),
        Command::Completions(args) => commands::completions::run(&args, Cli::command()),
        Command::Man(args) => commands::man::run(&args, Cli::command()),
    }
}

/// The number of an exit code, for a caller that is not `main`: the standard library tells only whether two of them are equal.
pub fn number(code: ExitCode) -> u8 {
    (0..=u8::MAX)
        .find(|&number| ExitCode::from(number) == code)
        .unwrap_or(1)
}

/// `star ... | head` ends when head has seen enough, as other programs do; Rust would make it a panic.
fn end_quietly_with_the_reader() {
    #[cfg(unix)]
    // SAFETY: the default action is always a valid one, and no thread of ours runs yet that could write to a pipe.
    unsafe {
        libc::signal(libc::SIGPIPE, libc::SIG_DFL);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exit_code_has_its_number() {
        assert_eq!(number(ExitCode::SUCCESS), 0);
        assert_eq!(number(ExitCode::FAILURE), 1);
        assert_eq!(number(ExitCode::from(130)), 130);
    }
}
