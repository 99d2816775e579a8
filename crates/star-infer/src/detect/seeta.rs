//! SeetaFace: a funnel of boosted LAB features and small networks on SURF features, for upright faces up to about 45 degrees from frontal.

use std::panic::{AssertUnwindSafe, catch_unwind};

use image::{
    GrayImage, RgbImage,
    imageops::{self, FilterType},
};

use super::{Calibration, Detector, FaceBox, SEETA_TO_LANDMARKS, Turn};
use crate::error::InferError;

/// The network's file, as the crate `rustface` carries it (BSD 2-clause, licence beside it).
const MODEL: &[u8] = include_bytes!("../../models/seeta_fd_frontal_v1.0.bin");

/// The smallest side that the detector's window of 40 pixels can be slid over, with room for its rounding.
const LEAST_SIDE: u32 = 48;
/// Black around the image, as a fraction of its longer side: without it faces that fill the image or touch its border are missed.
const BORDER: f64 = 0.125;
/// Scores below this are mostly no faces (docs/detector.md has the counts).
const LEAST_SCORE: f64 = 2.0;
/// Upright "faces" in turned images stay below this; so do 5 % of the real ones (docs/detector.md).
const SURE_SCORE: f64 = 9.0;
/// Larger images are reduced first, so that time and memory are bounded. Faces below 1/32 of the longer side are then missed.
const MOST_SIDE: u32 = 1280;

/// The detector with its model in memory, once for all threads.
pub struct SeetaFace {
    model: rustface::Model,
    least_score: f64,
    most_side: u32,
}

impl SeetaFace {
    /// Reads the model, which is inside the program.
    ///
    /// # Errors
    /// When the file that was built in is damaged.
    pub fn new() -> Result<Self, InferError> {
        let model = rustface::read_model(MODEL)
            .map_err(|e| InferError::Detector(format!("its model cannot be read: {e}")))?;
        Ok(Self {
            model,
            least_score: LEAST_SCORE,
            most_side: MOST_SIDE,
        })
    }

    /// Keeps only faces of at least this score.
    #[must_use]
    pub fn least_score(mut self, score: f64) -> Self {
        self.least_score = score;
        self
    }

    /// Reduces images to this longer side first (in pixels, at least 64).
    #[must_use]
    pub fn most_side(mut self, pixels: u32) -> Self {
        self.most_side = pixels.max(64);
        self
    }

    /// The faces of a small image, in pixels of the one that it was made of.
    fn look(&self, Small { grey, scale }: &Small) -> Result<Vec<FaceBox>, InferError> {
        if grey.width() == 0 || grey.height() == 0 {
            return Ok(Vec::new());
        }
        let (framed, border) = framed(grey);
        let mut faces: Vec<FaceBox> = self
            .raw(&framed)?
            .iter()
            .map(|face| {
                let found = face.bbox();
                FaceBox {
                    x: (f64::from(found.x()) - border) / scale,
                    y: (f64::from(found.y()) - border) / scale,
                    w: f64::from(found.width()) / scale,
                    h: f64::from(found.height()) / scale,
                    score: face.score(),
                    turn: Turn::Upright,
                }
            })
            .filter(|face| face.w > 0.0 && face.h > 0.0 && face.score.is_finite())
            .collect();
        faces.sort_by(|a, b| (b.w * b.score).total_cmp(&(a.w * a.score)));
        Ok(faces)
    }

    /// The boxes in a framed grey image.
    fn raw(&self, grey: &GrayImage) -> Result<Vec<rustface::FaceInfo>, InferError> {
        // A detector of its own for each image: `detect` needs it mutable, and nothing of one image can then reach the next.
        // The copy of the model (1.2 MB) is small against the work.
        let found = catch_unwind(AssertUnwindSafe(|| {
            let mut detector = rustface::create_detector_with_model(self.model.clone());
            if self.least_score > 0.0 {
                detector.set_score_thresh(self.least_score);
            }
            detector.detect(&rustface::ImageData::new(
                grey.as_raw(),
                grey.width(),
                grey.height(),
            ))
        }));
        found.map_err(|_| {
            InferError::Detector("it stopped on this image; give the face's box instead".into())
        })
    }
}

impl Detector for SeetaFace {
    fn detect(&self, image: &RgbImage) -> Result<Vec<FaceBox>, InferError> {
        self.look(&Small::of(image, self.most_side))
    }

    fn detect_turned(
        &self,
        image: &RgbImage,
        turns: &[Turn],
    ) -> Result<Vec<Vec<FaceBox>>, InferError> {
        let small = Small::of(image, self.most_side);
        let turned = |turn: &Turn| Small {
            grey: turn.undo(&small.grey),
            scale: small.scale,
        };
        turns.iter().map(|turn| self.look(&turned(turn))).collect()
    }

    fn calibration(&self) -> Calibration {
        SEETA_TO_LANDMARKS
    }

    fn sure_score(&self) -> f64 {
        SURE_SCORE
    }
}

/// A grey image that is not larger than it need be.
struct Small {
    grey: GrayImage,
    /// Its pixels over pixels of the image.
    scale: f64,
}

impl Small {
    /// Not longer than `most` a side.
    fn of(image: &RgbImage, most: u32) -> Self {
        let (w, h) = image.dimensions();
        // `grayscale` cannot take an image without pixels.
        if w == 0 || h == 0 {
            let (grey, scale) = (GrayImage::new(w, h), 1.0);
            return Self { grey, scale };
        }
        let grey = imageops::grayscale(image);
        let longer = w.max(h);
        if longer <= most {
            return Self { grey, scale: 1.0 };
        }
        let scale = f64::from(most) / f64::from(longer);
        let reduced = |side: u32| ((f64::from(side) * scale).round() as u32).max(1);
        let grey = imageops::resize(&grey, reduced(w), reduced(h), FilterType::Triangle);
        Self { grey, scale }
    }
}

/// With black around, of so many pixels on the left and above.
fn framed(grey: &GrayImage) -> (GrayImage, f64) {
    let border = (f64::from(grey.width().max(grey.height())) * BORDER).round() as u32;
    let side = |inner: u32| (inner + 2 * border).max(LEAST_SIDE);
    let mut framed = GrayImage::new(side(grey.width()), side(grey.height()));
    imageops::replace(&mut framed, grey, i64::from(border), i64::from(border));
    (framed, f64::from(border))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whatever the size and the content: no panic, and boxes that are numbers.
    #[test]
    fn any_image_is_looked_at() {
        let detector = SeetaFace::new().expect("the built-in model");
        let mut state = 1u32;
        for (w, h) in [
            (0, 0),
            (0, 9),
            (1, 1),
            (1, 90),
            (39, 41),
            (50, 50),
            (125, 40),
            (97, 64),
        ] {
            let noise = RgbImage::from_fn(w, h, |_, _| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                image::Rgb([(state >> 24) as u8; 3])
            });
            for face in detector.detect(&noise).expect("no failure") {
                assert!(
                    [face.x, face.y, face.w, face.h]
                        .iter()
                        .all(|v| v.is_finite())
                );
            }
        }
    }

    #[test]
    fn what_is_looked_at_is_bounded() {
        let small = Small::of(&RgbImage::new(3000, 20), 640);
        let (framed, _) = framed(&small.grey);
        assert!(framed.width() <= 800 && framed.height() >= LEAST_SIDE);
        assert!((small.scale - 640.0 / 3000.0).abs() < 1e-12);
    }
}
