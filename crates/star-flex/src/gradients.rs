//! Tensors that have gradients, and steps of their graph.

use burn::{
    backend::{
        Autodiff, Flex,
        autodiff::{grads::Gradients, ops::Ops},
    },
    tensor::{Tensor, TensorPrimitive, backend::Backend, ops::FloatTensor},
};

use crate::tensors::{Floats, as_ref};

/// A tensor of this backend with gradients.
pub type Tracked<const D: usize> = Tensor<Autodiff<Flex>, D>;

/// The tensor under that type; `None` for another backend's.
pub fn tracked<B: Backend, const D: usize>(x: &Tensor<B, D>) -> Option<Tracked<D>> {
    as_ref::<_, Tracked<D>>(x).cloned()
}

/// What users of Burn see of a step's output.
pub fn graph<const D: usize>(y: FloatTensor<Autodiff<Flex>>) -> Tracked<D> {
    Tensor::from_primitive(TensorPrimitive::Float(y))
}

/// The gradient of a step's output.
///
/// # Panics
/// If it is not `f32`, which it is where the output is.
pub fn gradient_of<S, const N: usize>(ops: &Ops<S, N>, grads: &mut Gradients) -> Floats {
    let gradient = grads.consume::<Flex>(&ops.node);
    Floats::of(&gradient).expect("a gradient has the type of its tensor")
}
