//! COFW: two MATLAB files that hold images and points together.

use std::{
    collections::VecDeque,
    io::Cursor,
    path::{Path, PathBuf},
};

use image::ImageFormat;
use rayon::prelude::*;

use super::{
    PrepareConfig,
    cofw_mat::{CofwFace, CofwMat, CofwSplit},
    found::{self, Found},
    report::{Complaint, PrepareReport},
    write::{self, Split},
};
use crate::error::DataError;

/// List name, its file, and faces as published.
const SPLITS: [(&str, CofwSplit, usize); 2] = [
    ("train", CofwSplit::Train, 1345),
    ("test", CofwSplit::Test, 507),
];
const IMAGES: &str = "cofw_images";
/// The archive has its files in `common/xpburgos/behavior/code/pose`; a limit also ends loops of links.
const DEEPEST: usize = 6;
/// Faces in memory at a time.
const BATCH: usize = 32;
/// COFW counts pixels from 1.
const FIRST_PIXEL: f64 = 1.0;

/// Writes the images of `COFW_train_color.mat` and `COFW_test_color.mat` to `out/cofw_images` as PNG, and `train.tsv` and `test.tsv`
/// beside that folder, with the occlusion flags. The files may lie deeper in `root`; one of them is enough.
///
/// Points stay as they are in the files, counted from 1: layout `cofw29` says so by `flip_offset = 0`, and the published annotation files have
/// them so (REFERENCE A6). The crop follows from the landmarks' box, not from the files' own boxes, so that one rule holds for every
/// dataset. Paths are relative to `out`. An image that is already there with the same bytes is left alone. A face that cannot be
/// used is left out and reported; the numbers of the others do not change.
///
/// # Errors
/// When a file cannot be read as COFW (the message names the variable), no usable face was found, or something cannot be written.
pub fn prepare_cofw(
    root: impl AsRef<Path>,
    out: impl AsRef<Path>,
    config: &PrepareConfig,
) -> Result<PrepareReport, DataError> {
    let (root, out) = (root.as_ref(), out.as_ref());
    // An impossible rule would refuse every face; say so once.
    config.crop.crop_of_box(0.0, 0.0, 1.0, 1.0)?;
    let mut report = PrepareReport::default();
    // Both files are opened before anything is written.
    let mut files = Vec::new();
    for (split, &(name, which, _)) in SPLITS.iter().enumerate() {
        match find(root, which.file())? {
            Some(path) => files.push((split, CofwMat::open(&path, which)?, path)),
            None => report.notes.push(format!(
                "{name}.tsv is not written, because {} is not there",
                which.file()
            )),
        }
    }
    let mut found: Vec<Found> = Vec::new();
    for (split, mut faces, path) in files {
        let (name, _, published) = SPLITS[split];
        let before = found.len();
        let mut number = 0;
        while number < faces.faces() {
            let batch: Vec<_> = (faces.by_ref().take(BATCH).enumerate())
                .map(|(i, face)| (number + i + 1, face))
                .collect();
            if batch.is_empty() {
                break;
            }
            number += batch.len();
            let results: Vec<Result<Found, Refusal>> = batch
                .into_par_iter()
                .map(|(number, face)| keep(out, split, number, face, config))
                .collect();
            for result in results {
                match result {
                    Ok(face) => found.push(face),
                    Err(Refusal::Face(error)) => report.skipped.push(refused(root, &path, &error)),
                    Err(Refusal::Disk(error)) => return Err(error),
                }
            }
        }
        let count = found.len() - before;
        if count != published {
            report.notes.push(format!(
                "the {name} file has {count} usable faces; published are {published}"
            ));
        }
    }
    if found.is_empty() {
        return Err(nothing(root, &report));
    }
    let names: Vec<String> = SPLITS
        .iter()
        .map(|(_, which, _)| which.file().into())
        .collect();
    let splits = SPLITS.iter().enumerate().map(|(i, (name, ..))| Split {
        name: (*name).into(),
        folders: vec![i],
        tag: None,
        train: *name == "train",
    });
    let splits: Vec<Split> = splits.collect();
    write::write_annotations(out, &found, &names, &splits, &mut report)?;
    Ok(report)
}

/// Why a face is not in the annotation file: it is no good, or the disk is not, which ends everything.
enum Refusal {
    Face(DataError),
    Disk(DataError),
}

/// Writes the image of face `number`, counted from 1, and checks the face.
fn keep(
    out: &Path,
    split: usize,
    number: usize,
    face: Result<CofwFace, DataError>,
    config: &PrepareConfig,
) -> Result<Found, Refusal> {
    let face = face.map_err(Refusal::Face)?;
    let path = format!("{IMAGES}/{}/{number:04}.png", SPLITS[split].0);
    let file = out.join(&path);
    let mut png = Cursor::new(Vec::new());
    face.image
        .write_to(&mut png, ImageFormat::Png)
        .map_err(|e| {
            Refusal::Face(DataError::Image {
                path: file.clone(),
                message: format!("cannot be written as PNG ({e})"),
            })
        })?;
    write::write_if_new(&file, &png.into_inner()).map_err(Refusal::Disk)?;
    let landmarks = &face.landmarks;
    let found = found::check_face(out, path, split, landmarks, None, &config.crop);
    let mut found = found.map_err(Refusal::Face)?;
    found.row.occluded = Some(face.occluded);
    found.first_pixel = FIRST_PIXEL;
    Ok(found)
}

/// A complaint about the file that the face is from.
fn refused(root: &Path, file: &Path, error: &DataError) -> Complaint {
    let mut complaint = found::complaint(root, file, error);
    complaint.file = found::slashed(file.strip_prefix(root).unwrap_or(file));
    complaint
}

fn nothing(root: &Path, report: &PrepareReport) -> DataError {
    let looked: Vec<&str> = SPLITS.iter().map(|(_, which, _)| which.file()).collect();
    let first = report.skipped.first().map_or(String::new(), |c| {
        format!(" {} faces were left out, such as {c}", report.skipped.len())
    });
    DataError::Invalid(format!(
        "{}: no face of COFW found. Looked for {} in it and in folders below it; they are in the archive COFW_color.zip.{first}",
        root.display(),
        looked.join(" and ")
    ))
}

/// The file of this name that is least deep below `root`, the first by name of several.
fn find(root: &Path, name: &str) -> Result<Option<PathBuf>, DataError> {
    let mut folders = VecDeque::from([(root.to_path_buf(), 0)]);
    while let Some((folder, depth)) = folders.pop_front() {
        let file = folder.join(name);
        if file.is_file() {
            return Ok(Some(file));
        }
        if depth == DEEPEST {
            continue;
        }
        let entries = std::fs::read_dir(&folder).map_err(|e| DataError::io(&folder, e))?;
        let mut below = Vec::new();
        for entry in entries {
            let path = entry.map_err(|e| DataError::io(&folder, e))?.path();
            if path.is_dir() {
                below.push(path);
            }
        }
        // The system's order is not the same everywhere.
        below.sort();
        folders.extend(below.into_iter().map(|path| (path, depth + 1)));
    }
    Ok(None)
}
