//! What a run runs on, kept beside its recipe: `run.toml`.

use std::path::Path;

use serde::{Deserialize, Serialize};
use star_data::error::plain_words;

use crate::error::TrainError;

/// The backend and devices that a run was last started on; whoever resumes it goes on there unless told otherwise.
///
/// Kept apart from the recipe, as it does not decide the figures: the same recipe runs anywhere.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Launch {
    /// Its name on the command line.
    pub backend: String,
    /// Numbers of the devices that share each batch; empty for the backend's own choice of one.
    #[serde(default)]
    pub devices: Vec<usize>,
}

impl Launch {
    /// Reads a run's file; `None` where there is none.
    ///
    /// # Errors
    /// A file that cannot be read or is damaged.
    pub fn read(path: &Path) -> Result<Option<Self>, TrainError> {
        match star_files::read_text(path, star_files::SMALL) {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(TrainError::io(path, e)),
            Ok(text) => toml::from_str(&text).map(Some).map_err(|e| {
                TrainError::Invalid(format!(
                    "{}: {}. It says what the run was last started on; remove it to choose anew with --backend and --devices.",
                    path.display(),
                    plain_words(e.message())
                ))
            }),
        }
    }

    /// The file's text.
    ///
    /// # Errors
    /// None for strings and numbers.
    pub fn to_toml(&self) -> Result<String, TrainError> {
        let text = toml::to_string(self).map_err(|e| TrainError::Invalid(e.to_string()))?;
        Ok(format!("# What the run was last started on.\n{text}"))
    }
}
