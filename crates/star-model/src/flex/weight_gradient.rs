//! The gradients of a convolution's weights and biases.

use rayon::prelude::*;

use super::conv::CHANNELS;
use super::conv_shape::ConvShape;
use super::matmul::{Matrix, add_product};

/// Faces whose transposed copies are in memory together while the weights' gradient is summed.
const FACES: usize = 4;

/// The gradients of weight and bias.
pub(super) fn of_weights(x: &[f32], gradient: &[f32], shape: ConvShape) -> (Vec<f32>, Vec<f32>) {
    assert_eq!(x.len(), shape.input_len());
    assert_eq!(gradient.len(), shape.output_len());
    let (input, output, pixels) = (shape.input, shape.output, shape.pixels());
    let (row, padding) = (shape.padded_width(), shape.padding());
    let places = shape.height * row;
    let mut taps = vec![0.0; shape.taps() * output * input];
    let some_x = x.chunks(FACES * input * pixels);
    for (x, gradient) in some_x.zip(gradient.chunks(FACES * output * pixels)) {
        let faces = x.par_chunks_exact(input * pixels);
        let faces = faces.zip(gradient.par_chunks_exact(output * pixels));
        let faces: Vec<(Vec<f32>, Vec<f32>)> = faces
            .map(|(x, gradient)| {
                (
                    shape.channels_last(x, shape.padded_len(), padding * row + padding),
                    shape.channels_last(gradient, places, 0),
                )
            })
            .collect();
        let matrices = taps.par_chunks_mut(output * input).enumerate();
        matrices.for_each(|(tap, out)| {
            let blocks = out.par_chunks_mut(CHANNELS * input).enumerate();
            blocks.for_each(|(block, out)| {
                for (x, gradient) in &faces {
                    let gradient = Matrix::rows(gradient, output).from(block * CHANNELS);
                    let x = Matrix::rows(x, input).from(shape.shift(tap) * input);
                    let sizes = [out.len() / input, input, places];
                    add_product(sizes, out, input, gradient.transposed(), x);
                }
            });
        });
    }
    let mut weight = vec![0.0; taps.len()];
    for (tap, values) in taps.chunks_exact(output * input).enumerate() {
        let places = weight.chunks_exact_mut(shape.taps());
        for (to, from) in places.zip(values) {
            to[tap] = *from;
        }
    }
    (weight, channel_sums(gradient, output, pixels))
}

/// `[batch, channels, pixels]` -> `[channels]`
pub(super) fn channel_sums(values: &[f32], channels: usize, pixels: usize) -> Vec<f32> {
    let sum = |channel: usize| {
        let planes = values.chunks_exact(pixels).skip(channel).step_by(channels);
        planes.map(super::sum).sum::<f64>() as f32
    };
    (0..channels).into_par_iter().map(sum).collect()
}
