//! 3x3 convolutions of large maps by Winograd's F(4x4, 3x3) (Lavin and Gray 2016, arXiv 1509.09308): 36 products for 16 pixels instead
//! of 144.
//!
//! The output is made in tiles of 4x4 pixels, each from 6x6 pixels of the input. These 36 are transformed, and so was the kernel; in
//! between, each of the 36 is a product over channels, for the tiles of some rows at a time.

// Loops of constant length over several arrays at once become vectors; iterators over them do not always.
#![allow(clippy::needless_range_loop)]

use multiversion::multiversion;

use super::{
    memory::Memory,
    product::{Add, Panels, Rows, product},
    split::by_blocks,
};

/// Side of a tile of the input, and of the transformed kernel.
const SIDE: usize = 6;
/// Side of a tile of the output.
const TILE: usize = 4;
/// Products.
const PRODUCTS: usize = SIDE * SIDE;
/// Channels that are transformed together.
const LANES: usize = 16;
/// About how many tiles of a map are worked on together: enough to make up for going through all weights.
const TILES: usize = 64;
/// Between the numbers of two products, so that they do not share their places in the first cache.
const GAP: usize = LANES;

type Lanes = [f32; LANES];

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
    let whole = |channels: usize| channels >= 2 * LANES && channels.is_multiple_of(LANES);
    whole(inputs) && whole(outputs) && pixels >= 1024
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
        let strip = TILE * tile_rows * width * outputs;
        by_blocks(y, strip, work, |i, y| {
            let rows = y.len() / width / outputs;
            let tiles = rows.div_ceil(TILE) * across;
            let map = Map {
                top: i * TILE * tile_rows,
                height,
                width,
                across,
            };
            let (from, to) = (tiles * inputs + GAP, tiles * outputs + GAP);
            let mut transformed = memory.take(PRODUCTS * from);
            let mut sums = memory.take(PRODUCTS * to);
            transform_input(x, &map, inputs, &mut transformed, from);
            for (k, panels) in self.products.iter().enumerate() {
                let x = Rows {
                    data: &transformed[k * from..][..tiles * inputs],
                    stride: inputs,
                };
                let y = &mut sums[k * to..][..tiles * outputs];
                product(x, panels, y, Add::Nothing, false);
            }
            transform_output(&sums, to, &map, &self.bias, y);
        });
    }
}

/// A strip of a map in tiles.
struct Map {
    /// The strip's first row of pixels.
    top: usize,
    height: usize,
    width: usize,
    /// Tiles side by side.
    across: usize,
}

/// `G g G'` of a kernel.
fn transform_kernel(kernel: &[f64; 9]) -> [f32; PRODUCTS] {
    let spread = |[a, b, c]: [f64; 3]| {
        [
            a / 4.0,
            -(a + b + c) / 6.0,
            (b - a - c) / 6.0,
            (a + 2.0 * b + 4.0 * c) / 24.0,
            (a - 2.0 * b + 4.0 * c) / 24.0,
            c,
        ]
    };
    let columns: [[f64; SIDE]; 3] =
        std::array::from_fn(|j| spread([kernel[j], kernel[3 + j], kernel[6 + j]]));
    let mut out = [0.0; PRODUCTS];
    for (i, out) in out.chunks_exact_mut(SIDE).enumerate() {
        let row = spread(columns.map(|column| column[i]));
        out.copy_from_slice(&row.map(|v| v as f32));
    }
    out
}

/// `B' d`
#[inline(always)]
fn spread_input(d: [Lanes; SIDE]) -> [Lanes; SIDE] {
    let mut out = [[0.0; LANES]; SIDE];
    for c in 0..LANES {
        let [d0, d1, d2, d3, d4, d5] = d.map(|d| d[c]);
        let even = d4 - 4.0 * d2;
        let odd = d3 - 4.0 * d1;
        let (near, far) = (d4 - d2, 2.0 * (d3 - d1));
        out[0][c] = 4.0 * d0 - 5.0 * d2 + d4;
        out[1][c] = even + odd;
        out[2][c] = even - odd;
        out[3][c] = near + far;
        out[4][c] = near - far;
        out[5][c] = 4.0 * d1 - 5.0 * d3 + d5;
    }
    out
}

/// `A' m`
#[inline(always)]
fn gather_output(m: [Lanes; SIDE]) -> [Lanes; TILE] {
    let mut out = [[0.0; LANES]; TILE];
    for c in 0..LANES {
        let [m0, m1, m2, m3, m4, m5] = m.map(|m| m[c]);
        let (sum, difference) = (m1 + m2, m1 - m2);
        let (sum_far, difference_far) = (m3 + m4, m3 - m4);
        out[0][c] = m0 + sum + sum_far;
        out[1][c] = difference + 2.0 * difference_far;
        out[2][c] = sum + 4.0 * sum_far;
        out[3][c] = difference + 8.0 * difference_far + m5;
    }
    out
}

#[inline(always)]
fn lanes(numbers: &[f32], at: usize) -> Lanes {
    let mut lanes = [0.0; LANES];
    lanes.copy_from_slice(&numbers[at..][..LANES]);
    lanes
}

/// `B' d B` of every tile of a strip, `[36, tiles, channels]`, each of the 36 `stride` apart.
#[multiversion(targets("x86_64+avx512f+avx2+fma", "x86_64+avx2+fma"))]
fn transform_input(x: &[f32], map: &Map, channels: usize, out: &mut [f32], stride: usize) {
    let tiles = (stride - GAP) / channels;
    for tile in 0..tiles {
        // One more: the padding is one pixel wide.
        let top = map.top + tile / map.across * TILE;
        let left = tile % map.across * TILE;
        for first in (0..channels).step_by(LANES) {
            let mut columns = [[[0.0; LANES]; SIDE]; SIDE];
            for (j, column) in columns.iter_mut().enumerate() {
                let mut pixels = [[0.0; LANES]; SIDE];
                let x_at = left + j;
                if (1..=map.width).contains(&x_at) {
                    for (i, pixel) in pixels.iter_mut().enumerate() {
                        let y_at = top + i;
                        if (1..=map.height).contains(&y_at) {
                            let at = (y_at - 1) * map.width + x_at - 1;
                            *pixel = lanes(x, at * channels + first);
                        }
                    }
                }
                *column = spread_input(pixels);
            }
            for i in 0..SIDE {
                let row = spread_input(std::array::from_fn(|j| columns[j][i]));
                for (j, row) in row.iter().enumerate() {
                    let at = (i * SIDE + j) * stride + tile * channels + first;
                    out[at..][..LANES].copy_from_slice(row);
                }
            }
        }
    }
}

/// `A' m A` of every tile of a strip, plus the bias, negative values cut off.
#[multiversion(targets("x86_64+avx512f+avx2+fma", "x86_64+avx2+fma"))]
fn transform_output(sums: &[f32], stride: usize, map: &Map, bias: &[f32], y: &mut [f32]) {
    let channels = bias.len();
    let tiles = (stride - GAP) / channels;
    let rows = y.len() / channels / map.width;
    for tile in 0..tiles {
        let top = tile / map.across * TILE;
        let left = tile % map.across * TILE;
        for first in (0..channels).step_by(LANES) {
            let mut columns = [[[0.0; LANES]; TILE]; SIDE];
            for (j, column) in columns.iter_mut().enumerate() {
                let products = std::array::from_fn(|i| {
                    lanes(sums, (i * SIDE + j) * stride + tile * channels + first)
                });
                *column = gather_output(products);
            }
            let bias = lanes(bias, first);
            for i in 0..TILE.min(rows - top) {
                let row = gather_output(std::array::from_fn(|j| columns[j][i]));
                for (j, mut pixel) in row.into_iter().enumerate() {
                    if left + j >= map.width {
                        break;
                    }
                    for (value, bias) in pixel.iter_mut().zip(bias) {
                        let sum = *value + bias;
                        *value = if sum < 0.0 { 0.0 } else { sum };
                    }
                    let at = ((top + i) * map.width + left + j) * channels + first;
                    y[at..][..LANES].copy_from_slice(&pixel);
                }
            }
        }
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
