//! From a detector's box to the box of the landmarks, which crops are made of.

use star_data::{CropBox, CropRule, Point};

use super::FaceBox;
use crate::error::InferError;

/// Where the landmarks' box lies relative to a detector's, in sides of the detector's box.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Calibration {
    /// Centre of the landmarks' box minus that of the detector's, to the right.
    pub dx: f64,
    /// The same downwards.
    pub dy: f64,
    /// Longer side of the landmarks' box over the longer side of the detector's.
    pub scale: f64,
}

/// SeetaFace to the box of 68 landmarks: medians over 300-W training faces. docs/detector.md says how they were measured and how far
/// faces spread around them.
pub const SEETA_TO_LANDMARKS: Calibration = Calibration {
    dx: 0.0,
    dy: 0.1454,
    scale: 0.9284,
};

/// How one face's landmarks' box lies relative to its detected box; the terms are those of [`Calibration`].
pub type Offset = Calibration;

impl Calibration {
    /// What would have been right for one face; None where either box has no size.
    pub fn between(detected: &FaceBox, landmarks: &[Point]) -> Option<Offset> {
        let side = detected.w.max(detected.h);
        let whole = CropRule::PUBLISHED.crop_of_points(landmarks).ok()?;
        (side > 0.0).then(|| Self {
            dx: (whole.center.x - detected.x - detected.w / 2.0) / side,
            dy: (whole.center.y - detected.y - detected.h / 2.0) / side,
            scale: star_data::crop::CROP_UNIT * whole.scale / side,
        })
    }

    /// The landmarks' box to be expected for a detected face: a square as long as its longer side.
    pub fn landmark_box(&self, face: &FaceBox) -> FaceBox {
        let side = face.w.max(face.h);
        let length = self.scale * side;
        FaceBox {
            x: face.x + face.w / 2.0 + self.dx * side - length / 2.0,
            y: face.y + face.h / 2.0 + self.dy * side - length / 2.0,
            w: length,
            h: length,
            score: face.score,
            turn: face.turn,
        }
    }

    /// The network's view of a detected face.
    ///
    /// # Errors
    /// A box without area; a margin that is no positive number.
    pub fn crop(&self, face: &FaceBox, rule: &CropRule) -> Result<CropBox, InferError> {
        let FaceBox { x, y, w, h, .. } = self.landmark_box(face);
        Ok(rule.crop_of_box(x, y, w, h)?)
    }
}

#[cfg(test)]
mod tests {
    use super::{super::Turn, *};

    const DETECTED: FaceBox = FaceBox {
        x: 100.0,
        y: 40.0,
        w: 80.0,
        h: 80.0,
        score: 9.0,
        turn: Turn::Upright,
    };

    #[test]
    fn what_was_measured_on_a_face_gives_back_its_box() {
        let landmarks = [Point::new(95.0, 50.0), Point::new(150.0, 140.0)];
        let measured = Calibration::between(&DETECTED, &landmarks).expect("both have a size");
        let found = measured
            .crop(&DETECTED, &CropRule::default())
            .expect("a crop");
        let asked = CropRule::default()
            .crop_of_points(&landmarks)
            .expect("a crop");
        assert!((found.scale - asked.scale).abs() < 1e-12);
        assert!(found.center.distance(asked.center) < 1e-9);
    }
}
