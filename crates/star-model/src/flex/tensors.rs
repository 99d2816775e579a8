//! Kernels of slices as functions of tensors.

use burn::backend::flex::FlexTensor;
use burn::tensor::backend::Backend;
use burn::tensor::{Shape, Tensor};
use star_flex::{Floats, from_vec};

use super::conv;
use super::conv_shape::ConvShape;
use super::pool;

/// What a batch norm in training gives.
pub(crate) struct Normalised<B: Backend> {
    /// `[batch, channels, h, w]`
    pub y: Tensor<B, 4>,
    /// Of the batch, `[channels]`; not tracked.
    pub mean: Tensor<B, 1>,
    /// Biased, `[channels]`; not tracked.
    pub variance: Tensor<B, 1>,
}

pub(super) fn max_pooled(x: &Floats) -> FlexTensor {
    let [batch, channels, h, w] = x.shape().dims();
    let y = pool::forward(x, [h, w]);
    from_vec(y, Shape::new([batch, channels, h / 2, w / 2]))
}

/// The shape of a convolution, `x` and `weight` as there.
pub(super) fn conv_shape(x: &Floats, weight: &Floats) -> ConvShape {
    let [batch, input, height, width] = x.shape().dims();
    let [output, _, kernel, _] = weight.shape().dims();
    ConvShape {
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
    shape: ConvShape,
) -> FlexTensor {
    let y = conv::forward(x, weight, bias, false, shape);
    from_vec(y, shape.output_shape())
}

impl ConvShape {
    pub fn output_shape(&self) -> Shape {
        Shape::new([self.batch, self.output, self.height, self.width])
    }
}
