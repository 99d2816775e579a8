//! The parts of a test annotation file that papers give figures for, found in the annotation file itself.

use std::{collections::HashSet, path::Path};

use crate::{
    ibug::{PARTS, SUBSETS, original_of_mirrored, part_of},
    layout::Layout,
    tsv::TsvRow,
};

/// WFLW's attributes in the order of their column (REFERENCE D6).
pub const WFLW_ATTRIBUTES: [&str; 6] = [
    "largepose",
    "expression",
    "illumination",
    "makeup",
    "occlusion",
    "blur",
];

/// Names and row numbers of the subsets of a list: WFLW's by the rows' attributes, 300-W's by the folders in their paths.
///
/// Only what divides the annotation file: a subset without faces, or with all of them, is left out. 300-W's `common` needs faces of both of its
/// folders, because a figure on half of it is not a figure on `common`. For the same reason mirrored copies (`NAME_mirror`) of images that
/// are in the annotation file too are in none of 300-W's subsets.
pub fn published_subsets(rows: &[TsvRow], layout: &Layout) -> Vec<(String, Vec<usize>)> {
    let mut subsets = by_attribute(rows);
    if layout.name == "ibug68" {
        subsets.extend(by_folder(rows));
    }
    subsets.retain(|(_, faces)| !faces.is_empty() && faces.len() < rows.len());
    subsets
}

fn by_attribute(rows: &[TsvRow]) -> Vec<(String, Vec<usize>)> {
    let has = |row: &TsvRow, tag: usize| row.tags.is_some_and(|tags| tags[tag]);
    (WFLW_ATTRIBUTES.iter().enumerate())
        .map(|(tag, name)| {
            let faces = (0..rows.len()).filter(|&i| has(&rows[i], tag));
            ((*name).to_string(), faces.collect())
        })
        .collect()
}

fn by_folder(rows: &[TsvRow]) -> Vec<(String, Vec<usize>)> {
    let stems: HashSet<_> = (rows.iter())
        .map(|row| Path::new(&row.path).with_extension(""))
        .collect();
    let mirrored = |path: &Path| {
        original_of_mirrored(&path.with_extension("")).is_some_and(|stem| stems.contains(&stem))
    };
    let parts: Vec<Option<usize>> = (rows.iter())
        .map(|row| Path::new(&row.path))
        .map(|path| part_of(path.parent()?).filter(|_| !mirrored(path)))
        .collect();
    let faces_of = |part| {
        (0..rows.len())
            .filter(|&i| parts[i] == Some(part))
            .collect()
    };
    let each: Vec<Vec<usize>> = (0..PARTS.len()).map(faces_of).collect();
    let mut subsets = Vec::new();
    for (name, members) in SUBSETS {
        let members: Vec<usize> = (0..PARTS.len())
            .filter(|&i| members.contains(&PARTS[i].name))
            .collect();
        if members.iter().all(|&i| !each[i].is_empty()) {
            let mut faces: Vec<usize> = members.iter().flat_map(|&i| each[i].clone()).collect();
            faces.sort_unstable();
            subsets.push((name.to_string(), faces));
        }
    }
    for (part, faces) in PARTS.iter().zip(each) {
        // `challenge` is `ibug` alone.
        if !subsets.iter().any(|(_, known)| *known == faces) {
            subsets.push((part.name.to_string(), faces));
        }
    }
    subsets
}
