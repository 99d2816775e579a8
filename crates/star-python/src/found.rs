//! A face as Python's side makes its `Face` of.

use pyo3::{IntoPyObject, PyErr, exceptions::PyValueError};
use star_data::crop::CROP_UNIT;
use star_infer::LandmarkedFace;

/// Becomes a dict. Numbers are bytes of 64-bit floats, which NumPy reads without a Python object for each.
#[derive(IntoPyObject)]
pub struct Found {
    /// x, y of each point.
    points: Vec<u8>,
    /// xx, xy, xy, yy of each point.
    covariance: Vec<u8>,
    scores: Vec<u8>,
    score: f64,
    /// Left, top, width, height; of the detector.
    detected: Option<[f64; 4]>,
    detector_score: Option<f64>,
    /// Degrees.
    turned: u32,
    /// Left, top, width, height.
    crop: [f64; 4],
    track: Option<usize>,
}

impl Found {
    /// # Errors
    /// Landmarks that are not numbers, as `star predict` refuses them too.
    pub fn new(face: &LandmarkedFace, track: Option<usize>) -> Result<Self, PyErr> {
        let points = || face.points.iter().flat_map(|p| [p.x, p.y]);
        if !points().all(f64::is_finite) {
            return Err(PyValueError::new_err(
                "the network's landmarks are not numbers: its weights are damaged, or grew beyond what it can compute with",
            ));
        }
        let covariance = face.covariance.iter();
        let side = CROP_UNIT * face.crop.scale;
        let center = face.crop.center;
        Ok(Self {
            points: bytes(points()),
            covariance: bytes(covariance.flat_map(|c| [c.xx, c.xy, c.xy, c.yy])),
            scores: bytes(face.scores.iter().copied()),
            score: face.score,
            detected: face.detected.map(|f| [f.x, f.y, f.w, f.h]),
            detector_score: face.detected.map(|f| f.score),
            turned: face.detected.map_or(0, |f| f.turn.degrees()),
            crop: [center.x - side / 2.0, center.y - side / 2.0, side, side],
            track,
        })
    }
}

fn bytes(numbers: impl Iterator<Item = f64>) -> Vec<u8> {
    numbers.flat_map(f64::to_ne_bytes).collect()
}
