//! `star`: reads arguments, picks the backend, calls the library, prints.

#[cfg(unix)]
mod allocator;
mod backend;
mod commands;
mod error;
mod finder;
mod program;
mod progress;
mod shipped;
mod version;
mod writable;

use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

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

fn main() -> ExitCode {
    let matches = program::help_as_typed(Cli::command()).get_matches();
    let cli = Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    // A run of hours goes on when nobody reads what it prints, and a server when a browser hangs up.
    let goes_on = matches!(
        cli.command,
        Command::Train(_) | Command::Predict(_) | Command::Serve(_)
    );
    if !goes_on {
        end_quietly_with_the_reader();
    }
    let result = match cli.command {
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
    };
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

/// `star ... | head` ends when head has seen enough, as other programs do; Rust would make it a panic.
fn end_quietly_with_the_reader() {
    #[cfg(unix)]
    // SAFETY: no other thread runs yet, and the default action is always a valid one.
    unsafe {
        libc::signal(libc::SIGPIPE, libc::SIG_DFL);
    }
}
