//! The activation of landmark heatmaps.

use burn::tensor::Tensor;
use burn::tensor::activation::relu;
use burn::tensor::backend::Backend;

use crate::batch_norm::EPSILON;

/// Every map to mean 0 and (biased) variance 1, then ReLU; the same in training and evaluation, no weights.
///
/// `[batch, points, h, w]`, same shape out. A constant map gives all zeros.
pub fn instance_norm_relu<B: Backend>(x: Tensor<B, 4>) -> Tensor<B, 4> {
    let [batch, points, h, w] = x.dims();
    let x = x.reshape([batch, points, h * w]);
    let centred = x.clone() - x.mean_dim(2);
    let variance = (centred.clone() * centred.clone()).mean_dim(2);
    let y = centred * (variance + EPSILON).sqrt().recip();
    relu(y).reshape([batch, points, h, w])
}
