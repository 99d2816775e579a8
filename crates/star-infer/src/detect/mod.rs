//! Where the faces of an image are.
//!
//! A [`Detector`] gives boxes in its own convention; a [`Calibration`] turns such a box into the landmarks' box, and a
//! [`CropRule`] that into the square the network sees. docs/detector.md has the figures.

mod calibration;
mod seeta;
mod turn;

use image::RgbImage;
use serde::Serialize;
use star_data::{CropBox, CropRule};

pub use calibration::{Calibration, Offset, SEETA_TO_LANDMARKS};
pub use seeta::SeetaFace;
pub use turn::Turn;

use crate::error::InferError;

/// A face as a detector sees it, in pixels of the image. The box may reach beyond the image.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct FaceBox {
    /// Left side.
    pub x: f64,
    /// Upper side.
    pub y: f64,
    /// Width.
    pub w: f64,
    /// Height.
    pub h: f64,
    /// How sure the detector is: larger is surer. The scale is the detector's own.
    pub score: f64,
    /// How far the face is turned; left out of JSON where it is upright.
    #[serde(rename = "turned", skip_serializing_if = "Turn::is_upright")]
    pub turn: Turn,
}

impl FaceBox {
    /// Intersection over union with another box, 0 to 1.
    pub fn overlap(&self, other: &Self) -> f64 {
        let across = (self.x + self.w).min(other.x + other.w) - self.x.max(other.x);
        let down = (self.y + self.h).min(other.y + other.h) - self.y.max(other.y);
        if !(across > 0.0 && down > 0.0) {
            return 0.0;
        }
        let both = across * down;
        both / (self.w * self.h + other.w * other.h - both)
    }
}

/// Finds faces.
pub trait Detector: Send + Sync {
    /// The faces of an image, the most prominent first: by side times score. None is an answer, not an error.
    ///
    /// # Errors
    /// When the detector itself fails on this image.
    fn detect(&self, image: &RgbImage) -> Result<Vec<FaceBox>, InferError>;

    /// From this detector's boxes to the landmarks' boxes.
    fn calibration(&self) -> Calibration;

    /// The crops of the faces found, each with the box it comes from.
    ///
    /// # Errors
    /// As [`Detector::detect`]; a margin that is no positive number.
    fn crops(
        &self,
        image: &RgbImage,
        rule: &CropRule,
    ) -> Result<Vec<(FaceBox, CropBox)>, InferError> {
        self.detect(image)?
            .into_iter()
            .map(|face| Ok((face, self.calibration().crop(&face, rule)?)))
            .collect()
    }

    /// For each turn the faces that are upright once the image is turned back by it, in pixels of the image turned back. A detector that
    /// makes a smaller image first had better make it once, and turn that one.
    ///
    /// # Errors
    /// As [`Detector::detect`].
    fn detect_turned(
        &self,
        image: &RgbImage,
        turns: &[Turn],
    ) -> Result<Vec<Vec<FaceBox>>, InferError> {
        let turns = turns.iter();
        turns.map(|turn| self.detect(&turn.undo(image))).collect()
    }

    /// From this score on a face is surely upright, and [`Self::crops_turned`] looks no further. Any face will do unless a detector says
    /// otherwise.
    fn sure_score(&self) -> f64 {
        0.0
    }

    /// As [`Self::crops`]; where no upright face is sure, the image is looked at turned by a quarter, a half and three quarters as well, and
    /// the faces are those of the way up in which the most prominent one is found ([`FaceBox::turn`]). An image without faces costs four
    /// times as much.
    ///
    /// # Errors
    /// As [`Detector::crops`].
    fn crops_turned(
        &self,
        image: &RgbImage,
        rule: &CropRule,
    ) -> Result<Vec<(FaceBox, CropBox)>, InferError> {
        turn::crops_turned(self, image, rule)
    }
}
