//! The published annotation files: one face a line, columns separated by tabs (REFERENCE D1, D2).
//!
//! Columns by position: the image's path; five points as 10 numbers (not used); the N landmarks as 2N numbers; scale; centre x;
//! centre y; in WFLW only, six tags; where they are known (COFW), N occlusion flags; and, where a header line names it, a group. Numbers
//! within a column are separated by commas.

use std::{
    collections::{HashMap, HashSet},
    fmt::Write as _,
    hash::{DefaultHasher, Hash, Hasher},
    path::{Path, PathBuf},
};

use rayon::prelude::*;

use crate::{
    crop::{CROP_UNIT, CropRule},
    decode::decode_file,
    error::DataError,
    face::{CropBox, Face, FaceSource},
    layout::Layout,
    point::Point,
    published_subsets::published_subsets,
    together::together,
};

/// Larger coordinates are taken for damage: no image that is decoded is nearly as wide.
const MAX_COORDINATE: f64 = 1e6;
/// WFLW's tags.
const TAGS: usize = 6;
/// With occlusion flags and a group.
const MAX_COLUMNS: usize = 9;
/// How many missing images a message names.
const NAMED: usize = 5;
const HEADER: &str = "image_path\tlandmarks_5pts\tlandmarks\tscale\tcenter_w\tcenter_h\ttags";
/// The eighth column, which only lists that have it name.
const HEADER_OCCLUDED: &str = "\toccluded";
/// The ninth. It is only read from an annotation file whose header names it, so that a stray tab is not taken for it.
const GROUP: &str = "group";
const GROUP_COLUMN: usize = 8;

/// One line of an annotation file.
#[derive(Clone, Debug, PartialEq)]
pub struct TsvRow {
    /// Cleaned of the prefixes that published annotation files carry; relative to the image folder.
    pub path: String,
    pub landmarks: Vec<Point>,
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

/// Reads an annotation file. A header line is recognised and skipped; no other line is.
///
/// # Errors
/// When the file cannot be read, or a line is not a face of `layout`; the message names line, column and remedy.
pub fn read_tsv(path: &Path, layout: &Layout) -> Result<Vec<TsvRow>, DataError> {
    let bytes = std::fs::read(path).map_err(|e| DataError::io(path, e))?;
    parse_tsv(&bytes, path, layout)
}

/// As [`read_tsv`] from bytes; `origin` is what messages call the file.
///
/// # Errors
/// As [`read_tsv`].
pub fn parse_tsv(bytes: &[u8], origin: &Path, layout: &Layout) -> Result<Vec<TsvRow>, DataError> {
    let fail = |line: usize, message: String| DataError::Parse {
        path: origin.to_path_buf(),
        line,
        message,
    };
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text.strip_prefix('\u{feff}').unwrap_or(text),
        Err(e) => {
            let before = &bytes[..e.valid_up_to()];
            let line = 1 + before.iter().filter(|&&b| b == b'\n').count();
            return Err(fail(
                line,
                "not UTF-8 text; save the annotation file as UTF-8".into(),
            ));
        }
    };
    let mut rows = Vec::new();
    let mut may_be_header = true;
    let mut grouped = false;
    for (i, text) in text.lines().enumerate() {
        if text.trim().is_empty() {
            continue;
        }
        let (columns, count) = columns_of(text);
        if std::mem::take(&mut may_be_header) && is_header(&columns) {
            grouped = columns.get(GROUP_COLUMN) == Some(&GROUP);
            continue;
        }
        // By halves: while it is copied, a list that doubles takes three times what is in it.
        if rows.len() == rows.capacity() {
            rows.reserve_exact((rows.len() / 2).max(4));
        }
        rows.push(
            parse_row(&columns, count, i + 1, layout, grouped)
                .map_err(|message| fail(i + 1, message))?,
        );
    }
    if rows.is_empty() {
        return Err(fail(1, "the annotation file has no faces".into()));
    }
    Ok(rows)
}

/// A line of an annotation file that is no face.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadLine {
    /// 1-based.
    pub line: usize,
    /// Which column is wrong, and what would be right.
    pub message: String,
    /// Whether it is the number of landmarks that is not the layout's.
    pub other_layout: bool,
}

/// Reads an annotation file to its end, whatever its lines are: the faces, and every line that is none. For checking an annotation file;
/// [`read_tsv`] stops at the first bad line.
///
/// # Errors
/// When the file cannot be read.
pub fn read_tsv_leniently(
    path: &Path,
    layout: &Layout,
) -> Result<(Vec<TsvRow>, Vec<BadLine>), DataError> {
    let bytes = std::fs::read(path).map_err(|e| DataError::io(path, e))?;
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
    let (mut rows, mut bad) = (Vec::new(), Vec::new());
    let mut may_be_header = true;
    let mut grouped = false;
    for (line, bytes) in (1..).zip(bytes.split(|&b| b == b'\n')) {
        let Ok(text) = std::str::from_utf8(bytes) else {
            may_be_header = false;
            let message = "not UTF-8 text; save the annotation file as UTF-8".into();
            let other_layout = false;
            bad.push(BadLine {
                line,
                message,
                other_layout,
            });
            continue;
        };
        if text.trim().is_empty() {
            continue;
        }
        let (columns, count) = columns_of(text);
        if std::mem::take(&mut may_be_header) && is_header(&columns) {
            grouped = columns.get(GROUP_COLUMN) == Some(&GROUP);
            continue;
        }
        match parse_row(&columns, count, line, layout, grouped) {
            Ok(row) => rows.push(row),
            Err(message) => {
                let values = columns.get(2).map_or(0, |column| numbers(column).count());
                let other_layout = columns.len() > 5 && values != 2 * layout.points;
                bad.push(BadLine {
                    line,
                    message,
                    other_layout,
                });
            }
        }
    }
    Ok((rows, bad))
}

/// The columns of a line, and how many there are: of a line of tabs not all are listed, but more than a face has.
fn columns_of(line: &str) -> (Vec<&str>, usize) {
    let columns = line.split('\t').map(unquote);
    let listed = columns.take(MAX_COLUMNS + 1).collect();
    (listed, line.split('\t').count())
}

fn unquote(field: &str) -> &str {
    let field = field.trim();
    field
        .strip_prefix('"')
        .and_then(|f| f.strip_suffix('"'))
        .unwrap_or(field)
}

/// A header has words where a face has its scale and its landmarks. A face whose scale is damaged still has landmarks, and is
/// reported rather than skipped.
fn is_header(columns: &[&str]) -> bool {
    let numeric = |column: &&str| {
        numbers(column)
            .next()
            .is_some_and(|n| n.parse::<f64>().is_ok())
    };
    (4..=MAX_COLUMNS).contains(&columns.len()) && !columns[2..].iter().any(numeric)
}

/// The numbers of a column.
fn numbers(column: &str) -> impl Iterator<Item = &str> {
    column
        .split(|c: char| c == ',' || c.is_whitespace())
        .filter(|n| !n.is_empty())
}

/// `grouped` says whether the header names the column of groups.
fn parse_row(
    columns: &[&str],
    count: usize,
    line: usize,
    layout: &Layout,
    grouped: bool,
) -> Result<TsvRow, String> {
    let (most, group) = if grouped {
        (MAX_COLUMNS, ", group")
    } else {
        (MAX_COLUMNS - 1, "")
    };
    if !(6..=most).contains(&count) {
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
        let value = parse_number(number, 3, &format!("landmark {} {axis}", count / 2))?;
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
    Ok(values
        .chunks_exact(2)
        .map(|p| Point::new(p[0], p[1]))
        .collect())
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

/// Published annotation files carry the folders of their authors' machines.
fn clean_path(path: &str) -> String {
    let path = path.trim().replace('\\', "/");
    let kept = if path.starts_with("//msr-facestore/") {
        path.split_once("/rawImages/").map(|(_, rest)| rest)
    } else {
        path.strip_prefix("./rawImages/")
    };
    kept.unwrap_or(&path).to_string()
}

/// Checks that an image's path comes back from [`read_tsv`] as it is.
///
/// # Errors
/// Naming the path, what would become of it, and what to do.
pub fn check_path(path: &str) -> Result<(), DataError> {
    let problem = if path.is_empty() {
        "is no path of an image; name the image".to_string()
    } else if let Some(problem) = field_problem(path) {
        format!("cannot stand in an annotation file: {problem}; rename the image")
    } else if path.contains('\\') {
        "cannot stand in an annotation file, where \\ is read as /; write folders with /, or rename the image"
            .into()
    } else {
        let read = clean_path(path);
        if read == path {
            return Ok(());
        }
        format!(
            "would be read as {read:?}, because published annotation files begin so; write it without it"
        )
    };
    Err(DataError::Invalid(format!("{path:?} {problem}")))
}

/// Checks that a group's name comes back from [`read_tsv`] as it is.
///
/// # Errors
/// Naming the group and what is wrong with it.
pub fn check_group(group: &str) -> Result<(), DataError> {
    let problem = if group.is_empty() {
        Some("is empty: leave it out, or give it a name")
    } else {
        field_problem(group)
    };
    match problem {
        Some(problem) => Err(DataError::Invalid(format!("group {group:?}: {problem}"))),
        None => Ok(()),
    }
}

/// Why a text is not read back from a column as it was written.
fn field_problem(text: &str) -> Option<&'static str> {
    if text.contains(['\t', '\n', '\r']) {
        Some("tabs and line breaks end a column")
    } else if text.trim() != text {
        Some("spaces at its ends are lost")
    } else if text.starts_with('"') {
        Some("quotes at its beginning are taken for quotes around it")
    } else {
        None
    }
}

/// Numbers that [`read_tsv`] would refuse are refused before they are in a file.
fn check_numbers(row: &TsvRow) -> Result<(), DataError> {
    let CropBox { scale, center } = row.crop;
    let fits = |v: f64| v.is_finite() && v.abs() <= MAX_COORDINATE;
    let points = row.landmarks.iter().chain([&center]);
    if let Some(p) = points.into_iter().find(|p| !(fits(p.x) && fits(p.y))) {
        return Err(DataError::Invalid(format!(
            "{}: ({}, {}) is no place in an image; correct it or leave the face out",
            row.path, p.x, p.y
        )));
    }
    if !(fits(scale) && scale > 0.0) {
        return Err(DataError::Invalid(format!(
            "{}: scale is {scale}; it must be above 0 and at most {MAX_COORDINATE}",
            row.path
        )));
    }
    Ok(())
}

/// Writes an annotation file that [`read_tsv`] reads, each row as it is, and the published program too. The five points, which nobody uses, are
/// written as zeros. The columns of occlusion and of groups are there only when some face has the one or the other.
///
/// # Errors
/// When the file cannot be written, when a path or a group would not be read back as it is ([`check_path`], [`check_group`]), when a number
/// is no usable one, or when a face has not one occlusion flag for each landmark.
pub fn write_tsv(path: &Path, rows: &[TsvRow]) -> Result<(), DataError> {
    let mut text = String::from(HEADER);
    let grouped = rows.iter().any(|row| row.group.is_some());
    let occlusion = grouped || rows.iter().any(|row| row.occluded.is_some());
    if occlusion {
        text.push_str(HEADER_OCCLUDED);
    }
    if grouped {
        let _ = write!(text, "\t{GROUP}");
    }
    text.push('\n');
    for row in rows {
        check_path(&row.path)?;
        check_numbers(row)?;
        if let Some(group) = &row.group {
            check_group(group)?;
        }
        let flags = row.occluded.as_ref();
        if flags.is_some_and(|flags| flags.len() != row.landmarks.len()) {
            return Err(DataError::Invalid(format!(
                "{}: {} occlusion flags for {} landmarks; give one for each",
                row.path,
                flags.map_or(0, Vec::len),
                row.landmarks.len()
            )));
        }
        push_row(&mut text, row, occlusion);
        if grouped {
            text.push('\t');
            text.push_str(row.group.as_deref().unwrap_or_default());
        }
        text.push('\n');
    }
    star_files::write_atomic(path, text.as_bytes()).map_err(|e| DataError::io(path, e))
}

/// A row up to its eighth column, which `occlusion` says whether the annotation file has.
fn push_row(text: &mut String, row: &TsvRow, occlusion: bool) {
    // Writing to a string cannot fail.
    let _ = write!(text, "{}\t{}\t", row.path, ["0"; 10].join(","));
    for (i, p) in row.landmarks.iter().enumerate() {
        let comma = if i == 0 { "" } else { "," };
        let _ = write!(text, "{comma}{},{}", p.x, p.y);
    }
    let CropBox { scale, center } = row.crop;
    let _ = write!(text, "\t{scale}\t{}\t{}\t", center.x, center.y);
    if let Some(tags) = row.tags {
        let tags = tags.map(|tag| if tag { "1" } else { "0" });
        text.push_str(&tags.join(","));
    }
    if occlusion {
        text.push('\t');
        let flags = row.occluded.iter().flatten();
        let flags: Vec<&str> = flags.map(|&flag| if flag { "1" } else { "0" }).collect();
        text.push_str(&flags.join(","));
    }
}

/// What faces that belong together have in common.
#[derive(PartialEq, Eq, Hash)]
enum Shared<'a> {
    Path(&'a str),
    Content(u64),
    Group(&'a str),
}

/// The faces of an annotation file and the folder with its images.
#[derive(Clone, Debug)]
pub struct TsvFaces {
    layout: Layout,
    folder: PathBuf,
    rows: Vec<TsvRow>,
}

impl TsvFaces {
    /// Opens an annotation file and checks that every image is there.
    ///
    /// # Errors
    /// As [`read_tsv`]; also when images are missing: the message counts them and names the first few.
    pub fn open(
        tsv: impl AsRef<Path>,
        image_dir: impl AsRef<Path>,
        layout: Layout,
    ) -> Result<Self, DataError> {
        let (tsv, folder) = (tsv.as_ref(), image_dir.as_ref());
        let rows = read_tsv(tsv, &layout)?;
        let missing: Vec<&TsvRow> = (rows.iter())
            .filter(|row| !folder.join(&row.path).is_file())
            .collect();
        if let Some(first) = missing.first() {
            let named: Vec<_> = missing
                .iter()
                .take(NAMED)
                .map(|row| row.path.as_str())
                .collect();
            let more = if missing.len() > NAMED { ", ..." } else { "" };
            return Err(DataError::Parse {
                path: tsv.to_path_buf(),
                line: first.line,
                message: format!(
                    "{} of {} images are not in {}: {}{more}; is this the folder that the annotation file's paths start from?",
                    missing.len(),
                    rows.len(),
                    folder.display(),
                    named.join(", ")
                ),
            });
        }
        Ok(Self {
            layout,
            folder: folder.to_path_buf(),
            rows,
        })
    }

    /// The lines of the annotation file.
    pub fn rows(&self) -> &[TsvRow] {
        &self.rows
    }

    /// The content of images that could be there under two names, as a hash by path: of those whose files are of one size. The other
    /// files are not read.
    fn contents(&self) -> Result<HashMap<&str, u64>, DataError> {
        let mut by_size: HashMap<u64, Vec<&str>> = HashMap::new();
        let mut seen = HashSet::new();
        for row in self.rows.iter().filter(|row| seen.insert(&row.path)) {
            let file = self.folder.join(&row.path);
            let size = file.metadata().map_err(|e| DataError::io(&file, e))?.len();
            by_size.entry(size).or_default().push(&row.path);
        }
        let same_size: Vec<&str> = (by_size.into_values())
            .filter(|paths| paths.len() > 1)
            .flatten()
            .collect();
        (same_size.into_par_iter())
            .map(|path| {
                let file = self.folder.join(path);
                let bytes = std::fs::read(&file).map_err(|e| DataError::io(&file, e))?;
                let mut hasher = DefaultHasher::new();
                bytes.hash(&mut hasher);
                Ok((path, hasher.finish()))
            })
            .collect()
    }

    fn row(&self, index: usize) -> Result<&TsvRow, DataError> {
        self.rows.get(index).ok_or_else(|| {
            DataError::Invalid(format!(
                "there is no face {index} in a list of {}",
                self.rows.len()
            ))
        })
    }
}

impl FaceSource for TsvFaces {
    fn layout(&self) -> &Layout {
        &self.layout
    }

    fn len(&self) -> usize {
        self.rows.len()
    }

    fn name(&self, index: usize) -> String {
        self.rows
            .get(index)
            .map_or_else(|| format!("face {index}"), |row| row.path.clone())
    }

    fn subsets(&self) -> Vec<(String, Vec<usize>)> {
        published_subsets(&self.rows, &self.layout)
    }

    /// By image, also where it is there under two names, and by the annotation file's groups.
    fn groups(&self) -> Result<Vec<usize>, DataError> {
        let contents = self.contents()?;
        Ok(together(self.rows.iter().map(|row| {
            let content = contents.get(row.path.as_str()).copied();
            let group = row.group.as_deref();
            [
                Some(Shared::Path(&row.path)),
                content.map(Shared::Content),
                group.map(Shared::Group),
            ]
            .into_iter()
            .flatten()
        })))
    }

    /// The longer side, and the median of the crops' widths over it.
    fn crop_rule(&self) -> CropRule {
        let side = CropRule::PUBLISHED;
        let mut margins: Vec<f64> = (self.rows.iter())
            .filter_map(|row| {
                Some(row.crop.scale / side.crop_of_points(&row.landmarks).ok()?.scale)
            })
            .collect();
        margins.sort_by(f64::total_cmp);
        match margins.get(margins.len() / 2) {
            // Three digits: lists are rounded, and the rule is for people too.
            Some(margin) => CropRule {
                margin: (margin * 1000.0).round() / 1000.0,
                ..side
            },
            None => CropRule::default(),
        }
    }

    fn face(&self, index: usize) -> Result<Face, DataError> {
        let row = self.row(index)?;
        Ok(Face {
            name: row.path.clone(),
            image: decode_file(&self.folder.join(&row.path))?,
            landmarks: row.landmarks.clone(),
            truth: None,
            crop: row.crop,
        })
    }
}
