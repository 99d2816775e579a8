//! Batch normalisation with the ReLU behind it, in as few passes over memory as there can be.

use rayon::prelude::*;

use super::sum;

/// What a channel is normalised by: `(x - mean) * scale + shift`, below 0 cut off where there is a ReLU.
#[derive(Clone, Copy, Debug)]
pub(super) struct Channel {
    pub mean: f32,
    pub scale: f32,
    pub shift: f32,
}

impl Channel {
    fn apply(&self, x: f32) -> f32 {
        (x - self.mean) * self.scale + self.shift
    }
}

/// Mean and biased variance of each channel of `[batch, channels, pixels]`.
///
/// Two passes: a single one loses the digits that matter where |mean| >> std.
pub(super) fn statistics(x: &[f32], channels: usize, pixels: usize) -> Vec<(f32, f32)> {
    let count = (x.len() / channels) as f64;
    let one = |channel: usize| {
        let planes = || x.chunks_exact(pixels).skip(channel).step_by(channels);
        let mean = (planes().map(sum).sum::<f64>() / count) as f32;
        let squares = planes().map(|plane| super::sum_of(plane, |x| (x - mean) * (x - mean)));
        (mean, (squares.sum::<f64>() / count) as f32)
    };
    (0..channels).into_par_iter().map(one).collect()
}

/// `[batch, channels, pixels]`, same shape out.
pub(super) fn forward(x: &[f32], channels: &[Channel], relu: bool, pixels: usize) -> Vec<f32> {
    let floor = if relu { 0.0 } else { f32::NEG_INFINITY };
    let mut y = vec![0.0; x.len()];
    let planes = y
        .par_chunks_exact_mut(pixels)
        .zip(x.par_chunks_exact(pixels));
    planes.enumerate().for_each(|(i, (y, x))| {
        let channel = channels[i % channels.len()];
        for (y, x) in y.iter_mut().zip(x) {
            // Not `max`: a value that is not a number stays one.
            let value = channel.apply(*x);
            *y = if value < floor { floor } else { value };
        }
    });
    y
}

/// Gradients of input, gamma and beta.
pub(super) struct Gradients {
    pub input: Vec<f32>,
    pub gamma: Vec<f32>,
    pub beta: Vec<f32>,
}

/// With statistics of the batch itself, which depend on the input too. `inverse_std` is 1 / sqrt(variance + epsilon).
pub(super) fn backward(
    x: &[f32],
    gradient: &[f32],
    channels: &[Channel],
    inverse_std: &[f32],
    relu: bool,
    pixels: usize,
) -> Gradients {
    let count = channels.len();
    let floor = if relu { 0.0 } else { f32::NEG_INFINITY };
    let sums = |i: usize| {
        let channel = channels[i];
        let planes = x.chunks_exact(pixels).zip(gradient.chunks_exact(pixels));
        let (mut plain, mut weighted) = (0.0, 0.0);
        for (x, gradient) in planes.skip(i).step_by(count) {
            let (a, b) = super::two_sums_of(x, gradient, |x, gradient| {
                let passed = if channel.apply(x) > floor {
                    gradient
                } else {
                    0.0
                };
                (passed, passed * (x - channel.mean))
            });
            plain += a;
            weighted += b;
        }
        (plain as f32, weighted as f32 * inverse_std[i])
    };
    let sums: Vec<(f32, f32)> = (0..count).into_par_iter().map(sums).collect();

    let values = (x.len() / count) as f32;
    let mut input = vec![0.0; x.len()];
    let planes = input.par_chunks_exact_mut(pixels);
    let given = x
        .par_chunks_exact(pixels)
        .zip(gradient.par_chunks_exact(pixels));
    planes
        .zip(given)
        .enumerate()
        .for_each(|(i, (out, (x, gradient)))| {
            let i = i % count;
            let channel = channels[i];
            let mean = sums[i].0 / values;
            let slope = sums[i].1 * inverse_std[i] / values;
            for ((out, &x), &gradient) in out.iter_mut().zip(x).zip(gradient) {
                let passed = if channel.apply(x) > floor {
                    gradient
                } else {
                    0.0
                };
                *out = channel.scale * (passed - mean - (x - channel.mean) * slope);
            }
        });
    Gradients {
        input,
        gamma: sums.iter().map(|sums| sums.1).collect(),
        beta: sums.iter().map(|sums| sums.0).collect(),
    }
}
