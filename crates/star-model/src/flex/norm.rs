//! Batch normalisation with the ReLU behind it, in as few passes over memory as there can be.

use std::mem::MaybeUninit;

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

/// # Panics
/// Unless `x` is of whole faces `[channels, pixels]`.
fn assert_whole(x: &[f32], channels: usize, pixels: usize) {
    assert!(
        (channels * pixels) > 0 && x.len().is_multiple_of(channels * pixels),
        "{} values are no faces of {channels} channels of {pixels} pixels",
        x.len()
    );
}

/// Mean and biased variance of each channel of `[batch, channels, pixels]`.
///
/// Two passes: a single one loses the digits that matter where |mean| >> std.
pub(super) fn statistics(x: &[f32], channels: usize, pixels: usize) -> Vec<(f32, f32)> {
    assert_whole(x, channels, pixels);
    let count = (x.len() / channels) as f64;
    let one = |channel: usize| {
        let planes = || x.chunks_exact(pixels).skip(channel).step_by(channels);
        let mean = (planes().map(sum).sum::<f64>() / count) as f32;
        let squares = planes().map(|plane| super::sum_of(plane, |x| (x - mean) * (x - mean)));
        (mean, (squares.sum::<f64>() / count) as f32)
    };
    (0..channels).into_par_iter().map(one).collect()
}

/// The value, or `floor` where it is less. Not `max`: a value that is not a number stays one.
pub(super) fn at_least(value: f32, floor: f32) -> f32 {
    if value < floor { floor } else { value }
}

/// `[batch, channels, pixels]`, same shape out.
pub(super) fn forward(x: &[f32], channels: &[Channel], relu: bool, pixels: usize) -> Vec<f32> {
    assert_whole(x, channels.len(), pixels);
    let floor = if relu { 0.0 } else { f32::NEG_INFINITY };
    let write = |i: usize, y: &mut [MaybeUninit<f32>]| {
        let channel = channels[i % channels.len()];
        let x = &x[i * pixels..][..y.len()];
        for (y, x) in y.iter_mut().zip(x) {
            y.write(at_least(channel.apply(*x), floor));
        }
    };
    // SAFETY: it writes a value for each of x, and slicing would have stopped it had there been fewer of x than of y.
    unsafe { by_plane(x.len(), pixels, write) }
}

/// `len` values, whose planes of `pixels` each are written side by side.
///
/// # Safety
/// `write` must write every value of each plane it is given.
unsafe fn by_plane(
    len: usize,
    pixels: usize,
    write: impl Fn(usize, &mut [MaybeUninit<f32>]) + Sync,
) -> Vec<f32> {
    let mut values = Vec::with_capacity(len);
    let memory = &mut values.spare_capacity_mut()[..len];
    memory
        .par_chunks_mut(pixels)
        .enumerate()
        .for_each(|(i, plane)| write(i, plane));
    // SAFETY: there is room for them; the chunks are all of it, and each was written, as the caller promises.
    unsafe { values.set_len(len) };
    values
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
    assert_whole(x, channels.len(), pixels);
    assert_eq!(x.len(), gradient.len());
    assert_eq!(inverse_std.len(), channels.len());
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
    let write = |plane: usize, out: &mut [MaybeUninit<f32>]| {
        let i = plane % count;
        let channel = channels[i];
        let mean = sums[i].0 / values;
        let slope = sums[i].1 * inverse_std[i] / values;
        let first = plane * pixels;
        let (x, gradient) = (&x[first..][..out.len()], &gradient[first..][..out.len()]);
        for (out, (&x, &gradient)) in out.iter_mut().zip(x.iter().zip(gradient)) {
            let passed = if channel.apply(x) > floor {
                gradient
            } else {
                0.0
            };
            out.write(channel.scale * (passed - mean - (x - channel.mean) * slope));
        }
    };
    // SAFETY: it writes a value for each of x and of the gradient, and slicing would have stopped it had there been fewer of these
    // than of the output.
    let input = unsafe { by_plane(x.len(), pixels, write) };
    Gradients {
        input,
        gamma: sums.iter().map(|sums| sums.1).collect(),
        beta: sums.iter().map(|sums| sums.0).collect(),
    }
}

/// `1 / sqrt(variance + epsilon)`
pub(super) fn inverse_std(variance: f32, epsilon: f64) -> f32 {
    (1.0 / (f64::from(variance) + epsilon).sqrt()) as f32
}
