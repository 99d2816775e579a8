//! The crates' errors as Python's, with their words.

use std::io::{self, ErrorKind};

use pyo3::{
    PyErr,
    exceptions::{PyFileNotFoundError, PyOSError, PyPermissionError, PyRuntimeError, PyValueError},
};
use star_data::DataError;
use star_infer::InferError;

/// What Python raises: an `OSError` for a file that cannot be read, a `RuntimeError` for a detector or a device that fails, a
/// `ValueError` for everything that the caller can put right.
pub fn raised(error: impl Into<InferError>) -> PyErr {
    let error = error.into();
    let said = error.to_string();
    match &error {
        InferError::Data(DataError::Io { source, .. }) => of_file(source, said),
        InferError::Model(star_model::ModelError::Io { source, .. }) => of_file(source, said),
        InferError::Detector(_) | InferError::Device(_) => PyRuntimeError::new_err(said),
        _ => PyValueError::new_err(said),
    }
}

fn of_file(source: &io::Error, said: String) -> PyErr {
    match source.kind() {
        ErrorKind::NotFound => PyFileNotFoundError::new_err(said),
        ErrorKind::PermissionDenied => PyPermissionError::new_err(said),
        _ => PyOSError::new_err(said),
    }
}
