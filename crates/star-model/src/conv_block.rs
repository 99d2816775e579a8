//! Convolution, then perhaps a batch norm, then perhaps a ReLU.

use burn::module::Module;
use burn::tensor::Tensor;
use burn::tensor::backend::Backend;

use crate::batch_norm::BatchNorm;
use crate::conv::{Conv, ConvConfig};
use crate::mode::Mode;

/// A convolution, with batch norm and ReLU behind it or plain.
#[derive(Module, Debug)]
pub struct ConvBlock<B: Backend> {
    /// The convolution.
    pub conv: Conv<B>,
    /// With it comes the ReLU.
    pub bn: Option<BatchNorm<B>>,
}

impl<B: Backend> ConvBlock<B> {
    /// Only the convolution.
    pub fn plain(config: ConvConfig, device: &B::Device) -> Self {
        Self {
            conv: config.init(device),
            bn: None,
        }
    }

    /// Convolution, batch norm, ReLU.
    pub fn normalised(config: ConvConfig, device: &B::Device) -> Self {
        Self {
            conv: config.init(device),
            bn: Some(BatchNorm::new(config.output, device)),
        }
    }

    /// `[batch, input, h, w]` -> `[batch, output, ceil(h / stride), ceil(w / stride)]`
    ///
    /// # Panics
    /// If `x` has another number of channels, or no pixels.
    pub fn forward(&self, x: Tensor<B, 4>, mode: Mode) -> Tensor<B, 4> {
        match &self.bn {
            Some(bn) => self.conv.forward_norm_relu(x, bn, mode),
            None => self.conv.forward(x, mode),
        }
    }

    pub(crate) fn unshared(&self) -> Self {
        Self {
            bn: self.bn.as_ref().map(BatchNorm::unshared),
            ..self.clone()
        }
    }
}
