//! Annotation files as rows: up to the first line that is no face, or with all of those.

use std::path::Path;

use super::row::{Columns, TsvRow};
use crate::{error::DataError, layout::Layout};

/// Reads an annotation file. A header line is recognised and skipped; no other line is.
///
/// # Errors
/// When the file cannot be read, or a line is not a face of `layout`; the message names line, column and remedy.
pub fn read_tsv(path: &Path, layout: &Layout) -> Result<Vec<TsvRow>, DataError> {
    let bytes =
        star_files::read_file(path, star_files::LARGE).map_err(|e| DataError::io(path, e))?;
    parse_tsv(&bytes, path, layout)
}

/// As [`read_tsv`] from bytes; `origin` is what messages call the file.
///
/// # Errors
/// As [`read_tsv`].
pub fn parse_tsv(bytes: &[u8], origin: &Path, layout: &Layout) -> Result<Vec<TsvRow>, DataError> {
    let fail = |line: usize, message: String| DataError::Parse {
        path: origin.to_path_buf(),
        line,
        message,
    };
    let mut rows = Vec::new();
    for face in faces(bytes, layout) {
        let row = face.map_err(|bad| fail(bad.line, bad.message))?;
        // By halves: while it is copied, a list that doubles takes three times what is in it.
        if rows.len() == rows.capacity() {
            rows.reserve_exact((rows.len() / 2).max(4));
        }
        rows.push(row);
    }
    if rows.is_empty() {
        return Err(fail(1, "the annotation file has no faces".into()));
    }
    Ok(rows)
}

/// A line of an annotation file that is no face.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadLine {
    /// 1-based.
    pub line: usize,
    /// Which column is wrong, and what would be right.
    pub message: String,
    /// Whether it is the number of landmarks that is not the layout's.
    pub other_layout: bool,
}

/// The lines of an annotation file that are no faces.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BadLines {
    /// How many they are.
    pub count: usize,
    /// The first [`MOST_TOLD`] of them.
    pub told: Vec<BadLine>,
}

/// Who has more bad lines than this has another file than they think.
pub const MOST_TOLD: usize = 1000;

/// Reads an annotation file to its end, whatever its lines are: the faces, and the lines that are none. For checking it;
/// [`read_tsv`] stops at the first bad line.
///
/// # Errors
/// When the file cannot be read.
pub fn read_tsv_leniently(
    path: &Path,
    layout: &Layout,
) -> Result<(Vec<TsvRow>, BadLines), DataError> {
    let bytes =
        star_files::read_file(path, star_files::LARGE).map_err(|e| DataError::io(path, e))?;
    let (mut rows, mut bad) = (Vec::new(), BadLines::default());
    for face in faces(&bytes, layout) {
        match face {
            Ok(row) => rows.push(row),
            Err(line) => {
                bad.count += 1;
                if bad.told.len() < MOST_TOLD {
                    bad.told.push(line);
                }
            }
        }
    }
    Ok((rows, bad))
}

/// The faces of all lines but a header and empty ones.
fn faces<'a>(
    bytes: &'a [u8],
    layout: &'a Layout,
) -> impl Iterator<Item = Result<TsvRow, BadLine>> + 'a {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let mut may_be_header = true;
    let mut grouped = false;
    (1..)
        .zip(bytes.split(|&byte| byte == b'\n'))
        .filter_map(move |(line, bytes)| {
            let Ok(text) = std::str::from_utf8(bytes) else {
                may_be_header = false;
                return Some(Err(BadLine {
                    line,
                    message: "not UTF-8 text; save the annotation file as UTF-8".into(),
                    other_layout: false,
                }));
            };
            if text.trim().is_empty() {
                return None;
            }
            let columns = Columns::of(text);
            if std::mem::take(&mut may_be_header) && columns.are_header() {
                grouped = columns.name_groups();
                return None;
            }
            Some(
                columns
                    .to_row(line, layout, grouped)
                    .map_err(|message| BadLine {
                        line,
                        message,
                        other_layout: columns.are_of_another_layout(layout),
                    }),
            )
        })
}
