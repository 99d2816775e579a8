//! A file that grows beside its place and is moved there when it is whole.

use std::{io::Write, path::PathBuf};

use star_files::AtomicFile;

use crate::error::{CliError, refuse_input};

/// See the module.
pub struct Stream {
    /// None if it was not asked for.
    path: Option<PathBuf>,
    file: Option<AtomicFile>,
}

impl Stream {
    /// The file at `path`; where there is none, what is appended goes nowhere.
    pub fn new(path: Option<PathBuf>) -> Self {
        Self { path, file: None }
    }

    /// Whether something has been appended.
    pub fn has_begun(&self) -> bool {
        self.file.is_some()
    }

    /// Appends a text; the first time also `header`. Written through, so that a long run can be watched.
    pub fn append(
        &mut self,
        header: impl FnOnce() -> String,
        text: impl FnOnce() -> Result<String, CliError>,
    ) -> Result<(), CliError> {
        let Some(path) = &self.path else {
            return Ok(());
        };
        let fail = |e| CliError::io(path, e);
        let file = match &mut self.file {
            Some(file) => file,
            None => {
                refuse_input(path)?;
                let mut file = AtomicFile::create(path).map_err(fail)?;
                file.write_all(header().as_bytes()).map_err(fail)?;
                self.file.insert(file)
            }
        };
        file.write_all(text()?.as_bytes()).map_err(fail)
    }

    /// Moves the file to its place, if anything is in it.
    ///
    /// # Errors
    /// When it cannot be moved.
    pub fn finish(self) -> Result<(), CliError> {
        match (self.path, self.file) {
            (Some(path), Some(file)) => file.commit().map_err(|e| CliError::io(&path, e)),
            _ => Ok(()),
        }
    }
}
