//! What every dataset has in common, whatever its own rule for finding faces.

use std::path::Path;

use super::{
    PrepareConfig,
    lists::Found,
    report::{Complaint, PrepareReport},
};
use crate::error::DataError;

/// An impossible rule would refuse every face; say so once.
pub(super) fn check_rule(config: &PrepareConfig) -> Result<(), DataError> {
    config.crop.crop_of_box(0.0, 0.0, 1.0, 1.0).map(|_| ())
}

/// The faces that can be used, in their order; the others go into the report.
pub(super) fn keep(
    results: Vec<Result<Found, Complaint>>,
    report: &mut PrepareReport,
) -> Vec<Found> {
    let mut found = Vec::with_capacity(results.len());
    for result in results {
        match result {
            Ok(face) => found.push(face),
            Err(complaint) => report.skipped.push(complaint),
        }
    }
    found
}

/// No face at all: says what was looked for, and the first of the `things` (files, lines) that were left out.
pub(super) fn nothing(
    root: &Path,
    set: &str,
    looked_for: &str,
    things: &str,
    report: &PrepareReport,
) -> DataError {
    let first = report.skipped.first().map_or(String::new(), |c| {
        format!(
            " {} {things} were left out, such as {c}",
            report.skipped.len()
        )
    });
    DataError::Invalid(format!(
        "{}: no face of {set} found. Looked for {looked_for}.{first}",
        root.display()
    ))
}
