//! WFLW: one annotation file a split, a face a line: 196 coordinates, a box, six attributes, the image's name.

use std::path::{Path, PathBuf};

use rayon::prelude::*;

use super::{
    PrepareConfig,
    found::{self, Found},
    report::{Complaint, PrepareReport},
    write::{self, Split},
};
use crate::{
    error::DataError,
    point::{MAX_COORDINATE, Point},
    published_subsets::WFLW_ATTRIBUTES,
};

const POINTS: usize = 98;
const BOX: usize = 4;
const TAGS: usize = 6;
const IMAGES: &str = "WFLW_images";
const LISTS: &str = "WFLW_annotations/list_98pt_rect_attr_train_test";
/// List name, file, and faces as published.
const SPLITS: [(&str, &str, usize); 2] = [
    ("train", "list_98pt_rect_attr_train.txt", 7500),
    ("test", "list_98pt_rect_attr_test.txt", 2500),
];
/// Index of the test annotation file among them.
const TEST: usize = 1;

/// Writes `train.tsv` and `test.tsv`, whichever lists are there, with the six attributes as tags (large pose, expression, illumination,
/// make-up, occlusion, blur; REFERENCE D6), and for each attribute the test faces that have it (`test_largepose.tsv`, ...).
///
/// WFLW counts pixels from 0. The crop follows from the landmarks' box, not from the annotation file's own box, so that one rule holds for every
/// dataset. Paths are relative to `root`. A line or image that cannot be used is left out and reported.
///
/// # Errors
/// When no usable face was found, or an annotation file cannot be written.
pub fn prepare_wflw(
    root: impl AsRef<Path>,
    out: impl AsRef<Path>,
    config: &PrepareConfig,
) -> Result<PrepareReport, DataError> {
    let (root, out) = (root.as_ref(), out.as_ref());
    found::check_rule(config)?;
    let mut report = PrepareReport::default();
    let mut found: Vec<Found> = Vec::new();
    for (split, (name, file, published)) in SPLITS.iter().enumerate() {
        let list = root.join(LISTS).join(file);
        if !list.is_file() {
            report.notes.push(format!(
                "{name}.tsv is not written, because {LISTS}/{file} is not there"
            ));
            continue;
        }
        let bytes =
            star_files::read_file(&list, star_files::LARGE).map_err(|e| DataError::io(&list, e))?;
        // Only names could be other than ASCII, and a name that is damaged here is not found as a file.
        let text = String::from_utf8_lossy(&bytes);
        let lines: Vec<(usize, &str)> = text
            .lines()
            .enumerate()
            .filter(|(_, line)| !line.trim().is_empty())
            .collect();
        let results: Vec<Result<Found, Complaint>> = lines
            .par_iter()
            .map(|&(i, line)| {
                face(root, split, line, config).map_err(|message| Complaint {
                    file: format!("{LISTS}/{file}"),
                    line: Some(i + 1),
                    reason: message,
                })
            })
            .collect();
        let faces = found::keep(results, &mut report);
        let count = faces.len();
        found.extend(faces);
        if count != *published {
            report.notes.push(format!(
                "the {name} list has {count} usable faces; published are {published}"
            ));
        }
    }
    if found.is_empty() {
        return Err(nothing(root, &report));
    }
    let names: Vec<String> = SPLITS.iter().map(|(_, file, _)| file.to_string()).collect();
    let splits = SPLITS.iter().enumerate().map(|(i, (name, ..))| Split {
        name: (*name).into(),
        folders: vec![i],
        tag: None,
        train: *name == "train",
    });
    // The subsets that papers give figures for are parts of the test annotation file.
    let subsets = WFLW_ATTRIBUTES.iter().enumerate().map(|(tag, name)| Split {
        name: format!("test_{name}"),
        folders: vec![TEST],
        tag: Some(tag),
        train: false,
    });
    let splits: Vec<Split> = splits.chain(subsets).collect();
    write::write_annotations(out, &found, &names, &splits, &mut report)?;
    Ok(report)
}

fn nothing(root: &Path, report: &PrepareReport) -> DataError {
    let looked: Vec<&str> = SPLITS.iter().map(|(_, file, _)| *file).collect();
    let looked_for = format!(
        "{LISTS}/{} and their images in {IMAGES}/",
        looked.join(" and ")
    );
    found::nothing(root, "WFLW", &looked_for, "lines", report)
}

fn face(root: &Path, split: usize, line: &str, config: &PrepareConfig) -> Result<Found, String> {
    let (landmarks, tags, name) = parse_line(line)?;
    let path = format!("{IMAGES}/{name}");
    found::check_face(root, path, split, &landmarks, Some(tags), &config.crop).map_err(|error| {
        let place = found::complaint(root, &PathBuf::from(&name), &error);
        place.to_string()
    })
}

/// Landmarks, attributes and the image's name, which may contain spaces.
fn parse_line(line: &str) -> Result<(Vec<Point>, [bool; TAGS], String), String> {
    let numbers = 2 * POINTS + BOX + TAGS;
    let mut rest = line.trim();
    let mut values = Vec::with_capacity(numbers);
    for k in 0..numbers {
        let (word, tail) = rest.split_once(char::is_whitespace).ok_or_else(|| {
            format!("{k} numbers and no image's name; expected {numbers} numbers and a name")
        })?;
        let value: f64 = word.parse().map_err(|_| {
            let word: String = word.chars().take(40).collect();
            format!(
                "number {} is `{word}`; expected {numbers} numbers and a name",
                k + 1
            )
        })?;
        if !value.is_finite() || value.abs() > MAX_COORDINATE {
            return Err(format!(
                "number {} is {word}, which is no place in an image",
                k + 1
            ));
        }
        values.push(value);
        rest = tail.trim_start();
    }
    if rest.is_empty() || rest.contains('\t') {
        return Err(format!("no image's name after {numbers} numbers"));
    }
    let landmarks = values[..2 * POINTS]
        .chunks_exact(2)
        .map(|p| Point::new(p[0], p[1]))
        .collect();
    let mut tags = [false; TAGS];
    for (tag, value) in tags.iter_mut().zip(&values[2 * POINTS + BOX..]) {
        *tag = *value != 0.0;
    }
    Ok((landmarks, tags, rest.to_string()))
}
