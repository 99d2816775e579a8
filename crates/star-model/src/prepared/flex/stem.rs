//! From the image to the first features.

use super::{
    block::Block,
    memory::{Buffer, Memory},
    pool::max_pool,
    product::{Add, Panels, Rows, product},
    split::{PASS, by_rows},
};
use crate::{
    coord::{COORD_CHANNELS, coordinates},
    stem::IMAGE_CHANNELS,
};

/// Side of the first convolution's kernel, its step, and the padding that it needs.
const KERNEL: usize = 7;
const STEP: usize = 2;
const PADDING: usize = KERNEL / 2;

/// See [`crate::Stem`].
#[derive(Debug)]
pub struct Stem {
    /// Inputs in the order `[row, column, channel]`, with ReLU.
    pub conv: Panels,
    pub coord: bool,
    pub block1: Block,
    pub block2: Block,
    pub block3: Block,
}

impl Stem {
    /// An image `[3, height, width]` -> `[height / 4, width / 4, channels]`, and that size.
    pub fn run<'m>(
        &self,
        image: &[f32],
        [height, width]: [usize; 2],
        memory: &'m Memory,
    ) -> (Buffer<'m>, [usize; 2]) {
        let padded = self.padded(image, [height, width], memory);
        let half = [height.div_ceil(STEP), width.div_ceil(STEP)];
        let outputs = self.conv.outputs;
        let mut x = memory.take(half[0] * half[1] * outputs);
        let work = x.len() * self.conv.inputs;
        // A row of the kernel is in one piece.
        let piece = self.conv.inputs / KERNEL;
        let channels = piece / KERNEL;
        let row = (width + 2 * PADDING) * channels;
        by_rows(&mut x, outputs, work, |first, y| {
            let mut around = memory.take(y.len() / outputs * self.conv.inputs);
            for (p, around) in around.chunks_exact_mut(self.conv.inputs).enumerate() {
                let (i, j) = ((first + p) / half[1], (first + p) % half[1]);
                for (k, to) in around.chunks_exact_mut(piece).enumerate() {
                    let from = (STEP * i + k) * row + STEP * j * channels;
                    to.copy_from_slice(&padded[from..][..piece]);
                }
            }
            let x = Rows {
                data: &around,
                stride: self.conv.inputs,
            };
            product(x, &self.conv, y, Add::Nothing, true);
        });
        drop(padded);

        let mut y = memory.take(half[0] * half[1] * self.block1.outputs());
        self.block1.run(&x, half, &mut y, memory);
        let size = half.map(|side| side / 2);
        let mut x = memory.take(size[0] * size[1] * self.block1.outputs());
        let (channels, work) = (self.block1.outputs(), y.len() * PASS);
        by_rows(&mut x, size[1] * channels, work, |first, x| {
            max_pool(&y[2 * first * half[1] * channels..], half[1], channels, x);
        });
        drop(y);
        let mut y = memory.take(size[0] * size[1] * self.block2.outputs());
        self.block2.run(&x, size, &mut y, memory);
        let mut x = memory.take(size[0] * size[1] * self.block3.outputs());
        self.block3.run(&y, size, &mut x, memory);
        (x, size)
    }

    /// The image with its coordinates, `[height, width, channels]`, zero padding around it.
    fn padded<'m>(
        &self,
        image: &[f32],
        [height, width]: [usize; 2],
        memory: &'m Memory,
    ) -> Buffer<'m> {
        let channels = IMAGE_CHANNELS + if self.coord { COORD_CHANNELS } else { 0 };
        let across = width + 2 * PADDING;
        let mut padded = memory.take((height + 2 * PADDING) * across * channels);
        padded.fill(0.0);
        for i in 0..height {
            let row = ((i + PADDING) * across + PADDING) * channels;
            let pixels = padded[row..][..width * channels].chunks_exact_mut(channels);
            for (j, pixel) in pixels.enumerate() {
                let (colours, coords) = pixel.split_at_mut(IMAGE_CHANNELS);
                for (k, colour) in colours.iter_mut().enumerate() {
                    *colour = image[(k * height + i) * width + j];
                }
                if !coords.is_empty() {
                    coords.copy_from_slice(&coordinates([i, j], [height, width]));
                }
            }
        }
        padded
    }
}
