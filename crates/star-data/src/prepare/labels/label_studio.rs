//! Label Studio's JSON export: tasks with annotations of keypoint labels, in percent of the image.

use std::{collections::BTreeMap, path::Path};

use serde::Deserialize;
use serde_json::{Value, value::RawValue};

use super::{CANVAS, Labels, Marks, Names, parse_error, skip};
use crate::{
    error::{DataError, plain_words, shorten_message},
    layout::Lines,
    point::Point,
    prepare::custom::shorten,
};

#[derive(Deserialize)]
struct Task {
    data: BTreeMap<String, Value>,
    file_upload: Option<String>,
    annotations: Option<Vec<Annotation>>,
}

#[derive(Deserialize)]
struct Annotation {
    #[serde(default)]
    was_cancelled: bool,
    result: Vec<Region>,
}

#[derive(Deserialize)]
struct Region {
    #[serde(default)]
    id: String,
    #[serde(rename = "parentID")]
    parent: Option<String>,
    // Every region has one: without it `{}` would be a region, of hundreds of times its size.
    #[serde(rename = "type")]
    kind: String,
    original_width: Option<f64>,
    original_height: Option<f64>,
    #[serde(default)]
    image_rotation: f64,
    #[serde(default)]
    value: Place,
}

#[derive(Default, Deserialize)]
struct Place {
    x: Option<f64>,
    y: Option<f64>,
    width: Option<f64>,
    height: Option<f64>,
    #[serde(default)]
    rotation: f64,
    #[serde(default)]
    keypointlabels: Vec<String>,
}

/// What is counted for the notes.
#[derive(Default)]
struct Counts {
    annotators: usize,
    other_regions: usize,
}

pub(super) fn parse(text: &str, origin: &Path) -> Result<Labels, DataError> {
    let tasks: Vec<&RawValue> = serde_json::from_str(text).map_err(|e| {
        let message = plain_words(&e.to_string());
        let message = format!("{message}; a list of tasks is read: export as JSON, not JSON-MIN");
        parse_error(origin, e.line(), &shorten_message(&message))
    })?;
    let mut labels = Labels::default();
    let mut names = Names::default();
    let mut objects = Vec::new();
    let mut counts = Counts::default();
    let mut lines = Lines::of(text);
    for raw in tasks {
        let line = lines.line(raw.get().as_ptr() as usize - text.as_ptr() as usize);
        let read = serde_json::from_str(raw.get())
            .map_err(|e| shorten_message(&plain_words(&e.to_string())))
            .and_then(|task: Task| {
                let image = image(&task)?;
                let found = objects_of(&task, &image, &mut names, &mut counts)?;
                Ok((image, found))
            });
        match read {
            Ok((image, found)) if found.is_empty() => labels.unlabelled.push(image),
            Ok((_, found)) => objects.extend(found),
            Err(reason) => {
                let usable = objects.len();
                skip(&mut labels.skipped, usable, origin, Some(line), reason)?;
            }
        }
    }
    if counts.annotators > 0 {
        labels.notes.push(format!(
            "{} further annotations of tasks that have several not used: the first that is not cancelled is",
            counts.annotators
        ));
    }
    if counts.other_regions > 0 {
        labels.notes.push(format!(
            "{} regions that are neither keypoints nor boxes not used",
            counts.other_regions
        ));
    }
    (labels.names, labels.objects) = names
        .finish(objects, false)
        .map_err(|m| parse_error(origin, 1, &m))?;
    Ok(labels)
}

/// The task's image: what was uploaded, or the first address among its data.
fn image(task: &Task) -> Result<String, String> {
    let usual = ["image", "img", "photo", "picture"];
    let named = usual.iter().filter_map(|key| task.data.get(*key)?.as_str());
    let any = task.data.values().filter_map(Value::as_str);
    let mut found = (task.file_upload.as_deref().into_iter())
        .chain(named)
        .chain(any);
    let image = found.find(|text| !text.trim().is_empty());
    image
        .map(str::to_string)
        .ok_or_else(|| "the task's data name no image".into())
}

fn objects_of(
    task: &Task,
    image: &str,
    names: &mut Names,
    counts: &mut Counts,
) -> Result<Vec<Marks>, String> {
    let mut usable = (task.annotations.iter().flatten()).filter(|a| !a.was_cancelled);
    let Some(annotation) = usable.next() else {
        return Ok(Vec::new());
    };
    counts.annotators += usable.count();
    // Keypoints belong to the region they were drawn below; those of no region are one object.
    let mut objects: BTreeMap<&str, Marks> = BTreeMap::new();
    let mut boxes: Vec<(&str, [f64; 4])> = Vec::new();
    for region in &annotation.result {
        let is_point = region.kind == "keypointlabels" || !region.value.keypointlabels.is_empty();
        let is_box = matches!(region.kind.as_str(), "rectanglelabels" | "rectangle");
        if !is_point && !is_box {
            counts.other_regions += 1;
            continue;
        }
        let place = &region.value;
        let (Some(w), Some(h)) = (region.original_width, region.original_height) else {
            return Err("a region has no original_width and original_height".into());
        };
        if region.image_rotation != 0.0 || place.rotation != 0.0 {
            return Err(format!(
                "{} was turned while it was labelled (by {}), or a box was; turn it back in Label Studio",
                shorten(image),
                region.image_rotation + place.rotation
            ));
        }
        let (Some(x), Some(y)) = (place.x, place.y) else {
            return Err("a region has no x and y".into());
        };
        let (x, y) = (x / 100.0 * w - CANVAS, y / 100.0 * h - CANVAS);
        if is_box {
            let size = |percent: Option<f64>, of: f64| percent.unwrap_or(0.0) / 100.0 * of;
            boxes.push((
                &region.id,
                [x, y, size(place.width, w), size(place.height, h)],
            ));
            continue;
        }
        let [name] = &place.keypointlabels[..] else {
            return Err(format!(
                "a keypoint has {} labels; it needs one, its name",
                place.keypointlabels.len()
            ));
        };
        let parent = region.parent.as_deref().unwrap_or_default();
        let object = objects.entry(parent).or_insert_with(|| Marks::new(image));
        if !object.set(names.number(name), Point::new(x, y), false) {
            return Err(format!(
                "point `{}` is there twice; in an image of several objects drag the keypoints of each below its box",
                shorten(name)
            ));
        }
    }
    let only = objects.len() == 1 && boxes.len() == 1;
    for (id, place) in boxes {
        let object = match only {
            true => objects.values_mut().next(),
            false => objects.get_mut(id),
        };
        if let Some(object) = object {
            object.face_box = Some(place);
        }
    }
    Ok(objects.into_values().collect())
}
