//! The one error type of this crate. The binary prints the message as it stands, so each says what to do.

use std::path::PathBuf;

/// Why a run could not start, continue or be evaluated.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    #[error(transparent)]
    /// From the data.
    Data(#[from] star_data::DataError),
    #[error(transparent)]
    /// From the network or a weights file.
    Model(#[from] star_model::ModelError),
    #[error(transparent)]
    /// From prediction.
    Infer(#[from] star_infer::InferError),
    #[error(transparent)]
    /// From evaluation.
    Eval(#[from] star_eval::EvalError),
    /// A file of the run folder could not be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        #[source]
        /// Why the system refused.
        source: std::io::Error,
    },
    /// The recipe, or a key set on the command line, cannot be used.
    #[error("{0}")]
    Recipe(String),
    /// A checkpoint is damaged or belongs to another recipe.
    #[error("checkpoint {}: {message}", path.display())]
    Checkpoint {
        /// Its folder.
        path: PathBuf,
        /// What is wrong with it.
        message: String,
    },
    /// A loss is not a number for some faces.
    #[error("{0}")]
    NotFinite(String),
    /// Losses are not numbers any more because the weights are not.
    #[error("{0}")]
    Diverged(String),
    /// Anything else that the caller asked for and cannot have.
    #[error("{0}")]
    Invalid(String),
}

impl TrainError {
    /// Wraps an I/O error with the path it happened on.
    pub fn io(path: impl Into<PathBuf>, source: std::io::Error) -> Self {
        Self::Io {
            path: path.into(),
            source,
        }
    }
}
