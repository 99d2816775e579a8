//! Which images were asked for: files, folders, patterns, standard input, annotation files.

use std::{
    cmp::Ordering,
    fs,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
};

use star_data::{Layout, TsvFaces};

use super::item::{Faces, Item, Source};
use crate::commands::annotations::images_of;
use crate::error::CliError;

/// Images of a folder are known by these endings. A file that is named is read whatever its name.
const ENDINGS: [&str; 5] = ["jpg", "jpeg", "png", "bmp", "webp"];

/// The images of an annotation file with their crops; faces of one image that follow each other are one item.
pub fn of_annotations(
    file: &Path,
    images: Option<&Path>,
    layout: &Layout,
) -> Result<Vec<Item>, CliError> {
    let folder = images_of(file, images);
    let faces = TsvFaces::open(file, &folder, layout.clone())?;
    let mut images: Vec<(PathBuf, Vec<_>)> = Vec::new();
    for row in faces.rows() {
        let path = folder.join(&row.path);
        star_files::note_input(&path);
        match images.last_mut() {
            Some((last, crops)) if *last == path => crops.push(row.crop),
            _ => images.push((path, vec![row.crop])),
        }
    }
    let item = |(path, crops)| Item::new(Source::File(path), Faces::Crops(crops));
    Ok(images.into_iter().map(item).collect())
}

type Images = (Box<dyn Iterator<Item = Source> + Send>, Option<u64>);

/// The images of the arguments in their order, those of a folder or pattern sorted, and how many they are if that is known.
///
/// `out` is left out of folders: results are not looked at again.
pub fn of_arguments(arguments: &[PathBuf], out: &Path) -> Result<Images, CliError> {
    let mut all: Box<dyn Iterator<Item = Source> + Send> = Box::new(std::iter::empty());
    let mut count = Some(0);
    for argument in arguments {
        if argument.as_os_str() == "-" {
            all = Box::new(all.chain(names_from(BufReader::new(std::io::stdin()))));
            count = None;
            continue;
        }
        let named = of_argument(argument, out)?;
        count = count.map(|c| c + named.len() as u64);
        // All of them before the first result is written: one image's drawing may have another one's name.
        named.iter().for_each(|path| star_files::note_input(path));
        all = Box::new(all.chain(named.into_iter().map(Source::File)));
    }
    Ok((all, count))
}

fn of_argument(argument: &Path, out: &Path) -> Result<Vec<PathBuf>, CliError> {
    if argument.is_dir() {
        return of_folder(argument, out);
    }
    let text = argument.to_string_lossy();
    // A file that exists is itself, whatever brackets are in its name.
    if argument.exists() || !text.contains(['*', '?', '[']) {
        return Ok(vec![argument.to_owned()]);
    }
    let matches = glob::glob(&text)
        .map_err(|e| CliError::Usage(format!("{text}: not a pattern of file names: {}", e.msg)))?;
    let mut found = Vec::new();
    for entry in matches {
        let path = entry.map_err(|e| CliError::io(e.path().to_owned(), e.into()))?;
        if path.is_dir() {
            found.extend(of_folder(&path, out)?);
        } else if is_image(&path) {
            // `**/*` means the images, not the results that lie beside them.
            found.push(path);
        }
    }
    if found.is_empty() {
        return Err(CliError::Usage(format!(
            "{text}: no image matches this pattern. `*` stands for any part of a name, `**` for any folders."
        )));
    }
    found.sort_by(|a, b| natural(a, b));
    found.dedup();
    Ok(found)
}

fn of_folder(folder: &Path, out: &Path) -> Result<Vec<PathBuf>, CliError> {
    let mut found = Vec::new();
    let out = fs::canonicalize(out).ok();
    collect(folder, out.as_deref(), &mut found)?;
    if found.is_empty() {
        return Err(CliError::Usage(format!(
            "{}: no images in this folder or below it (looked for .{})",
            folder.display(),
            ENDINGS.join(", .")
        )));
    }
    found.sort_by(|a, b| natural(a, b));
    Ok(found)
}

/// Links to folders are not followed, so that a circle of them has an end; what begins with a dot is hidden.
fn collect(folder: &Path, out: Option<&Path>, found: &mut Vec<PathBuf>) -> Result<(), CliError> {
    let fail = |e| CliError::io(folder, e);
    for entry in fs::read_dir(folder).map_err(fail)? {
        let entry = entry.map_err(fail)?;
        let path = entry.path();
        if entry.file_name().to_string_lossy().starts_with('.') {
            continue;
        }
        if entry.file_type().map_err(fail)?.is_dir() {
            if out.is_none() || fs::canonicalize(&path).ok().as_deref() != out {
                collect(&path, out, found)?;
            }
        } else if is_image(&path) && path.is_file() {
            // No pipes or devices: nobody named them, and they may never end.
            found.push(path);
        }
    }
    Ok(())
}

fn is_image(path: &Path) -> bool {
    path.extension().is_some_and(|ending| {
        ENDINGS
            .iter()
            .any(|known| ending.eq_ignore_ascii_case(known))
    })
}

/// Names, one a line; blank lines are skipped.
fn names_from(lines: impl BufRead + Send) -> impl Iterator<Item = Source> + Send {
    lines.lines().filter_map(|line| match line {
        Ok(line) if line.trim().is_empty() => None,
        Ok(line) => Some(Source::File(PathBuf::from(line.trim_end_matches('\r')))),
        Err(e) => Some(Source::Broken {
            name: "standard input".into(),
            message: format!("{e}; write one file name a line, as UTF-8"),
        }),
    })
}

/// As people count: frame2 before frame10.
fn natural(a: &Path, b: &Path) -> Ordering {
    let (a, b) = (a.to_string_lossy(), b.to_string_lossy());
    let (mut left, mut right) = (a.as_bytes(), b.as_bytes());
    loop {
        let (Some(x), Some(y)) = (left.first(), right.first()) else {
            // Names that only differ in leading zeros are still not the same.
            return left.len().cmp(&right.len()).then_with(|| a.cmp(&b));
        };
        let order = if x.is_ascii_digit() && y.is_ascii_digit() {
            let (p, q) = (take_digits(&mut left), take_digits(&mut right));
            p.len().cmp(&q.len()).then_with(|| p.cmp(q))
        } else {
            left = &left[1..];
            right = &right[1..];
            // A folder's own files before those of a folder whose name goes on.
            let rank = |c: u8| if c == b'/' || c == b'\\' { 0 } else { c };
            rank(*x).cmp(&rank(*y))
        };
        if order != Ordering::Equal {
            return order;
        }
    }
}

/// Takes a number off the front; its digits without leading zeros.
fn take_digits<'a>(text: &mut &'a [u8]) -> &'a [u8] {
    let end = text
        .iter()
        .position(|c| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (digits, rest) = text.split_at(end);
    *text = rest;
    let zeros = digits.iter().take_while(|c| **c == b'0').count();
    &digits[zeros..]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_sorted_as_people_count() {
        let sorted = [
            "a/f2.png",
            "a/f02.png",
            "a/f10.png",
            "a/g1.png",
            "a b/f1.png",
            "b/f1.png",
        ];
        let mut names: Vec<PathBuf> = sorted.iter().rev().map(PathBuf::from).collect();
        names.sort_by(|a, b| natural(a, b));
        let mut sorted: Vec<PathBuf> = sorted.iter().map(PathBuf::from).collect();
        // Equal but for zeros: by bytes.
        sorted.swap(0, 1);
        assert_eq!(names, sorted);
    }
}
