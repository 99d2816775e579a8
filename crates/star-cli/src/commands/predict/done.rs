//! An image with its answer.

use std::path::PathBuf;

use image::RgbImage;
use star_data::CropBox;
use star_infer::{Prediction, detect::FaceBox};

use crate::error::CliError;

/// An image with its answer.
pub struct Done {
    pub path: PathBuf,
    pub image: RgbImage,
    pub faces: Vec<DoneFace>,
}

impl Done {
    /// The same, if all its landmarks are numbers: others have no place in a file or in a drawing.
    ///
    /// # Errors
    /// Names the image.
    pub fn finite(self) -> Result<Self, CliError> {
        let numbers = |face: &DoneFace| {
            let points = face.prediction.points.iter();
            points.flat_map(|p| [p.x, p.y]).all(f64::is_finite)
        };
        if self.faces.iter().all(numbers) {
            return Ok(self);
        }
        Err(CliError::Usage(format!(
            "{}: the network's landmarks are not numbers: its weights are damaged, or grew beyond what it can compute with",
            self.path.display()
        )))
    }
}

/// A face with its answer.
pub struct DoneFace {
    pub track: Option<usize>,
    pub detected: Option<FaceBox>,
    pub crop: CropBox,
    pub prediction: Prediction,
}
