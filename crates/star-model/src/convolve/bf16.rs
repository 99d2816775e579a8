//! Convolutions in `bf16`, by the device's own products where it has them.

use burn::tensor::backend::Backend;
use burn::tensor::{FloatDType, Tensor};

use super::convolve;
use crate::compute::Bf16Support;

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
