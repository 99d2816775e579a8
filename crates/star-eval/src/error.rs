//! What can go wrong while evaluating.

use std::path::PathBuf;

/// Why there are no figures.
#[derive(Debug, thiserror::Error)]
pub enum EvalError {
    /// Faces that cannot be read.
    #[error(transparent)]
    Data(#[from] star_data::DataError),
    /// The network gave no answer.
    #[error(transparent)]
    Infer(#[from] star_infer::InferError),
    /// A file of an evaluation could not be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// Something that the caller asked for and cannot have; the message says what to do.
    #[error("{0}")]
    Invalid(String),
}

impl EvalError {
    /// Wraps an I/O error with the path it happened on.
    pub fn io(path: impl Into<PathBuf>, source: std::io::Error) -> Self {
        Self::Io {
            path: path.into(),
            source,
        }
    }
}
