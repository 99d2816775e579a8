//! Checks annotation files before they cost a training run: every bad line and image, points and crops that do not fit, faces that
//! are in two annotation files, shapes that no face has.
//!
//! Each image is read once, in parallel, and forgotten; what stays in memory are the annotation files.

mod duplicates;
mod finding;
mod images;
mod mirror;
mod places;
mod shapes;

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
};

pub use finding::{CheckReport, FileSummary, Finding, Kind, Severity};

use crate::{
    error::DataError,
    layout::Layout,
    tsv::{TsvRow, read_tsv_leniently},
};
use images::ImageFacts;

/// One face of the annotation files.
struct Entry {
    /// Which of the annotation files it is in.
    list: usize,
    row: TsvRow,
    /// Which of the images it is in.
    image: usize,
}

/// Checks annotation files together, such as those of training and test, whose images lie in `images`.
///
/// `progress` is called from several threads with the images read so far and their number.
///
/// # Errors
/// When an annotation file cannot be read at all. What is wrong inside the annotation files is in the report.
pub fn check_annotations(
    lists: &[PathBuf],
    images: &Path,
    layout: &Layout,
    progress: impl Fn(usize, usize) + Sync,
) -> Result<CheckReport, DataError> {
    let names: Vec<String> = lists.iter().map(|l| l.display().to_string()).collect();
    let mut report = CheckReport::default();
    let mut entries = Vec::new();
    let mut paths: Vec<String> = Vec::new();
    let mut known: HashMap<String, usize> = HashMap::new();
    for (list, file) in lists.iter().enumerate() {
        let (rows, bad) = read_tsv_leniently(file, layout)?;
        report.files.push(FileSummary {
            file: names[list].clone(),
            faces: rows.len(),
            bad_lines: bad.count,
        });
        if rows.is_empty() && bad.count == 0 {
            report.findings.push(Finding {
                kind: Kind::BadLine,
                file: names[list].clone(),
                line: 1,
                what: "the annotation file has no faces".into(),
                fix: "write one face a line, or leave the annotation file out".into(),
            });
        }
        let untold = bad.count - bad.told.len();
        if untold > 0 {
            report.notes.push(format!(
                "{}: {untold} more bad lines are counted and not told",
                names[list]
            ));
        }
        report
            .findings
            .extend(bad.told.into_iter().map(|bad| Finding {
                kind: if bad.other_layout {
                    Kind::OtherLayout
                } else {
                    Kind::BadLine
                },
                file: names[list].clone(),
                line: bad.line,
                what: bad.message,
                fix: "correct the line or remove it".into(),
            }));
        for row in rows {
            let image = *known.entry(row.path.clone()).or_insert_with(|| {
                paths.push(row.path.clone());
                paths.len() - 1
            });
            entries.push(Entry { list, row, image });
        }
    }
    drop(known);
    report.images = paths.len();

    let facts = images::read_all(images, &paths, progress);
    let finding = |entry: &Entry, kind, what, fix: &str| Finding {
        kind,
        file: names[entry.list].clone(),
        line: entry.row.line,
        what,
        fix: fix.into(),
    };
    for entry in &entries {
        let image_facts = &facts[entry.image];
        if let Some((kind, what, fix)) = image_facts.complaint(&entry.row.path, images) {
            report.findings.push(finding(entry, kind, what, fix));
        }
        for (kind, what, fix) in places::complaints(&entry.row, image_facts.size, layout) {
            report.findings.push(finding(entry, kind, what, fix));
        }
    }
    for (at, kind, what, fix) in duplicates::complaints(&entries, &facts, &names) {
        report
            .findings
            .push(finding(&entries[at], kind, what, &fix));
    }
    let shapes = shapes::compare(&entries, layout);
    for (at, kind, what, fix) in shapes.odd {
        report.findings.push(finding(&entries[at], kind, what, fix));
    }
    report.notes.extend(shapes.note);
    let pairs = (shapes.mean).map_or(Vec::new(), |mean| mirror::complaints(&mean, layout));
    report
        .findings
        .extend(pairs.into_iter().map(|(what, fix)| Finding {
            kind: Kind::MirrorPair,
            file: format!("layout {}", layout.name),
            line: 0,
            what,
            fix,
        }));

    let place: HashMap<&str, usize> = names.iter().map(String::as_str).zip(0..).collect();
    report
        .findings
        .sort_by_key(|f| (f.kind, place.get(f.file.as_str()).copied(), f.line));
    Ok(report)
}
