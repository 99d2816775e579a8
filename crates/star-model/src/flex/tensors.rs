//! From tensors of any backend to slices and back.

use std::any::Any;
use std::ops::Deref;

use burn::backend::Flex;
use burn::backend::flex::{FlexTensor, Layout};
use burn::tensor::backend::Backend;
use burn::tensor::{Bytes, DType, Shape, Tensor, TensorPrimitive};

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

pub(crate) fn as_ref<A: 'static, B: 'static>(value: &A) -> Option<&B> {
    (value as &dyn Any).downcast_ref()
}

/// The same value under the name that the caller knows its type by.
pub(crate) fn own<A: 'static, B: 'static>(value: A) -> Option<B> {
    let mut value = Some(value);
    (&mut value as &mut dyn Any)
        .downcast_mut::<Option<B>>()
        .and_then(Option::take)
}

pub(crate) fn floats<const D: usize>(tensor: &Tensor<Flex, D>) -> Option<Floats> {
    Floats::of(&tensor.clone().into_primitive().tensor())
}

pub(crate) fn tensor<const D: usize>(tensor: FlexTensor) -> Tensor<Flex, D> {
    Tensor::from_primitive(TensorPrimitive::Float(tensor))
}

/// A tensor whose numbers are `f32`, one after another.
#[derive(Clone, Debug)]
pub(crate) struct Floats(FlexTensor);

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

pub(crate) fn from_vec(values: Vec<f32>, shape: Shape) -> FlexTensor {
    FlexTensor::new(
        Bytes::from_elems(values),
        Layout::contiguous(shape),
        DType::F32,
    )
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
