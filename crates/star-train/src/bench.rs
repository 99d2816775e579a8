//! What a network costs on a device: seconds of inference, of a training step, of the loss alone.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use burn::{
    module::AutodiffModule,
    optim::{AdamConfig, GradientsParams, Optimizer},
    tensor::{
        Distribution, Tensor,
        backend::{AutodiffBackend, Backend},
    },
};
use serde::{Deserialize, Serialize};
use star_data::{AugmentConfig, Batch, FaceSource, HostBatch, SampleMaker};
use star_synth::{SynthConfig, SynthFaces};

use star_infer::to_host;

use crate::{criterion::Criterion, error::TrainError, recipe::Recipe};

/// What is timed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Case {
    /// Images on the device -> landmarks of the last stack on the host.
    Inference,
    /// Batch on the device -> forward, losses, backward, Adam, in the recipe's precision. Loading is not in it.
    TrainingStep,
    /// STAR loss of `[batch, points, side, side]` heatmaps, forward and backward.
    Loss,
    /// A product of two matrices of [`PRODUCT_SIDE`], whatever the recipe and the batch: what the device can do.
    Product,
}

/// Rows and columns of the product's matrices: large enough for a processor, and for most of a GPU.
const PRODUCT_SIDE: usize = 2048;

/// Operations of one run of a case, a multiplication and its addition as two; `None` where the work is no products.
///
/// As if each convolution were computed as it is written down: Winograd's takes fewer. A training step counts as three times its forward
/// pass, which is what gradients of inputs and of weights come to.
pub fn operations(
    case: Case,
    recipe: &Recipe,
    batch_size: usize,
) -> Result<Option<f64>, TrainError> {
    let forward = || -> Result<f64, TrainError> {
        let config = recipe.net_config(&recipe.layout()?);
        Ok(2.0 * (star_model::info(&config).multiply_adds * batch_size) as f64)
    };
    Ok(match case {
        Case::Inference => Some(forward()?),
        Case::TrainingStep => Some(3.0 * forward()?),
        Case::Loss => None,
        Case::Product => Some(2.0 * (PRODUCT_SIDE as f64).powi(3)),
    })
}

/// Runs a case over and over until `least` has gone by, at least three times after one that does not count; seconds of each.
///
/// # Errors
/// A recipe whose network cannot be built, or whose precision the device has not.
pub fn time_case<B: AutodiffBackend>(
    case: Case,
    recipe: &Recipe,
    batch_size: usize,
    least: Duration,
    device: &B::Device,
) -> Result<Vec<f64>, TrainError> {
    let layout = recipe.layout()?;
    let config = recipe.net_config(&layout);
    config.validate()?;
    config.check_batch(batch_size.max(2))?;
    match case {
        Case::Inference => {
            let net = config.init::<B>(device).valid();
            let net = net.into_prepared();
            let batch = batch::<B::InnerBackend>(recipe, batch_size, false, device)?;
            repeat::<B>(least, device, || {
                let output = net.forward(batch.images.clone());
                // Reading the landmarks back is part of it, and waits for the device.
                Ok(to_host::<_, 3, f32>(output.landmarks).map(|_| ())?)
            })
        }
        Case::TrainingStep => {
            let criterion = Criterion::new(&recipe.loss);
            let terms = criterion.terms(config.stacks, config.aam);
            let batch = batch::<B>(recipe, batch_size, true, device)?;
            let compute = recipe.train.precision.on::<B>(device)?;
            let mut net = Some(config.init::<B>(device).with_training(compute));
            let mut adam = AdamConfig::new().with_epsilon(1e-8).init();
            repeat::<B>(least, device, || {
                let Some(current) = net.take() else {
                    return Ok(());
                };
                let outputs = current.forward(batch.images.clone());
                let (loss, _) = criterion.forward(&outputs, &batch, &terms);
                let gradients = GradientsParams::from_grads(loss.backward(), &current);
                net = Some(adam.step(recipe.train.learning_rate, current, gradients));
                Ok(())
            })
        }
        Case::Product => {
            let matrix = || -> Tensor<B::InnerBackend, 2> {
                let shape = [PRODUCT_SIDE, PRODUCT_SIDE];
                Tensor::random(shape, Distribution::Uniform(-1.0, 1.0), device)
            };
            let (a, b) = (matrix(), matrix());
            repeat::<B>(least, device, || {
                let y = a.clone().matmul(b.clone());
                // Reading one number of it waits for all.
                Ok(to_host::<_, 2, f32>(y.narrow(0, 0, 1).narrow(1, 0, 1)).map(|_| ())?)
            })
        }
        Case::Loss => {
            let side = config.input_size / 4;
            let shape = [batch_size, layout.points, side, side];
            let loss = recipe.loss.star.init();
            let maps: Tensor<B, 4> = Tensor::random(shape, Distribution::Uniform(0.0, 1.0), device);
            let targets: Tensor<B, 3> = Tensor::random(
                [batch_size, layout.points, 2],
                Distribution::Uniform(-1.0, 1.0),
                device,
            );
            repeat::<B>(least, device, || {
                let maps = maps.clone().require_grad();
                let gradients = loss.forward(maps.clone(), targets.clone()).backward();
                // Backends that compute lazily would leave out what nobody asks for.
                let sum = maps.grad(&gradients).map(|gradient| gradient.sum());
                sum.map_or(Ok(()), |sum| Ok(to_host::<_, 1, f32>(sum).map(|_| ())?))
            })
        }
    }
}

/// Synthetic faces, the same for every backend and peer.
fn batch<B: Backend>(
    recipe: &Recipe,
    batch_size: usize,
    maps: bool,
    device: &B::Device,
) -> Result<Batch<B>, TrainError> {
    let layout = recipe.layout()?;
    let faces: Arc<dyn FaceSource> =
        Arc::new(SynthFaces::new(SynthConfig::default(), layout.clone())?);
    let maker = SampleMaker::new(
        layout,
        recipe.model.input_size as u32,
        AugmentConfig::off(),
        maps,
    )?;
    let samples = (0..batch_size)
        .map(|i| maker.sample(&faces.face(i)?, i, 0, 0))
        .collect::<Result<Vec<_>, _>>()?;
    Ok(HostBatch::from_samples(samples).into_device(device))
}

fn repeat<B: Backend>(
    least: Duration,
    device: &B::Device,
    mut once: impl FnMut() -> Result<(), TrainError>,
) -> Result<Vec<f64>, TrainError> {
    const FEWEST: usize = 3;
    let mut whole = || -> Result<f64, TrainError> {
        let start = Instant::now();
        once()?;
        B::sync(device).map_err(|e| TrainError::Invalid(format!("the device failed: {e}")))?;
        Ok(start.elapsed().as_secs_f64())
    };
    // Kernels are chosen and compiled, memory is touched for the first time.
    whole()?;
    let began = Instant::now();
    let mut seconds = Vec::new();
    while seconds.len() < FEWEST || began.elapsed() < least {
        seconds.push(whole()?);
    }
    Ok(seconds)
}
