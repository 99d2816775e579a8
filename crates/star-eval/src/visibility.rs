//! Errors of points that something hides, apart from those that can be seen.

use serde::{Deserialize, Serialize};
use star_data::Norm;

use crate::{
    evaluate::{EvalSet, PredictedFace},
    metrics::normaliser,
    nan,
};

/// Figures of visible and of hidden points, over the faces whose annotations say which are which.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct VisibilityScores {
    /// Points that nothing hides.
    pub visible: PointScores,
    /// Points that something hides; their annotated place is a guess.
    pub hidden: PointScores,
}

/// Some points of many faces.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PointScores {
    /// How many they are: labelled, of faces with a normaliser, and with a finite prediction.
    pub points: usize,
    /// The mean over all of them of the error over the norm's distance, a fraction.
    #[serde(deserialize_with = "nan::read")]
    pub nme: f64,
}

impl VisibilityScores {
    /// None where no point is known to be hidden.
    pub(crate) fn of(faces: &[PredictedFace], set: &EvalSet, norm: &Norm) -> Option<Self> {
        // Of visible points and of hidden ones: how many, and the sum of their errors.
        let mut sums = [(0, 0.0); 2];
        for face in faces {
            let Some(distance) = normaliser(&face.annotated, norm) else {
                continue;
            };
            let flags = set.faces.hidden(face.index).unwrap_or_default();
            let points = face.predicted.iter().zip(&face.annotated);
            for ((p, a), hidden) in points.zip(flags) {
                let error = p.distance(*a) / distance;
                if error.is_finite() {
                    let (points, sum) = &mut sums[usize::from(hidden)];
                    *points += 1;
                    *sum += error;
                }
            }
        }
        let [visible, hidden] = sums.map(|(points, sum)| PointScores {
            points,
            nme: sum / points as f64,
        });
        (hidden.points > 0).then_some(Self { visible, hidden })
    }

    /// Names, numbers of points and NMEs, for people.
    pub(crate) fn rows(&self) -> [(&'static str, PointScores); 2] {
        [
            ("visible points", self.visible),
            ("hidden points", self.hidden),
        ]
    }
}
