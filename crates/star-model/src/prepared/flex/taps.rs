//! 3x3 convolutions of small maps: the nine pixels around each, one after another, times all weights at once.

use super::{
    memory::Memory,
    product::{Add, Panels, Rows, product},
    split::by_blocks,
};

/// Numbers that are laid out together: they should stay in the second cache.
const BLOCK: usize = 48 * 1024;

/// A 3x3 convolution with ReLU.
#[derive(Debug)]
pub struct Taps {
    /// Inputs in the order `[tap, channel]`.
    panels: Panels,
}

impl Taps {
    /// Of nine times as many inputs as there are channels.
    pub fn new(panels: Panels) -> Self {
        Self { panels }
    }

    /// `x [height, width, inputs]` -> `y [height, width, outputs]`
    pub fn run(&self, x: &[f32], [height, width]: [usize; 2], y: &mut [f32], memory: &Memory) {
        let length = self.panels.inputs;
        let channels = length / 9;
        let outputs = self.panels.outputs;
        let pixels = height * width;
        let block = (BLOCK / length).min(pixels.div_ceil(4)).max(1);
        let block = block.next_multiple_of(8);
        by_blocks(y, block * outputs, y.len() * length, |i, y| {
            let count = y.len() / outputs;
            let mut around = memory.take(count * length);
            for (p, around) in around.chunks_exact_mut(length).enumerate() {
                let pixel = i * block + p;
                let (row, column) = (pixel / width, pixel % width);
                for (tap, to) in around.chunks_exact_mut(channels).enumerate() {
                    // One less: the padding is one pixel wide.
                    let (from_row, from_column) = (row + tap / 3, column + tap % 3);
                    let inside =
                        (1..=height).contains(&from_row) && (1..=width).contains(&from_column);
                    if inside {
                        let from = (from_row - 1) * width + from_column - 1;
                        to.copy_from_slice(&x[from * channels..][..channels]);
                    } else {
                        to.fill(0.0);
                    }
                }
            }
            let x = Rows::new(&around, length);
            product(x, &self.panels, y, Add::Nothing, true);
        });
    }
}
