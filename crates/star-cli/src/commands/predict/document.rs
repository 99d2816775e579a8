//! What is written about an image, as JSON, CSV and .pts. docs/predict.md describes it.

use std::{fmt::Write as _, path::Path};

use burn::tensor::backend::Backend;
use serde::Serialize;
use star_data::{CropBox, Point, crop::CROP_UNIT};
use star_infer::{Prediction, PreparedNet, detect::FaceBox};

use super::done::{Done, DoneFace};
use crate::error::CliError;

/// Goes up when a field changes its meaning or disappears; new fields do not count.
pub const VERSION: u32 = 2;

/// What all images of a call share.
pub struct Shared {
    pub layout: String,
    pub points: usize,
    pub weights: String,
    pub weights_file: String,
    /// Whether covariances are of the size of the errors; if not, of the heatmaps'.
    pub calibrated: bool,
}

impl Shared {
    pub fn new<B: Backend>(trained: &PreparedNet<B>, weights: &Path) -> Self {
        Self {
            layout: trained.layout.name.clone(),
            points: trained.layout.points,
            weights: trained.provenance.clone(),
            weights_file: weights.display().to_string(),
            calibrated: trained.covariance_scales.is_some(),
        }
    }
}

#[derive(Serialize)]
pub struct Document<'a> {
    version: u32,
    image: String,
    width: u32,
    height: u32,
    layout: &'a str,
    weights: &'a str,
    weights_file: &'a str,
    calibrated: bool,
    faces: Vec<FaceDocument<'a>>,
}

#[derive(Serialize)]
struct FaceDocument<'a> {
    /// In a video, the same for the same face.
    #[serde(skip_serializing_if = "Option::is_none")]
    track: Option<usize>,
    /// What the detector said; not there where it was not asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    detected: Option<FaceBox>,
    /// The square that the network saw: x, y, w, h in pixels.
    crop: [f64; 4],
    #[serde(flatten)]
    prediction: &'a Prediction,
}

impl<'a> Document<'a> {
    pub fn new(done: &'a Done, shared: &'a Shared) -> Self {
        Self {
            version: VERSION,
            image: done.path.display().to_string(),
            width: done.image.width(),
            height: done.image.height(),
            layout: &shared.layout,
            weights: &shared.weights,
            weights_file: &shared.weights_file,
            calibrated: shared.calibrated,
            faces: done
                .faces
                .iter()
                .map(|face| FaceDocument {
                    track: face.track,
                    detected: face.detected,
                    crop: square(&face.crop),
                    prediction: &face.prediction,
                })
                .collect(),
        }
    }

    /// The whole file, readable.
    ///
    /// # Errors
    /// None that are known.
    pub fn to_json(&self) -> Result<String, CliError> {
        serde_json::to_string_pretty(self)
            .map(|text| text + "\n")
            .map_err(|e| CliError::Usage(e.to_string()))
    }
}

fn square(crop: &CropBox) -> [f64; 4] {
    let side = CROP_UNIT * crop.scale;
    let Point { x, y } = crop.center;
    [x - side / 2.0, y - side / 2.0, side, side]
}

/// The first line of the CSV: `points` pairs of coordinates at the end.
pub fn csv_header(points: usize) -> String {
    let mut line = String::from("image,face,track,score,detector_score,crop_x,crop_y,crop_side");
    for i in 0..points {
        let _ = write!(line, ",x{i},y{i}"); // writing to a String cannot fail
    }
    line + "\n"
}

/// One line a face.
pub fn csv_lines(done: &Done) -> String {
    let image = csv_field(&done.path.display().to_string());
    let mut text = String::new();
    for (i, face) in done.faces.iter().enumerate() {
        let [x, y, side, _] = square(&face.crop);
        let track = face.track.map_or(String::new(), |t| t.to_string());
        let sure = (face.detected).map_or(String::new(), |d| format!("{:.2}", d.score));
        let _ = write!(
            text,
            "{image},{},{track},{:.4},{sure},{x:.3},{y:.3},{side:.3}",
            i + 1,
            face.prediction.score
        );
        for p in &face.prediction.points {
            let _ = write!(text, ",{:.3},{:.3}", p.x, p.y);
        }
        text.push('\n');
    }
    text
}

/// In quotes where it has to be (RFC 4180).
fn csv_field(text: &str) -> String {
    if text.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}

/// A face's points as iBUG writes them: pixels are counted from 1.
pub fn pts(face: &DoneFace) -> String {
    let points = &face.prediction.points;
    let mut text = format!("version: 1\nn_points: {}\n{{\n", points.len());
    for p in points {
        let _ = writeln!(text, "{:.4} {:.4}", p.x + 1.0, p.y + 1.0);
    }
    text + "}\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_quoted_where_they_must() {
        assert_eq!(csv_field("a b.jpg"), "a b.jpg");
        assert_eq!(csv_field("a,b.jpg"), "\"a,b.jpg\"");
        assert_eq!(csv_field("a\"b.jpg"), "\"a\"\"b.jpg\"");
    }
}
