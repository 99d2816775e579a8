//! From tensors of any backend to slices and back.

use std::any::Any;
use std::ops::Deref;

use burn::backend::flex::{FlexTensor, Layout};
use burn::backend::{Autodiff, Flex};
use burn::tensor::backend::Backend;
use burn::tensor::{Bytes, DType, Shape, Tensor, TensorPrimitive};

use super::autodiff;
use super::conv;
use super::norm::{self, Channel};
use super::pool;
use super::used::{Kernel, count};
use crate::batch_norm::EPSILON;

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
    let x = as_ref::<_, Tensor<Autodiff<Flex>, 4>>(x)?;
    let y = autodiff::convolve(x, as_ref(weight)?, as_ref(bias)?)?;
    count(Kernel::Convolution, own(y))
}

/// A convolution with a step; `None` where it is not this backend with gradients, for which Burn's is as good.
pub(crate) fn convolve_strided<B: Backend>(
    x: &Tensor<B, 4>,
    weight: &Tensor<B, 4>,
    bias: &Tensor<B, 1>,
    stride: usize,
) -> Option<Tensor<B, 4>> {
    let (x, weight) = (as_ref(x)?, as_ref(weight)?);
    let y = autodiff::convolve_strided(x, weight, as_ref(bias)?, stride)?;
    count(Kernel::StridedConvolution, own(y))
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
    let per_output = weight.chunks_exact(weight.len() / scale.len());
    let weight: Vec<f32> = (per_output.zip(scale.iter()))
        .flat_map(|(weights, scale)| weights.iter().map(move |weight| weight * scale))
        .collect();
    let bias: Vec<f32> = (bias.iter().zip(scale.iter()).zip(shift.iter()))
        .map(|((bias, scale), shift)| bias * scale + shift)
        .collect();
    let y = conv::forward(&x, &weight, &bias, true, shape);
    let y = tensor::<4>(from_vec(y, shape.output_shape()));
    count(Kernel::ConvolutionNormRelu, own(y))
}

/// What a batch norm in training gives.
pub(crate) struct Normalised<B: Backend> {
    /// `[batch, channels, h, w]`
    pub y: Tensor<B, 4>,
    /// Of the batch, `[channels]`; not tracked.
    pub mean: Tensor<B, 1>,
    /// Biased, `[channels]`; not tracked.
    pub variance: Tensor<B, 1>,
}

/// Batch norm by the batch's statistics and, if asked for, ReLU; `None` where it is not this backend with gradients.
pub(crate) fn norm_relu<B: Backend>(
    x: &Tensor<B, 4>,
    gamma: &Tensor<B, 1>,
    beta: &Tensor<B, 1>,
    relu: bool,
) -> Option<Normalised<B>> {
    let x = as_ref::<_, Tensor<Autodiff<Flex>, 4>>(x)?;
    let (y, mean, variance) = autodiff::norm_relu(x, as_ref(gamma)?, as_ref(beta)?, relu)?;
    let (y, mean, variance) = (own(y)?, own(mean)?, own(variance)?);
    count(Kernel::NormRelu, Some(Normalised { y, mean, variance }))
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
    count(Kernel::MaxPool, own(autodiff::max_pool(as_ref(x)?)?))
}

pub(super) fn max_pooled(x: &Floats) -> FlexTensor {
    let [batch, channels, h, w] = x.shape().dims();
    let y = pool::forward(x, [h, w]);
    from_vec(y, Shape::new([batch, channels, h / 2, w / 2]))
}

fn as_ref<A: 'static, B: 'static>(value: &A) -> Option<&B> {
    (value as &dyn Any).downcast_ref()
}

/// The same value under the name that the caller knows its type by.
fn own<A: 'static, B: 'static>(value: A) -> Option<B> {
    let mut value = Some(value);
    (&mut value as &mut dyn Any)
        .downcast_mut::<Option<B>>()
        .and_then(Option::take)
}

fn floats<const D: usize>(tensor: &Tensor<Flex, D>) -> Option<Floats> {
    Floats::of(&tensor.clone().into_primitive().tensor())
}

pub(super) fn tensor<const D: usize>(tensor: FlexTensor) -> Tensor<Flex, D> {
    Tensor::from_primitive(TensorPrimitive::Float(tensor))
}

/// A tensor whose numbers are `f32`, one after another.
#[derive(Clone, Debug)]
pub(super) struct Floats(FlexTensor);

impl Floats {
    /// `None` if they are not `f32`.
    ///
    /// # Panics
    /// If there are other than as many as the shape says, which would be Burn's fault: kernels rest on it.
    pub fn of(tensor: &FlexTensor) -> Option<Self> {
        (tensor.dtype() == DType::F32).then(|| {
            let floats = Self(match tensor.as_slice::<f32>() {
                Some(_) => tensor.clone(),
                None => tensor.to_contiguous(),
            });
            assert_eq!(floats.len(), floats.shape().num_elements());
            floats
        })
    }

    pub fn shape(&self) -> Shape {
        self.0.layout().shape().clone()
    }

    pub fn into_tensor(self) -> FlexTensor {
        self.0
    }
}

impl Deref for Floats {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        self.0
            .as_slice()
            .expect("`of` took f32 only and made it contiguous")
    }
}

pub(super) fn from_vec(values: Vec<f32>, shape: Shape) -> FlexTensor {
    FlexTensor::new(
        Bytes::from_elems(values),
        Layout::contiguous(shape),
        DType::F32,
    )
}

/// The shape of a convolution, `x` and `weight` as there.
pub(super) fn conv_shape(x: &Floats, weight: &Floats) -> conv::Shape {
    let [batch, input, height, width] = x.shape().dims();
    let [output, _, kernel, _] = weight.shape().dims();
    conv::Shape {
        batch,
        input,
        output,
        height,
        width,
        kernel,
    }
}

pub(super) fn conv_forward(
    x: &Floats,
    weight: &Floats,
    bias: &Floats,
    shape: conv::Shape,
) -> FlexTensor {
    let y = conv::forward(x, weight, bias, false, shape);
    from_vec(y, shape.output_shape())
}

impl conv::Shape {
    fn output_shape(&self) -> Shape {
        Shape::new([self.batch, self.output, self.height, self.width])
    }
}

/// `1 / sqrt(variance + epsilon)`
pub(super) fn inverse_std(variance: f32) -> f32 {
    (1.0 / (f64::from(variance) + EPSILON).sqrt()) as f32
}
