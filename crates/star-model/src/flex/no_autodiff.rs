//! What stands for `autodiff` in a build without that feature: no tensor has gradients.

use burn::tensor::Tensor;
use burn::tensor::backend::Backend;

use super::tensors::Normalised;

pub(super) fn convolve<B: Backend>(
    _x: &Tensor<B, 4>,
    _weight: &Tensor<B, 4>,
    _bias: &Tensor<B, 1>,
) -> Option<Tensor<B, 4>> {
    None
}

pub(super) fn convolve_strided<B: Backend>(
    _x: &Tensor<B, 4>,
    _weight: &Tensor<B, 4>,
    _bias: &Tensor<B, 1>,
    _stride: usize,
) -> Option<Tensor<B, 4>> {
    None
}

pub(super) fn norm_relu<B: Backend>(
    _x: &Tensor<B, 4>,
    _gamma: &Tensor<B, 1>,
    _beta: &Tensor<B, 1>,
    _epsilon: f64,
    _relu: bool,
) -> Option<Normalised<B>> {
    None
}

pub(super) fn max_pool<B: Backend>(_x: &Tensor<B, 4>) -> Option<Tensor<B, 4>> {
    None
}
