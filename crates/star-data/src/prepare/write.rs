//! From faces to annotation files, and the report's figures.

use std::{collections::BTreeMap, path::Path};

use super::{
    found::Found,
    report::{PrepareReport, SplitReport, Spread},
};
use crate::{
    error::DataError,
    tsv::{TsvRow, write_tsv},
};

/// An annotation file to write: its name and which folders go into it, as indices into the folders' names.
pub(super) struct Split {
    pub name: String,
    pub folders: Vec<usize>,
    /// Only faces with this attribute.
    pub tag: Option<usize>,
    pub train: bool,
}

impl Split {
    fn has(&self, face: &Found) -> bool {
        let tagged = |tag: usize| face.row.tags.is_some_and(|tags| tags[tag]);
        self.tag.is_none_or(tagged)
    }
}

/// Writes the annotation files and fills in the report's figures. `found` decides the order within an annotation file.
pub(super) fn write_annotations(
    out: &Path,
    found: &[Found],
    folders: &[String],
    splits: &[Split],
    report: &mut PrepareReport,
) -> Result<(), DataError> {
    std::fs::create_dir_all(out).map_err(|e| DataError::io(out, e))?;
    for split in splits {
        let rows: Vec<TsvRow> = found
            .iter()
            .filter(|f| split.folders.contains(&f.folder) && split.has(f))
            .map(|f| f.row.clone())
            .collect();
        if rows.is_empty() {
            continue;
        }
        let file = out.join(format!("{}.tsv", split.name));
        write_tsv(&file, &rows)?;
        report.splits.push(SplitReport {
            name: split.name.clone(),
            file,
            faces: rows.len(),
            folders: split.folders.iter().map(|&i| folders[i].clone()).collect(),
        });
    }
    report.faces = found.len();
    report.face_size = Spread::of(found.iter().map(Found::face_size).collect());
    report.image_size = Spread::of(
        found
            .iter()
            .map(|f| f64::from(f.image_size.0.max(f.image_size.1)))
            .collect(),
    );
    let outside: Vec<usize> = found.iter().map(Found::points_outside).collect();
    report.points_outside = outside.iter().sum();
    report.faces_with_points_outside = outside.iter().filter(|&&n| n > 0).count();
    note_cut_off(found, report);
    find_duplicates(found, splits, report);
    report.skipped.sort();
    Ok(())
}

/// Names images that end too early: they are used, as other programs use them, but their owner should know.
fn note_cut_off(found: &[Found], report: &mut PrepareReport) {
    const NAMED: usize = 5;
    let cut: Vec<&str> = (found.iter())
        .filter(|f| f.truncated)
        .map(|f| f.row.path.as_str())
        .collect();
    if !cut.is_empty() {
        let named = cut[..cut.len().min(NAMED)].join(", ");
        let more = if cut.len() > NAMED { ", ..." } else { "" };
        report.notes.push(format!(
            "{} images are cut off and used as far as they go: {named}{more}",
            cut.len()
        ));
    }
}

/// Writes a file and the folders it is in; a file that has these bytes already is left alone.
pub(super) fn write_if_new(file: &Path, bytes: &[u8]) -> Result<(), DataError> {
    if std::fs::read(file).is_ok_and(|there| there == bytes) {
        return Ok(());
    }
    if let Some(folder) = file.parent() {
        std::fs::create_dir_all(folder).map_err(|e| DataError::io(folder, e))?;
    }
    star_files::write_atomic(file, bytes).map_err(|e| DataError::io(file, e))
}

fn find_duplicates(found: &[Found], splits: &[Split], report: &mut PrepareReport) {
    let in_train = |f: &Found| {
        splits
            .iter()
            .any(|s| s.train && s.folders.contains(&f.folder))
    };
    let mut images: BTreeMap<u64, Vec<&Found>> = BTreeMap::new();
    for face in found {
        images.entry(face.image).or_default().push(face);
    }
    for group in images.values() {
        for (i, a) in group.iter().enumerate() {
            for b in &group[i + 1..] {
                let pair = [a.row.path.clone(), b.row.path.clone()];
                let points = a.row.landmarks.iter().zip(&b.row.landmarks);
                if points.into_iter().all(|(p, q)| p.same(*q)) {
                    report.duplicates.push(pair.clone());
                }
                if in_train(a) != in_train(b) {
                    report.leaks.push(pair);
                }
            }
        }
    }
    report.duplicates.sort();
    report.leaks.sort();
}
