//! What can stop a command. Every message is a paragraph that a person can act on.

use std::path::{Path, PathBuf};

#[derive(Debug, thiserror::Error)]
pub enum CliError {
    #[error(transparent)]
    Train(#[from] star_train::TrainError),
    #[error(transparent)]
    Infer(#[from] star_infer::InferError),
    #[error(transparent)]
    Eval(#[from] star_eval::EvalError),
    #[error(transparent)]
    Draw(#[from] star_draw::DrawError),
    #[error(transparent)]
    Data(#[from] star_data::DataError),
    #[error(transparent)]
    Model(#[from] star_model::ModelError),
    #[error(transparent)]
    Onnx(#[from] star_onnx::OnnxError),
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

impl CliError {
    /// What to do where a device failed, as a further line; nothing for other errors.
    pub fn advice(&self) -> &'static str {
        use star_eval::EvalError;
        use star_infer::InferError::Device;
        use star_train::TrainError;
        match self {
            Self::Infer(Device(_))
            | Self::Eval(EvalError::Infer(Device(_)))
            | Self::Train(
                TrainError::Infer(Device(_)) | TrainError::Eval(EvalError::Infer(Device(_))),
            ) => {
                "\nIf its memory ran out, a smaller batch needs less: --batch N, or a new run with --set train.batch_size=N. \
                 Otherwise --resume goes on from a run's last checkpoint."
            }
            _ => "",
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

/// Refuses to write over something that was read, or is going to be.
///
/// # Errors
/// When it was.
pub fn refuse_input(path: &Path) -> Result<(), CliError> {
    if star_files::is_input(path) {
        return Err(CliError::Usage(format!(
            "{} would be written over, but it is one of the files that are read. Name another file or folder for the results.",
            path.display()
        )));
    }
    Ok(())
}

/// [`star_files::write_atomic`] with this crate's error, for results.
///
/// # Errors
/// When the folder cannot be written; where an input would be written over.
pub fn write_file(path: &Path, bytes: &[u8]) -> Result<(), CliError> {
    refuse_input(path)?;
    star_files::write_atomic(path, bytes).map_err(|e| CliError::io(path, e))
}

/// [`star_files::write_json`] with this crate's error.
///
/// # Errors
/// When the folder cannot be written; where an input would be written over.
pub fn write_json(path: &Path, value: &impl serde::Serialize) -> Result<(), CliError> {
    refuse_input(path)?;
    star_files::write_json(path, value).map_err(|e| CliError::io(path, e))
}
