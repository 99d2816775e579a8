//! Pre-activation residual bottleneck.

use burn::module::Module;
use burn::tensor::Tensor;
use burn::tensor::backend::Backend;

use crate::batch_norm::BatchNorm;
use crate::conv::ConvConfig;
use crate::conv_block::ConvBlock;
use crate::mode::Mode;

/// Three times norm, ReLU, convolution (1x1 to half of the output's channels, 3x3, 1x1), added to the input.
///
/// The input goes through a 1x1 convolution on the way if its channels differ. Published weight files hold that
/// convolution for every block; where the channels agree it is never computed, and it does not exist here.
#[derive(Module, Debug)]
pub struct ResBlock<B: Backend> {
    /// Before `conv1`.
    pub bn1: BatchNorm<B>,
    /// 1x1, to half of the output's channels.
    pub conv1: ConvBlock<B>,
    /// Before `conv2`.
    pub bn2: BatchNorm<B>,
    /// 3x3.
    pub conv2: ConvBlock<B>,
    /// Before `conv3`.
    pub bn3: BatchNorm<B>,
    /// 1x1, to the output's channels.
    pub conv3: ConvBlock<B>,
    /// 1x1 around the block.
    pub skip_layer: Option<ConvBlock<B>>,
}

impl<B: Backend> ResBlock<B> {
    /// From `input` to `output` channels.
    pub fn new(input: usize, output: usize, device: &B::Device) -> Self {
        let inner = output / 2;
        Self {
            bn1: BatchNorm::new(input, device),
            conv1: ConvBlock::plain(ConvConfig::new(input, inner, 1), device),
            bn2: BatchNorm::new(inner, device),
            conv2: ConvBlock::plain(ConvConfig::new(inner, inner, 3), device),
            bn3: BatchNorm::new(inner, device),
            conv3: ConvBlock::plain(ConvConfig::new(inner, output, 1), device),
            skip_layer: (input != output)
                .then(|| ConvBlock::plain(ConvConfig::new(input, output, 1), device)),
        }
    }

    /// `[batch, input, h, w]` -> `[batch, output, h, w]`
    ///
    /// # Panics
    /// If `x` has another number of channels, or no pixels.
    pub fn forward(&self, x: Tensor<B, 4>, mode: Mode) -> Tensor<B, 4> {
        let y = self.bn1.forward_relu(x.clone(), mode);
        let y = self.conv1.conv.forward_norm_relu(y, &self.bn2, mode);
        let y = self.conv2.conv.forward_norm_relu(y, &self.bn3, mode);
        let y = self.conv3.forward(y, mode);
        match &self.skip_layer {
            Some(skip) => y + skip.forward(x, mode),
            None => y + x,
        }
    }

    pub(crate) fn unshared(&self) -> Self {
        Self {
            bn1: self.bn1.unshared(),
            bn2: self.bn2.unshared(),
            bn3: self.bn3.unshared(),
            ..self.clone()
        }
    }
}
