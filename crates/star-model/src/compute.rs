//! Mixed precision: what convolutions multiply while a network is trained.

use burn::tensor::backend::{Backend, DTypeUsage};
use burn::tensor::{DType, FloatDType, Tensor};

use crate::conv::convolve;

/// The numbers that convolutions multiply in training. Everything else is `f32` in any case: weights, what passes between
/// layers, biases, norms, soft-argmax.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Compute {
    /// `f32`.
    #[default]
    F32,
    /// Input, weight and result of each convolution rounded to `bf16` (8 bits instead of 24, the same range), and so are the
    /// gradients that come back to it. Panics on a device of [`Bf16Support::None`].
    Bf16,
}

/// What a device makes of [`Compute::Bf16`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bf16Support {
    /// Its matrix units multiply `bf16`: this is what it is for.
    Fast,
    /// It can round to `bf16` and multiplies in `f32`: the same numbers, to try a recipe with, no faster.
    Rounding,
    /// It does not know `bf16`.
    None,
}

impl Bf16Support {
    /// Of a device.
    pub fn of<B: Backend>(device: &B::Device) -> Self {
        let usage = B::dtype_usage(device, DType::BF16);
        if usage.contains(DTypeUsage::Accelerated) {
            Self::Fast
        } else if usage.contains(DTypeUsage::Storage) {
            Self::Rounding
        } else {
            Self::None
        }
    }
}

/// Whether matrix products of a device may round their `f32` factors: to TF32, where it has tensor cores.
pub(crate) fn rounds_products<B: Backend>(device: &B::Device) -> bool {
    B::dtype_usage(device, DType::F32).contains(DTypeUsage::Accelerated)
}

/// [`convolve`] in `bf16`; sums, the bias and what goes in and out are `f32`.
pub(crate) fn convolve_bf16<B: Backend>(
    x: Tensor<B, 4>,
    weight: Tensor<B, 4>,
    bias: Tensor<B, 1>,
    stride: usize,
) -> Tensor<B, 4> {
    let y = match Bf16Support::of::<B>(&x.device()) {
        Bf16Support::Fast => in_bf16(x, weight, stride),
        _ => in_rounded_f32(x, weight, stride),
    };
    let [output] = bias.dims();
    y + bias.reshape([1, output, 1, 1])
}

fn in_bf16<B: Backend>(x: Tensor<B, 4>, weight: Tensor<B, 4>, stride: usize) -> Tensor<B, 4> {
    convolve(bf16(x), bf16(weight), None, stride).cast(FloatDType::F32)
}

fn in_rounded_f32<B: Backend>(
    x: Tensor<B, 4>,
    weight: Tensor<B, 4>,
    stride: usize,
) -> Tensor<B, 4> {
    // The CPU's fast convolutions want a bias.
    let none = Tensor::zeros([weight.dims()[0]], &x.device());
    rounded(convolve(rounded(x), rounded(weight), Some(none), stride))
}

fn bf16<B: Backend>(x: Tensor<B, 4>) -> Tensor<B, 4> {
    x.cast(FloatDType::BF16)
}

/// The nearest `bf16`, as `f32`; its gradient is rounded alike.
fn rounded<B: Backend>(x: Tensor<B, 4>) -> Tensor<B, 4> {
    bf16(x).cast(FloatDType::F32)
}

#[cfg(all(test, feature = "flex"))]
mod tests;
