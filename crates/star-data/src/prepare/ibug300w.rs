//! 300-W: folders of images with a `.pts` file beside each, 68 points.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use rayon::prelude::*;

use super::{
    PrepareConfig,
    found::{self, Found},
    pts::read_pts,
    report::{Complaint, PrepareReport},
    write::{self, Split},
};
use crate::{
    error::DataError,
    ibug::{PARTS, SUBSETS, original_of_mirrored, part_of},
};

const POINTS: usize = 68;
const IMAGES: [&str; 4] = ["jpg", "jpeg", "png", "bmp"];
/// Deeper folders are not 300-W's; a limit also ends loops of links.
const DEEPEST: usize = 6;

/// Writes the annotation files of a 300-W folder to `out`.
///
/// `train.tsv` has the faces of `afw`, `helen/trainset` and `lfpw/trainset`, as many as there are. Every test folder gets an annotation file of its
/// own (`lfpw_test.tsv`, ...). The published subsets `common`, `challenge`, `full` and `private` are written only when all of their
/// folders are there, because a figure on half of `common` is not a figure on `common`. An image belongs to the part whose folder it lies
/// in, named as published (`helen/testset`, `ibug`, `01_Indoor`), wherever below `root` that is; what the folders above are called decides
/// nothing. Landmarks are 0-based pixels; paths are relative to `root`.
///
/// Mirrored copies beside their originals (`NAME_mirror.jpg` beside `NAME.png`, as in the copy of 300-W that dlib trains on) are left out
/// and counted: training mirrors images itself, and a test set that has every face twice is another test set. A file that cannot be used
/// is left out and reported.
///
/// # Errors
/// When `root` cannot be read, no usable face was found, or an annotation file cannot be written.
pub fn prepare_300w(
    root: impl AsRef<Path>,
    out: impl AsRef<Path>,
    config: &PrepareConfig,
) -> Result<PrepareReport, DataError> {
    let (root, out) = (root.as_ref(), out.as_ref());
    found::check_rule(config)?;
    let mut report = PrepareReport::default();
    let pairs = find_pairs(root, &mut report)?;
    let results: Vec<Result<Found, Complaint>> = pairs
        .par_iter()
        .map(|pair| {
            let points = read_pts(&pair.points, POINTS)
                .map_err(|e| found::complaint(root, &pair.points, &e))?;
            found::check_face(
                root,
                pair.image.clone(),
                pair.part,
                &points,
                None,
                &config.crop,
            )
            .map_err(|e| found::complaint(root, &pair.points, &e))
        })
        .collect();
    let found = found::keep(results, &mut report);
    if found.is_empty() {
        return Err(nothing(root, &report));
    }
    let present: Vec<usize> = PARTS
        .iter()
        .enumerate()
        .map(|(i, _)| found.iter().filter(|f| f.folder == i).count())
        .collect();
    for (part, &count) in PARTS.iter().zip(&present) {
        if count == 0 && part.train {
            report.notes.push(format!(
                "{} is not there; it has {} faces",
                part.name, part.published
            ));
        } else if count > 0 && count != part.published {
            report.notes.push(format!(
                "{} has {count} faces; published are {}",
                part.name, part.published
            ));
        }
    }
    let splits = splits(&present, &mut report);
    let names: Vec<String> = PARTS.iter().map(|part| part.name.to_string()).collect();
    write::write_annotations(out, &found, &names, &splits, &mut report)?;
    Ok(report)
}

fn nothing(root: &Path, report: &PrepareReport) -> DataError {
    let looked: Vec<_> = PARTS.iter().map(|part| part.name).collect();
    let looked_for = format!(
        "folders named {}, with .jpg or .png images and a .pts file of {POINTS} points beside each",
        looked.join(", ")
    );
    found::nothing(root, "300-W", &looked_for, "files", report)
}

/// Which lists to write, given how many faces each part has.
fn splits(present: &[usize], report: &mut PrepareReport) -> Vec<Split> {
    let mut splits = Vec::new();
    let train: Vec<usize> = (0..PARTS.len())
        .filter(|&i| PARTS[i].train && present[i] > 0)
        .collect();
    splits.push(Split {
        name: "train".into(),
        folders: train,
        tag: None,
        train: true,
    });
    for (name, parts) in SUBSETS {
        let folders: Vec<usize> = (0..PARTS.len())
            .filter(|&i| parts.contains(&PARTS[i].name))
            .collect();
        let missing: Vec<&str> = folders
            .iter()
            .filter(|&&i| present[i] == 0)
            .map(|&i| PARTS[i].name)
            .collect();
        if missing.is_empty() {
            splits.push(Split {
                name: name.into(),
                folders,
                tag: None,
                train: false,
            });
        } else if missing.len() < folders.len() {
            report.notes.push(format!(
                "{name}.tsv is not written, because it needs {}",
                missing.join(" and ")
            ));
        }
    }
    for (i, part) in PARTS.iter().enumerate() {
        if let Some(list) = part.list
            && present[i] > 0
        {
            splits.push(Split {
                name: list.into(),
                folders: vec![i],
                tag: None,
                train: false,
            });
        }
    }
    splits
}

/// An image and its points.
struct Pair {
    /// Relative to the root, with `/`.
    image: String,
    points: PathBuf,
    part: usize,
}

/// Files of one folder with the same name but for the extension.
#[derive(Default)]
struct Namesakes {
    images: Vec<PathBuf>,
    points: Option<PathBuf>,
}

/// All pairs below `root` in the order of their paths; what has no partner is reported.
fn find_pairs(root: &Path, report: &mut PrepareReport) -> Result<Vec<Pair>, DataError> {
    let mut groups: BTreeMap<PathBuf, Namesakes> = BTreeMap::new();
    walk(root, 0, &mut groups, report)?;
    let mut pairs = Vec::new();
    let mut unknown: BTreeMap<PathBuf, usize> = BTreeMap::new();
    let mirrored: BTreeSet<PathBuf> = (groups.keys())
        .filter(|stem| {
            let original = original_of_mirrored(stem).and_then(|stem| groups.get(&stem));
            original.is_some_and(|o| !o.images.is_empty() && o.points.is_some())
        })
        .cloned()
        .collect();
    for (stem, group) in groups {
        let name = |path: &Path| found::slashed(path.strip_prefix(root).unwrap_or(path));
        let relative = stem.strip_prefix(root).unwrap_or(&stem);
        let folder = relative.parent().unwrap_or(Path::new(""));
        let Some(part) = part_of(folder) else {
            if group.points.is_some() {
                *unknown.entry(folder.to_path_buf()).or_default() += 1;
            }
            continue;
        };
        if mirrored.contains(&stem) {
            report.mirrored += 1;
            continue;
        }
        let mut skip = |path: &Path, reason: &str| {
            report.skipped.push(Complaint {
                file: name(path),
                line: None,
                reason: reason.into(),
            });
        };
        match (group.images.split_first(), group.points) {
            (None, None) => {}
            (None, Some(points)) => skip(&points, "no image of this name beside it"),
            (Some(_), None) => {
                for image in &group.images {
                    skip(image, "no .pts file of this name beside it");
                }
            }
            (Some((image, rest)), Some(points)) => {
                for other in rest {
                    skip(
                        other,
                        &format!("{} has the same name and is used", name(image)),
                    );
                }
                let relative = image.strip_prefix(root).unwrap_or(image);
                if relative.to_str().is_none() {
                    skip(image, "its name is not UTF-8; rename it and its .pts file");
                } else {
                    pairs.push(Pair {
                        image: name(image),
                        points,
                        part,
                    });
                }
            }
        }
    }
    for (folder, count) in unknown {
        report.skipped.push(Complaint {
            file: found::slashed(&folder) + "/",
            line: None,
            reason: format!(
                "{count} .pts files in a folder that is none of 300-W's ({})",
                PARTS.map(|part| part.name).join(", ")
            ),
        });
    }
    pairs.sort_by(|a, b| a.image.cmp(&b.image));
    Ok(pairs)
}

fn walk(
    folder: &Path,
    depth: usize,
    groups: &mut BTreeMap<PathBuf, Namesakes>,
    report: &mut PrepareReport,
) -> Result<(), DataError> {
    let entries = std::fs::read_dir(folder).map_err(|e| DataError::io(folder, e))?;
    let mut paths = Vec::new();
    for entry in entries {
        paths.push(entry.map_err(|e| DataError::io(folder, e))?.path());
    }
    // The system's order is not the same everywhere.
    paths.sort();
    for path in paths {
        if path.is_dir() {
            if depth < DEEPEST {
                walk(&path, depth + 1, groups, report)?;
            } else {
                report
                    .notes
                    .push(format!("{}: too deep, not looked into", path.display()));
            }
            continue;
        }
        let extension = path
            .extension()
            .map(|e| e.to_string_lossy().to_ascii_lowercase())
            .unwrap_or_default();
        let stem = path.with_extension("");
        if extension == "pts" {
            groups.entry(stem).or_default().points = Some(path);
        } else if IMAGES.contains(&extension.as_str()) {
            groups.entry(stem).or_default().images.push(path);
        }
    }
    Ok(())
}
