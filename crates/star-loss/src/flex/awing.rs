//! Adaptive wing loss: value and gradient of every pixel in one pass.

// Loops of constant length over several arrays at once become vectors; iterators over them do not always.
#![allow(clippy::needless_range_loop)]

use burn::{
    backend::{
        Flex,
        autodiff::{
            checkpoint::{base::Checkpointer, strategy::NoCheckpointing},
            grads::Gradients,
            ops::{Backward, Ops, OpsKind},
        },
    },
    tensor::{Shape, Tensor, backend::Backend},
};
use multiversion::multiversion;
use rayon::prelude::*;
use star_flex::{Floats, exp, from_vec, gradient_of, graph, ln, ln_1p, own, tracked};

use super::{LANES, constant, floats, total};
use crate::awing::{AWingLossConfig, FOREGROUND, FOREGROUND_WEIGHT, TINY};

/// As [`crate::AWingLoss::per_sample`], shapes checked there.
pub(crate) fn per_sample<B: Backend>(
    prediction: &Tensor<B, 4>,
    target: &Tensor<B, 4>,
    config: &AWingLossConfig,
) -> Option<Tensor<B, 1>> {
    let (values, targets) = (floats(prediction)?, floats(target)?);
    let [batch, channels, height, width] = values.shape().dims();
    let pixels = height * width;
    let mut gradient = vec![0.0; values.len()];
    let sums: Vec<f64> = (gradient.par_chunks_mut(pixels))
        .zip(values.par_chunks(pixels).zip(targets.par_chunks(pixels)))
        .map(|(gradient, (values, targets))| map(values, targets, width, config, gradient))
        .collect();
    let count = channels * pixels;
    let losses = (sums.chunks(channels))
        .map(|sums| (sums.iter().sum::<f64>() / count as f64) as f32)
        .collect();
    let losses = from_vec(losses, Shape::new([batch]));

    let Some(prediction) = tracked(prediction) else {
        return constant(losses);
    };
    let prediction = prediction.into_primitive().tensor();
    let step = AWing.prepare::<NoCheckpointing>([prediction.node]);
    let losses = match step.compute_bound().stateful() {
        OpsKind::Tracked(step) => {
            let gradient = from_vec(gradient, values.shape());
            step.finish(Floats::of(&gradient)?, losses)
        }
        OpsKind::UnTracked(step) => step.finish(losses),
    };
    own(graph::<1>(losses))
}

#[derive(Debug)]
struct AWing;

impl Backward<Flex, 1> for AWing {
    /// Of each pixel's own loss, `[batch, channels, height, width]`.
    type State = Floats;

    fn backward(self, ops: Ops<Self::State, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let of_losses = gradient_of(&ops, grads);
        let [parent] = ops.parents;
        let Some(node) = parent else { return };
        let count = ops.state.len() / of_losses.len();
        let mut gradient = ops.state.to_vec();
        gradient
            .par_chunks_mut(count)
            .zip(of_losses.par_iter())
            .for_each(|(sample, of_loss)| {
                let factor = of_loss / count as f32;
                sample.iter_mut().for_each(|value| *value *= factor);
            });
        grads.register::<Flex>(node.id, from_vec(gradient, ops.state.shape()));
    }
}

/// The constants in single precision, as Burn's operations have them.
#[derive(Clone, Copy)]
struct Curve {
    omega: f32,
    theta: f32,
    per_epsilon: f32,
    alpha: f32,
}

/// A map's sum, and the gradient of each of its pixels.
fn map(
    values: &[f32],
    targets: &[f32],
    width: usize,
    config: &AWingLossConfig,
    gradient: &mut [f32],
) -> f64 {
    let curve = Curve {
        omega: config.omega as f32,
        theta: config.theta as f32,
        per_epsilon: (1.0 / config.epsilon) as f32,
        alpha: config.alpha as f32,
    };
    let weights = if config.use_weight_map {
        weights(targets, width)
    } else {
        vec![1.0; targets.len()]
    };
    pixels(values, targets, &weights, curve, gradient)
}

#[multiversion(targets("x86_64+avx512f+avx2+fma", "x86_64+avx2+fma"))]
fn pixels(
    values: &[f32],
    targets: &[f32],
    weights: &[f32],
    curve: Curve,
    gradient: &mut [f32],
) -> f64 {
    let mut sum = 0.0;
    // Sums of a few numbers in single precision, then on in double.
    let chunks = (values.chunks(LANES).zip(targets.chunks(LANES)))
        .zip(weights.chunks(LANES).zip(gradient.chunks_mut(LANES)));
    for ((values, targets), (weights, gradient)) in chunks {
        if let (Some(values), Some(targets)) = (values.first_chunk(), targets.first_chunk())
            && let (Some(weights), Some(gradient)) =
                (weights.first_chunk(), gradient.first_chunk_mut())
        {
            sum += total(lanes(values, targets, weights, curve, gradient));
        } else {
            // The last ones: what is missing has an error and a weight of 0.
            let filled = |numbers: &[f32]| {
                let mut filled = [0.0; LANES];
                filled[..numbers.len()].copy_from_slice(numbers);
                filled
            };
            let mut of_all = [0.0; LANES];
            let [values, targets, weights] = [values, targets, weights].map(filled);
            sum += total(lanes(&values, &targets, &weights, curve, &mut of_all));
            gradient.copy_from_slice(&of_all[..gradient.len()]);
        }
    }
    sum
}

#[inline(always)]
fn lanes(
    values: &[f32; LANES],
    targets: &[f32; LANES],
    weights: &[f32; LANES],
    curve: Curve,
    gradient: &mut [f32; LANES],
) -> [f32; LANES] {
    let Curve {
        omega,
        theta,
        per_epsilon,
        alpha,
    } = curve;
    let mut losses = [0.0; LANES];
    for i in 0..LANES {
        let difference = values[i] - targets[i];
        let error = difference.abs();
        let near = if error > theta { theta } else { error };
        let near = if near < TINY as f32 {
            TINY as f32
        } else {
            near
        };
        let power = alpha - targets[i];
        let raised = exp(power * ln(near * per_epsilon));
        let slope = power * omega * raised / (raised + 1.0) / near;
        losses[i] = (ln_1p(raised) * omega + (error - near) * slope) * weights[i];
        let sign = if difference > 0.0 { slope } else { -slope };
        let sign = if difference == 0.0 { 0.0 } else { sign };
        gradient[i] = sign * weights[i];
    }
    losses
}

/// 11 where the 3x3 neighbourhood of the target reaches the foreground, 1 elsewhere.
fn weights(targets: &[f32], width: usize) -> Vec<f32> {
    // The largest of three side by side, then of three of these on top of each other.
    let mut across = targets.to_vec();
    for (across, row) in across
        .chunks_exact_mut(width)
        .zip(targets.chunks_exact(width))
    {
        raise(&mut across[1..], row);
        raise(across, &row[1..]);
    }
    let mut reached = across.clone();
    raise(&mut reached[width..], &across);
    raise(&mut reached, &across[width..]);
    for value in &mut reached {
        let is_near = *value >= FOREGROUND as f32;
        *value = 1.0
            + if is_near {
                FOREGROUND_WEIGHT as f32
            } else {
                0.0
            };
    }
    reached
}

/// To the larger of each two, as far as both go.
fn raise(values: &mut [f32], others: &[f32]) {
    for (value, other) in values.iter_mut().zip(others) {
        *value = value.max(*other);
    }
}
