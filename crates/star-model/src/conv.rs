//! Convolution with the layout, the names and the initial values of the published one.
//!
//! The one place that chooses how a convolution is computed.

use burn::module::{Initializer, Module, Param};
use burn::tensor::Tensor;
use burn::tensor::backend::Backend;
use burn::tensor::module::conv2d;
use burn::tensor::ops::ConvOptions;

use crate::batch_norm::{BatchNorm, per_channel};
use crate::compute::{Compute, convolve_bf16};
use crate::mode::Mode;
use crate::shapes::assert_shapes;

/// A square convolution that keeps the size (for stride 1): kernel `k`, padding `(k - 1) / 2`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConvConfig {
    /// Channels in.
    pub input: usize,
    /// Channels out.
    pub output: usize,
    /// Side of the kernel, odd.
    pub kernel: usize,
    /// Step of the kernel.
    pub stride: usize,
}

impl ConvConfig {
    /// A convolution of stride 1.
    pub fn new(input: usize, output: usize, kernel: usize) -> Self {
        Self {
            input,
            output,
            kernel,
            stride: 1,
        }
    }

    /// Sets the stride.
    pub fn with_stride(mut self, stride: usize) -> Self {
        self.stride = stride;
        self
    }

    /// Weights and biases uniform in ±1/√(input · kernel²): what the published program's framework does by default.
    ///
    /// # Panics
    /// If the kernel's side is even or the stride 0: there is no padding that keeps the size.
    pub fn init<B: Backend>(&self, device: &B::Device) -> Conv<B> {
        assert!(
            self.kernel % 2 == 1 && self.stride > 0,
            "a convolution's kernel must have an odd side and a stride of at least 1: {self:?}"
        );
        let fan_in = self.input * self.kernel * self.kernel;
        let bound = 1.0 / (fan_in.max(1) as f64).sqrt();
        let uniform = Initializer::Uniform {
            min: -bound,
            max: bound,
        };
        Conv {
            weight: uniform.init([self.output, self.input, self.kernel, self.kernel], device),
            bias: uniform.init([self.output], device),
            stride: self.stride,
        }
    }
}

/// See [`ConvConfig`].
#[derive(Module, Debug)]
pub struct Conv<B: Backend> {
    /// `[output, input, kernel, kernel]`
    pub weight: Param<Tensor<B, 4>>,
    /// `[output]`
    pub bias: Param<Tensor<B, 1>>,
    /// Step of the kernel.
    pub stride: usize,
}

impl<B: Backend> Conv<B> {
    /// `[batch, input, h, w]` -> `[batch, output, ceil(h / stride), ceil(w / stride)]`
    ///
    /// # Panics
    /// If `x` has another number of channels than the weights, or no pixels.
    pub fn forward(&self, x: Tensor<B, 4>, mode: Mode) -> Tensor<B, 4> {
        let (weight, bias) = (self.weight.val(), self.bias.val());
        assert_convolvable(x.dims(), weight.dims(), bias.dims());
        match mode {
            Mode::Train(Compute::Bf16) => convolve_bf16(x, weight, bias, self.stride),
            Mode::Train(Compute::F32) | Mode::Eval => convolve(x, weight, Some(bias), self.stride),
        }
    }

    /// Convolution, then `norm` of its output, then ReLU.
    ///
    /// # Panics
    /// As [`forward`](Self::forward), and if `norm` has another number of channels than the output.
    pub fn forward_norm_relu(
        &self,
        x: Tensor<B, 4>,
        norm: &BatchNorm<B>,
        mode: Mode,
    ) -> Tensor<B, 4> {
        #[cfg(feature = "flex")]
        if (self.stride, mode) == (1, Mode::Eval) {
            let (weight, bias) = (self.weight.val(), self.bias.val());
            let ([batch, _, h, w], [output]) = (x.dims(), bias.dims());
            assert_convolvable(x.dims(), weight.dims(), bias.dims());
            norm.assert_fits([batch, output, h, w]);
            let (scale, shift) = norm.scale_and_shift();
            let y = crate::flex::convolve_scale_relu(&x, &weight, &bias, &scale, &shift);
            if let Some(y) = y {
                return y;
            }
        }
        norm.forward_relu(self.forward(x, mode), mode)
    }
}

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
