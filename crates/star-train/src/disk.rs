//! Every change that a run makes in its folder: each is on disk before the next one begins, so what a crash or a power cut leaves is always
//! the state between two of them. Tests stop a run at each (`crash_tests.rs`).

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
};

use serde::Serialize;

use crate::error::TrainError;

/// Replaces a file.
pub fn write(path: &Path, bytes: &[u8]) -> Result<(), TrainError> {
    change(path)?;
    star_files::write_atomic(path, bytes).map_err(|e| TrainError::io(path, e))
}

/// Writes a value as readable JSON, atomically.
///
/// # Errors
/// When the folder cannot be written.
pub fn write_json(path: &Path, value: &impl Serialize) -> Result<(), TrainError> {
    let mut text =
        serde_json::to_string_pretty(value).map_err(|e| TrainError::Invalid(e.to_string()))?;
    text.push('\n');
    write(path, text.as_bytes())
}

/// Adds lines to a log. They are on disk only after [`sync`]; until then a crash may lose them, or cut one off.
pub fn append(path: &Path, text: &str) -> Result<(), TrainError> {
    let write = |text: &str| {
        fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(path)
            .and_then(|mut file| file.write_all(text.as_bytes()))
            .map_err(|e| TrainError::io(path, e))
    };
    if let Err(stopped) = change(path) {
        write(&text[..text.len() / 2])?;
        return Err(stopped);
    }
    write(text)
}

/// Puts what was added to a file on disk, if there is such a file.
pub fn sync(path: &Path) -> Result<(), TrainError> {
    change(path)?;
    let synced = star_files::sync_file(path)
        .and_then(|()| star_files::sync_folder(star_files::folder_of(path)));
    match synced {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(()),
        result => result.map_err(|e| TrainError::io(path, e)),
    }
}

/// Makes a folder, and those that it lies in.
pub fn create_folder(path: &Path) -> Result<(), TrainError> {
    change(path)?;
    let missing: Vec<&Path> = path
        .ancestors()
        .take_while(|folder| !folder.as_os_str().is_empty() && !folder.exists())
        .collect();
    fs::create_dir_all(path).map_err(|e| TrainError::io(path, e))?;
    for folder in missing {
        star_files::sync_folder(star_files::folder_of(folder))
            .map_err(|e| TrainError::io(folder, e))?;
    }
    Ok(())
}

/// Gives a folder its name, once everything in it is on disk. Nothing may have that name.
pub fn rename_folder(from: &Path, to: &Path) -> Result<(), TrainError> {
    change(to)?;
    // What took a folder's place may be a pipe.
    let synced = if from.is_dir() {
        star_files::sync_folder(from)
    } else {
        Ok(())
    };
    synced
        .and_then(|()| fs::rename(from, to))
        .and_then(|()| star_files::sync_folder(star_files::folder_of(to)))
        .map_err(|e| TrainError::io(to, e))
}

/// Removes a folder and what is in it, if it is there.
pub fn remove_folder(path: &Path) -> Result<(), TrainError> {
    if !path.exists() {
        return Ok(());
    }
    if let Err(stopped) = change(path) {
        // Half of it.
        for file in files_of(path)?.iter().step_by(2) {
            fs::remove_file(file).map_err(|e| TrainError::io(file, e))?;
        }
        return Err(stopped);
    }
    fs::remove_dir_all(path).map_err(|e| TrainError::io(path, e))
}

/// Removes a file, if it is there.
pub fn remove_file(path: &Path) -> Result<(), TrainError> {
    if !path.exists() {
        return Ok(());
    }
    change(path)?;
    fs::remove_file(path)
        .and_then(|()| star_files::sync_folder(star_files::folder_of(path)))
        .map_err(|e| TrainError::io(path, e))
}

fn files_of(folder: &Path) -> Result<Vec<PathBuf>, TrainError> {
    let entries = fs::read_dir(folder).map_err(|e| TrainError::io(folder, e))?;
    let mut files: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .collect();
    files.sort();
    Ok(files)
}

/// Called before each change, by this module and by whoever changes the folder through other libraries.
#[cfg(not(test))]
pub fn change(_path: &Path) -> Result<(), TrainError> {
    Ok(())
}

#[cfg(test)]
pub use stops::change;

/// Stops a run as a crash does: from some change on, none is made.
#[cfg(test)]
pub mod stops {
    use std::{cell::Cell, path::Path};

    use crate::error::TrainError;

    pub const STOPPED: &str = "stopped by a test";

    thread_local! {
        static DONE: Cell<usize> = const { Cell::new(0) };
        static ALLOWED: Cell<usize> = const { Cell::new(usize::MAX) };
    }

    /// Lets this thread make `count` more changes.
    pub fn allow(count: usize) {
        DONE.set(0);
        ALLOWED.set(count);
    }

    /// Changes made, or tried, since [`allow`].
    pub fn done() -> usize {
        DONE.get()
    }

    pub fn change(path: &Path) -> Result<(), TrainError> {
        let done = DONE.get();
        DONE.set(done + 1);
        if done < ALLOWED.get() {
            Ok(())
        } else {
            Err(TrainError::io(path, std::io::Error::other(STOPPED)))
        }
    }
}
