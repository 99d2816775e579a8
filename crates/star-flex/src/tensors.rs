//! From tensors of any backend to slices and back.

use std::{any::Any, ops::Deref};

use burn::{
    backend::{
        Flex,
        flex::{FlexTensor, Layout},
    },
    tensor::{Bytes, DType, Shape, Tensor, TensorPrimitive},
};

/// The value under the type that it has, if it is that one.
pub fn as_ref<A: 'static, B: 'static>(value: &A) -> Option<&B> {
    (value as &dyn Any).downcast_ref()
}

/// The same value under the name that the caller knows its type by.
pub fn own<A: 'static, B: 'static>(value: A) -> Option<B> {
    let mut value = Some(value);
    (&mut value as &mut dyn Any)
        .downcast_mut::<Option<B>>()
        .and_then(Option::take)
}

/// A tensor's numbers; `None` if they are not `f32`.
pub fn floats<const D: usize>(tensor: &Tensor<Flex, D>) -> Option<Floats> {
    Floats::of(&tensor.clone().into_primitive().tensor())
}

/// What users of Burn see of the backend's tensor.
pub fn tensor<const D: usize>(tensor: FlexTensor) -> Tensor<Flex, D> {
    Tensor::from_primitive(TensorPrimitive::Float(tensor))
}

/// A tensor whose numbers are `f32`, one after another.
#[derive(Clone, Debug)]
pub struct Floats(FlexTensor);

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

    /// Of the tensor.
    pub fn shape(&self) -> Shape {
        self.0.layout().shape().clone()
    }

    /// The backend's tensor.
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

/// A tensor of numbers, as many as the shape says.
pub fn from_vec(values: Vec<f32>, shape: Shape) -> FlexTensor {
    FlexTensor::new(
        Bytes::from_elems(values),
        Layout::contiguous(shape),
        DType::F32,
    )
}
