//! Points as a list of `{"image": "a.jpg", "points": [[x, y], ...], "visibility": [2, ...], "split": "train", "group": "video 1",
//! "box": [x, y, w, h]}`; the last four are optional.

mod item;

use std::collections::BTreeSet;

use serde::de::IgnoredAny;
use serde_json::{Deserializer, Error};

use self::item::{Item, OtherKeys};
use super::row::{
    BadRow, Row, Table, Visibility, group, image_path, pixel, points_of, shorten, visibility,
};
use crate::{
    error::{plain_words, shorten_message},
    layout::{Layout, Lines},
    point::Point,
};

/// How many names of unused keys are told.
const MAX_UNUSED: usize = 100;

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
    let mut table = Table::default();
    let mut lines = Lines::of(text);
    let mut unused = BTreeSet::new();
    let mut at = text.find('[').map_or(text.len(), |i| i + 1);
    while let Some(rest) = text.get(at..) {
        let item = rest.trim_start_matches(|c: char| c == ',' || c.is_ascii_whitespace());
        at += rest.len() - item.len();
        let mut stream = Deserializer::from_str(item).into_iter::<IgnoredAny>();
        // The list's own `]` is no item.
        let Some(Ok(_)) = stream.next() else { break };
        let end = stream.byte_offset();
        let line = lines.line(at);
        let text = item.get(..end).unwrap_or(item);
        table.push(row(text, line, layout, &mut unused))?;
        at += end.max(1);
    }
    table.unused = unused.iter().map(|name| format!("key {name}")).collect();
    Ok(table)
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
    // The item has been read: its keys can be.
    if let Ok(OtherKeys(names)) = serde_json::from_str(text) {
        let room = MAX_UNUSED.saturating_sub(unused.len());
        unused.extend(names.iter().take(room).map(|name| shorten(name)));
    }
    if item.points.count != layout.points {
        return Err(bad(format!(
            "{} points, but {}",
            item.points.count,
            points_of(layout)
        )));
    }
    if let Some(flags) = &item.visibility
        && flags.len() != layout.points
    {
        return Err(bad(format!(
            "{} flags of visibility, but {}",
            flags.len(),
            points_of(layout)
        )));
    }
    let mut points = Vec::with_capacity(layout.points);
    let mut hidden = item.visibility.as_ref().map(|_| vec![false; layout.points]);
    for (k, point) in item.points.first.iter().enumerate() {
        let flag = item.visibility.as_ref().and_then(|flags| flags.get(k));
        let seen = flag.map_or(Ok(None), |flag| visibility(&flag.to_string(), k));
        let seen = seen.map_err(bad)?;
        if let Some(hidden) = &mut hidden {
            hidden[k] = seen == Some(Visibility::Hidden);
        }
        let (Some([x, y]), false) = (*point, seen == Some(Visibility::NotLabelled)) else {
            if matches!(seen, Some(Visibility::Hidden | Visibility::Visible)) {
                return Err(bad(format!(
                    "point {k} is null, but its visibility is not 0; give its place, or 0"
                )));
            }
            points.push(Point::MISSING);
            continue;
        };
        points.push(Point::new(
            pixel(x, &format!("x of point {k}")).map_err(bad)?,
            pixel(y, &format!("y of point {k}")).map_err(bad)?,
        ));
    }
    for value in item.face_box.iter().flatten() {
        pixel(*value, "a number of the box").map_err(bad)?;
    }
    Ok(Row {
        line,
        image: image_path(&item.image).map_err(bad)?,
        points,
        hidden,
        group: group(item.group.as_deref().unwrap_or_default()).map_err(bad)?,
        split: item.split,
        face_box: item.face_box,
    })
}

/// The error without its place, which is counted from the item's start and told apart.
fn message(error: &Error) -> String {
    let text = error.to_string();
    let place = format!(" at line {} column {}", error.line(), error.column());
    shorten_message(&plain_words(text.strip_suffix(&place).unwrap_or(&text)))
}
