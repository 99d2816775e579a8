//! Convolution and its gradients as matrix products, without unfolding the input.
//!
//! The input gets a frame of zeros, so that its rows are `width + 2 * padding` long. Seen as one long row, a step of the kernel
//! is then the same shift for every pixel, and the convolution is the sum over the kernel's cells of a matrix product with the
//! shifted input. The last columns of each row come out meaningless (they run over the row's end) and are left out.

use std::borrow::Cow;
use std::mem::MaybeUninit;

use rayon::prelude::*;

use super::matmul::{Matrix, add_product};
use super::winograd;

/// Output channels computed together. Fixed, so that rounding does not depend on the number of threads.
const CHANNELS: usize = 64;
/// About how many pixels are computed together: what a task touches should stay in the cache.
const PIXELS: usize = 1024;
/// Side of the squares that are transposed together.
const SQUARE: usize = 4;
/// Faces whose transposed copies are in memory together while the weights' gradient is summed.
const FACES: usize = 4;

/// A "same" convolution of stride 1.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shape {
    pub batch: usize,
    pub input: usize,
    pub output: usize,
    pub height: usize,
    pub width: usize,
    /// Odd.
    pub kernel: usize,
}

impl Shape {
    fn pixels(&self) -> usize {
        self.height * self.width
    }

    /// Of `[batch, input, h, w]`.
    fn input_len(&self) -> usize {
        self.batch * self.input * self.pixels()
    }

    /// Of `[batch, output, h, w]`.
    fn output_len(&self) -> usize {
        self.batch * self.output * self.pixels()
    }

    /// Of `[output, input, kernel, kernel]`.
    fn weight_len(&self) -> usize {
        self.output * self.input * self.cells()
    }

    fn padding(&self) -> usize {
        self.kernel / 2
    }

    fn cells(&self) -> usize {
        self.kernel * self.kernel
    }

    /// Length of a row with its frame.
    fn framed_width(&self) -> usize {
        self.width + 2 * self.padding()
    }

    /// Length of a channel with its frame, and what the last shift reaches over the end.
    fn framed_len(&self) -> usize {
        (self.height + 2 * self.padding()) * self.framed_width() + 2 * self.padding()
    }

    /// How far cell `cell` of the kernel reads behind the first one.
    fn shift(&self, cell: usize) -> usize {
        cell / self.kernel * self.framed_width() + cell % self.kernel
    }

    /// The convolution that carries gradients from the output to the input.
    fn reversed(self) -> Self {
        Self {
            input: self.output,
            output: self.input,
            ..self
        }
    }

    /// The channels `[channels, height, width]` of a face in a frame of zeros.
    fn framed(&self, face: &[f32]) -> Vec<f32> {
        let (row, padding) = (self.framed_width(), self.padding());
        let mut framed = vec![0.0; face.len() / self.pixels() * self.framed_len()];
        let channels = framed.chunks_exact_mut(self.framed_len());
        for (to, from) in channels.zip(face.chunks_exact(self.pixels())) {
            let to = to[padding * row + padding..].chunks_mut(row);
            for (to, from) in to.zip(from.chunks_exact(self.width)) {
                to[..self.width].copy_from_slice(from);
            }
        }
        framed
    }

    /// The channels of a face `[channels, height, width]` as `[places, channels]`: the order that sums over pixels want.
    ///
    /// The first pixel is at place `start`, rows are as far apart as framed ones, what is between them is 0.
    fn channels_last(&self, face: &[f32], places: usize, start: usize) -> Vec<f32> {
        let channels = face.len() / self.pixels();
        let mut out = vec![0.0; places * channels];
        for y in 0..self.height {
            let to = &mut out[(start + y * self.framed_width()) * channels..];
            let row = &face[y * self.width..];
            transpose(
                row,
                self.pixels(),
                &mut to[..self.width * channels],
                channels,
            );
        }
        out
    }
}

/// Rows of `from`, `stride` apart and one for each of `columns`, become the columns of `to`.
///
/// In small squares, which stay in registers.
fn transpose(from: &[f32], stride: usize, to: &mut [f32], columns: usize) {
    let rows = to.len() / columns;
    for column in (0..columns).step_by(SQUARE) {
        for row in (0..rows).step_by(SQUARE) {
            if column + SQUARE <= columns && row + SQUARE <= rows {
                let mut square = [[0.0; SQUARE]; SQUARE];
                for (i, line) in square.iter_mut().enumerate() {
                    line.copy_from_slice(&from[(column + i) * stride + row..][..SQUARE]);
                }
                for i in 0..SQUARE {
                    let line = square.map(|line| line[i]);
                    to[(row + i) * columns + column..][..SQUARE].copy_from_slice(&line);
                }
            } else {
                for column in column..columns.min(column + SQUARE) {
                    for row in row..rows.min(row + SQUARE) {
                        to[row * columns + column] = from[column * stride + row];
                    }
                }
            }
        }
    }
}

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
    shape: Shape,
) -> Vec<f32> {
    assert_eq!(weight.len(), shape.weight_len());
    assert_eq!(bias.len(), shape.output);
    convolve(x, &by_cell(weight, shape), Some(bias), relu, shape)
}

/// The gradient of the input, `[batch, input, h, w]`, from that of the output: the convolution with the kernel turned round.
pub(super) fn input_gradient(gradient: &[f32], weight: &[f32], shape: Shape) -> Vec<f32> {
    assert_eq!(weight.len(), shape.weight_len());
    let (output, input) = (shape.output, shape.input);
    let cells = by_cell(weight, shape);
    let mut turned = Vec::with_capacity(cells.len());
    for cell in cells.chunks_exact(output * input).rev() {
        for i in 0..input {
            turned.extend(cell.chunks_exact(input).map(|row| row[i]));
        }
    }
    convolve(gradient, &turned, None, false, shape.reversed())
}

/// The gradients of weight and bias.
pub(super) fn weight_gradient(x: &[f32], gradient: &[f32], shape: Shape) -> (Vec<f32>, Vec<f32>) {
    assert_eq!(x.len(), shape.input_len());
    assert_eq!(gradient.len(), shape.output_len());
    let (input, output, pixels) = (shape.input, shape.output, shape.pixels());
    let (row, padding) = (shape.framed_width(), shape.padding());
    let places = shape.height * row;
    let mut cells = vec![0.0; shape.cells() * output * input];
    let some_x = x.chunks(FACES * input * pixels);
    for (x, gradient) in some_x.zip(gradient.chunks(FACES * output * pixels)) {
        let faces = x.par_chunks_exact(input * pixels);
        let faces = faces.zip(gradient.par_chunks_exact(output * pixels));
        let faces: Vec<(Vec<f32>, Vec<f32>)> = faces
            .map(|(x, gradient)| {
                (
                    shape.channels_last(x, shape.framed_len(), padding * row + padding),
                    shape.channels_last(gradient, places, 0),
                )
            })
            .collect();
        let matrices = cells.par_chunks_mut(output * input).enumerate();
        matrices.for_each(|(cell, out)| {
            let blocks = out.par_chunks_mut(CHANNELS * input).enumerate();
            blocks.for_each(|(block, out)| {
                for (x, gradient) in &faces {
                    let gradient = Matrix::rows(gradient, output).from(block * CHANNELS);
                    let x = Matrix::rows(x, input).from(shape.shift(cell) * input);
                    let sizes = [out.len() / input, input, places];
                    add_product(sizes, out, input, gradient.transposed(), x);
                }
            });
        });
    }
    let mut weight = vec![0.0; cells.len()];
    for (cell, values) in cells.chunks_exact(output * input).enumerate() {
        let places = weight.chunks_exact_mut(shape.cells());
        for (to, from) in places.zip(values) {
            to[cell] = *from;
        }
    }
    (weight, channel_sums(gradient, output, pixels))
}

/// `[output, input, kernel, kernel]` -> a matrix `[output, input]` for each cell of the kernel.
fn by_cell(weight: &[f32], shape: Shape) -> Cow<'_, [f32]> {
    let cells = shape.cells();
    if cells == 1 {
        return Cow::Borrowed(weight);
    }
    let mut matrices = vec![0.0; weight.len()];
    for (cell, matrix) in matrices.chunks_exact_mut(weight.len() / cells).enumerate() {
        for (to, from) in matrix.iter_mut().zip(weight.chunks_exact(cells)) {
            *to = from[cell];
        }
    }
    Cow::Owned(matrices)
}

fn convolve(x: &[f32], cells: &[f32], bias: Option<&[f32]>, relu: bool, shape: Shape) -> Vec<f32> {
    assert_eq!(x.len(), shape.input_len());
    if winograd::pays(&shape) {
        return winograd::convolve(x, cells, bias, relu, &shape);
    }
    let (input, output, pixels) = (shape.input, shape.output, shape.pixels());
    let len = shape.output_len();
    let mut values = Vec::with_capacity(len);
    let faces = values.spare_capacity_mut()[..len].par_chunks_exact_mut(output * pixels);
    faces
        .zip(x.par_chunks_exact(input * pixels))
        .for_each(|(y, x)| {
            let framed = (shape.kernel > 1).then(|| shape.framed(x));
            y.par_chunks_mut(CHANNELS * pixels)
                .enumerate()
                .for_each(|(block, y)| {
                    let first = block * CHANNELS;
                    let y = filled(y, pixels, bias.map(|bias| &bias[first..]));
                    match &framed {
                        None => add_product(
                            [y.len() / pixels, pixels, input],
                            y,
                            pixels,
                            Matrix::rows(cells, input).from(first * input),
                            Matrix::rows(x, pixels),
                        ),
                        Some(framed) => convolve_framed(framed, cells, first, y, shape),
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
fn convolve_framed(framed: &[f32], cells: &[f32], first: usize, y: &mut [f32], shape: Shape) {
    let (input, pixels, row) = (shape.input, shape.pixels(), shape.framed_width());
    let channels = y.len() / pixels;
    let rows = (PIXELS / row).clamp(1, shape.height);
    let mut sums = vec![0.0; channels * rows * row];
    for top in (0..shape.height).step_by(rows) {
        let rows = rows.min(shape.height - top);
        let len = rows * row;
        let sums = &mut sums[..channels * len];
        sums.fill(0.0);
        for (cell, matrix) in cells.chunks_exact(shape.output * input).enumerate() {
            add_product(
                [channels, len, input],
                sums,
                len,
                Matrix::rows(matrix, input).from(first * input),
                Matrix::rows(framed, shape.framed_len()).from(top * row + shape.shift(cell)),
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

/// `[batch, channels, pixels]` -> `[channels]`
pub(super) fn channel_sums(values: &[f32], channels: usize, pixels: usize) -> Vec<f32> {
    let sum = |channel: usize| {
        let planes = values.chunks_exact(pixels).skip(channel).step_by(channels);
        planes.map(super::sum).sum::<f64>() as f32
    };
    (0..channels).into_par_iter().map(sum).collect()
}
