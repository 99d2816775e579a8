//! From the image to the first features, a quarter of its size.

use burn::module::Module;
use burn::tensor::Tensor;
use burn::tensor::backend::Backend;

use crate::conv::ConvConfig;
use crate::conv_block::ConvBlock;
use crate::coord::{COORD_CHANNELS, append_coords};
use crate::hourglass::max_pool;
use crate::mode::Mode;
use crate::residual::ResBlock;

/// Channels of an image.
pub(crate) const IMAGE_CHANNELS: usize = 3;

/// Channels the first convolution sees.
pub(crate) fn image_channels(coord: bool) -> usize {
    IMAGE_CHANNELS + if coord { COORD_CHANNELS } else { 0 }
}

/// A 7x7 convolution of stride 2, a block, pooling, two blocks.
///
/// The first convolution has `stem` channels, the first two blocks twice as many (published: 64 and 128).
#[derive(Module, Debug)]
pub struct Stem<B: Backend> {
    /// 7x7, stride 2, with the coordinate channels if there are any.
    pub conv: ConvBlock<B>,
    /// Before the pooling.
    pub block1: ResBlock<B>,
    /// Behind the pooling.
    pub block2: ResBlock<B>,
    /// To the hourglasses' channels.
    pub block3: ResBlock<B>,
    /// Whether the first convolution sees coordinates.
    pub coord: bool,
}

impl<B: Backend> Stem<B> {
    /// From `stem` to `channels` channels.
    pub fn new(stem: usize, channels: usize, coord: bool, device: &B::Device) -> Self {
        let conv = ConvConfig::new(image_channels(coord), stem, 7).with_stride(2);
        Self {
            conv: ConvBlock::normalised(conv, device),
            block1: ResBlock::new(stem, 2 * stem, device),
            block2: ResBlock::new(2 * stem, 2 * stem, device),
            block3: ResBlock::new(2 * stem, channels, device),
            coord,
        }
    }

    /// `[batch, 3, S, S]` -> `[batch, channels, S/4, S/4]`
    ///
    /// # Panics
    /// If the images have another number of channels, or no pixels.
    pub fn forward(&self, images: Tensor<B, 4>, mode: Mode) -> Tensor<B, 4> {
        let x = if self.coord {
            append_coords(images, None)
        } else {
            images
        };
        let x = self.conv.forward(x, mode);
        let x = max_pool(self.block1.forward(x, mode));
        let x = self.block2.forward(x, mode);
        self.block3.forward(x, mode)
    }

    pub(crate) fn unshared(&self) -> Self {
        Self {
            conv: self.conv.unshared(),
            block1: self.block1.unshared(),
            block2: self.block2.unshared(),
            block3: self.block3.unshared(),
            coord: self.coord,
        }
    }
}
