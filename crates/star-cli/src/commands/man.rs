//! `star man`

use std::{fs, path::PathBuf, process::ExitCode};

use clap_mangen::Man;

use crate::error::{CliError, write_file};

/// Write manual pages, one for the program and one a command
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  star man --out ~/.local/share/man/man1
  man star-train")]
pub struct Args {
    /// Folder for the pages
    #[arg(long, value_name = "DIR", default_value = "man")]
    out: PathBuf,
}

/// `command` is all of the program's.
pub fn run(args: &Args, command: clap::Command) -> Result<ExitCode, CliError> {
    fs::create_dir_all(&args.out).map_err(|e| CliError::io(&args.out, e))?;
    let mut pages = Vec::new();
    collect(command, "star", &mut pages);
    for (name, command) in &pages {
        let path = args.out.join(format!("{name}.1"));
        let mut page = Vec::new();
        Man::new(command.clone())
            .render(&mut page)
            .map_err(|e| CliError::io(&path, e))?;
        write_file(&path, &page)?;
    }
    println!("{} pages in {}", pages.len(), args.out.display());
    Ok(ExitCode::SUCCESS)
}

/// A command and those below it, each under its full name: `star-prepare-wflw`.
fn collect(command: clap::Command, name: &str, pages: &mut Vec<(String, clap::Command)>) {
    for below in command.get_subcommands().filter(|c| c.get_name() != "help") {
        collect(
            below.clone(),
            &format!("{name}-{}", below.get_name()),
            pages,
        );
    }
    pages.push((name.to_owned(), command.name(name.to_owned())));
}
