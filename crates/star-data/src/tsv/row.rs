//! One line of an annotation file, and how its columns are read.

use super::{GROUP, path::clean_path};
use crate::{
    crop::{CROP_UNIT, CropBox},
    layout::Layout,
    point::{MAX_COORDINATE, Point},
};

/// WFLW's tags.
const TAGS: usize = 6;
/// With occlusion flags and a group.
const MAX_COLUMNS: usize = 9;
const GROUP_COLUMN: usize = 8;
/// Both numbers of a landmark that is not labelled.
pub(super) const MISSING: &str = "nan";

/// One line of an annotation file.
#[derive(Clone, Debug, PartialEq)]
pub struct TsvRow {
    /// Cleaned of the prefixes that published annotation files carry; relative to the image folder.
    pub path: String,
    /// Pixels of the image, in layout order; [`Point::MISSING`] (written `nan,nan`) where one is not labelled.
    pub landmarks: Vec<Point>,
    /// What the network sees of the image.
    pub crop: CropBox,
    /// WFLW only: large pose, expression, illumination, make-up, occlusion, blur (REFERENCE D6).
    pub tags: Option<[bool; TAGS]>,
    /// For each landmark whether something hides it, where that is known: COFW.
    pub occluded: Option<Vec<bool>>,
    /// What the face has in common with others that must not be in another part of a split: a person, a video, a patient. Faces of one
    /// image belong together without it.
    pub group: Option<String>,
    /// The 1-based line it was read from; 0 for a row that was not read.
    pub line: usize,
}

/// The columns of a line.
pub(super) struct Columns<'a> {
    /// Of a line of tabs not all, but more than a face has.
    columns: Vec<&'a str>,
    count: usize,
}

impl<'a> Columns<'a> {
    pub fn of(line: &'a str) -> Self {
        let columns = line.split('\t').map(unquote);
        Self {
            columns: columns.take(MAX_COLUMNS + 1).collect(),
            count: line.split('\t').count(),
        }
    }

    /// A header has words where a face has its scale and its landmarks. A face whose scale is damaged still has landmarks, and is
    /// reported rather than skipped.
    pub fn are_header(&self) -> bool {
        let numeric = |column: &&str| {
            numbers(column)
                .next()
                .is_some_and(|n| n.parse::<f64>().is_ok())
        };
        (4..=MAX_COLUMNS).contains(&self.columns.len()) && !self.columns[2..].iter().any(numeric)
    }

    /// Whether this header names the column of groups.
    pub fn name_groups(&self) -> bool {
        self.columns.get(GROUP_COLUMN) == Some(&GROUP)
    }

    /// Whether there are landmarks, though not as many as `layout` has.
    pub fn are_of_another_layout(&self, layout: &Layout) -> bool {
        let values = self
            .columns
            .get(2)
            .map_or(0, |column| numbers(column).count());
        self.columns.len() > 5 && values != 2 * layout.points
    }

    /// The face of line `line`. `grouped` says whether the header names the column of groups.
    pub fn to_row(&self, line: usize, layout: &Layout, grouped: bool) -> Result<TsvRow, String> {
        let Self { columns, count } = self;
        let (most, group) = if grouped {
            (MAX_COLUMNS, ", group")
        } else {
            (MAX_COLUMNS - 1, "")
        };
        if !(6..=most).contains(count) {
            return Err(format!(
                "{count} tab-separated columns, but a face has 6 to {most}: path, five points, landmarks, scale, centre x, centre y, \
                 tags, occlusion{group}; is the line cut off, or are its columns separated by something else?"
            ));
        }
        let path = clean_path(columns[0]);
        if path.is_empty() {
            return Err("column 1 (path) is empty; name the image".into());
        }
        let landmarks = parse_landmarks(columns[2], layout)?;
        let single = |column: usize, what: &str| parse_number(columns[column - 1], column, what);
        let scale = single(4, "scale")?;
        if scale <= 0.0 {
            return Err(format!(
                "column 4 (scale) is {scale}; it must be positive: the width of the crop divided by {CROP_UNIT} pixels"
            ));
        }
        let center = Point::new(single(5, "centre x")?, single(6, "centre y")?);
        let tags = match columns.get(6) {
            None | Some(&"") => None,
            Some(column) => Some(parse_tags(column)?),
        };
        let occluded = match columns.get(7) {
            None | Some(&"") => None,
            Some(column) => Some(parse_occluded(column, layout)?),
        };
        let group = (columns.get(GROUP_COLUMN))
            .filter(|group| !group.is_empty())
            .map(|group| (*group).to_string());
        Ok(TsvRow {
            path,
            landmarks,
            crop: CropBox { scale, center },
            tags,
            occluded,
            group,
            line,
        })
    }
}

fn parse_number(text: &str, column: usize, what: &str) -> Result<f64, String> {
    let value: f64 = text.parse().map_err(|_| {
        format!(
            "column {column} ({what}): `{}` is not a number",
            shorten(text)
        )
    })?;
    if value.is_finite() && value.abs() <= MAX_COORDINATE {
        Ok(value)
    } else {
        Err(format!(
            "column {column} ({what}): {} is not a usable number of pixels; correct it or remove the line",
            shorten(text)
        ))
    }
}

/// Keeps a damaged field from flooding the message.
fn shorten(text: &str) -> String {
    const LONGEST: usize = 40;
    if text.chars().count() <= LONGEST {
        return text.to_string();
    }
    text.chars().take(LONGEST).chain(['.', '.', '.']).collect()
}

fn parse_landmarks(column: &str, layout: &Layout) -> Result<Vec<Point>, String> {
    let mut values = Vec::with_capacity(2 * layout.points);
    let mut count = 0;
    for number in numbers(column) {
        let axis = if count % 2 == 0 { "x" } else { "y" };
        let value = if number.eq_ignore_ascii_case(MISSING) {
            f64::NAN
        } else {
            parse_number(number, 3, &format!("landmark {} {axis}", count / 2))?
        };
        // Numbers beyond the layout's are only counted.
        if count < 2 * layout.points {
            values.push(value);
        }
        count += 1;
    }
    if count != 2 * layout.points {
        let other = Layout::builtin_points()
            .find(|(_, points)| 2 * points == count)
            .map_or(String::new(), |(name, _)| {
                format!("; that is layout {name}: use it instead?")
            });
        return Err(format!(
            "column 3 (landmarks) has {count} numbers, but layout {} has {} points, {} numbers{other}",
            layout.name,
            layout.points,
            2 * layout.points
        ));
    }
    let landmarks: Vec<Point> = (values.chunks_exact(2))
        .map(|p| Point::new(p[0], p[1]))
        .collect();
    if let Some(i) = landmarks.iter().position(|p| p.x.is_nan() != p.y.is_nan()) {
        return Err(format!(
            "column 3 (landmarks): only one number of landmark {i} is {MISSING}; a landmark without a label is {MISSING},{MISSING}"
        ));
    }
    if !landmarks.iter().any(|p| p.is_labelled()) {
        return Err("column 3 (landmarks): no landmark is labelled; remove the line".into());
    }
    Ok(landmarks)
}

fn parse_tags(column: &str) -> Result<[bool; TAGS], String> {
    let fail = || {
        format!(
            "column 7 (tags): `{}` is not {TAGS} numbers that are 0 or 1; leave the column out if there are no tags",
            shorten(column)
        )
    };
    let mut tags = [false; TAGS];
    let mut count = 0;
    for number in numbers(column) {
        let value: f64 = number.parse().map_err(|_| fail())?;
        let tag = tags.get_mut(count).ok_or_else(fail)?;
        if value != 0.0 && value != 1.0 {
            return Err(fail());
        }
        *tag = value == 1.0;
        count += 1;
    }
    if count == TAGS { Ok(tags) } else { Err(fail()) }
}

fn parse_occluded(column: &str, layout: &Layout) -> Result<Vec<bool>, String> {
    let mut flags = Vec::with_capacity(layout.points);
    let mut count = 0;
    for (i, number) in numbers(column).enumerate() {
        count += 1;
        let flag = match number.parse() {
            Ok(0.0) => false,
            Ok(1.0) => true,
            _ => {
                return Err(format!(
                    "column 8 (occlusion): the flag of landmark {i} is `{}`; it must be 0 or 1",
                    shorten(number)
                ));
            }
        };
        // Flags beyond the layout's are only counted.
        if flags.len() < layout.points {
            flags.push(flag);
        }
    }
    if count == layout.points {
        return Ok(flags);
    }
    Err(format!(
        "column 8 (occlusion) has {count} flags, but layout {} has {} points; leave the column out if occlusion is not known",
        layout.name, layout.points
    ))
}

fn unquote(field: &str) -> &str {
    let field = field.trim();
    field
        .strip_prefix('"')
        .and_then(|f| f.strip_suffix('"'))
        .unwrap_or(field)
}

/// The numbers of a column.
fn numbers(column: &str) -> impl Iterator<Item = &str> {
    column
        .split(|c: char| c == ',' || c.is_whitespace())
        .filter(|n| !n.is_empty())
}
