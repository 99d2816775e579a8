//! 3x3 convolutions of large maps by Winograd's F(4x4, 3x3) (Lavin and Gray 2016, arXiv 1509.09308): 36 products for 16 pixels instead
//! of 144.
//!
//! The output is made in tiles of 4x4 pixels, each from 6x6 pixels of the input. These 36 are transformed, and so was the kernel; in
//! between, each of the 36 is a product over channels, for the tiles of some rows at a time.

mod transform;

use super::{
    memory::Memory,
    product::{Add, Panels, Rows, product},
    split::by_blocks,
};
use transform::{
    LANES, PRODUCTS, Strip, TILE, transform_input, transform_kernel, transform_output,
};

/// About how many tiles of a map are worked on together: enough to make up for going through all weights.
const TILES: usize = 64;
/// Between the numbers of two products, so that they do not share their places in the first cache.
const GAP: usize = 16;

/// A 3x3 convolution with ReLU.
#[derive(Debug)]
pub struct Winograd {
    products: Vec<Panels>,
    bias: Vec<f32>,
    inputs: usize,
    outputs: usize,
}

/// Whether channels can be transformed in whole vectors, and a map has tiles enough to make up for it.
pub fn pays([outputs, inputs]: [usize; 2], pixels: usize) -> bool {
    let whole = |channels: usize| channels >= 16 && channels.is_multiple_of(LANES);
    whole(inputs) && whole(outputs) && pixels >= 256
}

impl Winograd {
    /// `weight` of an output, an input and a tap.
    pub fn new(
        [outputs, inputs]: [usize; 2],
        weight: impl Fn(usize, usize, usize) -> f32,
        bias: Vec<f32>,
    ) -> Self {
        let mut transformed = vec![[0f32; PRODUCTS]; outputs * inputs];
        for (at, transformed) in transformed.iter_mut().enumerate() {
            let kernel: [f64; 9] =
                std::array::from_fn(|tap| f64::from(weight(at / inputs, at % inputs, tap)));
            *transformed = transform_kernel(&kernel);
        }
        let products = (0..PRODUCTS)
            .map(|k| {
                let weight = |m: usize, c: usize| transformed[m * inputs + c][k];
                Panels::new([outputs, inputs], weight, |_| 0.0)
            })
            .collect();
        Self {
            products,
            bias,
            inputs,
            outputs,
        }
    }

    /// `x [height, width, inputs]` -> `y [height, width, outputs]`
    pub fn run(&self, x: &[f32], [height, width]: [usize; 2], y: &mut [f32], memory: &Memory) {
        let (inputs, outputs) = (self.inputs, self.outputs);
        let across = width.div_ceil(TILE);
        let down = height.div_ceil(TILE);
        // A smaller map in two parts at least.
        let tile_rows = (TILES / across).min(down.div_ceil(2)).max(1);
        let work = y.len() * inputs * PRODUCTS / TILE / TILE;
        let length = TILE * tile_rows * width * outputs;
        by_blocks(y, length, work, |i, y| {
            let rows = y.len() / width / outputs;
            let tiles = rows.div_ceil(TILE) * across;
            let strip = Strip {
                top: i * TILE * tile_rows,
                height,
                width,
                across,
            };
            let (from, to) = (tiles * inputs + GAP, tiles * outputs + GAP);
            let mut transformed = memory.take(PRODUCTS * from);
            let mut sums = memory.take(PRODUCTS * to);
            transform_input(x, &strip, [tiles, inputs], &mut transformed, from);
            for (k, panels) in self.products.iter().enumerate() {
                let x = Rows::new(&transformed[k * from..][..tiles * inputs], inputs);
                let y = &mut sums[k * to..][..tiles * outputs];
                product(x, panels, y, Add::Nothing, false);
            }
            transform_output(&sums, &strip, tiles, to, &self.bias, y);
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prepared::flex::{numbers, taps::Taps};

    /// Both ways to convolve against sums in double precision: maps of one pixel, odd ones, ones that are no whole tiles or strips.
    #[test]
    fn convolutions_are_sums() {
        for (height, width, inputs, outputs) in [
            (1, 1, 32, 32),
            (5, 7, 32, 48),
            (4, 96, 48, 32),
            (33, 39, 32, 32),
            (64, 64, 32, 32),
        ] {
            let x = numbers(height * width * inputs, 1);
            // Within the bounds of a network's initial weights.
            let bound = 1.0 / (9.0 * inputs as f32).sqrt();
            let mut weights = numbers(outputs * inputs * 9, 2);
            weights.iter_mut().for_each(|w| *w *= bound);
            let bias = numbers(outputs, 3);
            let weight = |m: usize, c: usize, tap: usize| weights[(m * inputs + c) * 9 + tap];
            let memory = Memory::default();
            let size = [height, width];
            let mut tiled = vec![f32::NAN; height * width * outputs];
            let mut tapped = tiled.clone();
            Winograd::new([outputs, inputs], weight, bias.clone())
                .run(&x, size, &mut tiled, &memory);
            let panels = Panels::new(
                [outputs, 9 * inputs],
                |m, i| weight(m, i % inputs, i / inputs),
                |m| bias[m],
            );
            Taps::new(panels).run(&x, size, &mut tapped, &memory);
            for at in 0..tiled.len() {
                let (pixel, m) = (at / outputs, at % outputs);
                let mut sum = f64::from(bias[m]);
                for tap in 0..9 {
                    let (row, column) = (pixel / width + tap / 3, pixel % width + tap % 3);
                    if !(1..=height).contains(&row) || !(1..=width).contains(&column) {
                        continue;
                    }
                    let from = ((row - 1) * width + column - 1) * inputs;
                    sum += (0..inputs)
                        .map(|c| f64::from(x[from + c]) * f64::from(weight(m, c, tap)))
                        .sum::<f64>();
                }
                let sum = sum.max(0.0);
                let off = |value: f32| (f64::from(value) - sum).abs();
                assert!(off(tapped[at]) < 2e-6, "{size:?}: {} {sum}", tapped[at]);
                assert!(off(tiled[at]) < 1e-5, "{size:?}: {} {sum}", tiled[at]);
            }
        }
    }
}
