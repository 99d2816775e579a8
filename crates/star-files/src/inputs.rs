//! What was read, so that results are not written over it.
//!
//! A person who lets results go to the folder of their images, or names one file twice, must not lose what they cannot make again.

use std::{
    collections::HashSet,
    fs,
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
};

/// None as long as nobody asked for it: a training run reads its images again and again.
static READ: Mutex<Option<HashSet<PathBuf>>> = Mutex::new(None);

fn read() -> MutexGuard<'static, Option<HashSet<PathBuf>>> {
    READ.lock().unwrap_or_else(PoisonError::into_inner)
}

/// From now on this process remembers the files that it reads through this crate.
pub fn remember_inputs() {
    read().get_or_insert_default();
}

/// Remembers a file that is read, or is going to be.
pub fn note_input(path: &Path) {
    let mut read = read();
    if let Some(read) = read.as_mut()
        && let Ok(path) = fs::canonicalize(path)
    {
        read.insert(path);
    }
}

/// Whether a file, by whatever name, was read or is going to be.
pub fn is_input(path: &Path) -> bool {
    let read = read();
    let Some(read) = read.as_ref().filter(|read| !read.is_empty()) else {
        return false;
    };
    fs::canonicalize(path).is_ok_and(|path| path.is_file() && read.contains(&path))
}
