//! Whether results can be written, asked before the work that they are of.

use std::{
    fs,
    io::ErrorKind,
    path::{Path, PathBuf},
};

use star_files::AtomicFile;

use crate::error::CliError;

/// Refuses a folder for results that could not be made or written to. Nothing stays behind.
///
/// # Errors
/// When it is no folder, or the system does not let us.
pub fn check_folder(folder: &Path) -> Result<(), CliError> {
    // Up to what is there already; what is missing below it would be made.
    let mut there = whole(folder);
    loop {
        match fs::metadata(&there) {
            Ok(found) if found.is_dir() => break,
            Ok(_) => {
                let e = std::io::Error::new(ErrorKind::NotADirectory, "it is no folder");
                return Err(cannot(&there, e));
            }
            Err(e) if e.kind() == ErrorKind::NotFound => {
                if !there.pop() {
                    return Err(cannot(folder, e));
                }
                there = whole(&there);
            }
            Err(e) => return Err(cannot(&there, e)),
        }
    }
    probe(&there).map_err(|e| cannot(folder, e))
}

/// Refuses a file for results that could not be written. Nothing stays behind.
///
/// # Errors
/// When its folder is not there or cannot be written to, or when it is itself a folder.
pub fn check_file(file: &Path) -> Result<(), CliError> {
    if file.as_os_str() == "-" {
        return Err(CliError::Usage(
            "results go to a file, and `-` would be one of that name. Name a file, or /dev/stdout to see them in the terminal.".into(),
        ));
    }
    if file.is_dir() {
        let e = std::io::Error::new(ErrorKind::IsADirectory, "it is a folder");
        return Err(cannot(file, e));
    }
    let folder = star_files::folder_of(file);
    if !folder.is_dir() {
        let e = std::io::Error::new(ErrorKind::NotFound, "its folder is not there");
        return Err(cannot(file, e));
    }
    probe(folder).map_err(|e| cannot(file, e))
}

/// Makes a file in a folder and takes it away.
fn probe(folder: &Path) -> std::io::Result<()> {
    AtomicFile::create(&folder.join("probe")).map(drop)
}

/// `a.json` lies in this folder, whose name is `.`.
fn whole(folder: &Path) -> PathBuf {
    if folder.as_os_str().is_empty() {
        PathBuf::from(".")
    } else {
        folder.to_owned()
    }
}

fn cannot(path: &Path, e: std::io::Error) -> CliError {
    CliError::Usage(format!(
        "results cannot be written to {}: {e}. Name another place.",
        path.display()
    ))
}
