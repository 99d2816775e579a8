//! Winograd's transforms of kernels, and of maps in tiles, for some channels at a time.

// Loops of constant length over several arrays at once become vectors; iterators over them do not always.
#![allow(clippy::needless_range_loop)]

use std::ops::{Add, Sub};

use multiversion::{multiversion, target::target_cfg_f};

/// Side of a tile of the input, and of the transformed kernel.
const SIDE: usize = 6;
/// Side of a tile of the output.
pub const TILE: usize = 4;
/// Products.
pub const PRODUCTS: usize = SIDE * SIDE;
/// Channels that are transformed together: six vectors of AVX2 and what is made of them stay in its registers, with twice as many not.
pub const LANES: usize = 8;

/// Some rows of a map in tiles.
pub struct Strip {
    /// The first row of pixels.
    pub top: usize,
    /// Of the map.
    pub height: usize,
    pub width: usize,
    /// Tiles side by side.
    pub across: usize,
}

/// A number of each of some channels.
#[derive(Clone, Copy)]
struct Lanes([f32; LANES]);

impl Lanes {
    const ZERO: Self = Self([0.0; LANES]);

    #[inline(always)]
    fn load(numbers: &[f32], at: usize) -> Self {
        Self(
            *numbers[at..]
                .first_chunk()
                .expect("channels are whole vectors"),
        )
    }

    #[inline(always)]
    fn store(self, numbers: &mut [f32], at: usize) {
        *numbers[at..]
            .first_chunk_mut()
            .expect("channels are whole vectors") = self.0;
    }

    #[inline(always)]
    fn with(self, other: Self, of: impl Fn(f32, f32) -> f32) -> Self {
        let mut out = [0.0; LANES];
        for c in 0..LANES {
            out[c] = of(self.0[c], other.0[c]);
        }
        Self(out)
    }

    /// `self + factor * other`
    #[inline(always)]
    fn plus<const FUSED: bool>(self, factor: f32, other: Self) -> Self {
        self.with(other, |a, b| {
            if FUSED {
                factor.mul_add(b, a)
            } else {
                a + factor * b
            }
        })
    }
}

impl Add for Lanes {
    type Output = Self;
    #[inline(always)]
    fn add(self, other: Self) -> Self {
        self.with(other, |a, b| a + b)
    }
}

impl Sub for Lanes {
    type Output = Self;
    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        self.with(other, |a, b| a - b)
    }
}

/// `G g G'` of a kernel.
pub fn transform_kernel(kernel: &[f64; 9]) -> [f32; PRODUCTS] {
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
fn spread_input<const FUSED: bool>([d0, d1, d2, d3, d4, d5]: [Lanes; SIDE]) -> [Lanes; SIDE] {
    let even = d4.plus::<FUSED>(-4.0, d2);
    let odd = d3.plus::<FUSED>(-4.0, d1);
    let (near, far) = (d4 - d2, d3 - d1);
    [
        d4.plus::<FUSED>(-5.0, d2).plus::<FUSED>(4.0, d0),
        even + odd,
        even - odd,
        near.plus::<FUSED>(2.0, far),
        near.plus::<FUSED>(-2.0, far),
        d5.plus::<FUSED>(-5.0, d3).plus::<FUSED>(4.0, d1),
    ]
}

/// `A' m`
#[inline(always)]
fn gather_output<const FUSED: bool>([m0, m1, m2, m3, m4, m5]: [Lanes; SIDE]) -> [Lanes; TILE] {
    let (sum, difference) = (m1 + m2, m1 - m2);
    let (sum_far, difference_far) = (m3 + m4, m3 - m4);
    [
        m0 + sum + sum_far,
        difference.plus::<FUSED>(2.0, difference_far),
        sum.plus::<FUSED>(4.0, sum_far),
        difference.plus::<FUSED>(8.0, difference_far) + m5,
    ]
}

/// `B' d B` of every tile of a strip of `x [height, width, channels]`, as `[36, tiles, channels]`, each of the 36 `stride` apart.
#[multiversion(targets("x86_64+avx512f+avx2+fma", "x86_64+avx2+fma", "aarch64+neon"))]
pub fn transform_input(
    x: &[f32],
    strip: &Strip,
    [tiles, channels]: [usize; 2],
    out: &mut [f32],
    stride: usize,
) {
    if target_cfg_f!(target_feature = "fma") || cfg!(target_arch = "aarch64") {
        input_tiles::<true>(x, strip, [tiles, channels], out, stride);
    } else {
        input_tiles::<false>(x, strip, [tiles, channels], out, stride);
    }
}

#[inline(always)]
fn input_tiles<const FUSED: bool>(
    x: &[f32],
    strip: &Strip,
    [tiles, channels]: [usize; 2],
    out: &mut [f32],
    stride: usize,
) {
    // Rows of columns that are spread: out here, so that they are cleared once.
    let mut spread = [[Lanes::ZERO; SIDE]; SIDE];
    for tile in 0..tiles {
        // One more: the padding is one pixel wide.
        let top = strip.top + tile / strip.across * TILE;
        let left = tile % strip.across * TILE;
        for first in (0..channels).step_by(LANES) {
            for j in 0..SIDE {
                let column = left + j;
                let mut pixels = [Lanes::ZERO; SIDE];
                if (1..=strip.width).contains(&column) {
                    for i in 0..SIDE {
                        let row = top + i;
                        if (1..=strip.height).contains(&row) {
                            let pixel = (row - 1) * strip.width + column - 1;
                            pixels[i] = Lanes::load(x, pixel * channels + first);
                        }
                    }
                }
                let pixels = spread_input::<FUSED>(pixels);
                for i in 0..SIDE {
                    spread[i][j] = pixels[i];
                }
            }
            for i in 0..SIDE {
                let row = spread_input::<FUSED>(spread[i]);
                for j in 0..SIDE {
                    let at = (i * SIDE + j) * stride + tile * channels + first;
                    row[j].store(out, at);
                }
            }
        }
    }
}

/// `A' m A` of every tile of a strip, plus the bias, negative values cut off, as rows of `y [height, width, channels]`.
#[multiversion(targets("x86_64+avx512f+avx2+fma", "x86_64+avx2+fma", "aarch64+neon"))]
pub fn transform_output(
    sums: &[f32],
    strip: &Strip,
    tiles: usize,
    stride: usize,
    bias: &[f32],
    y: &mut [f32],
) {
    if target_cfg_f!(target_feature = "fma") || cfg!(target_arch = "aarch64") {
        output_tiles::<true>(sums, strip, tiles, stride, bias, y);
    } else {
        output_tiles::<false>(sums, strip, tiles, stride, bias, y);
    }
}

#[inline(always)]
fn output_tiles<const FUSED: bool>(
    sums: &[f32],
    strip: &Strip,
    tiles: usize,
    stride: usize,
    bias: &[f32],
    y: &mut [f32],
) {
    let channels = bias.len();
    let rows = y.len() / channels / strip.width;
    let mut gathered = [[Lanes::ZERO; SIDE]; TILE];
    for tile in 0..tiles {
        let top = tile / strip.across * TILE;
        let left = tile % strip.across * TILE;
        for first in (0..channels).step_by(LANES) {
            for j in 0..SIDE {
                let mut products = [Lanes::ZERO; SIDE];
                for i in 0..SIDE {
                    let at = (i * SIDE + j) * stride + tile * channels + first;
                    products[i] = Lanes::load(sums, at);
                }
                let pixels = gather_output::<FUSED>(products);
                for i in 0..TILE {
                    gathered[i][j] = pixels[i];
                }
            }
            let bias = Lanes::load(bias, first);
            for i in 0..TILE.min(rows - top) {
                let row = gather_output::<FUSED>(gathered[i]);
                for j in 0..TILE.min(strip.width - left) {
                    // Not `max`: a value that is not a number stays one.
                    let pixel = row[j].with(bias, |value, bias| {
                        let sum = value + bias;
                        if sum < 0.0 { 0.0 } else { sum }
                    });
                    let at = ((top + i) * strip.width + left + j) * channels + first;
                    pixel.store(y, at);
                }
            }
        }
    }
}
