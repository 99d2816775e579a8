//! `star completions`

use std::process::ExitCode;

use clap_complete::{Shell, generate};

use crate::error::CliError;

/// Print completions for a shell
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  star completions bash > ~/.local/share/bash-completion/completions/star
  star completions zsh > ~/.zfunc/_star
  star completions fish > ~/.config/fish/completions/star.fish")]
pub struct Args {
    /// Which shell
    #[arg(value_enum)]
    shell: Shell,
}

/// `command` is all of the program's.
pub fn run(args: &Args, mut command: clap::Command) -> Result<ExitCode, CliError> {
    let mut script = Vec::new();
    generate(args.shell, &mut command, "star", &mut script);
    print!("{}", String::from_utf8_lossy(&script));
    Ok(ExitCode::SUCCESS)
}
