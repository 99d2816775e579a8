//! COCO's keypoints: `{"images": [...], "categories": [{"keypoints": [...], "skeleton": [...]}], "annotations": [{"keypoints": [x, y, v, ...]}]}`.

use std::{
    collections::{HashMap, HashSet},
    path::Path,
};

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{Labels, Object, parse_error, skip, some};
use crate::{
    error::{DataError, plain_words, shorten_message},
    layout::Lines,
    point::Point,
};

#[derive(Deserialize)]
struct File<'a> {
    images: Vec<Image>,
    categories: Vec<Category>,
    #[serde(borrow)]
    annotations: Vec<&'a RawValue>,
}

#[derive(Deserialize)]
struct Image {
    id: u64,
    file_name: String,
}

#[derive(Deserialize)]
struct Category {
    id: u64,
    #[serde(default)]
    name: String,
    #[serde(default)]
    keypoints: Vec<String>,
    /// Pairs counted from 1.
    #[serde(default)]
    skeleton: Vec<[usize; 2]>,
}

#[derive(Deserialize)]
struct Annotation {
    image_id: u64,
    category_id: u64,
    #[serde(default)]
    keypoints: Vec<f64>,
    bbox: Option<[f64; 4]>,
    #[serde(default)]
    iscrowd: Option<u8>,
}

pub(super) fn parse(
    text: &str,
    origin: &Path,
    category: Option<&str>,
) -> Result<Labels, DataError> {
    let file: File = serde_json::from_str(text).map_err(|e| {
        let message = plain_words(&e.to_string());
        parse_error(origin, e.line(), &shorten_message(&message))
    })?;
    let category = choose(&file.categories, category).map_err(|m| parse_error(origin, 1, &m))?;
    let mut labels = Labels {
        names: names(category, &file.annotations),
        ..Labels::default()
    };
    let points = labels.names.len();
    for &[a, b] in &category.skeleton {
        match (a.checked_sub(1), b.checked_sub(1)) {
            (Some(a), Some(b)) if a < points && b < points && a != b => labels.bones.push([a, b]),
            _ => labels.notes.push(format!(
                "line [{a}, {b}] of the skeleton names no two of the {points} keypoints, counted from 1; left out"
            )),
        }
    }
    let images: HashMap<u64, &str> = (file.images.iter())
        .map(|image| (image.id, image.file_name.as_str()))
        .collect();
    let mut seen = HashSet::new();
    let (mut others, mut crowds, mut without) = (0, 0, 0);
    let mut lines = Lines::of(text);
    for raw in file.annotations {
        let line = lines.line(raw.get().as_ptr() as usize - text.as_ptr() as usize);
        let usable = labels.objects.len();
        let mut refuse =
            |reason: String| skip(&mut labels.skipped, usable, origin, Some(line), reason);
        let annotation: Annotation = match serde_json::from_str(raw.get()) {
            Ok(annotation) => annotation,
            Err(e) => {
                refuse(shorten_message(&plain_words(&e.to_string())))?;
                continue;
            }
        };
        if annotation.category_id != category.id {
            others += 1;
            continue;
        }
        if annotation.iscrowd.is_some_and(|crowd| crowd != 0) {
            crowds += 1;
            continue;
        }
        let Some(&image) = images.get(&annotation.image_id) else {
            refuse(format!(
                "image_id {} is not among the images",
                annotation.image_id
            ))?;
            continue;
        };
        seen.insert(annotation.image_id);
        // Objects that have only a box.
        if annotation.keypoints.is_empty() {
            without += 1;
            continue;
        }
        match object(image, &annotation, points) {
            Ok(object) => labels.objects.push(object),
            Err(reason) => refuse(reason)?,
        }
    }
    if others > 0 {
        labels.notes.push(format!(
            "{others} annotations of other categories than `{}` left out",
            category.name
        ));
    }
    if without > 0 {
        labels
            .notes
            .push(format!("{without} annotations without keypoints left out"));
    }
    if crowds > 0 {
        labels
            .notes
            .push(format!("{crowds} annotations of crowds left out"));
    }
    let without = file.images.iter().filter(|image| !seen.contains(&image.id));
    labels.unlabelled = without.map(|image| image.file_name.clone()).collect();
    Ok(labels)
}

/// The category with keypoints, or the one that is asked for.
fn choose<'a>(categories: &'a [Category], name: Option<&str>) -> Result<&'a Category, String> {
    let known = || some(categories.iter().map(|c| c.name.as_str()));
    if let Some(name) = name {
        return (categories.iter().find(|c| c.name == name))
            .ok_or_else(|| format!("there is no category `{name}`; there are {}", known()));
    }
    let with: Vec<&Category> = match categories {
        // Files of faces often do not name their points.
        [only] => vec![only],
        _ => (categories.iter())
            .filter(|c| !c.keypoints.is_empty())
            .collect(),
    };
    match with[..] {
        [only] => Ok(only),
        [] => Err(format!(
            "no category names keypoints (there are {}); are these annotations of keypoints?",
            known()
        )),
        _ => Err(format!(
            "several categories have keypoints; choose one with --category: {}",
            some(with.iter().map(|c| c.name.as_str()))
        )),
    }
}

/// Those of the category, or numbers for as many points as the first annotation has.
fn names(category: &Category, annotations: &[&RawValue]) -> Vec<String> {
    if !category.keypoints.is_empty() {
        return category.keypoints.clone();
    }
    let first = annotations.iter().find_map(|raw| {
        let annotation: Annotation = serde_json::from_str(raw.get()).ok()?;
        let of_it = annotation.category_id == category.id && !annotation.keypoints.is_empty();
        of_it.then_some(annotation.keypoints.len() / 3)
    });
    (0..first.unwrap_or(0)).map(|k| k.to_string()).collect()
}

fn object(image: &str, annotation: &Annotation, points: usize) -> Result<Object, String> {
    if annotation.keypoints.len() != 3 * points {
        return Err(format!(
            "{} numbers in keypoints, but {points} points of x, y and visibility are {}",
            annotation.keypoints.len(),
            3 * points
        ));
    }
    let mut object = Object::new(image, points);
    for (k, numbers) in annotation.keypoints.chunks_exact(3).enumerate() {
        let [x, y, flag] = [numbers[0], numbers[1], numbers[2]];
        match flag {
            0.0 => {}
            1.0 | 2.0 => {
                object.points[k] = Point::new(x, y);
                object.hidden[k] = flag == 1.0;
            }
            _ => {
                return Err(format!(
                    "the visibility of point {k} is {flag}; it is 2 (visible), 1 (hidden) or 0 (not labelled)"
                ));
            }
        }
    }
    object.face_box = annotation.bbox;
    Ok(object)
}
