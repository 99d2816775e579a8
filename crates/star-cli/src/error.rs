//! What can stop a command. Every message is a paragraph that a person can act on.

use std::path::{Path, PathBuf};

#[derive(Debug, thiserror::Error)]
pub enum CliError {
    #[error(transparent)]
    Train(#[from] star_train::TrainError),
    #[error(transparent)]
    Data(#[from] star_data::DataError),
    #[error(transparent)]
    Model(#[from] star_model::ModelError),
    #[error("{}: {source}", path.display())]
    Io {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("{0}")]
    Usage(String),
}

impl CliError {
    pub fn io(path: impl Into<PathBuf>, source: std::io::Error) -> Self {
        Self::Io {
            path: path.into(),
            source,
        }
    }
}

/// Refuses to write over something that is read.
///
/// # Errors
/// When `output` is one of `inputs`, by whatever name.
pub fn refuse_overwriting(output: &Path, inputs: &[&Path]) -> Result<(), CliError> {
    let real = |path: &Path| path.canonicalize().ok();
    match real(output) {
        Some(output) if inputs.iter().any(|i| real(i).as_ref() == Some(&output)) => {
            Err(CliError::Usage(format!(
                "{} would be written over itself: it is also read. Name another file.",
                output.display()
            )))
        }
        _ => Ok(()),
    }
}
