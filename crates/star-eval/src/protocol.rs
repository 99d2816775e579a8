//! How an evaluation was done: what a reader must know before comparing its figures with others.

use serde::{Deserialize, Serialize};
use star_data::{CropRule, crop::BoxSide};

use star_draw::ticks::compact;

/// Where the crops of the first pass come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BoxSource {
    /// The annotation file's crops.
    // Written as `list` before.
    #[serde(alias = "list")]
    Annotations,
    /// The boxes of the face detector.
    Detector,
}

/// Crops jittered on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct BoxNoise {
    /// Standard deviation of centre and size, as a fraction of the crop's width.
    #[serde(alias = "share")]
    pub fraction: f64,
    /// Decides the noise.
    pub seed: u64,
}

/// What was evaluated, and how.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Protocol {
    /// The annotation file.
    pub annotations: String,
    /// The weights file.
    pub weights_file: String,
    /// What the weights file says of itself.
    pub weights: String,
    /// The faces that the weights were selected on; None where the weights file does not say.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub selection: Option<String>,
    /// Where crops come from.
    pub boxes: BoxSource,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    /// Noise on them, if any.
    pub box_noise: Option<BoxNoise>,
    /// Passes of the network; each after the first crops around the landmarks of the pass before.
    pub passes: usize,
    /// From a box to a crop. None where every crop is the annotation file's own.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub crop: Option<CropRule>,
    /// What errors are divided by.
    pub norm: String,
    /// FR and AUC threshold, a fraction.
    pub threshold: f64,
    /// How many faces there are, and what became of them.
    pub faces: FaceCounts,
}

/// What became of the annotated faces.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FaceCounts {
    /// Faces of the annotation file.
    pub asked: usize,
    /// Of these with a box, and so with a prediction.
    pub found: usize,
    /// And without: the detector missed them.
    pub missed: usize,
    /// Found faces that no figure counts, because their normaliser is zero or its points are not labelled.
    pub excluded: usize,
    /// Found faces without finite landmarks; they count as failures.
    pub non_finite: usize,
}

impl Protocol {
    /// Names and values, for a page.
    pub fn facts(&self) -> Vec<(&'static str, String)> {
        let mut facts = vec![
            ("Annotations", self.annotations.clone()),
            ("Weights file", self.weights_file.clone()),
            ("Weights", self.weights.clone()),
            (
                "Selected on",
                (self.selection.clone()).unwrap_or_else(|| "not recorded in the weights file".into()),
            ),
            (
                "Boxes",
                match self.boxes {
                    BoxSource::Annotations => "the annotation file's crops".into(),
                    BoxSource::Detector => "the face detector's".into(),
                },
            ),
            (
                "Box noise",
                self.box_noise.map_or_else(
                    || "none".into(),
                    |noise| {
                        format!(
                            "{} % of the crop's width (standard deviation of centre and size), seed {}",
                            compact(noise.fraction * 100.0),
                            noise.seed
                        )
                    },
                ),
            ),
            ("Passes", self.passes.to_string()),
        ];
        if let Some(crop) = self.crop {
            facts.push(("Margin", margin(crop)));
        }
        facts.extend([
            ("Normalised by", self.norm.clone()),
            (
                "Threshold",
                format!("{} %", compact(self.threshold * 100.0)),
            ),
            ("Annotated faces", self.faces.in_words()),
        ]);
        facts
    }

    /// One line for a terminal.
    pub fn line(&self) -> String {
        let mut parts = vec![match self.boxes {
            BoxSource::Annotations => "crops of the annotation file".to_owned(),
            BoxSource::Detector => "boxes of the face detector".to_owned(),
        }];
        if let Some(noise) = self.box_noise {
            parts.push(format!("box noise {}", noise.fraction));
        }
        parts.push(match self.passes {
            1 => "1 pass".into(),
            n => format!("{n} passes"),
        });
        if let Some(crop) = self.crop {
            parts.push(format!("margin {}", margin(crop)));
        }
        format!("protocol: {}; {}", parts.join(", "), self.faces.in_words())
    }
}

fn margin(crop: CropRule) -> String {
    let side = match crop.side {
        BoxSide::Longest => "the longer side",
        BoxSide::Shortest => "the shorter side",
        BoxSide::Mean => "the mean side",
    };
    format!("{} times {side} of the box", compact(crop.margin))
}

impl FaceCounts {
    fn in_words(self) -> String {
        format!(
            "{} asked, {} found, {} missed by the detector, {} excluded (no normaliser), {} without finite landmarks",
            self.asked, self.found, self.missed, self.excluded, self.non_finite
        )
    }
}
