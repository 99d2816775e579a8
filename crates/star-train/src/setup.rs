//! What stays the same from a run's first step to its last.

use burn::tensor::backend::AutodiffBackend;
use star_data::{CropRule, Layout, Loader, LoaderConfig, SampleMaker};
use star_model::{Compute, StarNetConfig};

use star_eval::evaluate::EvalOptions;
use star_infer::weights_file::WeightsInfo;

use crate::{
    criterion::Criterion, devices::Devices, error::TrainError, faces::Faces, recipe::Recipe,
};

/// A recipe with its data opened, on its devices.
pub struct Setup<'a, B: AutodiffBackend> {
    pub recipe: &'a Recipe,
    pub layout: Layout,
    pub config: StarNetConfig,
    pub crop: CropRule,
    pub faces: Faces,
    pub loader: Loader,
    pub devices: Devices<B>,
    /// What convolutions multiply in training steps.
    pub compute: Compute,
    /// The losses' names and weights.
    pub terms: Vec<(String, f64)>,
    pub eval: EvalOptions,
}

impl<'a, B: AutodiffBackend> Setup<'a, B> {
    /// # Errors
    /// A recipe that cannot be trained on these devices, files that are missing or cannot be read.
    pub fn open(recipe: &'a Recipe, devices: &[B::Device]) -> Result<Self, TrainError> {
        let layout = recipe.layout()?;
        let config = recipe.net_config(&layout);
        config.validate()?;
        if !recipe.eval.norm.is_empty() {
            layout.norm(Some(&recipe.eval.norm))?;
        }
        let settings = &recipe.train;
        let mut compute = Compute::default();
        for device in devices {
            compute = settings.precision.on::<B>(device)?;
        }
        let faces = Faces::open(recipe, &layout)?;
        config.check_batch(settings.batch_size.min(faces.train.len()))?;
        let maker = SampleMaker::new(
            layout.clone(),
            recipe.model.input_size as u32,
            recipe.augment.clone(),
            true,
        )?;
        let loader = Loader::new(
            faces.train.clone(),
            maker,
            LoaderConfig {
                batch_size: settings.batch_size,
                workers: settings.workers,
                seed: recipe.seed,
                cache_bytes: settings.cache_mib << 20,
                ..LoaderConfig::default()
            },
        )?;
        let criterion = Criterion::new(&recipe.loss);
        let terms = criterion.terms(config.stacks, config.aam);
        Ok(Self {
            crop: faces.train.crop_rule(),
            faces,
            loader,
            devices: Devices::new(devices, criterion, terms.clone())?,
            compute,
            terms,
            eval: EvalOptions {
                input_size: recipe.model.input_size,
                batch_size: settings.batch_size,
                workers: settings.workers,
                norm: recipe.eval.norm.clone(),
                threshold: recipe.eval.threshold,
            },
            recipe,
            layout,
            config,
        })
    }

    /// The network and evaluations are here.
    pub fn device(&self) -> &B::Device {
        self.devices.first()
    }

    /// What a weights file of this run says besides the numbers.
    pub fn weights_info(&self) -> WeightsInfo<'_> {
        WeightsInfo {
            config: &self.config,
            layout: &self.layout,
            crop: &self.crop,
        }
    }

    /// Steps of an epoch: its batches, but for a last one of one face where the innermost map is one pixel, which batch norms cannot use
    /// (REFERENCE N12, T9).
    pub fn steps(&self) -> usize {
        let last = self.loader.samples() % self.recipe.train.batch_size;
        let too_small = last > 0 && self.config.check_batch(last).is_err();
        self.loader.batches() - usize::from(too_small)
    }
}
