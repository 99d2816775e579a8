//! The `.mat` files of COFW: MATLAB's format 7.3, which is HDF5 behind a block of 512 bytes.
//!
//! MATLAB stores columns first and HDF5 says its dimensions the other way round, so what MATLAB calls 1345 x 87 is 87 x 1345 here, and
//! an image of h x w x 3 is 3 x w x h: all of red column by column, then green, then blue.
//!
//! The reader of HDF5 is a pure-Rust crate. Sizes that the file claims are held against what is sensible before anything is read,
//! because memory for them would be asked for first.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
};

use hdf5_pure::{DType, Dataset, File, Object};
use image::{DynamicImage, GrayImage, RgbImage};

use crate::{
    decode::{MAX_PIXELS, MAX_SIDE},
    error::DataError,
    point::Point,
};

/// COFW's landmarks.
const POINTS: usize = 29;
/// Rows of the annotations: all x, all y, all occlusion flags.
const ROWS: usize = 3 * POINTS;
/// Several times what COFW has; a file that claims more is damaged.
const MAX_FACES: u64 = 10_000;
/// The most values in one of the pieces that a variable is stored in.
const MAX_CHUNK: u64 = 16 << 20;
/// Deflate packs no more than this many bytes into one.
const MAX_PACKING: u64 = 1_100;
/// As in the annotation files: larger coordinates are damage.
const MAX_COORDINATE: f64 = 1e6;

/// Which of the two files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CofwSplit {
    /// Variables `IsTr`, `phisTr`.
    Train,
    /// Variables `IsT`, `phisT`.
    Test,
}

impl CofwSplit {
    /// The file's name as published.
    pub fn file(self) -> &'static str {
        match self {
            Self::Train => "COFW_train_color.mat",
            Self::Test => "COFW_test_color.mat",
        }
    }

    fn images(self) -> &'static str {
        match self {
            Self::Train => "IsTr",
            Self::Test => "IsT",
        }
    }

    fn annotations(self) -> &'static str {
        match self {
            Self::Train => "phisTr",
            Self::Test => "phisT",
        }
    }
}

/// A face as the file has it.
#[derive(Clone, Debug)]
pub struct CofwFace {
    /// Grey or colour, 8 bit.
    pub image: DynamicImage,
    /// 29 points in pixels counted from 1, as annotated.
    pub landmarks: Vec<Point>,
    /// For each point whether something hides it.
    pub occluded: Vec<bool>,
}

/// The faces of a file, one after the other. Only one image is in memory at a time.
///
/// A face that cannot be used is an error of its own; the ones after it still come.
pub struct CofwMat {
    path: PathBuf,
    split: CofwSplit,
    file_size: u64,
    faces: usize,
    next: usize,
    images: std::vec::IntoIter<Object>,
    annotations: Vec<f64>,
}

impl CofwMat {
    /// Opens a file and reads its annotations.
    ///
    /// # Errors
    /// When the file cannot be read, is not HDF5, is cut off, or lacks a variable or has one of another shape; the message names the
    /// variable.
    pub fn open(path: &Path, split: CofwSplit) -> Result<Self, DataError> {
        let found = star_files::ordinary(path).map_err(|e| DataError::io(path, e))?;
        let open = || File::open_streaming(path);
        Self::new(path, split, found.len(), open)
    }

    /// As [`CofwMat::open`] from bytes; `origin` is what messages call the file.
    ///
    /// # Errors
    /// As [`CofwMat::open`].
    pub fn from_bytes(bytes: Vec<u8>, origin: &Path, split: CofwSplit) -> Result<Self, DataError> {
        let size = bytes.len() as u64;
        Self::new(origin, split, size, || File::from_bytes(bytes))
    }

    fn new(
        path: &Path,
        split: CofwSplit,
        file_size: u64,
        open: impl FnOnce() -> Result<File, hdf5_pure::Error>,
    ) -> Result<Self, DataError> {
        let whole = |message: String| DataError::Mat {
            path: path.to_path_buf(),
            variable: None,
            message,
        };
        let file = guarded(open).map_err(|e| {
            whole(format!(
                "is not a whole MATLAB 7.3 file ({e}); is the download complete? COFW's colour files are 7.3"
            ))
        })?;
        let end = file.superblock().eof_address;
        if end > file_size {
            return Err(whole(format!(
                "is cut off: it has {file_size} of {end} bytes; download it again"
            )));
        }
        let named = |variable: &str, message: String| DataError::Mat {
            path: path.to_path_buf(),
            variable: Some(variable.into()),
            message,
        };
        let dataset = |variable: &str| {
            guarded(|| file.dataset(variable)).map_err(|e| {
                named(
                    variable,
                    format!("cannot be opened ({e}); is this COFW's {}?", split.file()),
                )
            })
        };

        let variable = split.images();
        let cells = dataset(variable)?;
        let fail = |message: String| named(variable, message);
        let info = Info::of(&cells, file_size).map_err(fail)?;
        if info.kind != DType::ObjectReference {
            return Err(fail(format!(
                "is of type {}; expected a cell array of images",
                info.kind
            )));
        }
        let faces: u64 = info.shape.iter().product();
        if info.shape.iter().filter(|&&n| n != 1).count() > 1 || !(1..=MAX_FACES).contains(&faces) {
            return Err(fail(format!(
                "is {}; expected a column of cells, one a face",
                dimensions(&info.shape)
            )));
        }
        let images = guarded(|| cells.dereference())
            .map_err(|e| named(variable, format!("its cells cannot be followed ({e})")))?;

        let variable = split.annotations();
        let table = dataset(variable)?;
        let fail = |message: String| named(variable, message);
        let info = Info::of(&table, file_size).map_err(fail)?;
        let expected = [ROWS as u64, faces];
        if info.shape != expected {
            return Err(fail(format!(
                "is {}; expected {} ({ROWS} numbers for each of the {faces} images)",
                dimensions(&info.shape),
                dimensions(&expected)
            )));
        }
        let annotations =
            guarded(|| table.read_f64()).map_err(|e| fail(format!("cannot be read ({e})")))?;
        let faces = images.len();
        if annotations.len() != ROWS * faces {
            return Err(fail(format!(
                "has {} numbers; expected {ROWS} for each of {faces} faces",
                annotations.len()
            )));
        }
        Ok(Self {
            path: path.to_path_buf(),
            split,
            file_size,
            faces,
            next: 0,
            images: images.into_iter(),
            annotations,
        })
    }

    /// How many faces the file has.
    pub fn faces(&self) -> usize {
        self.faces
    }

    fn face(&self, index: usize, object: Object) -> Result<CofwFace, DataError> {
        // MATLAB counts from 1, and so does a reader who looks the face up there.
        let fail = |variable: String, message: String| DataError::Mat {
            path: self.path.clone(),
            variable: Some(variable),
            message,
        };
        let (landmarks, occluded) = self.annotation(index).map_err(|message| {
            fail(
                format!("{}({},:)", self.split.annotations(), index + 1),
                message,
            )
        })?;
        let image = read_image(object, self.file_size).map_err(|message| {
            fail(format!("{}{{{}}}", self.split.images(), index + 1), message)
        })?;
        Ok(CofwFace {
            image,
            landmarks,
            occluded,
        })
    }

    fn annotation(&self, index: usize) -> Result<(Vec<Point>, Vec<bool>), String> {
        let number = |row: usize| {
            let at = row * self.faces + index;
            self.annotations.get(at).copied().unwrap_or(f64::NAN)
        };
        let mut landmarks = Vec::with_capacity(POINTS);
        let mut occluded = Vec::with_capacity(POINTS);
        for k in 0..POINTS {
            let (x, y) = (number(k), number(POINTS + k));
            if !(x.abs() <= MAX_COORDINATE && y.abs() <= MAX_COORDINATE) {
                return Err(format!(
                    "point {} is at ({x}, {y}), which is no place in an image",
                    k + 1
                ));
            }
            landmarks.push(Point::new(x, y));
            let flag = number(2 * POINTS + k);
            if flag != 0.0 && flag != 1.0 {
                return Err(format!(
                    "the occlusion of point {} is {flag}; expected 0 or 1",
                    k + 1
                ));
            }
            occluded.push(flag == 1.0);
        }
        Ok((landmarks, occluded))
    }
}

impl Iterator for CofwMat {
    type Item = Result<CofwFace, DataError>;

    fn next(&mut self) -> Option<Self::Item> {
        let object = self.images.next()?;
        let index = self.next;
        self.next += 1;
        Some(self.face(index, object))
    }
}

/// What a variable claims to be, found sensible.
struct Info {
    kind: DType,
    shape: Vec<u64>,
}

impl Info {
    fn of(dataset: &Dataset, file_size: u64) -> Result<Self, String> {
        let unreadable = |e: Failure| format!("cannot be read ({e})");
        let shape = guarded(|| dataset.shape()).map_err(unreadable)?;
        let kind = guarded(|| dataset.dtype()).map_err(unreadable)?;
        let bytes = guarded(|| dataset.element_size()).map_err(unreadable)?;
        let chunk = guarded(|| dataset.chunk_shape()).map_err(unreadable)?;
        let product = |sides: &[u64]| sides.iter().fold(1_u64, |a, &b| a.saturating_mul(b));
        let claimed = product(&shape).saturating_mul(bytes);
        // 8 bytes are the widest number that any of the variables has.
        if !(1..=8).contains(&bytes)
            || claimed > file_size.saturating_mul(MAX_PACKING)
            || chunk.is_some_and(|sides| product(&sides) > MAX_CHUNK)
        {
            return Err(format!(
                "claims {} values of {bytes} bytes, more than its file can hold; is the file damaged?",
                dimensions(&shape)
            ));
        }
        Ok(Self { kind, shape })
    }
}

fn read_image(object: Object, file_size: u64) -> Result<DynamicImage, String> {
    let Object::Dataset(dataset) = object else {
        return Err("is not an image".into());
    };
    let info = Info::of(&dataset, file_size)?;
    if info.kind != DType::U8 {
        return Err(format!("is of type {}; expected uint8", info.kind));
    }
    let (channels, width, height) = match *info.shape {
        [width, height] => (1, width, height),
        [3, width, height] => (3, width, height),
        _ => {
            return Err(format!(
                "is {}; expected an image, width x height or 3 x width x height",
                dimensions(&info.shape)
            ));
        }
    };
    let side = 1..=u64::from(MAX_SIDE);
    if !side.contains(&width) || !side.contains(&height) || width * height > MAX_PIXELS {
        return Err(format!(
            "is an image of {width} x {height} pixels, which is not read"
        ));
    }
    let stored = guarded(|| dataset.read_u8()).map_err(|e| format!("cannot be read ({e})"))?;
    // Both sides are at most `MAX_SIDE`.
    let (w, h) = (width as usize, height as usize);
    if stored.len() != channels * w * h {
        return Err(format!(
            "has {} bytes; expected {}",
            stored.len(),
            channels * w * h
        ));
    }
    let mut pixels = Vec::with_capacity(stored.len());
    for y in 0..h {
        for x in 0..w {
            pixels.extend((0..channels).map(|c| stored[(c * w + x) * h + y]));
        }
    }
    let image = if channels == 1 {
        GrayImage::from_raw(width as u32, height as u32, pixels).map(DynamicImage::ImageLuma8)
    } else {
        RgbImage::from_raw(width as u32, height as u32, pixels).map(DynamicImage::ImageRgb8)
    };
    image.ok_or_else(|| "has another number of pixels than it says".into())
}

fn dimensions(shape: &[u64]) -> String {
    if shape.is_empty() {
        return "a single value".into();
    }
    let sides: Vec<String> = shape.iter().map(u64::to_string).collect();
    sides.join(" x ")
}

/// Why the reader of HDF5 could not do it.
type Failure = String;

/// A damaged file can make the reader panic (it asks for memory for sizes that are lies); that becomes a failure like the others.
fn guarded<T>(read: impl FnOnce() -> Result<T, hdf5_pure::Error>) -> Result<T, Failure> {
    match catch_unwind(AssertUnwindSafe(read)) {
        Ok(result) => result.map_err(|e| e.to_string()),
        Err(_) => Err("the file is damaged".into()),
    }
}
