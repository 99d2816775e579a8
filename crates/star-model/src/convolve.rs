//! The one place that chooses how a convolution is computed.

mod bf16;

use burn::tensor::Tensor;
use burn::tensor::backend::Backend;
use burn::tensor::module::conv2d;
use burn::tensor::ops::ConvOptions;

use crate::batch_norm::per_channel;
use crate::shapes::assert_shapes;

pub(crate) use bf16::convolve_bf16;

/// # Panics
/// Unless `x [batch, input, h, w]`, `weight [output, input, kernel, kernel]` and `bias [output]` make a convolution that keeps the size.
#[track_caller]
pub(crate) fn assert_convolvable(x: [usize; 4], weight: [usize; 4], bias: [usize; 1]) {
    let rule = if x[1] != weight[1] {
        "the input must have as many channels as the weights"
    } else if bias[0] != weight[0] {
        "there must be as many biases as outputs"
    } else if weight[2] != weight[3] || weight[2].is_multiple_of(2) {
        "the kernel must be square, its side odd"
    } else if x[1..].contains(&0) || weight[0] == 0 {
        "channels and pixels must not be 0"
    } else {
        return;
    };
    let shapes = [("input", &x[..]), ("weight", &weight), ("bias", &bias)];
    assert_shapes(false, "convolution", rule, &shapes);
}

/// A square "same" convolution of shapes that [`assert_convolvable`], by the kernel that is fastest for its shape.
///
/// A pointwise one is a matrix product: Burn's CPU kernels for the gradients of a convolution treat it like any other
/// kernel size, which costs more than the products themselves.
pub(crate) fn convolve<B: Backend>(
    x: Tensor<B, 4>,
    weight: Tensor<B, 4>,
    bias: Option<Tensor<B, 1>>,
    stride: usize,
) -> Tensor<B, 4> {
    #[cfg(feature = "flex")]
    if let Some(bias) = &bias {
        let y = match stride {
            1 => crate::flex::convolve(&x, &weight, bias),
            _ => crate::flex::convolve_strided(&x, &weight, bias, stride),
        };
        if let Some(y) = y {
            return y;
        }
    }
    let [output, input, kernel, _] = weight.dims();
    if kernel == 1 && stride == 1 {
        let [batch, _, h, w] = x.dims();
        let y = weight
            .reshape([1, output, input])
            .matmul(x.reshape([batch, input, h * w]));
        let y = match bias {
            Some(bias) => y + per_channel(bias, batch),
            None => y,
        };
        y.reshape([batch, output, h, w])
    } else {
        let padding = (kernel - 1) / 2;
        let options = ConvOptions::new([stride, stride], [padding, padding], [1, 1], 1);
        conv2d(x, weight, bias, options)
    }
}
