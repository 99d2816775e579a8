//! Mixed precision: what convolutions multiply while a network is trained.

use burn::tensor::DType;
use burn::tensor::backend::{Backend, DTypeUsage};

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
