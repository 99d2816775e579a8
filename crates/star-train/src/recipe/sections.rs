//! The sections of a recipe and their defaults, which are the published protocol's.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use star_loss::StarLossConfig;
use star_synth::SynthConfig;

use crate::precision::Precision;

/// Where faces come from.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DataRecipe {
    /// Annotation files or synthetic faces.
    pub source: DataSource,
    /// TSV of the training faces (`source = "tsv"`).
    pub train: PathBuf,
    /// TSV of the test faces; empty for none. Read once, after training.
    pub test: PathBuf,
    /// Folder that the TSVs' image paths are relative to.
    pub images: PathBuf,
    /// Fraction of the training images that is held out, chosen by `seed`, to select the best weights. Faces of one image are held out
    /// together, and so are all of a group where the annotation file has groups, of which it is the fraction then.
    pub held_out: f64,
    /// Settings of the generator (`source = "synth"`). Its layout is the recipe's.
    pub synth: SynthConfig,
    /// Synthetic faces drawn for the test set, from a seed that training never uses.
    pub synth_test_faces: usize,
}

/// Files, or faces drawn on the fly.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DataSource {
    /// Annotation files.
    Tsv,
    /// Synthetic faces.
    Synth,
}

/// The network's size. Points and edges come from the layout.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ModelRecipe {
    /// Hourglasses in a row.
    pub stacks: usize,
    /// Feature channels inside the hourglasses.
    pub channels: usize,
    /// Channels of the first convolution; the stem goes on with twice as many. Published: 64.
    pub stem: usize,
    /// Side of the square input in pixels, a multiple of 64.
    pub input_size: usize,
    /// Coordinate channels (CoordConv) in the stem and the hourglasses.
    pub coord: bool,
    /// Anisotropic attention: point and edge heatmaps mask the landmark heatmaps (ADNet).
    pub aam: bool,
    /// Weights to start from (safetensors), or the name of a network that ships; empty for none. Of another network what fits is taken.
    pub init: PathBuf,
    /// Pairs of a point of this layout and the one of `init` that its heads are taken from; without any, points are known by name.
    pub init_points: Vec<Vec<usize>>,
}

/// What is minimised: `sum over stacks of 2^i / 2^(n-1) * (landmarks + point_weight * points + edge_weight * edges)`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LossRecipe {
    /// The loss on the landmarks.
    pub landmarks: LandmarkLoss,
    /// Settings of the STAR loss (`landmarks = "star"`).
    pub star: StarLossConfig,
    /// Weight of the AWing loss on point heatmaps.
    pub point_weight: f64,
    /// Weight of the AWing loss on edge heatmaps.
    pub edge_weight: f64,
}

/// The loss on the landmarks of each stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LandmarkLoss {
    /// STAR (the paper's equations 5 to 7) on the fused heatmaps.
    Star,
    /// SmoothL1 on the decoded points: the paper's baseline.
    SmoothL1,
    /// Wing on the decoded points.
    Wing,
}

/// The training protocol.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TrainRecipe {
    /// Passes over the training faces.
    pub epochs: usize,
    /// Faces a step.
    pub batch_size: usize,
    /// The full rate, which the warm-up ends at and the schedule begins with.
    pub learning_rate: f64,
    /// What convolutions multiply in training steps; evaluation is in `f32`.
    pub precision: Precision,
    /// How the rate goes on from there.
    pub schedule: Schedule,
    /// Epochs (a fraction will do) in which the rate grows evenly from nothing before that; 0 for none.
    pub warmup_epochs: f64,
    /// The rate is multiplied by `gamma` after each of these epochs.
    pub milestones: Vec<usize>,
    /// Factor of the rate at each milestone.
    pub gamma: f64,
    /// Faces after which the EMA has forgotten half: decay = 0.5^(batch_size / ema_half_life).
    pub ema_half_life: f64,
    /// What selects the best weights: a held-out part of the training set, or (the published protocol) the test set.
    pub selection: Selection,
    /// Epochs between two evaluations on the selection set.
    pub eval_every: usize,
    /// Epochs between two checkpoints. One is also written at the end and on Ctrl-C.
    pub checkpoint_every: usize,
    /// Steps between two readings of the losses. Between them nothing is copied from the device.
    pub log_every: usize,
    /// Threads that make samples. The batches do not depend on it.
    pub workers: usize,
    /// MiB of decoded training images that are kept from epoch to epoch; 0 keeps none. The batches do not depend on it.
    pub cache_mib: usize,
}

/// How the learning rate goes over a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Schedule {
    /// Multiplied by `gamma` after each of `milestones`: the published one.
    Milestones,
    /// Half a cosine, from the full rate to nothing at the end.
    Cosine,
}

/// Which faces select the best weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Selection {
    /// A part of the training faces that is not trained on.
    HeldOut,
    /// The test faces, as published figures are made.
    Test,
}

/// How figures are computed.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EvalRecipe {
    /// Name of one of the layout's norms; empty for its default.
    pub norm: String,
    /// FR and AUC threshold as a fraction (0.08 is 8 %); 0 for the layout's published one.
    pub threshold: f64,
}

impl Selection {
    /// The set's name in tables and lines.
    pub fn name(self) -> &'static str {
        match self {
            Self::HeldOut => "held-out",
            Self::Test => "test",
        }
    }
}

impl Default for DataRecipe {
    fn default() -> Self {
        Self {
            source: DataSource::Tsv,
            train: PathBuf::new(),
            test: PathBuf::new(),
            images: PathBuf::new(),
            held_out: 0.1,
            synth: SynthConfig::default(),
            synth_test_faces: 256,
        }
    }
}

impl Default for ModelRecipe {
    fn default() -> Self {
        Self {
            stacks: 4,
            channels: 256,
            stem: 64,
            input_size: 256,
            coord: true,
            aam: true,
            init: PathBuf::new(),
            init_points: Vec::new(),
        }
    }
}

impl Default for LossRecipe {
    fn default() -> Self {
        Self {
            landmarks: LandmarkLoss::Star,
            star: StarLossConfig::default(),
            point_weight: 10.0,
            edge_weight: 10.0,
        }
    }
}

impl Default for TrainRecipe {
    fn default() -> Self {
        Self {
            epochs: 500,
            batch_size: 128,
            learning_rate: 1e-3,
            precision: Precision::default(),
            schedule: Schedule::Milestones,
            warmup_epochs: 0.0,
            milestones: vec![200, 350, 450],
            gamma: 0.1,
            ema_half_life: 10_000.0,
            selection: Selection::HeldOut,
            eval_every: 1,
            checkpoint_every: 1,
            log_every: 10,
            workers: 2,
            cache_mib: 0,
        }
    }
}
