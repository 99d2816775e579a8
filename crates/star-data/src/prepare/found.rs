//! Faces found in a dataset: which can be used, and what is said of those that cannot.

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    path::Path,
};

use super::{
    PrepareConfig,
    report::{Complaint, PrepareReport},
};
use crate::{
    crop::CropRule,
    decode::decode_reporting,
    error::DataError,
    point::Point,
    tsv::{TsvRow, check_path},
};

/// A face that can be used.
#[derive(Clone, Debug)]
pub(super) struct Found {
    /// Which of the dataset's folders it is from.
    pub folder: usize,
    pub row: TsvRow,
    /// Where the dataset counts pixels from: 0, or 1 for COFW.
    pub first_pixel: f64,
    /// Width and height.
    pub image_size: (u32, u32),
    /// The image's bytes, as a hash.
    pub image: u64,
    /// The image is cut off; it is used.
    pub truncated: bool,
}

/// Six decimals are a millionth of a pixel, and free of the tails that subtraction leaves.
pub(super) fn tidy(value: f64) -> f64 {
    (value * 1e6).round() / 1e6
}

/// Decodes the image and works out the crop; `path` is relative to `root` with `/`.
pub(super) fn check_face(
    root: &Path,
    path: String,
    folder: usize,
    landmarks: &[Point],
    tags: Option<[bool; 6]>,
    rule: &CropRule,
) -> Result<Found, DataError> {
    check_path(&path)?;
    let file = root.join(&path);
    let bytes =
        star_files::read_file(&file, star_files::IMAGE).map_err(|e| DataError::io(&file, e))?;
    let decoded = decode_reporting(&bytes, &file)?;
    let landmarks: Vec<Point> = landmarks
        .iter()
        .map(|p| Point::new(tidy(p.x), tidy(p.y)))
        .collect();
    let mut crop = rule.crop_of_points(&landmarks)?;
    crop.scale = tidy(crop.scale);
    crop.center = Point::new(tidy(crop.center.x), tidy(crop.center.y));
    let mut hasher = DefaultHasher::new();
    bytes.hash(&mut hasher);
    Ok(Found {
        folder,
        row: TsvRow {
            path,
            landmarks,
            crop,
            tags,
            occluded: None,
            group: None,
            line: 0,
        },
        first_pixel: 0.0,
        image_size: decoded.image.dimensions(),
        image: hasher.finish(),
        truncated: decoded.truncated,
    })
}

impl Found {
    pub(super) fn face_size(&self) -> f64 {
        let spread = |of: fn(&Point) -> f64| {
            let values = self.row.landmarks.iter().map(of);
            let (low, high) = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), v| {
                (l.min(v), h.max(v))
            });
            high - low
        };
        spread(|p| p.x).max(spread(|p| p.y))
    }

    /// Landmarks beyond the outer borders of the image's pixels.
    pub(super) fn points_outside(&self) -> usize {
        let (w, h) = (f64::from(self.image_size.0), f64::from(self.image_size.1));
        self.row
            .landmarks
            .iter()
            .map(|p| (p.x - self.first_pixel, p.y - self.first_pixel))
            .filter(|&(x, y)| x < -0.5 || y < -0.5 || x > w - 0.5 || y > h - 0.5)
            .count()
    }
}

/// An error about a file, as a complaint with the path relative to `root`.
pub(super) fn complaint(root: &Path, file: &Path, error: &DataError) -> Complaint {
    let name = |path: &Path| slashed(path.strip_prefix(root).unwrap_or(path));
    match error {
        DataError::Parse {
            path,
            line,
            message,
        } => Complaint {
            file: name(path),
            line: Some(*line),
            reason: message.clone(),
        },
        DataError::Image { path, message } => Complaint {
            file: name(path),
            line: None,
            reason: message.clone(),
        },
        DataError::Io { path, source } => Complaint {
            file: name(path),
            line: None,
            reason: source.to_string(),
        },
        DataError::Mat {
            path,
            variable,
            message,
        } => Complaint {
            file: name(path),
            line: None,
            reason: match variable {
                Some(variable) => format!("{variable}: {message}"),
                None => message.clone(),
            },
        },
        DataError::Invalid(message) => Complaint {
            file: name(file),
            line: None,
            reason: message.clone(),
        },
    }
}

/// A path with `/` whatever the system uses; bytes that are not text become question marks, which is only good for messages.
pub(super) fn slashed(path: &Path) -> String {
    let parts: Vec<_> = path
        .components()
        .map(|c| c.as_os_str().to_string_lossy())
        .collect();
    parts.join("/")
}

/// An impossible rule would refuse every face; say so once.
pub(super) fn check_rule(config: &PrepareConfig) -> Result<(), DataError> {
    config.crop.crop_of_box(0.0, 0.0, 1.0, 1.0).map(|_| ())
}

/// The faces that can be used, in their order; the others go into the report.
pub(super) fn keep(
    results: Vec<Result<Found, Complaint>>,
    report: &mut PrepareReport,
) -> Vec<Found> {
    let mut found = Vec::with_capacity(results.len());
    for result in results {
        match result {
            Ok(face) => found.push(face),
            Err(complaint) => report.skipped.push(complaint),
        }
    }
    found
}

/// No face at all: says what was looked for, and the first of the `things` (files, lines) that were left out.
pub(super) fn nothing(
    root: &Path,
    set: &str,
    looked_for: &str,
    things: &str,
    report: &PrepareReport,
) -> DataError {
    let first = report.skipped.first().map_or(String::new(), |c| {
        format!(
            " {} {things} were left out, such as {c}",
            report.skipped.len()
        )
    });
    DataError::Invalid(format!(
        "{}: no face of {set} found. Looked for {looked_for}.{first}",
        root.display()
    ))
}
