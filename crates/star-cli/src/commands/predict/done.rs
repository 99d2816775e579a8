//! An image with its answer.

use std::path::PathBuf;

use image::RgbImage;
use star_data::CropBox;
use star_infer::{Prediction, detect::FaceBox};

/// An image with its answer.
pub struct Done {
    pub path: PathBuf,
    pub image: RgbImage,
    pub faces: Vec<DoneFace>,
}

/// A face with its answer.
pub struct DoneFace {
    pub track: Option<usize>,
    pub detected: Option<FaceBox>,
    pub crop: CropBox,
    pub prediction: Prediction,
}
