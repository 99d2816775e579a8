//! Landmarks of one's own: images, one file with their points, and a layout.

mod csv_file;
mod fraction;
mod json_file;
mod row;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use rayon::prelude::*;

use self::row::{BadRow, Row, Table};
pub(super) use self::{
    csv_file::Records,
    row::{MAX_UNUSABLE, image_path, shorten},
};
use super::{
    PrepareConfig,
    found::{self, Found},
    report::{Complaint, PrepareReport},
    write::{self, Split},
};
use crate::{
    crop::CropBox,
    crop::{CROP_UNIT, CropRule},
    error::DataError,
    layout::Layout,
    point::Point,
};

/// The annotation file that trains.
const TRAIN: &str = "train";
const POINTS: [&str; 2] = ["points.csv", "points.json"];

/// Settings of [`prepare_custom`].
#[derive(Clone, Debug)]
pub struct CustomConfig {
    /// The file with the points, `.csv` or `.json`; [`find_points`] finds it at its usual place.
    pub points: PathBuf,
    /// Which points every face has.
    pub layout: Layout,
    /// Fraction of the images, or of the groups where the file has them, from 0 up to (not with) 1, that becomes `test.tsv` when the file
    /// names no splits; `None` is a tenth.
    pub test_fraction: Option<f64>,
    /// Which images these are; `None` is 0.
    pub seed: Option<u64>,
    /// The file counts pixels from 1.
    pub one_based: bool,
    /// What all datasets have.
    pub common: PrepareConfig,
}

/// The one of `points.csv` and `points.json` that is in `root`.
///
/// # Errors
/// When there is neither, or both.
pub fn find_points(root: &Path) -> Result<PathBuf, DataError> {
    let places = POINTS.iter().map(|name| root.join(name));
    let mut there = places.filter(|path| path.is_file());
    match (there.next(), there.next()) {
        (Some(path), None) => Ok(path),
        (None, _) => Err(DataError::Invalid(format!(
            "{}: neither {} is there; write one of them, or name the file with --points",
            root.display(),
            POINTS.join(" nor ")
        ))),
        (Some(_), Some(_)) => Err(DataError::Invalid(format!(
            "{}: both {} are there; say with --points which one holds",
            root.display(),
            POINTS.join(" and ")
        ))),
    }
}

/// Writes an annotation file for each split that the points file names, or else `train.tsv` and `test.tsv` by a seeded fraction of the images.
///
/// The CSV file has a header: `image`, then `x0,y0,x1,y1,...` for every landmark of the layout, and as one likes `split`, `group` and
/// `box_x,box_y,box_w,box_h`, in any order. The JSON file is a list of `{"image", "points", "split", "group", "box"}`, the last three as
/// one likes. A landmark that is not labelled has empty cells, or is `null`. Rows of one image or one group go to one split; the group is written to the annotation files, so that training holds out whole groups.
/// Points are pixels of the image with pixel centres at integers; images are relative to `root`. The crop follows from the box where
/// there is one, otherwise from the landmarks. A row that cannot be used is left out and reported.
///
/// # Errors
/// When the points file cannot be read as a whole (its header, its syntax), no row can be used, the fraction leaves nothing to train on, or
/// an annotation file cannot be written.
pub fn prepare_custom(
    root: impl AsRef<Path>,
    out: impl AsRef<Path>,
    config: &CustomConfig,
) -> Result<PrepareReport, DataError> {
    let (root, out) = (root.as_ref(), out.as_ref());
    found::check_rule(&config.common)?;
    let mut report = PrepareReport::default();
    let file = found::slashed(config.points.strip_prefix(root).unwrap_or(&config.points));
    let complaint = |bad: BadRow| Complaint {
        file: file.clone(),
        line: Some(bad.line),
        reason: bad.reason,
    };

    let table = read(&config.points, &config.layout)?;
    report.notes.extend(notes_on(&table, &config.layout));
    let (rows, names) = assign_splits(table.rows);
    if names.is_some() && (config.test_fraction.is_some() || config.seed.is_some()) {
        return Err(DataError::Invalid(format!(
            "{}: its rows name their splits, so that a test fraction and a seed decide nothing; leave out --test-fraction and --seed, or the splits",
            config.points.display()
        )));
    }

    let results: Vec<Result<Found, Complaint>> = rows
        .into_par_iter()
        .map(|row| {
            let (row, split) = row.map_err(complaint)?;
            face(root, &row, split, config).map_err(|reason| {
                complaint(BadRow {
                    line: row.line,
                    reason,
                })
            })
        })
        .collect();
    let mut found = found::keep(results, &mut report);
    if found.is_empty() {
        let looked_for = format!("{} and the images that it names", config.points.display());
        let set = format!("layout {}", config.layout.name);
        report.skipped.sort();
        return Err(found::nothing(root, &set, &looked_for, "rows", &report));
    }
    report
        .notes
        .extend(notes_on_faces(&found, &config.common.crop));

    let (folders, names) = match names {
        Some(names) => (names.iter().map(|n| format!("split {n}")).collect(), names),
        None => {
            let fraction = fraction::assign(&mut found, config.test_fraction, config.seed)?;
            report.notes.push(fraction.note);
            (fraction.folders, fraction.names)
        }
    };
    if !names.iter().any(|name| name == TRAIN) {
        report.notes.push(format!(
            "no row has the split `{TRAIN}`, so there is no {TRAIN}.tsv; there are {}",
            names.join(", ")
        ));
    }
    let splits: Vec<Split> = (names.into_iter().enumerate())
        .map(|(i, name)| Split {
            tag: None,
            train: name == TRAIN,
            folders: vec![i],
            name,
        })
        .collect();
    write::write_annotations(out, &found, &folders, &splits, &mut report)?;
    Ok(report)
}

/// What is in a points file, before its images are looked at.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PointsFile {
    /// The points of each face that can be used, pixels as written.
    pub faces: Vec<Vec<Point>>,
    /// The 1-based line of each row that cannot, and why.
    pub skipped: Vec<(usize, String)>,
}

/// Reads a points file from bytes as [`prepare_custom`] does; `origin` is what messages call the file, and its extension says
/// what it is.
///
/// # Errors
/// [`DataError::Parse`] naming the line when it cannot be read as a whole.
pub fn parse_points(bytes: &[u8], origin: &Path, layout: &Layout) -> Result<PointsFile, DataError> {
    let mut file = PointsFile::default();
    for row in parse(bytes, origin, layout)?.rows {
        match row {
            Ok(row) => file.faces.push(row.points),
            Err(bad) => file.skipped.push((bad.line, bad.reason)),
        }
    }
    Ok(file)
}

fn read(path: &Path, layout: &Layout) -> Result<Table, DataError> {
    let bytes =
        star_files::read_file(path, star_files::LARGE).map_err(|e| DataError::io(path, e))?;
    parse(&bytes, path, layout)
}

fn parse(bytes: &[u8], path: &Path, layout: &Layout) -> Result<Table, DataError> {
    let fail = |line: usize, message: String| DataError::Parse {
        path: path.to_path_buf(),
        line,
        message,
    };
    let text = std::str::from_utf8(bytes).map_err(|e| {
        let before = bytes.iter().take(e.valid_up_to());
        let line = 1 + before.filter(|&&b| b == b'\n').count();
        fail(line, "not UTF-8 text; save the file as UTF-8".into())
    })?;
    // Spreadsheets begin their files with it.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if text.trim().is_empty() {
        return Err(fail(1, "the file is empty".into()));
    }
    let extension = path.extension().map(|e| e.to_ascii_lowercase());
    let table = match extension.as_deref().and_then(|e| e.to_str()) {
        Some("csv") => csv_file::read(text, layout),
        Some("json") => json_file::read(text, layout),
        _ => {
            return Err(DataError::Invalid(format!(
                "{}: points are read from .csv and .json files; name it so",
                path.display()
            )));
        }
    }
    .map_err(|bad| fail(bad.line, bad.reason))?;
    if table.rows.is_empty() {
        return Err(fail(1, "the file has no faces".into()));
    }
    Ok(table)
}

type InSplit = Result<(Box<Row>, usize), BadRow>;

/// Gives each row the number of its split, and the splits in the order in which they appear; `None` when no row names one.
fn assign_splits(rows: Vec<Result<Box<Row>, BadRow>>) -> (Vec<InSplit>, Option<Vec<String>>) {
    if !rows.iter().flatten().any(|row| row.split.is_some()) {
        let rows = rows.into_iter().map(|row| row.map(|row| (row, 0)));
        return (rows.collect(), None);
    }
    let mut names: Vec<String> = Vec::new();
    // The line that first put an image or a group into a split.
    let mut places: BTreeMap<(&str, String), (usize, usize)> = BTreeMap::new();
    let mut assign = |row: Box<Row>| -> InSplit {
        let bad = |reason| BadRow {
            line: row.line,
            reason,
        };
        let name = row::list_name(row.split.as_deref().unwrap_or_default()).map_err(bad)?;
        let split = names.iter().position(|n| *n == name).unwrap_or_else(|| {
            names.push(name.clone());
            names.len() - 1
        });
        let group = row.group.iter().map(|group| ("group", group.clone()));
        let keys: Vec<_> = group.chain([("image", row.image.clone())]).collect();
        for key in &keys {
            if let Some(&(first, line)) = places.get(key)
                && first != split
            {
                let (what, which) = key;
                return Err(bad(format!(
                    "{what} {which} is in split {name} here, but in split {} on line {line}; all rows of one {what} go to one split",
                    names[first]
                )));
            }
        }
        for key in keys {
            places.entry(key).or_insert((split, row.line));
        }
        Ok((row, split))
    };
    let rows = rows.into_iter().map(|row| row.and_then(&mut assign));
    (rows.collect(), Some(names))
}

/// Looks at the image and works out the crop.
fn face(root: &Path, row: &Row, split: usize, config: &CustomConfig) -> Result<Found, String> {
    let unit = 0.0..=1.0;
    let mut labelled = row.points.iter().filter(|p| p.is_labelled());
    let count = labelled.clone().count();
    if count == 0 {
        return Err("no point is labelled".into());
    }
    if labelled.all(|p| unit.contains(&p.x) && unit.contains(&p.y)) {
        return Err(
            "all points are between 0 and 1; write pixels, not fractions of the image".into(),
        );
    }
    let from = if config.one_based { 1.0 } else { 0.0 };
    let points: Vec<Point> = (row.points.iter())
        .map(|p| Point::new(p.x - from, p.y - from))
        .collect();
    let rule = &config.common.crop;
    let path = row.image.clone();
    let mut found = found::check_face(root, path, split, &points, None, rule).map_err(|error| {
        let place = found::complaint(root, Path::new(&row.image), &error);
        place.to_string()
    })?;
    found.row.group.clone_from(&row.group);
    found.row.occluded.clone_from(&row.hidden);
    let (width, height) = found.image_size;
    if found.points_outside() == count {
        return Err(format!(
            "all points are outside {}, which is {width} x {height} pixels; were they placed on a larger copy?",
            row.image
        ));
    }
    if let Ok(norm) = config.layout.norm(None)
        && norm.distance(&points) == 0.0
    {
        return Err(format!(
            "the two sides of norm `{}` are at one place, so that an error cannot be divided by their distance",
            config.layout.default_norm
        ));
    }
    if let Some([x, y, w, h]) = row.face_box {
        if !(w > 0.0 && h > 0.0) {
            return Err(format!(
                "the box is {w} x {h} pixels; write x, y, width and height, the last two above 0"
            ));
        }
        let crop = rule.crop_of_box(x - from, y - from, w, h);
        let CropBox { scale, center } = crop.map_err(|e| e.to_string())?;
        found.row.crop = CropBox {
            scale: found::tidy(scale),
            center: Point::new(found::tidy(center.x), found::tidy(center.y)),
        };
    }
    Ok(found)
}

fn notes_on(table: &Table, layout: &Layout) -> Vec<String> {
    let mut notes = Vec::new();
    if !table.unused.is_empty() {
        notes.push(format!("not used: {}", table.unused.join(", ")));
    }
    if layout.flip_offset != 1.0 {
        notes.push(format!(
            "layout {} has flip_offset {}; the annotation files count pixels from 0, for which 1 is right",
            layout.name, layout.flip_offset
        ));
    }
    notes
}

/// Crops that do not hold what they should; it happens with boxes that are not from the landmarks.
fn notes_on_faces(found: &[Found], rule: &CropRule) -> Vec<String> {
    let cut = |face: &&Found| {
        let CropBox { scale, center } = face.row.crop;
        // A millionth of a pixel is lost in rounding.
        let reach = CROP_UNIT * scale / 2.0 + 1e-3;
        (face.row.landmarks.iter())
            .any(|p| (p.x - center.x).abs() > reach || (p.y - center.y).abs() > reach)
    };
    let count = found.iter().filter(cut).count();
    if count == 0 {
        return Vec::new();
    }
    vec![format!(
        "{count} of {} faces have points outside their crop, where the network does not look; a --margin above {} takes more in (a box is x, y, \
         width, height)",
        found.len(),
        rule.margin
    )]
}
