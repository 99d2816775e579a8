//! The program as the user types it, and as it starts itself again.

use std::{ffi::OsString, io, process::Command, sync::OnceLock};

/// Set by `cargo xtask`, which runs this binary for commands that were typed as `cargo xtask ...`.
const VARIABLE: &str = "STAR_PROGRAM";

/// `star`, or `cargo xtask`.
pub fn name() -> String {
    std::env::var(VARIABLE).unwrap_or_else(|_| "star".into())
}

/// How to start this program where it is not the process's own file.
static STARTED_AS: OnceLock<Vec<OsString>> = OnceLock::new();

/// Says how this program is started, for where it runs inside another one (Python): `bench` measures in processes of its own.
pub fn starts_again_as(words: Vec<OsString>) {
    // A second call in one process says the same.
    let _ = STARTED_AS.set(words);
}

/// This program, to be started once more; arguments are to follow.
///
/// # Errors
/// When the system does not know its file.
pub fn again() -> io::Result<Command> {
    let Some([program, arguments @ ..]) = STARTED_AS.get().map(Vec::as_slice) else {
        return Ok(Command::new(std::env::current_exe()?));
    };
    let mut command = Command::new(program);
    command.args(arguments);
    Ok(command)
}

/// A text in which commands are written as `star ...` in backquotes, with the program that was typed instead.
pub fn as_typed(text: &str) -> String {
    text.replace("`star ", &format!("`{} ", name()))
}

/// The command line's help with the program that was typed: the examples too.
pub fn help_as_typed(command: clap::Command) -> clap::Command {
    let name = name();
    if name == "star" {
        return command;
    }
    with_examples_of(command, &name).bin_name(name)
}

fn with_examples_of(mut command: clap::Command, name: &str) -> clap::Command {
    if let Some(help) = command.get_after_help() {
        let lines = help.to_string();
        let lines: Vec<String> = lines
            .lines()
            .map(|line| match line.strip_prefix("  star ") {
                Some(rest) => format!("  {name} {rest}"),
                None => line.to_owned(),
            })
            .collect();
        command = command.after_help(as_typed(&lines.join("\n")));
    }
    let subcommands: Vec<String> = (command.get_subcommands())
        .map(|c| c.get_name().to_owned())
        .collect();
    for subcommand in subcommands {
        command = command.mut_subcommand(subcommand, |c| with_examples_of(c, name));
    }
    command
}

/// A command that can be pasted: the program, and arguments, those with spaces or signs of the shell in quotes.
pub fn command_line(args: &[String]) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-./\\:,=+@%".contains(c);
    let quoted = args.iter().map(|arg| {
        if !arg.is_empty() && arg.chars().all(|c| plain(c) || !c.is_ascii()) {
            arg.clone()
        } else if cfg!(windows) {
            format!("\"{arg}\"")
        } else {
            format!("'{}'", arg.replace('\'', r"'\''"))
        }
    });
    let words: Vec<String> = std::iter::once(name()).chain(quoted).collect();
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_with_spaces_can_be_pasted() {
        let args = ["train", "--resume", "runs/it's mine", "--devices", "0,1"];
        let line = command_line(&args.map(String::from));
        if cfg!(unix) {
            assert_eq!(
                line,
                r"star train --resume 'runs/it'\''s mine' --devices 0,1"
            );
        }
    }
}
