//! Atomic writes: whoever reads a file sees the old one or the new one, never half of either, even after a power cut.
//!
//! The bytes go to a temporary file of a unique name in the same folder, are synced to disk, and the file is renamed; then the folder itself
//! is synced. Several threads or processes may write files of one folder, or even one file, at the same time: the last rename wins. What is
//! no file (a device, a pipe) cannot be replaced, and is written as it is. Whole files are read only if they are files and not too large.
//!
//! ```
//! let folder = tempfile::tempdir()?;
//! let path = folder.path().join("figures.json");
//! star_files::write_atomic(&path, b"{}\n")?;
//! assert_eq!(std::fs::read(&path)?, b"{}\n");
//! # Ok::<(), std::io::Error>(())
//! ```

#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod inputs;
mod read;

use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
};

use tempfile::{Builder, NamedTempFile};

pub use inputs::{is_input, note_input, remember_inputs};
pub use read::{IMAGE, LARGE, SMALL, TEXT, ordinary, read_file, read_text};

/// Writes `bytes` to `path`, replacing what is there.
///
/// # Errors
/// When the folder cannot be written or the disk is full. What was at `path` stays, and nothing is left beside it.
pub fn write_atomic(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = AtomicFile::create(path)?;
    file.write_all(bytes)?;
    file.commit()
}

/// Writes a value as indented JSON with a line break at its end, replacing what is there.
///
/// # Errors
/// As [`write_atomic`]; a value that JSON cannot hold.
pub fn write_json(path: &Path, value: &impl serde::Serialize) -> io::Result<()> {
    let mut text = serde_json::to_string_pretty(value)?;
    text.push('\n');
    write_atomic(path, text.as_bytes())
}

/// A file that is written bit by bit and appears under its name when it is committed; dropped before, it leaves nothing behind.
#[derive(Debug)]
pub struct AtomicFile(Kind);

#[derive(Debug)]
enum Kind {
    /// Renamed to this path in the end.
    New(NamedTempFile, PathBuf),
    /// A device or a pipe: a file renamed to its name would take its place.
    Stream(File),
}

impl AtomicFile {
    /// Begins a file that is to be at `path`. Where `path` is a symbolic link, what it points to is replaced, not the link.
    ///
    /// # Errors
    /// When the folder is not there or cannot be written.
    pub fn create(path: &Path) -> io::Result<Self> {
        if fs::metadata(path).is_ok_and(|there| !there.is_file() && !there.is_dir()) {
            let stream = fs::OpenOptions::new().write(true).open(path)?;
            return Ok(Self(Kind::Stream(stream)));
        }
        let path = match fs::symlink_metadata(path) {
            Ok(there) if there.is_symlink() => {
                fs::canonicalize(path).unwrap_or_else(|_| path.to_owned())
            }
            _ => path.to_owned(),
        };
        let mut name = std::ffi::OsString::from(".");
        name.push(path.file_name().unwrap_or_default());
        name.push(".");
        let mut builder = Builder::new();
        builder.prefix(&name).suffix(".tmp");
        // Temporary files are private by default; these become ordinary files, for which the user's umask decides.
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
        let file = builder.tempfile_in(folder_of(&path))?;
        Ok(Self(Kind::New(file, path)))
    }

    /// Puts the file on disk and in its place.
    ///
    /// # Errors
    /// When it cannot be synced or renamed; then nothing of it remains.
    pub fn commit(self) -> io::Result<()> {
        match self.0 {
            Kind::New(file, path) => {
                file.as_file().sync_all()?;
                file.persist(&path).map_err(|e| e.error)?;
                sync_folder(folder_of(&path))
            }
            Kind::Stream(mut stream) => stream.flush(),
        }
    }
}

impl Write for AtomicFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.0 {
            Kind::New(file, _) => file.write(bytes),
            Kind::Stream(stream) => stream.write(bytes),
        }
    }
    fn flush(&mut self) -> io::Result<()> {
        match &mut self.0 {
            Kind::New(file, _) => file.flush(),
            Kind::Stream(stream) => stream.flush(),
        }
    }
}

/// Puts a file's bytes on disk, for files that another library wrote.
///
/// # Errors
/// When it cannot be opened or synced.
pub fn sync_file(path: &Path) -> io::Result<()> {
    // Windows syncs only what is open for writing.
    fs::OpenOptions::new().write(true).open(path)?.sync_all()
}

/// Puts a folder's entries on disk, so that a new or renamed file is found there after a power cut.
///
/// # Errors
/// When it cannot be opened or synced. On systems other than Unix it does nothing: they have no such call.
pub fn sync_folder(folder: &Path) -> io::Result<()> {
    if cfg!(unix) {
        match File::open(folder)?.sync_all() {
            // Some network and user-space file systems know no sync of folders.
            Err(e) if e.kind() == io::ErrorKind::InvalidInput => Ok(()),
            result => result,
        }
    } else {
        Ok(())
    }
}

/// The folder that a path lies in; `a.json` lies in `.`.
pub fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}
