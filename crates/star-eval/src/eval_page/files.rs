//! The files of a page's folder.

use std::{fs, path::Path};

use super::drawing::Drawing;
use star_files::write_atomic;

use crate::error::EvalError;

/// What goes into the folder, in the order in which it is written: the page comes last, when all that it names is there.
#[derive(Default)]
pub(super) struct Files(Vec<(String, String)>);

impl Files {
    pub fn add(&mut self, name: &str, text: String) {
        self.0.push((name.to_owned(), text));
    }

    /// A plot's own file. Gives the plot back for the page.
    pub fn plot(&mut self, drawing: Drawing) -> Drawing {
        self.add(&format!("{}.svg", drawing.name), drawing.file());
        drawing
    }

    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(name, _)| name.as_str())
    }

    /// Writes everything, each file whole or not at all.
    ///
    /// # Errors
    /// When the folder cannot be made or written.
    pub fn write(&self, dir: &Path) -> Result<(), EvalError> {
        fs::create_dir_all(dir).map_err(|e| EvalError::io(dir, e))?;
        for (name, text) in &self.0 {
            write_atomic(&dir.join(name), text.as_bytes())
                .map_err(|e| EvalError::io(dir.join(name), e))?;
        }
        Ok(())
    }
}
