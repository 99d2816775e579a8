//! Paths of images and names of groups that come back from an annotation file as they were written.

use crate::error::DataError;

/// Published annotation files carry the folders of their authors' machines.
pub(super) fn clean_path(path: &str) -> String {
    let path = path.trim().replace('\\', "/");
    let kept = if path.starts_with("//msr-facestore/") {
        path.split_once("/rawImages/").map(|(_, rest)| rest)
    } else {
        path.strip_prefix("./rawImages/")
    };
    kept.unwrap_or(&path).to_string()
}

/// Checks that an image's path comes back from [`read_tsv`](super::read_tsv) as it is.
///
/// # Errors
/// Naming the path, what would become of it, and what to do.
pub fn check_path(path: &str) -> Result<(), DataError> {
    let problem = if path.is_empty() {
        "is no path of an image; name the image".to_string()
    } else if let Some(problem) = field_problem(path) {
        format!("cannot stand in an annotation file: {problem}; rename the image")
    } else if path.contains('\\') {
        "cannot stand in an annotation file, where \\ is read as /; write folders with /, or rename the image"
            .into()
    } else {
        let read = clean_path(path);
        if read == path {
            return Ok(());
        }
        format!(
            "would be read as {read:?}, because published annotation files begin so; write it without it"
        )
    };
    Err(DataError::Invalid(format!("{path:?} {problem}")))
}

/// Checks that a group's name comes back from [`read_tsv`](super::read_tsv) as it is.
///
/// # Errors
/// Naming the group and what is wrong with it.
pub fn check_group(group: &str) -> Result<(), DataError> {
    let problem = if group.is_empty() {
        Some("is empty: leave it out, or give it a name")
    } else {
        field_problem(group)
    };
    match problem {
        Some(problem) => Err(DataError::Invalid(format!("group {group:?}: {problem}"))),
        None => Ok(()),
    }
}

/// Why a text is not read back from a column as it was written.
fn field_problem(text: &str) -> Option<&'static str> {
    if text.contains(['\t', '\n', '\r']) {
        Some("tabs and line breaks end a column")
    } else if text.trim() != text {
        Some("spaces at its ends are lost")
    } else if text.starts_with('"') {
        Some("quotes at its beginning are taken for quotes around it")
    } else {
        None
    }
}
