//! Checks face lists before they cost a training run: every bad line and picture, points and crops that do not fit, faces that
//! are in two lists, shapes that no face has.
//!
//! Each picture is read once, in parallel, and forgotten; what stays in memory are the lists.

mod finding;
mod pictures;
mod places;
mod shapes;
mod twins;

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
};

pub use finding::{CheckReport, Finding, Kind, ListSummary, Severity};

use crate::{
    error::DataError,
    layout::Layout,
    tsv::{TsvRow, read_tsv_leniently},
};
use pictures::Picture;

/// One face of the lists.
struct Entry {
    /// Which of the lists it is in.
    list: usize,
    row: TsvRow,
    /// Which of the pictures it is in.
    picture: usize,
}

/// Checks lists together, such as those of training and test, whose pictures lie in `images`.
///
/// `progress` is called from several threads with the pictures read so far and their number.
///
/// # Errors
/// When a list cannot be read at all. What is wrong inside the lists is in the report.
pub fn check_lists(
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
        report.lists.push(ListSummary {
            file: names[list].clone(),
            faces: rows.len(),
            bad_lines: bad.len(),
        });
        if rows.is_empty() && bad.is_empty() {
            report.findings.push(Finding {
                kind: Kind::BadLine,
                file: names[list].clone(),
                line: 1,
                what: "the list has no faces".into(),
                fix: "write one face a line, or leave the list out".into(),
            });
        }
        report.findings.extend(bad.into_iter().map(|bad| Finding {
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
            let picture = *known.entry(row.path.clone()).or_insert_with(|| {
                paths.push(row.path.clone());
                paths.len() - 1
            });
            entries.push(Entry { list, row, picture });
        }
    }
    drop(known);
    report.pictures = paths.len();

    let pictures = pictures::read_all(images, &paths, progress);
    let finding = |entry: &Entry, kind, what, fix: &str| Finding {
        kind,
        file: names[entry.list].clone(),
        line: entry.row.line,
        what,
        fix: fix.into(),
    };
    for entry in &entries {
        let picture = &pictures[entry.picture];
        if let Some((kind, what, fix)) = picture.complaint(&entry.row.path, images) {
            report.findings.push(finding(entry, kind, what, fix));
        }
        for (kind, what, fix) in places::complaints(&entry.row, picture.size, layout) {
            report.findings.push(finding(entry, kind, what, fix));
        }
    }
    for (at, kind, what, fix) in twins::complaints(&entries, &pictures, &names) {
        report
            .findings
            .push(finding(&entries[at], kind, what, &fix));
    }
    let (odd, note) = shapes::complaints(&entries, layout);
    for (at, kind, what, fix) in odd {
        report.findings.push(finding(&entries[at], kind, what, fix));
    }
    report.notes.extend(note);

    let place: HashMap<&str, usize> = names.iter().map(String::as_str).zip(0..).collect();
    report
        .findings
        .sort_by_key(|f| (f.kind, place.get(f.file.as_str()).copied(), f.line));
    Ok(report)
}
