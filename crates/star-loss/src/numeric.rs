//! Small tensor helpers whose value and gradient stay finite.

use burn::tensor::{Tensor, TensorData, backend::Backend};

/// A constant with the device and the dtype of `like`, so that f64 maps are computed in f64.
pub(crate) fn constant<B: Backend, const D: usize, const K: usize>(
    values: Vec<f64>,
    shape: [usize; D],
    like: &Tensor<B, K>,
) -> Tensor<B, D> {
    Tensor::from_data(
        TensorData::new(values, shape),
        (&like.device(), like.dtype()),
    )
}

/// Keeps divisors away from zero: values with `|x| < floor` become `floor`, without a gradient.
pub(crate) fn away_from_zero<B: Backend, const D: usize>(
    x: Tensor<B, D>,
    floor: f64,
) -> Tensor<B, D> {
    let mask = x.clone().detach().abs().lower_elem(floor);
    x.mask_fill(mask, floor)
}

/// `x` within `low..=high`, no gradient where it is not; NaN stays NaN.
///
/// Burn 0.21 fuses its own `clamp` into kernels that CUDA does not compile when `x` is one value a map and what follows is a whole row: the limits
/// are then vectors and `x` is not.
pub(crate) fn within<B: Backend, const D: usize>(
    x: Tensor<B, D>,
    low: f64,
    high: f64,
) -> Tensor<B, D> {
    let fixed = x.clone().detach();
    x.mask_fill(fixed.clone().greater_elem(high), high)
        .mask_fill(fixed.lower_elem(low), low)
}
