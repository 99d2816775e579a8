//! The weights' gradient of a convolution with a step, which only the stem's first one has.
//!
//! Burn computes it as a convolution whose kernel is the gradient's whole map, unfolded: most of a step in a small network.

use rayon::prelude::*;

use super::matmul::{Matrix, add_product};

/// A square convolution with padding `kernel / 2` on all sides.
#[derive(Clone, Copy, Debug)]
pub(super) struct StridedShape {
    pub input: usize,
    pub output: usize,
    /// Of the input.
    pub height: usize,
    pub width: usize,
    pub kernel: usize,
    pub stride: usize,
    /// Height and width of the output.
    pub of_output: [usize; 2],
}

impl StridedShape {
    /// What each output pixel sees, `[input * kernel * kernel, output pixels]`, in the order of the weights.
    fn unfold(&self, face: &[f32]) -> Vec<f32> {
        let [h, w] = self.of_output;
        let taps = self.kernel * self.kernel;
        let mut unfolded = vec![0.0; self.input * taps * h * w];
        for (i, seen) in unfolded.chunks_exact_mut(h * w).enumerate() {
            let plane = &face[i / taps * self.height * self.width..][..self.height * self.width];
            let (down, right) = (i % taps / self.kernel, i % self.kernel);
            for (y, seen) in seen.chunks_exact_mut(w).enumerate() {
                let Some(row) = self.place(y, down).filter(|row| *row < self.height) else {
                    continue;
                };
                let row = &plane[row * self.width..][..self.width];
                // The first pixel that does not see the padding.
                let first = (self.kernel / 2)
                    .saturating_sub(right)
                    .div_ceil(self.stride);
                let Some(start) = self.place(first, right) else {
                    continue;
                };
                let from = row.get(start..).unwrap_or_default().iter();
                let to = seen.get_mut(first..).unwrap_or_default().iter_mut();
                to.zip(from.step_by(self.stride))
                    .for_each(|(to, from)| *to = *from);
            }
        }
        unfolded
    }

    /// The row or column of the input that tap `tap` of the kernel sees for output pixel `pixel`; `None` before the first.
    fn place(&self, pixel: usize, tap: usize) -> Option<usize> {
        (pixel * self.stride + tap).checked_sub(self.kernel / 2)
    }
}

/// `x [batch, input, h, w]`, `gradient [batch, output, ..]` -> `[output, input, kernel, kernel]`
pub(super) fn weight_gradient(x: &[f32], gradient: &[f32], shape: &StridedShape) -> Vec<f32> {
    let pixels = shape.of_output[0] * shape.of_output[1];
    let seen = shape.input * shape.kernel * shape.kernel;
    let batch = x.len() / (shape.input * shape.height * shape.width);
    assert_eq!(x.len(), batch * shape.input * shape.height * shape.width);
    assert_eq!(gradient.len(), batch * shape.output * pixels);
    let of_face = |(x, gradient): (&[f32], &[f32])| {
        let unfolded = shape.unfold(x);
        let mut weights = vec![0.0; shape.output * seen];
        add_product(
            [shape.output, seen, pixels],
            &mut weights,
            seen,
            Matrix::rows(gradient, pixels),
            Matrix::rows(&unfolded, pixels).transposed(),
        );
        weights
    };
    let faces = x.par_chunks_exact(shape.input * shape.height * shape.width);
    let each: Vec<Vec<f32>> = faces
        .zip(gradient.par_chunks_exact(shape.output * pixels))
        .map(of_face)
        .collect();
    // Added in order, so that rounding does not depend on the number of threads.
    let mut sum = vec![0.0; shape.output * seen];
    for weights in each {
        sum.iter_mut()
            .zip(weights)
            .for_each(|(sum, weight)| *sum += weight);
    }
    sum
}
