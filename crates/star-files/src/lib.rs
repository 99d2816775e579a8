//! Atomic writes: whoever reads a file sees the old one or the new one, never half of either, even after a power cut.
//!
//! The bytes go to a temporary file of a unique name in the same folder, are synced to disk, and the file is renamed; then the folder itself
//! is synced. Several threads or processes may write files of one folder, or even one file, at the same time: the last rename wins.
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

use std::{
    fs::{self, File},
    io::{self, Write},
    path::Path,
};

use tempfile::{Builder, NamedTempFile};

/// Writes `bytes` to `path`, replacing what is there.
///
/// # Errors
/// When the folder cannot be written or the disk is full. What was at `path` stays, and nothing is left beside it.
pub fn write_atomic(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = AtomicFile::create(path)?;
    file.write_all(bytes)?;
    file.commit(path)
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
pub struct AtomicFile(NamedTempFile);

impl AtomicFile {
    /// Begins a file in the folder of `path`.
    ///
    /// # Errors
    /// When the folder is not there or cannot be written.
    pub fn create(path: &Path) -> io::Result<Self> {
        let mut name = std::ffi::OsString::from(".");
        name.push(path.file_name().unwrap_or_default());
        name.push(".");
        let mut builder = Builder::new();
        builder.prefix(&name).suffix(".tmp");
        // Temporary files are private by default; these become ordinary files, for which the user's umask decides.
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
        builder.tempfile_in(folder_of(path)).map(Self)
    }

    /// Where the bytes are until the file is committed, for whoever wants to watch it grow.
    pub fn temporary_path(&self) -> &Path {
        self.0.path()
    }

    /// Puts the file on disk and in its place. `path` must be in the folder it was created for.
    ///
    /// # Errors
    /// When it cannot be synced or renamed; then nothing of it remains.
    pub fn commit(self, path: &Path) -> io::Result<()> {
        self.0.as_file().sync_all()?;
        self.0.persist(path).map_err(|e| e.error)?;
        sync_folder(folder_of(path))
    }
}

impl Write for AtomicFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }
    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
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
