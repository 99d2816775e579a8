//! From the modules that hold a network's weights to what is computed with.

use burn::{backend::Flex, tensor::Tensor};
use star_flex::floats;

use super::{
    block::{Block, Spatial},
    pointwise::{Norm, Pointwise},
    product::Panels,
    taps::Taps,
    winograd::{self, Winograd},
};
use crate::{batch_norm::BatchNorm, conv::Conv, conv_block::ConvBlock, residual::ResBlock};

/// `None` where the numbers are not `f32`.
pub fn numbers<const D: usize>(tensor: &Tensor<Flex, D>) -> Option<Vec<f32>> {
    Some(floats(tensor)?.to_vec())
}

/// A convolution's numbers, with a norm of its output multiplied in.
pub struct Folded {
    /// `[output, input, kernel, kernel]`
    pub weight: Vec<f32>,
    pub bias: Vec<f32>,
    pub outputs: usize,
    pub inputs: usize,
    /// Of the kernel, all.
    pub taps: usize,
}

impl Folded {
    pub fn of(conv: &Conv<Flex>, after: Option<&BatchNorm<Flex>>) -> Option<Self> {
        let [outputs, inputs, kernel, _] = conv.weight.dims();
        let mut folded = Self {
            weight: numbers(&conv.weight.val())?,
            bias: numbers(&conv.bias.val())?,
            outputs,
            inputs,
            taps: kernel * kernel,
        };
        if let Some(norm) = after {
            let Norm { scale, shift } = norm_of(norm)?;
            let length = inputs * folded.taps;
            for (output, weights) in folded.weight.chunks_exact_mut(length).enumerate() {
                weights.iter_mut().for_each(|w| *w *= scale[output]);
                folded.bias[output] = folded.bias[output] * scale[output] + shift[output];
            }
        }
        Some(folded)
    }

    pub fn of_block(block: &ConvBlock<Flex>) -> Option<Self> {
        Self::of(&block.conv, block.bn.as_ref())
    }

    pub fn weight(&self, output: usize, input: usize, tap: usize) -> f32 {
        self.weight[(output * self.inputs + input) * self.taps + tap]
    }

    /// As a product over all inputs of all taps, in the order `[tap, input]`.
    pub fn panels(&self) -> Panels {
        Panels::new(
            [self.outputs, self.taps * self.inputs],
            |output, i| self.weight(output, i % self.inputs, i / self.inputs),
            |output| self.bias[output],
        )
    }
}

pub fn norm_of(norm: &BatchNorm<Flex>) -> Option<Norm> {
    let (scale, shift) = norm.scale_and_shift();
    Some(Norm {
        scale: numbers(&scale)?,
        shift: numbers(&shift)?,
    })
}

/// A 1x1 convolution, and the norm and ReLU that it may have behind it.
pub fn pointwise(block: &ConvBlock<Flex>) -> Option<Pointwise> {
    Some(Pointwise {
        norm_relu: None,
        panels: Folded::of_block(block)?.panels(),
        relu: block.bn.is_some(),
    })
}

/// A residual block for maps of about `pixels`: its weights do for any other size too, only not as fast.
pub fn block(block: &ResBlock<Flex>, pixels: usize) -> Option<Block> {
    let spatial = Folded::of(&block.conv2.conv, Some(&block.bn3))?;
    let sizes = [spatial.outputs, spatial.inputs];
    Some(Block {
        conv1: Pointwise {
            norm_relu: Some(norm_of(&block.bn1)?),
            panels: Folded::of(&block.conv1.conv, Some(&block.bn2))?.panels(),
            relu: true,
        },
        conv2: if winograd::pays(sizes, pixels) {
            let weight = |m, c, tap| spatial.weight(m, c, tap);
            Spatial::Winograd(Winograd::new(sizes, weight, spatial.bias.clone()))
        } else {
            Spatial::Taps(Taps::new(spatial.panels()))
        },
        conv3: pointwise(&block.conv3)?,
        skip: match &block.skip_layer {
            Some(skip) => Some(pointwise(skip)?),
            None => None,
        },
    })
}
