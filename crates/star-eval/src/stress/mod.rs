//! How a network bears up: the same annotated faces, made harder step by step in one way at a time.

mod change;
mod table;

use burn::tensor::backend::Backend;
use serde::{Deserialize, Serialize};
use star_data::CropRule;
use star_model::Prepared;

pub use change::Changed;

use crate::{
    error::EvalError,
    evaluate::{EvalOptions, EvalSet, Progress, Scores, score},
    nan,
    passes::predict_in_passes,
};

/// What is made harder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// The crop moves and grows or shrinks, by normals of this fraction of its width.
    BoxNoise,
    /// The face is turned clockwise in its image, by degrees; the crop stays upright.
    Rotation,
    /// The image is made smaller until the face has so many pixels: the root of its landmarks' box's area.
    FaceSize,
    /// A box filter, its side a fraction of the crop's width.
    Blur,
    /// Saved as JPEG of this quality.
    Jpeg,
    /// Levels, from 0 to 1, to this power.
    Darkness,
    /// A black bar across the crop, upright or level, its width a fraction of the crop's.
    Bar,
    /// Without colour.
    Grey,
}

impl Change {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::BoxNoise,
        Self::Rotation,
        Self::FaceSize,
        Self::Blur,
        Self::Jpeg,
        Self::Darkness,
        Self::Bar,
        Self::Grey,
    ];

    /// The steps, each harder than the one before.
    pub fn levels(self) -> &'static [f64] {
        match self {
            Self::BoxNoise => &[0.05, 0.1, 0.15, 0.2],
            Self::Rotation => &[15.0, 30.0, 45.0, 60.0, 90.0],
            Self::FaceSize => &[128.0, 96.0, 64.0, 48.0, 32.0, 24.0],
            Self::Blur => &[0.02, 0.04, 0.08, 0.12],
            Self::Jpeg => &[75.0, 50.0, 25.0, 10.0, 5.0],
            Self::Darkness => &[2.0, 3.0, 4.0, 6.0],
            Self::Bar => &[0.1, 0.2, 0.3, 0.4],
            Self::Grey => &[1.0],
        }
    }

    /// The level that changes nothing, where there is one.
    pub fn unchanged(self) -> Option<f64> {
        match self {
            Self::BoxNoise | Self::Rotation | Self::Blur | Self::Bar | Self::Grey => Some(0.0),
            Self::Darkness => Some(1.0),
            Self::FaceSize | Self::Jpeg => None,
        }
    }

    /// What it is and what its levels count, for people.
    pub fn name(self) -> &'static str {
        match self {
            Self::BoxNoise => "box noise, % of the crop's width",
            Self::Rotation => "rotation, degrees",
            Self::FaceSize => "size of the face, pixels",
            Self::Blur => "blur, % of the crop's width",
            Self::Jpeg => "JPEG quality",
            Self::Darkness => "darkness, power of the levels",
            Self::Bar => "black bar, % of the crop's width",
            Self::Grey => "without colour",
        }
    }

    /// Of files.
    pub fn id(self) -> &'static str {
        match self {
            Self::BoxNoise => "box_noise",
            Self::Rotation => "rotation",
            Self::FaceSize => "face_size",
            Self::Blur => "blur",
            Self::Jpeg => "jpeg",
            Self::Darkness => "darkness",
            Self::Bar => "bar",
            Self::Grey => "grey",
        }
    }

    /// A level in the unit of [`Change::name`].
    pub fn shown(self, level: f64) -> f64 {
        match self {
            Self::BoxNoise | Self::Blur | Self::Bar => level * 100.0,
            _ => level,
        }
    }
}

/// All figures, and the seed that decides the noise and the bars.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Stress {
    /// Decides everything random.
    pub seed: u64,
    /// One a kind of change.
    pub curves: Vec<StressCurve>,
}

/// One kind of change, step by step.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct StressCurve {
    /// Which.
    pub change: Change,
    /// From easy to hard; the faces as they are come first where a level says so.
    pub levels: Vec<StressLevel>,
}

/// Figures at one level.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct StressLevel {
    /// See [`Change`].
    pub level: f64,
    /// As [`Scores::nme`].
    #[serde(deserialize_with = "nan::read")]
    pub nme: f64,
    /// Failure rate by the plain rule.
    #[serde(deserialize_with = "nan::read")]
    pub fr: f64,
    /// Faces without finite landmarks, counted as failures.
    pub non_finite: usize,
}

impl StressLevel {
    fn of(level: f64, scores: &Scores) -> Self {
        Self {
            level,
            nme: scores.nme,
            fr: scores.plain.fr,
            non_finite: scores.non_finite.len(),
        }
    }
}

/// Evaluates the set under every change. `unchanged` has the figures of the faces as they are; `told` says what comes next.
///
/// # Errors
/// A face that cannot be read or changed; a device that fails.
#[allow(clippy::too_many_arguments)] // Those of `predict_in_passes`, and two.
pub fn stress<B: Backend>(
    net: &Prepared<B>,
    set: &EvalSet,
    unchanged: &Scores,
    options: &EvalOptions,
    (rule, passes): (&CropRule, usize),
    seed: u64,
    device: &B::Device,
    progress: Progress,
) -> Result<Stress, EvalError> {
    let all: usize = Change::ALL.iter().map(|change| change.levels().len()).sum();
    let all = all * set.faces.len();
    let mut done = 0;
    let mut curve = |change: Change| {
        let start = change.unchanged();
        let mut levels: Vec<StressLevel> = start
            .map(|level| StressLevel::of(level, unchanged))
            .into_iter()
            .collect();
        for &level in change.levels() {
            let changed = EvalSet {
                title: set.title.clone(),
                faces: Changed::faces(set.faces.clone(), change, level, seed),
            };
            let mut told = |faces: usize, _: usize| progress(done + faces, all);
            let predicted =
                predict_in_passes(net, &changed, options, rule, passes, device, &mut told)?;
            done += set.faces.len();
            let scores = score(&set.title, &predicted, &changed, options)?;
            levels.push(StressLevel::of(level, &scores));
        }
        Ok(StressCurve { change, levels })
    };
    let curves = Change::ALL
        .into_iter()
        .map(&mut curve)
        .collect::<Result<_, EvalError>>()?;
    Ok(Stress { seed, curves })
}

#[cfg(test)]
mod tests;
