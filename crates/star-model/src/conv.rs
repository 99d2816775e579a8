//! Convolution with the layout, the names and the initial values of the published one.

use burn::module::{Initializer, Module, Param};
use burn::tensor::Tensor;
use burn::tensor::backend::Backend;

use crate::batch_norm::BatchNorm;
use crate::compute::Compute;
use crate::convolve::{assert_convolvable, convolve, convolve_bf16};
use crate::mode::Mode;

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
