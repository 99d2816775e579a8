//! An image to be predicted: where it comes from, and where its faces are.

use std::path::PathBuf;

use image::RgbImage;
use star_data::{CropBox, decode::size_in_file};

/// Where an image comes from.
pub enum Source {
    File(PathBuf),
    Frame {
        name: PathBuf,
        image: RgbImage,
    },
    /// What could not even be named or read.
    Broken {
        name: PathBuf,
        message: String,
    },
}

/// Where its faces are.
#[derive(Clone)]
pub enum Faces {
    /// To be found out.
    Find,
    /// At the boxes of the command line.
    Boxes,
    /// In these crops.
    Crops(Vec<CropBox>),
}

/// An image to be predicted.
pub struct Item {
    pub source: Source,
    pub faces: Faces,
}

impl Item {
    pub fn new(source: Source, faces: Faces) -> Self {
        Self { source, faces }
    }

    /// Pixels, from the file's header. A file that has none is an error later.
    pub fn pixels(&self) -> u64 {
        let (width, height) = match &self.source {
            Source::Frame { image, .. } => image.dimensions(),
            Source::File(path) => size_in_file(path).unwrap_or_default(),
            Source::Broken { .. } => (0, 0),
        };
        u64::from(width) * u64::from(height)
    }
}

/// A face's box from the command line, in pixels.
#[derive(Clone, Copy, Debug)]
pub struct GivenBox {
    pub x: f64,
    pub y: f64,
    pub w: f64,
    pub h: f64,
}

pub fn parse_box(text: &str) -> Result<GivenBox, String> {
    let numbers: Vec<f64> = text
        .split(',')
        .map(|n| n.trim().parse::<f64>())
        .collect::<Result<_, _>>()
        .map_err(|_| {
            format!("`{text}` has something that is not a number; write x,y,w,h in pixels")
        })?;
    match numbers[..] {
        [x, y, w, h] if [x, y, w, h].iter().all(|v| v.is_finite()) && w > 0.0 && h > 0.0 => {
            Ok(GivenBox { x, y, w, h })
        }
        [_, _, _, _] => Err("width and height must be above 0".into()),
        _ => Err(format!(
            "{} numbers; write four: x,y,w,h in pixels",
            numbers.len()
        )),
    }
}
