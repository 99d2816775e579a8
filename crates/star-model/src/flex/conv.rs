//! Convolution and its gradients as matrix products, without unfolding the input.
//!
//! The input is padded with zeros, so that its rows are `width + 2 * padding` long. Seen as one long row, a step of the kernel
//! is then the same shift for every pixel, and the convolution is the sum over the kernel's taps of a matrix product with the
//! shifted input. The last columns of each row come out meaningless (they run over the row's end) and are left out.

use std::borrow::Cow;
use std::mem::MaybeUninit;

use rayon::prelude::*;

use super::conv_shape::ConvShape;
use super::matmul::{Matrix, add_product};
use super::winograd;

/// Output channels computed together. Fixed, so that rounding does not depend on the number of threads.
pub(super) const CHANNELS: usize = 64;
/// About how many pixels are computed together: what a task touches should stay in the cache.
const PIXELS: usize = 1024;

/// `x [batch, input, h, w]`, `weight [output, input, kernel, kernel]`, `bias [output]` -> `[batch, output, h, w]`, negative values
/// cut off if asked for
///
/// # Panics
/// When a slice has another length than the shape says; so do the gradients.
pub(super) fn forward(
    x: &[f32],
    weight: &[f32],
    bias: &[f32],
    relu: bool,
    shape: ConvShape,
) -> Vec<f32> {
    assert_eq!(weight.len(), shape.weight_len());
    assert_eq!(bias.len(), shape.output);
    convolve(x, &by_tap(weight, shape), Some(bias), relu, shape)
}

/// The gradient of the input, `[batch, input, h, w]`, from that of the output: the convolution with the kernel turned round.
pub(super) fn input_gradient(gradient: &[f32], weight: &[f32], shape: ConvShape) -> Vec<f32> {
    assert_eq!(weight.len(), shape.weight_len());
    let (output, input) = (shape.output, shape.input);
    let taps = by_tap(weight, shape);
    let mut turned = Vec::with_capacity(taps.len());
    for tap in taps.chunks_exact(output * input).rev() {
        for i in 0..input {
            turned.extend(tap.chunks_exact(input).map(|row| row[i]));
        }
    }
    convolve(gradient, &turned, None, false, shape.reversed())
}

/// `[output, input, kernel, kernel]` -> a matrix `[output, input]` for each tap of the kernel.
fn by_tap(weight: &[f32], shape: ConvShape) -> Cow<'_, [f32]> {
    let taps = shape.taps();
    if taps == 1 {
        return Cow::Borrowed(weight);
    }
    let mut matrices = vec![0.0; weight.len()];
    for (tap, matrix) in matrices.chunks_exact_mut(weight.len() / taps).enumerate() {
        for (to, from) in matrix.iter_mut().zip(weight.chunks_exact(taps)) {
            *to = from[tap];
        }
    }
    Cow::Owned(matrices)
}

fn convolve(
    x: &[f32],
    taps: &[f32],
    bias: Option<&[f32]>,
    relu: bool,
    shape: ConvShape,
) -> Vec<f32> {
    assert_eq!(x.len(), shape.input_len());
    if winograd::pays(&shape) {
        return winograd::convolve(x, taps, bias, relu, &shape);
    }
    let (input, output, pixels) = (shape.input, shape.output, shape.pixels());
    let len = shape.output_len();
    let mut values = Vec::with_capacity(len);
    let faces = values.spare_capacity_mut()[..len].par_chunks_exact_mut(output * pixels);
    faces
        .zip(x.par_chunks_exact(input * pixels))
        .for_each(|(y, x)| {
            let padded = (shape.kernel > 1).then(|| shape.padded(x));
            y.par_chunks_mut(CHANNELS * pixels)
                .enumerate()
                .for_each(|(block, y)| {
                    let first = block * CHANNELS;
                    let y = filled(y, pixels, bias.map(|bias| &bias[first..]));
                    match &padded {
                        None => add_product(
                            [y.len() / pixels, pixels, input],
                            y,
                            pixels,
                            Matrix::rows(taps, input).from(first * input),
                            Matrix::rows(x, pixels),
                        ),
                        Some(padded) => convolve_padded(padded, taps, first, y, shape),
                    }
                    if relu {
                        y.iter_mut()
                            .for_each(|y| *y = super::norm::at_least(*y, 0.0));
                    }
                });
        });
    // SAFETY: there is room for them, and every block of every face was filled: `x` has as many faces as the output, as was checked,
    // so that pairing the two leaves none out.
    unsafe { values.set_len(len) };
    values
}

/// Memory that was never written to, `pixels` a channel, with the channel's bias everywhere.
fn filled<'a>(
    memory: &'a mut [MaybeUninit<f32>],
    pixels: usize,
    bias: Option<&[f32]>,
) -> &'a mut [f32] {
    for (channel, memory) in memory.chunks_mut(pixels).enumerate() {
        memory.fill(MaybeUninit::new(bias.map_or(0.0, |bias| bias[channel])));
    }
    // SAFETY: the chunks are all of it, and each was filled.
    unsafe { &mut *(memory as *mut [MaybeUninit<f32>] as *mut [f32]) }
}

/// Adds the channels from `first` on to `y [some, h, w]`, a few rows at a time.
fn convolve_padded(padded: &[f32], taps: &[f32], first: usize, y: &mut [f32], shape: ConvShape) {
    let (input, pixels, row) = (shape.input, shape.pixels(), shape.padded_width());
    let channels = y.len() / pixels;
    let rows = (PIXELS / row).clamp(1, shape.height);
    let mut sums = vec![0.0; channels * rows * row];
    for top in (0..shape.height).step_by(rows) {
        let rows = rows.min(shape.height - top);
        let len = rows * row;
        let sums = &mut sums[..channels * len];
        sums.fill(0.0);
        for (tap, matrix) in taps.chunks_exact(shape.output * input).enumerate() {
            add_product(
                [channels, len, input],
                sums,
                len,
                Matrix::rows(matrix, input).from(first * input),
                Matrix::rows(padded, shape.padded_len()).from(top * row + shape.shift(tap)),
            );
        }
        for (y, sums) in y.chunks_exact_mut(pixels).zip(sums.chunks_exact(len)) {
            let y = y[top * shape.width..].chunks_exact_mut(shape.width);
            for (y, sums) in y.zip(sums.chunks_exact(row)) {
                for (y, sum) in y.iter_mut().zip(sums) {
                    *y += sum;
                }
            }
        }
    }
}
