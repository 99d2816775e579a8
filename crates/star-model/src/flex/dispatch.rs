//! Which kernel an operation takes, by the type of its tensors.

use burn::backend::Flex;
use burn::tensor::Tensor;
use burn::tensor::backend::Backend;
use star_flex::{as_ref, floats, from_vec, own, tensor};

#[cfg(feature = "autodiff")]
use super::autodiff as with_gradients;
use super::conv;
#[cfg(not(feature = "autodiff"))]
use super::no_autodiff as with_gradients;
use super::norm::{self, Channel};
use super::tensors::{Normalised, conv_forward, conv_shape, max_pooled};
use super::used::{Kernel, count};

/// A "same" convolution of stride 1; `None` for other backends and for other numbers than `f32`.
pub(crate) fn convolve<B: Backend>(
    x: &Tensor<B, 4>,
    weight: &Tensor<B, 4>,
    bias: &Tensor<B, 1>,
) -> Option<Tensor<B, 4>> {
    if let Some(x) = as_ref::<_, Tensor<Flex, 4>>(x) {
        let [x, weight] = [x, as_ref(weight)?].map(floats);
        let (x, weight, bias) = (x?, weight?, floats::<1>(as_ref(bias)?)?);
        let y = conv_forward(&x, &weight, &bias, conv_shape(&x, &weight));
        return count(Kernel::Convolution, own(tensor::<4>(y)));
    }
    count(
        Kernel::Convolution,
        with_gradients::convolve(x, weight, bias),
    )
}

/// A convolution with a step; `None` where it is not this backend with gradients, for which Burn's is as good.
pub(crate) fn convolve_strided<B: Backend>(
    x: &Tensor<B, 4>,
    weight: &Tensor<B, 4>,
    bias: &Tensor<B, 1>,
    stride: usize,
) -> Option<Tensor<B, 4>> {
    count(
        Kernel::StridedConvolution,
        with_gradients::convolve_strided(x, weight, bias, stride),
    )
}

/// ReLU of the convolution times `scale` plus `shift`, `[output]` each: a batch norm with fixed statistics costs nothing more
/// when it is multiplied into the weights. `None` where it is not this backend without gradients.
pub(crate) fn convolve_scale_relu<B: Backend>(
    x: &Tensor<B, 4>,
    weight: &Tensor<B, 4>,
    bias: &Tensor<B, 1>,
    scale: &Tensor<B, 1>,
    shift: &Tensor<B, 1>,
) -> Option<Tensor<B, 4>> {
    let (x, weight) = (floats::<4>(as_ref(x)?)?, floats::<4>(as_ref(weight)?)?);
    let [bias, scale, shift] = [bias, scale, shift].map(|v| floats::<1>(as_ref(v)?));
    let (bias, scale, shift) = (bias?, scale?, shift?);
    let shape = conv_shape(&x, &weight);
    let mut folded = Vec::with_capacity(weight.len());
    let per_output = weight.chunks_exact(weight.len() / scale.len());
    for (weights, scale) in per_output.zip(scale.iter()) {
        // A slice's length is known: `extend` writes whole vectors where collecting a `flat_map` goes number by number.
        folded.extend(weights.iter().map(|weight| weight * scale));
    }
    let bias: Vec<f32> = (bias.iter().zip(scale.iter()).zip(shift.iter()))
        .map(|((bias, scale), shift)| bias * scale + shift)
        .collect();
    let y = conv::forward(&x, &folded, &bias, true, shape);
    let y = tensor::<4>(from_vec(y, shape.output_shape()));
    count(Kernel::ConvolutionNormRelu, own(y))
}

/// Batch norm by the batch's statistics and, if asked for, ReLU; `None` where it is not this backend with gradients.
pub(crate) fn norm_relu<B: Backend>(
    x: &Tensor<B, 4>,
    gamma: &Tensor<B, 1>,
    beta: &Tensor<B, 1>,
    epsilon: f64,
    relu: bool,
) -> Option<Normalised<B>> {
    count(
        Kernel::NormRelu,
        with_gradients::norm_relu(x, gamma, beta, epsilon, relu),
    )
}

/// `x * scale + shift` for each channel and, if asked for, ReLU; `None` where it is not this backend without gradients.
pub(crate) fn scale_relu<B: Backend>(
    x: &Tensor<B, 4>,
    scale: &Tensor<B, 1>,
    shift: &Tensor<B, 1>,
    relu: bool,
) -> Option<Tensor<B, 4>> {
    let x = floats::<4>(as_ref(x)?)?;
    let [scale, shift] = [scale, shift].map(|values| floats::<1>(as_ref(values)?));
    let channels: Vec<_> = (scale?.iter().zip(shift?.iter()))
        .map(|(&scale, &shift)| Channel {
            mean: 0.0,
            scale,
            shift,
        })
        .collect();
    let [_, _, h, w] = x.shape().dims();
    let y = norm::forward(&x, &channels, relu, h * w);
    count(Kernel::ScaleRelu, own(tensor::<4>(from_vec(y, x.shape()))))
}

/// The maximum of 2x2 pixels, an odd last row or column left out; `None` where it is not this backend.
pub(crate) fn max_pool<B: Backend>(x: &Tensor<B, 4>) -> Option<Tensor<B, 4>> {
    if let Some(x) = as_ref(x) {
        let y = tensor::<4>(max_pooled(&floats::<4>(x)?));
        return count(Kernel::MaxPool, own(y));
    }
    count(Kernel::MaxPool, with_gradients::max_pool(x))
}
