//! What preparing a dataset found.

use std::{fmt, path::PathBuf};

use serde::Serialize;

/// A file that could not be used, or was used with a doubt.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Complaint {
    /// Relative to the dataset's root, with `/`.
    pub file: String,
    /// 1-based line of a text file.
    pub line: Option<usize>,
    /// Why it was left out.
    pub reason: String,
}

impl fmt::Display for Complaint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "{}:{line}: {}", self.file, self.reason),
            None => write!(f, "{}: {}", self.file, self.reason),
        }
    }
}

/// One list that was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SplitReport {
    /// `train`, `common`, `lfpw_test`, ...
    pub name: String,
    /// The annotation file.
    pub file: PathBuf,
    /// Faces in it.
    pub faces: usize,
    /// The dataset's folders its faces came from.
    pub folders: Vec<String>,
}

/// Smallest, middle and largest of some sizes in pixels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Spread {
    /// The least value.
    pub min: f64,
    /// The middle one.
    pub median: f64,
    /// The largest.
    pub max: f64,
}

impl Spread {
    /// Zeros if there are no values.
    pub(super) fn of(mut values: Vec<f64>) -> Self {
        values.sort_by(f64::total_cmp);
        let at = |i: usize| values.get(i).copied().unwrap_or(0.0);
        let last = values.len().saturating_sub(1);
        Self {
            min: at(0),
            median: (at(last / 2) + at(last - last / 2)) / 2.0,
            max: at(last),
        }
    }
}

/// What was found, written and left out; for the caller to print.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct PrepareReport {
    /// Faces that can be used, over all folders.
    pub faces: usize,
    /// The annotation files that were written.
    pub splits: Vec<SplitReport>,
    /// The longer side of the landmarks' boxes.
    pub face_size: Spread,
    /// The longer side of the images.
    pub image_size: Spread,
    /// Landmarks outside their image, and how many faces have any.
    pub points_outside: usize,
    /// Faces that have such points.
    pub faces_with_points_outside: usize,
    /// The same image with the same points twice. Both are kept.
    pub duplicates: Vec<[String; 2]>,
    /// The same image in a training and a test annotation file: figures on that test annotation file are too good.
    pub leaks: Vec<[String; 2]>,
    /// Images left out because they are mirrored copies (`NAME_mirror`) of images beside them, as in dlib's copy of 300-W.
    pub mirrored: usize,
    /// Files that were left out, and why.
    pub skipped: Vec<Complaint>,
    /// What a reader of figures should know: folders that are missing or hold fewer faces than published.
    pub notes: Vec<String>,
}
