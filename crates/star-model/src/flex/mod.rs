//! Burn's CPU backend, the part of it that a hourglass spends its time in, faster.
//!
//! Convolutions of stride 1, batch norms and pooling, with gradients of their own. They are plain functions of slices; [`convolve`]
//! and its like say whether a tensor is one of this backend's, tracked or not, and leave all others to Burn's operations.
//! Tests hold values and gradients against those, and count that a kernel was used at all.
//! Whether shapes fit is checked where they come in, by the modules; kernels stop at lengths that do not.

#[cfg(feature = "autodiff")]
mod autodiff;
mod conv;
mod conv_shape;
mod dispatch;
mod matmul;
#[cfg(not(feature = "autodiff"))]
mod no_autodiff;
mod norm;
mod padding;
mod pool;
mod strided;
mod tensors;
mod transpose;
mod used;
mod weight_gradient;
mod winograd;

pub(crate) use dispatch::{
    convolve, convolve_scale_relu, convolve_strided, max_pool, norm_relu, scale_relu,
};
pub use used::{Kernel, kernel_calls};

/// Partial sums side by side: what makes a sum fast, and more exact.
const LANES: usize = 16;
/// Numbers that are summed in single precision before they go on in double.
const RUN: usize = 64 * LANES;

fn sum(values: &[f32]) -> f64 {
    sum_of(values, |value| value)
}

fn sum_of(values: &[f32], of: impl Fn(f32) -> f32) -> f64 {
    let run = |run: &[f32]| {
        let mut sums = [0f32; LANES];
        let mut chunks = run.chunks_exact(LANES);
        for chunk in &mut chunks {
            for (sum, value) in sums.iter_mut().zip(chunk) {
                *sum += of(*value);
            }
        }
        for (sum, value) in sums.iter_mut().zip(chunks.remainder()) {
            *sum += of(*value);
        }
        f64::from(sums.iter().sum::<f32>())
    };
    values.chunks(RUN).map(run).sum()
}

/// Two sums over two slices in one pass.
fn two_sums_of(a: &[f32], b: &[f32], of: impl Fn(f32, f32) -> (f32, f32)) -> (f64, f64) {
    let (mut first, mut second) = (0.0, 0.0);
    for (a, b) in a.chunks(RUN).zip(b.chunks(RUN)) {
        let (mut firsts, mut seconds) = ([0f32; LANES], [0f32; LANES]);
        for (a, b) in a.chunks(LANES).zip(b.chunks(LANES)) {
            for (lane, (a, b)) in a.iter().zip(b).enumerate() {
                let (x, y) = of(*a, *b);
                firsts[lane] += x;
                seconds[lane] += y;
            }
        }
        first += f64::from(firsts.iter().sum::<f32>());
        second += f64::from(seconds.iter().sum::<f32>());
    }
    (first, second)
}
