//! Folders of `.pts` files, one beside each image, with as many points as the first of them.

use std::path::Path;

use super::{Labels, Object, images, text};
use crate::{
    error::DataError,
    prepare::{found, pts::parse_pts, report::Complaint},
};

pub(super) fn read_folder(folder: &Path) -> Result<Labels, DataError> {
    let files = images::files(folder, &["pts"])?;
    let mut labels = Labels::default();
    for name in files {
        let path = folder.join(&name);
        let read = star_files::read_file(&path, star_files::SMALL)
            .map_err(|e| DataError::io(&path, e))
            .and_then(|bytes| {
                let text = text(&bytes, &path)?;
                let points = match labels.names.len() {
                    0 => declared(text),
                    points => points,
                };
                object(text, &path, points)
            });
        match read {
            Ok(mut object) => {
                if labels.names.is_empty() {
                    labels.names = numbers(object.points.len());
                }
                // The image has the same name, and an ending that is found out later.
                object.image = name;
                labels.objects.push(object);
            }
            Err(error) => {
                let Complaint { line, reason, .. } = found::complaint(folder, &path, &error);
                labels.skipped.push(Complaint {
                    file: path.display().to_string(),
                    line,
                    reason,
                });
            }
        }
    }
    if labels.objects.is_empty() && labels.skipped.is_empty() {
        return Err(DataError::Invalid(format!(
            "{}: no .pts file in it or in its folders",
            folder.display()
        )));
    }
    Ok(labels)
}

/// One of the files.
pub(super) fn parse_one(text: &str, origin: &Path) -> Result<Labels, DataError> {
    let object = object(text, origin, declared(text))?;
    Ok(Labels {
        names: numbers(object.points.len()),
        objects: vec![object],
        ..Labels::default()
    })
}

fn numbers(points: usize) -> Vec<String> {
    (0..points).map(|k| k.to_string()).collect()
}

/// What the head says of the number of points.
fn declared(text: &str) -> usize {
    let line = text
        .lines()
        .find_map(|line| line.trim().strip_prefix("n_points:"));
    line.and_then(|number| number.trim().parse().ok())
        .unwrap_or(0)
}

fn object(text: &str, origin: &Path, points: usize) -> Result<Object, DataError> {
    let points = parse_pts(text.as_bytes(), origin, points)?;
    let mut object = Object::new(&origin.display().to_string(), points.len());
    object.points = points;
    Ok(object)
}
