//! The faces of a recipe: what it trains on, what selects the best weights, what is tested once at the end.

use std::sync::Arc;

use star_data::{
    FaceSource, HoldOut, Layout, Subset, SynthConfig, SynthFaces, TsvFaces, split_held_out,
};

use crate::{
    error::TrainError,
    evaluate::EvalSet,
    recipe::{DataSource, Recipe, Selection},
};

/// Added to the recipe's seed for the synthetic test set, so that training never draws a test face.
const TEST_SEED: u64 = 0x7e57;

/// The sets of one run.
pub struct Faces {
    pub train: Arc<dyn FaceSource>,
    /// Selects the best weights.
    pub selection: EvalSet,
    /// Touched once, after training.
    pub test: Option<EvalSet>,
}

impl Faces {
    /// Opens what a recipe names.
    ///
    /// # Errors
    /// Files that are missing or cannot be read; too few faces to hold any out.
    pub fn open(recipe: &Recipe, layout: &Layout) -> Result<Self, TrainError> {
        let (all, test) = match recipe.data.source {
            DataSource::Tsv => open_tsv(recipe, layout)?,
            DataSource::Synth => open_synth(recipe, layout)?,
        };
        let (train, selection): (Arc<dyn FaceSource>, EvalSet) = match recipe.train.selection {
            Selection::HeldOut => {
                let (train, held_out) = split_held_out(
                    all.len(),
                    HoldOut::Fraction(recipe.data.held_out),
                    recipe.seed,
                )?;
                let selection = EvalSet {
                    title: format!("{} held-out", recipe.name),
                    faces: Arc::new(Subset::new(all.clone(), held_out)?),
                };
                (Arc::new(Subset::new(all, train)?), selection)
            }
            Selection::Test => {
                let selection = test.clone().ok_or_else(|| {
                    TrainError::Recipe("train.selection = \"test\" needs a test set".into())
                })?;
                (all, selection)
            }
        };
        Ok(Self {
            train,
            selection,
            test,
        })
    }
}

type TrainAndTest = (Arc<dyn FaceSource>, Option<EvalSet>);

fn open_tsv(recipe: &Recipe, layout: &Layout) -> Result<TrainAndTest, TrainError> {
    let data = &recipe.data;
    let train = TsvFaces::open(&data.train, &data.images, layout.clone())?;
    let test = if data.test.as_os_str().is_empty() {
        None
    } else {
        let stem = data
            .test
            .file_stem()
            .map_or_else(|| "test".into(), |s| s.to_string_lossy());
        Some(EvalSet {
            title: format!("{} {stem}", recipe.name),
            faces: Arc::new(TsvFaces::open(&data.test, &data.images, layout.clone())?),
        })
    };
    Ok((Arc::new(train), test))
}

fn open_synth(recipe: &Recipe, layout: &Layout) -> Result<TrainAndTest, TrainError> {
    let data = &recipe.data;
    let train = SynthFaces::new(data.synth.clone(), layout.clone())?;
    let test = if data.synth_test_faces == 0 {
        None
    } else {
        let config = SynthConfig {
            faces: data.synth_test_faces,
            seed: data.synth.seed.wrapping_add(TEST_SEED),
            ..data.synth.clone()
        };
        Some(EvalSet {
            title: format!("{} test", recipe.name),
            faces: Arc::new(SynthFaces::new(config, layout.clone())?),
        })
    };
    Ok((Arc::new(train), test))
}
