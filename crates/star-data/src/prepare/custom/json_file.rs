//! Points as a list of `{"image": "a.jpg", "points": [[x, y], ...], "split": "train", "group": "video 1", "box": [x, y, w, h]}`.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, de::IgnoredAny};
use serde_json::{Deserializer, Error};

use super::row::{BadRow, Row, Table, group, image_path, pixel, points_of, shorten};
use crate::{
    layout::{Layout, line_of},
    point::Point,
};

#[derive(Deserialize)]
struct Item {
    image: String,
    points: Vec<[f64; 2]>,
    split: Option<String>,
    group: Option<String>,
    #[serde(rename = "box")]
    face_box: Option<[f64; 4]>,
    #[serde(flatten)]
    unused: BTreeMap<String, IgnoredAny>,
}

/// # Errors
/// When the text is not JSON, or not a list.
pub(super) fn read(text: &str, layout: &Layout) -> Result<Table, BadRow> {
    // Checked as a whole first: afterwards the items can be taken out one by one.
    serde_json::from_str::<Vec<IgnoredAny>>(text).map_err(|e| BadRow {
        line: e.line(),
        reason: format!(
            "column {}: {}; the file is a list of {{\"image\": \"a.jpg\", \"points\": [[x, y], ...]}}",
            e.column(),
            message(&e)
        ),
    })?;
    let mut rows = Vec::new();
    let mut unused = BTreeSet::new();
    let mut at = text.find('[').map_or(text.len(), |i| i + 1);
    while let Some(rest) = text.get(at..) {
        let item = rest.trim_start_matches(|c: char| c == ',' || c.is_ascii_whitespace());
        at += rest.len() - item.len();
        let mut stream = Deserializer::from_str(item).into_iter::<IgnoredAny>();
        // The list's own `]` is no item.
        let Some(Ok(_)) = stream.next() else { break };
        let end = stream.byte_offset();
        let line = line_of(text, at);
        rows.push(row(
            item.get(..end).unwrap_or(item),
            line,
            layout,
            &mut unused,
        ));
        at += end.max(1);
    }
    Ok(Table {
        rows,
        unused: unused.iter().map(|name| format!("key {name}")).collect(),
    })
}

fn row(
    text: &str,
    line: usize,
    layout: &Layout,
    unused: &mut BTreeSet<String>,
) -> Result<Row, BadRow> {
    let item: Item = serde_json::from_str(text).map_err(|e| BadRow {
        line: line + e.line().saturating_sub(1),
        reason: message(&e),
    })?;
    let bad = |reason| BadRow { line, reason };
    unused.extend(item.unused.keys().map(|name| shorten(name)));
    if item.points.len() != layout.points {
        return Err(bad(format!(
            "{} points, but {}",
            item.points.len(),
            points_of(layout)
        )));
    }
    let mut points = Vec::with_capacity(item.points.len());
    for (k, [x, y]) in item.points.iter().enumerate() {
        points.push(Point::new(
            pixel(*x, &format!("x of point {k}")).map_err(bad)?,
            pixel(*y, &format!("y of point {k}")).map_err(bad)?,
        ));
    }
    for value in item.face_box.iter().flatten() {
        pixel(*value, "a number of the box").map_err(bad)?;
    }
    Ok(Row {
        line,
        image: image_path(&item.image).map_err(bad)?,
        points,
        group: group(item.group.as_deref().unwrap_or_default()).map_err(bad)?,
        split: item.split,
        face_box: item.face_box,
    })
}

/// The error without its place, which is counted from the item's start and told apart.
fn message(error: &Error) -> String {
    let text = error.to_string();
    let place = format!(" at line {} column {}", error.line(), error.column());
    text.strip_suffix(&place).unwrap_or(&text).to_string()
}
