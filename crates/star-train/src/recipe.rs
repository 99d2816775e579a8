//! A recipe: everything that decides a run, in one TOML file.
//!
//! A recipe file holds only what differs from the defaults. Unknown keys are errors, and any key can be
//! set from the command line (`--set train.epochs=3`), so that a figure never depends on an edited file.

mod builtin;
mod check;
mod choices;
mod read;
mod sections;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};
use star_data::{AugmentConfig, Layout};
use star_model::StarNetConfig;

use crate::error::TrainError;

pub use sections::{
    DataRecipe, DataSource, EvalRecipe, LandmarkLoss, LossRecipe, ModelRecipe, Schedule, Selection,
    TrainRecipe,
};

/// Everything that decides a run. The defaults are the published protocol.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Recipe {
    /// Names the run's folder and its figures.
    pub name: String,
    /// `wflw98`, `ibug68`, `cofw29`, or the path of a layout TOML.
    pub layout: String,
    /// Decides initial weights, order of faces, augmentation and the held-out part.
    pub seed: u64,
    /// Where faces come from.
    pub data: DataRecipe,
    /// The network.
    pub model: ModelRecipe,
    /// The losses and their weights.
    pub loss: LossRecipe,
    /// Augmentation.
    pub augment: AugmentConfig,
    /// The protocol.
    pub train: TrainRecipe,
    /// Evaluation.
    pub eval: EvalRecipe,
}

impl Default for Recipe {
    fn default() -> Self {
        Self {
            name: "star".into(),
            layout: "wflw98".into(),
            seed: 0,
            data: DataRecipe::default(),
            model: ModelRecipe::default(),
            loss: LossRecipe::default(),
            augment: AugmentConfig::default(),
            train: TrainRecipe::default(),
            eval: EvalRecipe::default(),
        }
    }
}

impl Recipe {
    /// The recipe with every default filled in, as a run folder keeps it.
    pub fn to_toml(&self) -> Result<String, TrainError> {
        toml::to_string_pretty(self).map_err(|e| TrainError::Recipe(e.to_string()))
    }

    /// The landmark layout that the recipe names.
    pub fn layout(&self) -> Result<Layout, TrainError> {
        Ok(star_data::find_layout(&self.layout)?)
    }

    /// The network for this recipe and its layout.
    pub fn net_config(&self, layout: &Layout) -> StarNetConfig {
        StarNetConfig::new(
            layout.points,
            layout.edges.iter().map(|e| e.points.clone()).collect(),
        )
        .with_stacks(self.model.stacks)
        .with_channels(self.model.channels)
        .with_stem(self.model.stem)
        .with_input_size(self.model.input_size)
        .with_coord(self.model.coord)
        .with_aam(self.model.aam)
    }

    /// What the selection set is, for people.
    pub fn selection_name(&self) -> &'static str {
        match self.train.selection {
            Selection::HeldOut => "held-out",
            Selection::Test => "the test set (the published protocol)",
        }
    }
}
