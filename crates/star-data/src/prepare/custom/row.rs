//! One row of a points file, whatever its format.

use crate::{layout::Layout, point::Point, tsv::check_group};

/// Larger coordinates are taken for damage: no image that is decoded is nearly as wide.
const MAX_COORDINATE: f64 = 1e6;

/// One face as written.
pub(super) struct Row {
    /// 1-based, where it begins.
    pub line: usize,
    /// Relative to the images' folder, with `/`.
    pub image: String,
    /// As many as the layout has; [`Point::MISSING`] where one is not labelled.
    pub points: Vec<Point>,
    /// For each point whether something hides it, where the file knows.
    pub hidden: Option<Vec<bool>>,
    /// What the face has in common with others that go to the same split, where the file has groups.
    pub group: Option<String>,
    /// Where the file has splits; possibly empty.
    pub split: Option<String>,
    /// x, y, width, height.
    pub face_box: Option<[f64; 4]>,
}

/// A place in the file, and what is wrong there.
#[derive(Debug)]
pub(super) struct BadRow {
    /// 1-based.
    pub line: usize,
    pub reason: String,
}

/// Of rows that cannot be used, so many are listed before it matters how many can be.
pub(in crate::prepare) const MAX_UNUSABLE: usize = 100;

/// A whole file.
#[derive(Default)]
pub(super) struct Table {
    pub rows: Vec<Result<Box<Row>, BadRow>>,
    /// Names of columns or keys that nothing is done with.
    pub unused: Vec<String>,
    unusable: usize,
}

impl Table {
    /// Adds a row, usable or not.
    ///
    /// # Errors
    /// When most of many rows cannot be used: the file is not what it should be, and what is wrong with each of its rows could take many
    /// times the file's size.
    pub fn push(&mut self, row: Result<Row, BadRow>) -> Result<(), BadRow> {
        self.unusable += usize::from(row.is_err());
        // By halves: while it is copied, a list that doubles takes three times what is in it.
        if self.rows.len() == self.rows.capacity() {
            self.rows.reserve_exact((self.rows.len() / 2).max(4));
        }
        self.rows.push(row.map(Box::new));
        let usable = self.rows.len() - self.unusable;
        if self.unusable <= MAX_UNUSABLE || self.unusable <= usable {
            return Ok(());
        }
        let first = self.rows.drain(..).find_map(Result::err);
        let BadRow { line, reason } = first.unwrap_or(BadRow {
            line: 1,
            reason: String::new(),
        });
        Err(BadRow {
            line,
            reason: format!(
                "{reason}; {} of the first {} rows cannot be used, this one is the first",
                self.unusable,
                self.unusable + usable
            ),
        })
    }
}

/// An image's path as annotation files can hold it.
pub(in crate::prepare) fn image_path(text: &str) -> Result<String, String> {
    let path = text.replace('\\', "/");
    if path.trim().is_empty() {
        return Err("image is empty; name the image file".into());
    }
    if path.contains(['\t', '\n', '\r', '"']) {
        return Err(format!(
            "image is {:?}; tabs, line breaks and quotes cannot stand in an annotation file: rename the image",
            shorten(&path)
        ));
    }
    Ok(path)
}

/// A group's name as annotation files can hold it; of an empty one, none.
pub(super) fn group(text: &str) -> Result<Option<String>, String> {
    let group = text.trim();
    if group.is_empty() {
        return Ok(None);
    }
    check_group(group).map_err(|e| e.to_string())?;
    Ok(Some(group.to_string()))
}

/// COCO's flags: 0, 1 and 2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Visibility {
    NotLabelled,
    Hidden,
    Visible,
}

/// A flag as written; an empty one leaves it to the coordinates.
pub(super) fn visibility(text: &str, point: usize) -> Result<Option<Visibility>, String> {
    Ok(Some(match text {
        "" => return Ok(None),
        "0" => Visibility::NotLabelled,
        "1" => Visibility::Hidden,
        "2" => Visibility::Visible,
        _ => {
            return Err(format!(
                "the visibility of point {point} is `{}`; it is 2 (visible), 1 (hidden) or 0 (not labelled)",
                shorten(text)
            ));
        }
    }))
}

/// A number that can be a place in an image; `what` is what the file calls it.
pub(super) fn pixel(value: f64, what: &str) -> Result<f64, String> {
    if value.is_finite() && value.abs() <= MAX_COORDINATE {
        Ok(value)
    } else {
        Err(format!("{what} is {value}, which is no place in an image"))
    }
}

/// A name that can be an annotation file's file name, in small letters, because some systems do not tell `Train.tsv` from `train.tsv`.
pub(super) fn list_name(text: &str) -> Result<String, String> {
    let name = text.trim().to_ascii_lowercase();
    if name.is_empty() {
        return Err(
            "split is empty; write train, test or another name in every row, or in none".into(),
        );
    }
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if name.len() > 60 || !name.chars().all(plain) {
        return Err(format!(
            "split is `{}`; use up to 60 letters, digits, - and _, because it becomes a file's name",
            shorten(&name)
        ));
    }
    Ok(name)
}

/// `7 points` as a message says them.
pub(super) fn points_of(layout: &Layout) -> String {
    format!("layout {} has {} points", layout.name, layout.points)
}

/// Keeps a damaged field from flooding the message.
pub(in crate::prepare) fn shorten(text: &str) -> String {
    const LONGEST: usize = 40;
    if text.chars().count() <= LONGEST {
        return text.to_string();
    }
    text.chars().take(LONGEST).chain(['.', '.', '.']).collect()
}
