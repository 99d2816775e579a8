//! Landmarks as labelling programs hold them, read into one form: `star prepare from`.
//!
//! Each format has a reader that knows nothing of layouts, images or annotation files: it gives [`Labels`], objects with named points.
//! [`convert`] makes of them the files that a user writes by hand otherwise: `points.csv`, and a layout to look over.
//!
//! This program has pixel centres at integers. Programs with a canvas (CVAT, labelme, Label Studio) count from the image's corner, so that
//! the centre of the first pixel is at 0.5: half a pixel is subtracted.

mod coco;
mod convert;
mod cvat;
mod deeplabcut;
mod dlib;
mod images;
mod label_studio;
mod labelme;
mod mirror_names;
mod points_file;
mod pts_folder;
mod skeleton;
mod xml;

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
};

pub use convert::{ConvertConfig, ConvertReport, convert};

use super::{
    custom::{MAX_UNUSABLE, shorten},
    report::Complaint,
};
use crate::{
    error::DataError,
    layout::MAX_POINTS,
    point::{MAX_COORDINATE, Point},
};

/// Where the centre of the first pixel is on a canvas.
const CANVAS: f64 = 0.5;

/// A form in which a program writes landmarks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LabelFormat {
    /// COCO's keypoints, a JSON file; also as MMPose has them for faces.
    Coco,
    /// "CVAT for images 1.1", an XML file; skeletons and points.
    Cvat,
    /// Label Studio's JSON export, keypoint labels.
    LabelStudio,
    /// labelme, a folder with a JSON file for each image.
    Labelme,
    /// dlib's imglab, an XML file with boxes and their parts.
    Dlib,
    /// DeepLabCut's `CollectedData_NAME.csv`, of one animal or several.
    DeepLabCut,
    /// A folder with a `.pts` file beside each image, points counted from 1 as iBUG does.
    Pts,
}

impl LabelFormat {
    /// Whether what is read is a folder.
    pub fn is_folder(self) -> bool {
        matches!(self, Self::Labelme | Self::Pts)
    }
}

/// What a format's file holds.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Labels {
    /// What the points are called, in the layout's order.
    pub names: Vec<String>,
    /// Pairs of points that the program joins by a line.
    pub bones: Vec<[usize; 2]>,
    /// Pairs that trade places in a mirrored image, where the file says so.
    pub mirror: Option<Vec<[usize; 2]>>,
    /// Faces, animals, parts.
    pub objects: Vec<Object>,
    /// What could not be read.
    pub skipped: Vec<Complaint>,
    /// Images that the file names without labels.
    pub unlabelled: Vec<String>,
    /// What was not used.
    pub notes: Vec<String>,
}

/// One object.
#[derive(Clone, Debug, PartialEq)]
pub struct Object {
    /// As the file writes it.
    pub image: String,
    /// For each name its place in pixels, pixel centres at integers; [`Point::MISSING`] where there is none.
    pub points: Vec<Point>,
    /// For each name whether something hides it.
    pub hidden: Vec<bool>,
    /// x, y, width, height.
    pub face_box: Option<[f64; 4]>,
    /// What the object has in common with others that must not be split up.
    pub group: Option<String>,
}

impl Object {
    fn new(image: &str, points: usize) -> Self {
        Self {
            image: image.to_string(),
            points: vec![Point::MISSING; points],
            hidden: vec![false; points],
            face_box: None,
            group: None,
        }
    }

    fn is_labelled(&self) -> bool {
        self.points.iter().any(|p| p.is_labelled())
    }
}

/// Reads the labels of a file or a folder.
///
/// # Errors
/// When the file cannot be read as a whole; an entry that cannot be used is in [`Labels::skipped`].
pub fn read_labels(
    format: LabelFormat,
    source: &Path,
    category: Option<&str>,
) -> Result<Labels, DataError> {
    let mut labels = match format {
        LabelFormat::Labelme => labelme::read_folder(source),
        LabelFormat::Pts => pts_folder::read_folder(source),
        _ => {
            let bytes = star_files::read_file(source, star_files::LARGE)
                .map_err(|e| DataError::io(source, e))?;
            return parse_labels(format, &bytes, source, category);
        }
    }?;
    check(&mut labels, source)?;
    Ok(labels)
}

/// As [`read_labels`] from the bytes of a file; `origin` is what messages call it. Of a format that is a folder the bytes are one of its files.
/// `category` picks the kind of object where the file has several.
///
/// # Errors
/// As [`read_labels`].
pub fn parse_labels(
    format: LabelFormat,
    bytes: &[u8],
    origin: &Path,
    category: Option<&str>,
) -> Result<Labels, DataError> {
    let text = text(bytes, origin)?;
    let mut labels = match format {
        LabelFormat::Coco => coco::parse(text, origin, category),
        LabelFormat::Cvat => cvat::parse(text, origin, category),
        LabelFormat::LabelStudio => label_studio::parse(text, origin),
        LabelFormat::Labelme => labelme::parse_one(text, origin),
        LabelFormat::Dlib => dlib::parse(text, origin),
        LabelFormat::DeepLabCut => deeplabcut::parse(text, origin),
        LabelFormat::Pts => pts_folder::parse_one(text, origin),
    }?;
    check(&mut labels, origin)?;
    Ok(labels)
}

fn text<'a>(bytes: &'a [u8], origin: &Path) -> Result<&'a str, DataError> {
    let text = std::str::from_utf8(bytes).map_err(|e| {
        let before = bytes.iter().take(e.valid_up_to());
        let line = 1 + before.filter(|&&b| b == b'\n').count();
        parse_error(origin, line, "not UTF-8 text; save the file as UTF-8")
    })?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if text.trim().is_empty() {
        return Err(parse_error(origin, 1, "the file is empty"));
    }
    Ok(text)
}

/// What no reader has to look at: impossible numbers, and objects without any point.
fn check(labels: &mut Labels, origin: &Path) -> Result<(), DataError> {
    check_cells(labels.objects.len(), labels.names.len())
        .map_err(|message| parse_error(origin, 1, &message))?;
    let far = |v: &f64| !(v.is_finite() && v.abs() <= MAX_COORDINATE);
    let (mut without, mut odd) = (0, Vec::new());
    labels.objects.retain(|object| {
        let labelled = object.points.iter().filter(|p| p.is_labelled());
        if let Some(p) = labelled.clone().find(|p| far(&p.x) || far(&p.y)) {
            odd.push(Complaint {
                file: origin.display().to_string(),
                line: None,
                reason: format!(
                    "{}: a point at {}, {} is in no image",
                    shorten(&object.image),
                    p.x,
                    p.y
                ),
            });
            return false;
        }
        without += usize::from(labelled.count() == 0);
        object.is_labelled()
    });
    labels.skipped.extend(odd);
    if without > 0 {
        labels.notes.push(format!(
            "{without} objects without any labelled point left out"
        ));
    }
    for object in &mut labels.objects {
        let whole = |b: &[f64; 4]| !b.iter().any(far) && b[2] > 0.0 && b[3] > 0.0;
        object.face_box = object.face_box.filter(whole);
    }
    Ok(())
}

/// Names for a message, of which there may be any number of any length.
fn some<'a>(names: impl Iterator<Item = &'a str>) -> String {
    const SOME: usize = 10;
    let mut names = names.peekable();
    let first: Vec<String> = names.by_ref().take(SOME).map(shorten).collect();
    let more = if names.peek().is_some() { ", ..." } else { "" };
    first.join(", ") + more
}

/// A number as a file writes it.
fn number_of(text: &str) -> Result<f64, String> {
    let value: f64 =
        (text.trim().parse()).map_err(|_| format!("is `{}`, which is no number", shorten(text)))?;
    if value.is_finite() {
        Ok(value)
    } else {
        Err(format!("is {value}, which is no place in an image"))
    }
}

fn parse_error(origin: &Path, line: usize, message: &str) -> DataError {
    DataError::Parse {
        path: PathBuf::from(origin),
        line,
        message: message.to_string(),
    }
}

/// Adds what cannot be used. Of a file in which that is most of many entries nothing is: its complaints could take many times its size.
fn skip(
    skipped: &mut Vec<Complaint>,
    usable: usize,
    origin: &Path,
    line: Option<usize>,
    reason: String,
) -> Result<(), DataError> {
    skipped.push(Complaint {
        file: origin.display().to_string(),
        line,
        reason,
    });
    if skipped.len() <= MAX_UNUSABLE || skipped.len() <= usable {
        return Ok(());
    }
    let first = skipped.swap_remove(0);
    let message = format!(
        "{}; {} of the first {} entries cannot be used, this one is the first",
        first.reason,
        skipped.len() + 1,
        skipped.len() + 1 + usable
    );
    Err(parse_error(origin, first.line.unwrap_or(1), &message))
}

/// Objects times names that are held: of a file in which each object has another few of many names.
const MAX_CELLS: usize = 1 << 24;

fn check_cells(objects: usize, names: usize) -> Result<(), String> {
    if names > MAX_POINTS {
        return Err(format!(
            "{names} names of points; an object has at most {MAX_POINTS}"
        ));
    }
    if objects.saturating_mul(names) > MAX_CELLS {
        return Err(format!(
            "{objects} objects of {names} points are more than {MAX_CELLS} points; split the file"
        ));
    }
    Ok(())
}

/// An object while it is read: the points that it has, by the number of their name.
struct Marks {
    image: String,
    marks: Vec<(usize, Point, bool)>,
    face_box: Option<[f64; 4]>,
}

impl Marks {
    fn new(image: &str) -> Self {
        Self {
            image: image.to_string(),
            marks: Vec::new(),
            face_box: None,
        }
    }

    /// Adds a point by the number of its name; `false` where it is there already.
    fn set(&mut self, number: usize, place: Point, hidden: bool) -> bool {
        // Files of more names than a layout has points are refused when all are known.
        if self.marks.len() > MAX_POINTS {
            return true;
        }
        if self.marks.iter().any(|(n, ..)| *n == number) {
            return false;
        }
        self.marks.push((number, place, hidden));
        true
    }
}

/// Names of points in the order in which they turn up, for formats that do not list them first.
#[derive(Default)]
struct Names {
    names: Vec<String>,
    numbers: HashMap<String, usize>,
}

impl Names {
    fn number(&mut self, name: &str) -> usize {
        if let Some(&number) = self.numbers.get(name) {
            return number;
        }
        let number = self.names.len();
        self.names.push(name.to_string());
        self.numbers.insert(name.to_string(), number);
        number
    }

    /// The objects with a place for every name. Names that are numbers are put in their order, unless they have one already.
    fn finish(
        self,
        objects: Vec<Marks>,
        ordered: bool,
    ) -> Result<(Vec<String>, Vec<Object>), String> {
        check_cells(objects.len(), self.names.len())?;
        let mut order: Vec<usize> = (0..self.names.len()).collect();
        let numbers: Option<Vec<u64>> = self.names.iter().map(|n| n.parse().ok()).collect();
        if let Some(numbers) = numbers.filter(|_| !ordered) {
            order.sort_by_key(|&i| numbers[i]);
        }
        let mut places = vec![0; order.len()];
        for (to, &from) in order.iter().enumerate() {
            places[from] = to;
        }
        let whole = |marks: Marks| {
            let mut object = Object::new(&marks.image, order.len());
            object.face_box = marks.face_box;
            for (number, place, hidden) in marks.marks {
                object.points[places[number]] = place;
                object.hidden[places[number]] = hidden;
            }
            object
        };
        let objects = objects.into_iter().map(whole).collect();
        let names = order.iter().map(|&i| self.names[i].clone()).collect();
        Ok((names, objects))
    }
}
