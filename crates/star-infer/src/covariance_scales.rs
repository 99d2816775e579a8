//! What the covariances of a network's heatmaps are to be multiplied by, so that a standard deviation is one of the errors.
//!
//! A heatmap is as wide as training left it, often several times the errors. How much wider is measured on annotated faces that the network
//! was not trained on (`star calibrate --write`, the end of a training run), and goes into the weights file. One factor a point: it
//! changes an ellipse's size, not its shape or its direction.

use serde::{Deserialize, Serialize};
use star_data::Covariance;

/// Scales outside of these are no measurement.
const SENSIBLE: std::ops::RangeInclusive<f64> = 1e-6..=1e6;
/// The most text of a number, and of everything else in the entry: what is longer is not read.
const NUMBER_TEXT: usize = 32;
const OTHER_TEXT: usize = 4 << 10;
/// The most of a reader's complaint that is told: it may quote the file.
const COMPLAINT: usize = 120;

/// One scale a point, and the faces that it was measured on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CovarianceScales {
    scales: Vec<f64>,
    annotations: String,
    faces: usize,
    protocol: String,
}

impl CovarianceScales {
    /// `scales` in the order of the layout; `annotations` is the name of the annotation file, of which `faces` were used; `protocol`
    /// says which, and how.
    ///
    /// # Errors
    /// A scale that is not a number from 1e-6 to 1e6; no scale.
    pub fn new(
        scales: Vec<f64>,
        annotations: &str,
        faces: usize,
        protocol: &str,
    ) -> Result<Self, String> {
        let scales = Self {
            scales,
            annotations: one_line(annotations),
            faces,
            protocol: one_line(protocol),
        };
        scales.check(scales.scales.len())?;
        Ok(scales)
    }

    fn check(&self, points: usize) -> Result<(), String> {
        if self.scales.len() != points || points == 0 {
            return Err(format!(
                "it has covariance scales for {} points, and its network has {points}",
                self.scales.len()
            ));
        }
        match self.scales.iter().position(|s| !SENSIBLE.contains(s)) {
            Some(point) => Err(format!(
                "the covariance scale of its point {point} is {}; it must be from {:e} to {:e}",
                self.scales[point],
                SENSIBLE.start(),
                SENSIBLE.end()
            )),
            None => Ok(()),
        }
    }

    /// Reads the entry of a weights file whose network has so many points.
    ///
    /// # Errors
    /// What is wrong with it, as a sentence about the file.
    pub(crate) fn from_json(text: &str, points: usize) -> Result<Self, String> {
        let most = points * NUMBER_TEXT + OTHER_TEXT;
        if text.len() > most {
            return Err(format!(
                "its covariance scales take {} bytes; those of {points} points take at most {most}",
                text.len()
            ));
        }
        let scales: Self = serde_json::from_str(text).map_err(|e| {
            let why: String = e.to_string().chars().take(COMPLAINT).collect();
            format!("its covariance scales cannot be read: {why}")
        })?;
        scales.check(points)?;
        Ok(scales)
    }

    pub(crate) fn to_json(&self) -> Result<String, String> {
        serde_json::to_string(self).map_err(|e| e.to_string())
    }

    /// What each point's covariances are multiplied by, in the order of the layout.
    pub fn scales(&self) -> &[f64] {
        &self.scales
    }

    /// Multiplies the covariances of one face.
    pub fn apply(&self, covariances: &mut [Covariance]) {
        for (covariance, &scale) in covariances.iter_mut().zip(&self.scales) {
            *covariance = covariance.scaled(scale);
        }
    }

    /// One line for people: on which faces, and how.
    pub fn about(&self) -> String {
        format!(
            "{} faces of {}: {}",
            self.faces,
            one_line(&self.annotations),
            one_line(&self.protocol)
        )
    }
}

/// A file's name may have anything in it, and so may a file.
fn one_line(text: &str) -> String {
    let printable = |c: char| if c.is_control() { '?' } else { c };
    text.chars().map(printable).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(scales: &str) -> String {
        format!(r#"{{"scales":{scales},"annotations":"a.tsv","faces":9,"protocol":"p"}}"#)
    }

    #[test]
    fn what_was_written_is_read() {
        let written = CovarianceScales::new(vec![0.0123, 7.0], "train.tsv", 201, "held out");
        let written = written.expect("good scales");
        let text = written.to_json().expect("JSON");
        assert_eq!(CovarianceScales::from_json(&text, 2), Ok(written));
    }

    #[test]
    fn only_the_size_changes() {
        let before = Covariance {
            xx: 3.0,
            xy: -1.0,
            yy: 2.0,
        };
        let mut after = [before; 2];
        let scales = CovarianceScales::from_json(&json("[0.25,1]"), 2).expect("good scales");
        scales.apply(&mut after);
        assert_eq!(after, [before.scaled(0.25), before]);
        assert_eq!(after[0].anisotropy(), before.anisotropy());
        assert_eq!(after[0].axes().major, before.axes().major);
    }

    #[test]
    fn no_measurement_is_refused() {
        for (scales, says) in [
            ("[1]", "for 1 points, and its network has 2"),
            ("[1,1,1]", "for 3 points"),
            ("[]", "for 0 points"),
            ("[1,-1]", "point 1 is -1"),
            ("[0,1]", "point 0 is 0"),
            ("[1,1e7]", "point 1 is 10000000"),
            ("[1,1e999]", "cannot be read"),
            ("[1,NaN]", "cannot be read"),
            ("[1,null]", "cannot be read"),
            ("7", "cannot be read"),
        ] {
            let error = CovarianceScales::from_json(&json(scales), 2).expect_err(scales);
            assert!(error.contains(says), "{scales}: {error}");
        }
        let long = json(&format!("[{}1]", "1,".repeat(20_000)));
        let error = CovarianceScales::from_json(&long, 2).expect_err("long");
        assert!(error.contains("take at most"), "{error}");
        let error = CovarianceScales::new(vec![f64::NAN], "", 1, "").expect_err("NaN");
        assert!(error.contains("point 0 is NaN"), "{error}");
    }
}
