//! The residual block in evaluation: three products, and nothing between them.

use super::{memory::Memory, pointwise::Pointwise, product::Add, taps::Taps, winograd::Winograd};

/// See [`crate::residual::ResBlock`].
#[derive(Debug)]
pub struct Block {
    /// With the norm in front of the block.
    pub conv1: Pointwise,
    pub conv2: Spatial,
    pub conv3: Pointwise,
    pub skip: Option<Pointwise>,
}

/// A 3x3 convolution with ReLU.
#[derive(Debug)]
pub enum Spatial {
    Winograd(Winograd),
    Taps(Taps),
}

impl Block {
    pub fn outputs(&self) -> usize {
        self.conv3.panels.outputs
    }

    /// `x [height, width, inputs]` -> `y [height, width, outputs]`
    pub fn run(&self, x: &[f32], size: [usize; 2], y: &mut [f32], memory: &Memory) {
        let inner = size[0] * size[1] * self.conv1.panels.outputs;
        let mut between = memory.take(inner);
        self.conv1.run(x, &mut between, Add::Nothing, memory);
        let mut before = memory.take(inner);
        match &self.conv2 {
            Spatial::Winograd(conv) => conv.run(&between, size, &mut before, memory),
            Spatial::Taps(conv) => conv.run(&between, size, &mut before, memory),
        }
        drop(between);
        match &self.skip {
            None => self.conv3.run(&before, y, Add::Rows(x), memory),
            Some(skip) => {
                skip.run(x, y, Add::Nothing, memory);
                self.conv3.run(&before, y, Add::Own, memory);
            }
        }
    }
}
