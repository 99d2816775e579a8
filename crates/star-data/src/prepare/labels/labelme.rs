//! labelme: a JSON file beside each image, with shapes of the type `point`; objects are told apart by `group_id`.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use serde::Deserialize;
use serde_json::Value;

use super::{CANVAS, Labels, Marks, Names, images, parse_error, text};
use crate::{
    error::{DataError, plain_words, shorten_message},
    point::Point,
    prepare::{custom::shorten, report::Complaint},
};

#[derive(Deserialize)]
struct File {
    shapes: Vec<Shape>,
    #[serde(rename = "imagePath")]
    image: String,
}

#[derive(Deserialize)]
struct Shape {
    label: String,
    points: Vec<[f64; 2]>,
    group_id: Option<i64>,
    /// Older versions have only polygons, and do not say so.
    #[serde(default)]
    shape_type: String,
    #[serde(default)]
    flags: Option<BTreeMap<String, Value>>,
}

/// Flags that say that a point is hidden.
const HIDDEN: [&str; 3] = ["hidden", "occluded", "invisible"];

pub(super) fn read_folder(folder: &Path) -> Result<Labels, DataError> {
    let mut labels = Labels::default();
    let mut names = Names::default();
    let mut objects = Vec::new();
    let mut other_shapes = 0;
    let files = images::files(folder, &["json"])?;
    if files.is_empty() {
        return Err(DataError::Invalid(format!(
            "{}: no .json file in it or in its folders; labelme writes one beside each image",
            folder.display()
        )));
    }
    for name in files {
        let path = folder.join(&name);
        let read = star_files::read_file(&path, star_files::LARGE)
            .map_err(|e| DataError::io(&path, e))
            .and_then(|bytes| one(text(&bytes, &path)?, &path, &mut names));
        match read {
            Ok(found) if found.objects.is_empty() => labels.unlabelled.push(beside(&name, &found)),
            Ok(found) => {
                other_shapes += found.other_shapes;
                let image = beside(&name, &found);
                objects.extend(found.objects.into_iter().map(|object| Marks {
                    image: image.clone(),
                    ..object
                }));
            }
            Err(error) => labels.skipped.push(complaint(&path, &error)),
        }
    }
    if other_shapes > 0 {
        labels.notes.push(format!(
            "{other_shapes} shapes that are neither points nor boxes not used"
        ));
    }
    (labels.names, labels.objects) = names
        .finish(objects, false)
        .map_err(|m| parse_error(folder, 1, &m))?;
    Ok(labels)
}

/// One of the files.
pub(super) fn parse_one(text: &str, origin: &Path) -> Result<Labels, DataError> {
    let mut names = Names::default();
    let found = one(text, origin, &mut names)?;
    let (names, objects) = names
        .finish(found.objects, false)
        .map_err(|m| parse_error(origin, 1, &m))?;
    Ok(Labels {
        names,
        objects,
        ..Labels::default()
    })
}

fn complaint(path: &Path, error: &DataError) -> Complaint {
    let (line, reason) = match error {
        DataError::Parse { line, message, .. } => (Some(*line), message.clone()),
        DataError::Io { source, .. } => (None, source.to_string()),
        other => (None, other.to_string()),
    };
    Complaint {
        file: path.display().to_string(),
        line,
        reason,
    }
}

struct Found {
    image: String,
    objects: Vec<Marks>,
    other_shapes: usize,
}

/// The image's path from the folder, for a path from the file's own.
fn beside(file: &str, found: &Found) -> String {
    let image = found.image.replace('\\', "/");
    let mut path = PathBuf::from(file);
    path.pop();
    for part in image.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                path.pop();
            }
            part => path.push(part),
        }
    }
    path.to_string_lossy().replace('\\', "/")
}

fn one(text: &str, origin: &Path, names: &mut Names) -> Result<Found, DataError> {
    let file: File = serde_json::from_str(text).map_err(|e| {
        let message = plain_words(&e.to_string());
        parse_error(origin, e.line(), &shorten_message(&message))
    })?;
    let bad = |message: String| parse_error(origin, 1, &message);
    let mut objects: BTreeMap<Option<i64>, Marks> = BTreeMap::new();
    let mut boxes = Vec::new();
    let mut other_shapes = 0;
    for shape in &file.shapes {
        match (shape.shape_type.as_str(), &shape.points[..]) {
            ("point", &[[x, y]]) => {
                let told = |flag: &&str| {
                    let flags = shape.flags.as_ref();
                    flags.and_then(|f| f.get(*flag)).and_then(Value::as_bool) == Some(true)
                };
                let hidden = HIDDEN.iter().any(told);
                let object =
                    (objects.entry(shape.group_id)).or_insert_with(|| Marks::new(&file.image));
                let place = Point::new(x - CANVAS, y - CANVAS);
                if !object.set(names.number(&shape.label), place, hidden) {
                    return Err(bad(format!(
                        "point `{}` is there twice; objects of one image are told apart by group_id",
                        shorten(&shape.label)
                    )));
                }
            }
            ("rectangle", &[[x0, y0], [x1, y1]]) => {
                let place = [
                    x0.min(x1) - CANVAS,
                    y0.min(y1) - CANVAS,
                    (x1 - x0).abs(),
                    (y1 - y0).abs(),
                ];
                boxes.push((shape.group_id, place));
            }
            _ => other_shapes += 1,
        }
    }
    for (group, place) in boxes {
        if let Some(object) = objects.get_mut(&group) {
            object.face_box = Some(place);
        }
    }
    Ok(Found {
        image: file.image,
        objects: objects.into_values().collect(),
        other_shapes,
    })
}
