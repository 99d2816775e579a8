//! From files to checked faces, and from faces to annotation files.

use std::{
    collections::BTreeMap,
    hash::{DefaultHasher, Hash, Hasher},
    path::Path,
};

use super::report::{Complaint, PrepareReport, SplitReport, Spread};
use crate::{
    crop::CropRule,
    decode::decode_reporting,
    error::DataError,
    point::Point,
    tsv::{TsvRow, check_path, write_tsv},
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
    truncated: bool,
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
    let bytes = std::fs::read(&file).map_err(|e| DataError::io(&file, e))?;
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
    fn face_size(&self) -> f64 {
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

/// An annotation file to write: its name and which folders go into it, as indices into the folders' names.
pub(super) struct Split {
    pub name: String,
    pub folders: Vec<usize>,
    /// Only faces with this attribute.
    pub tag: Option<usize>,
    pub train: bool,
}

impl Split {
    fn has(&self, face: &Found) -> bool {
        let tagged = |tag: usize| face.row.tags.is_some_and(|tags| tags[tag]);
        self.tag.is_none_or(tagged)
    }
}

/// Writes the annotation files and fills in the report's figures. `found` decides the order within an annotation file.
pub(super) fn write_annotations(
    out: &Path,
    found: &[Found],
    folders: &[String],
    splits: &[Split],
    report: &mut PrepareReport,
) -> Result<(), DataError> {
    std::fs::create_dir_all(out).map_err(|e| DataError::io(out, e))?;
    for split in splits {
        let rows: Vec<TsvRow> = found
            .iter()
            .filter(|f| split.folders.contains(&f.folder) && split.has(f))
            .map(|f| f.row.clone())
            .collect();
        if rows.is_empty() {
            continue;
        }
        let file = out.join(format!("{}.tsv", split.name));
        write_tsv(&file, &rows)?;
        report.splits.push(SplitReport {
            name: split.name.clone(),
            file,
            faces: rows.len(),
            folders: split.folders.iter().map(|&i| folders[i].clone()).collect(),
        });
    }
    report.faces = found.len();
    report.face_size = Spread::of(found.iter().map(Found::face_size).collect());
    report.image_size = Spread::of(
        found
            .iter()
            .map(|f| f64::from(f.image_size.0.max(f.image_size.1)))
            .collect(),
    );
    let outside: Vec<usize> = found.iter().map(Found::points_outside).collect();
    report.points_outside = outside.iter().sum();
    report.faces_with_points_outside = outside.iter().filter(|&&n| n > 0).count();
    note_cut_off(found, report);
    find_doubles(found, splits, report);
    report.skipped.sort();
    Ok(())
}

/// Names images that end too early: they are used, as other programs use them, but their owner should know.
fn note_cut_off(found: &[Found], report: &mut PrepareReport) {
    const NAMED: usize = 5;
    let cut: Vec<&str> = (found.iter())
        .filter(|f| f.truncated)
        .map(|f| f.row.path.as_str())
        .collect();
    if !cut.is_empty() {
        let named = cut[..cut.len().min(NAMED)].join(", ");
        let more = if cut.len() > NAMED { ", ..." } else { "" };
        report.notes.push(format!(
            "{} images are cut off and used as far as they go: {named}{more}",
            cut.len()
        ));
    }
}

/// Writes a file and the folders it is in; a file that has these bytes already is left alone.
pub(super) fn write_if_new(file: &Path, bytes: &[u8]) -> Result<(), DataError> {
    if std::fs::read(file).is_ok_and(|there| there == bytes) {
        return Ok(());
    }
    if let Some(folder) = file.parent() {
        std::fs::create_dir_all(folder).map_err(|e| DataError::io(folder, e))?;
    }
    star_files::write_atomic(file, bytes).map_err(|e| DataError::io(file, e))
}

fn find_doubles(found: &[Found], splits: &[Split], report: &mut PrepareReport) {
    let in_train = |f: &Found| {
        splits
            .iter()
            .any(|s| s.train && s.folders.contains(&f.folder))
    };
    let mut images: BTreeMap<u64, Vec<&Found>> = BTreeMap::new();
    for face in found {
        images.entry(face.image).or_default().push(face);
    }
    for group in images.values() {
        for (i, a) in group.iter().enumerate() {
            for b in &group[i + 1..] {
                let pair = [a.row.path.clone(), b.row.path.clone()];
                if a.row.landmarks == b.row.landmarks {
                    report.duplicates.push(pair.clone());
                }
                if in_train(a) != in_train(b) {
                    report.leaks.push(pair);
                }
            }
        }
    }
    report.duplicates.sort();
    report.leaks.sort();
}
