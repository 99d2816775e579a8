//! Rows as an annotation file.

use std::{fmt::Write as _, path::Path};

use super::{
    GROUP,
    path::{check_group, check_path},
    row::{MISSING, TsvRow},
};
use crate::{
    crop::CropBox,
    error::DataError,
    point::{MAX_COORDINATE, Point},
};

const HEADER: &str = "image_path\tlandmarks_5pts\tlandmarks\tscale\tcenter_w\tcenter_h\ttags";
/// The eighth column, which only files that have it name.
const HEADER_OCCLUDED: &str = "\toccluded";

/// Writes an annotation file that [`read_tsv`](super::read_tsv) reads, each row as it is, and the published program too. The five points, which nobody uses, are
/// written as zeros. The columns of occlusion and of groups are there only when some face has the one or the other.
///
/// # Errors
/// When the file cannot be written, when a path or a group would not be read back as it is ([`check_path`], [`check_group`]), when a number
/// is no usable one, or when a face has not one occlusion flag for each landmark.
pub fn write_tsv(path: &Path, rows: &[TsvRow]) -> Result<(), DataError> {
    let mut text = String::from(HEADER);
    let grouped = rows.iter().any(|row| row.group.is_some());
    let occlusion = grouped || rows.iter().any(|row| row.occluded.is_some());
    if occlusion {
        text.push_str(HEADER_OCCLUDED);
    }
    if grouped {
        let _ = write!(text, "\t{GROUP}");
    }
    text.push('\n');
    for row in rows {
        check_path(&row.path)?;
        check_numbers(row)?;
        if let Some(group) = &row.group {
            check_group(group)?;
        }
        let flags = row.occluded.as_ref();
        if flags.is_some_and(|flags| flags.len() != row.landmarks.len()) {
            return Err(DataError::Invalid(format!(
                "{}: {} occlusion flags for {} landmarks; give one for each",
                row.path,
                flags.map_or(0, Vec::len),
                row.landmarks.len()
            )));
        }
        push_row(&mut text, row, occlusion);
        if grouped {
            text.push('\t');
            text.push_str(row.group.as_deref().unwrap_or_default());
        }
        text.push('\n');
    }
    if star_files::is_input(path) {
        return Err(DataError::Invalid(format!(
            "{} would be written over, but it is one of the files that are read. Name another folder with --out.",
            path.display()
        )));
    }
    star_files::write_atomic(path, text.as_bytes()).map_err(|e| DataError::io(path, e))
}

/// A row up to its eighth column, which `occlusion` says whether the annotation file has.
fn push_row(text: &mut String, row: &TsvRow, occlusion: bool) {
    // Writing to a string cannot fail.
    let _ = write!(text, "{}\t{}\t", row.path, ["0"; 10].join(","));
    for (i, p) in row.landmarks.iter().enumerate() {
        let comma = if i == 0 { "" } else { "," };
        let _ = if p.is_labelled() {
            write!(text, "{comma}{},{}", p.x, p.y)
        } else {
            write!(text, "{comma}{MISSING},{MISSING}")
        };
    }
    let CropBox { scale, center } = row.crop;
    let _ = write!(text, "\t{scale}\t{}\t{}\t", center.x, center.y);
    if let Some(tags) = row.tags {
        let tags = tags.map(|tag| if tag { "1" } else { "0" });
        text.push_str(&tags.join(","));
    }
    if occlusion {
        text.push('\t');
        let flags = row.occluded.iter().flatten();
        let flags: Vec<&str> = flags.map(|&flag| if flag { "1" } else { "0" }).collect();
        text.push_str(&flags.join(","));
    }
}

/// Numbers that [`read_tsv`](super::read_tsv) would refuse are refused before they are in a file.
fn check_numbers(row: &TsvRow) -> Result<(), DataError> {
    let CropBox { scale, center } = row.crop;
    let fits = |v: f64| v.is_finite() && v.abs() <= MAX_COORDINATE;
    if !row.landmarks.iter().any(|p| p.is_labelled()) {
        return Err(DataError::Invalid(format!(
            "{}: no landmark is labelled; leave the face out",
            row.path
        )));
    }
    let labelled = |p: &&Point| !(p.x.is_nan() && p.y.is_nan());
    let points = row.landmarks.iter().filter(labelled).chain([&center]);
    if let Some(p) = points.into_iter().find(|p| !(fits(p.x) && fits(p.y))) {
        return Err(DataError::Invalid(format!(
            "{}: ({}, {}) is no place in an image; correct it or leave the face out",
            row.path, p.x, p.y
        )));
    }
    if !(fits(scale) && scale > 0.0) {
        return Err(DataError::Invalid(format!(
            "{}: scale is {scale}; it must be above 0 and at most {MAX_COORDINATE}",
            row.path
        )));
    }
    Ok(())
}
