//! What to draw and how well to annotate it.

use serde::{Deserialize, Serialize};

use star_data::DataError;

/// Settings of the synthetic faces. Every key has a default; an unknown key is an error.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SynthConfig {
    /// How many faces there are.
    pub faces: usize,
    /// Decides every face: face `i` is a function of (seed, i) and these settings.
    pub seed: u64,
    /// Smallest width (= height) of an image, pixels.
    pub image_min: u32,
    /// Largest width (= height) of an image, pixels.
    pub image_max: u32,
    /// Largest turn to the side, degrees; turns are normal around 0 with 0.45 of this.
    pub yaw: f64,
    /// Largest nod, degrees; spread as `yaw`.
    pub pitch: f64,
    /// Largest tilt in the image plane, degrees; spread as `yaw`.
    pub roll: f64,
    /// How strong expressions are: 0 = none, 1 = open mouths, smiles, closed eyes, raised brows.
    pub expression: f64,
    /// Fraction of faces with something in front: glasses, hand, bar, cap, dark rectangle.
    pub occlusion: f64,
    /// How bad the camera is: 0 = clean, 1 = blur, noise, weak contrast, colour casts as in snapshots.
    pub degrade: f64,
    /// Standard deviation of an annotated contour point along its contour, as a fraction of the distance between the outer eye corners in
    /// the image. People agree on where a contour is, not on where along it a point belongs (paper, section 3.1).
    pub noise_along: f64,
    /// Standard deviation of an annotated contour point across its contour, same unit.
    pub noise_across: f64,
    /// Standard deviation, in x and in y, of well-defined points (eye and mouth corners, nose tip, pupils, ...), same unit.
    pub noise_corner: f64,
    /// Correlation of the slide along a contour between one point and the next: an annotator who starts too far goes on too far.
    pub noise_correlation: f64,
    /// Width of the crop divided by the longer side of the annotated points' box.
    pub crop_margin: f64,
    /// Standard deviation of the crop's centre, as a fraction of its width; its width varies by the same fraction. 0 = the box's own crop.
    pub crop_jitter: f64,
}

impl Default for SynthConfig {
    fn default() -> Self {
        Self {
            faces: 2000,
            seed: 0,
            image_min: 160,
            image_max: 224,
            yaw: 45.0,
            pitch: 22.0,
            roll: 30.0,
            expression: 1.0,
            occlusion: 0.3,
            degrade: 1.0,
            noise_along: 0.03,
            noise_across: 0.006,
            noise_corner: 0.006,
            noise_correlation: 0.5,
            crop_margin: 1.3,
            crop_jitter: 0.0,
        }
    }
}

impl SynthConfig {
    /// Checks every value against its limits.
    ///
    /// # Errors
    /// [`DataError::Invalid`] naming the key, its value and the limit.
    pub fn validate(&self) -> Result<(), DataError> {
        let sizes = 32..=4096;
        if !sizes.contains(&self.image_min) || !sizes.contains(&self.image_max) {
            return Err(invalid(
                "image_min, image_max",
                format!("{}, {}", self.image_min, self.image_max),
                "32 to 4096 pixels",
            ));
        }
        if self.image_min > self.image_max {
            return Err(invalid("image_min", self.image_min, "at most image_max"));
        }
        if !(0.5..=5.0).contains(&self.crop_margin) {
            return Err(invalid("crop_margin", self.crop_margin, "0.5 to 5"));
        }
        let ranges = [
            ("yaw", self.yaw, 60.0),
            ("pitch", self.pitch, 40.0),
            ("roll", self.roll, 180.0),
            ("expression", self.expression, 1.0),
            ("occlusion", self.occlusion, 1.0),
            ("degrade", self.degrade, 1.0),
            ("noise_along", self.noise_along, 0.2),
            ("noise_across", self.noise_across, 0.2),
            ("noise_corner", self.noise_corner, 0.2),
            ("noise_correlation", self.noise_correlation, 0.99),
            ("crop_jitter", self.crop_jitter, 0.5),
        ];
        for (key, value, limit) in ranges {
            // NaN is in no range.
            if !(0.0..=limit).contains(&value) {
                return Err(invalid(key, value, &format!("0 to {limit}")));
            }
        }
        Ok(())
    }
}

fn invalid(key: &str, value: impl std::fmt::Display, limit: &str) -> DataError {
    DataError::Invalid(format!("synthetic faces: {key} = {value}, must be {limit}"))
}
