//! 3x3 convolutions by Winograd's F(2x2, 3x3) (Lavin and Gray 2016, arXiv 1509.09308): 16 products for four pixels instead of 36.
//!
//! The output is made in tiles of 2x2 pixels, each from 4x4 pixels of the input. These 16 numbers are transformed, and so is the
//! kernel; in between, each of the 16 is a matrix product over channels, for a strip of tiles at a time.

use std::mem::MaybeUninit;

use rayon::prelude::*;

use super::conv_shape::ConvShape;
use super::matmul::{Matrix, set_product};
use super::norm::at_least;

/// Side of a tile's input, and of the transformed kernel.
const SIDE: usize = 4;
/// Matrix products.
const PRODUCTS: usize = SIDE * SIDE;
/// About how many tiles are worked on together: their transformed channels should stay in the cache.
const TILES: usize = 128;
/// Smaller maps, and fewer channels, are left to the plain kernel: the transformations would cost what the products save.
const FEWEST_PIXELS: usize = 1024;
const FEWEST_CHANNELS: usize = 32;

/// Whether this kernel is the faster one. Says nothing of the number of faces, so that a face is computed alike in any batch.
pub(super) fn pays(shape: &ConvShape) -> bool {
    shape.kernel == 3
        && shape.height * shape.width >= FEWEST_PIXELS
        && shape.input.min(shape.output) >= FEWEST_CHANNELS
}

/// `x [batch, input, h, w]`, `taps [9, output, input]` -> `[batch, output, h, w]` plus `bias [output]`, negative values cut off if
/// asked for.
pub(super) fn convolve(
    x: &[f32],
    taps: &[f32],
    bias: Option<&[f32]>,
    relu: bool,
    shape: &ConvShape,
) -> Vec<f32> {
    let weights = transformed_weights(taps);
    let (pixels, output) = (shape.height * shape.width, shape.output);
    let (across, down) = (shape.width.div_ceil(2), shape.height.div_ceil(2));
    let rows = (TILES / across).max(1);
    let strips = down.div_ceil(rows);

    let len = shape.batch * output * pixels;
    let mut values = Vec::with_capacity(len);
    // Each strip's part of each channel.
    let mut places: Vec<_> = (0..shape.batch * strips)
        .map(|_| Vec::with_capacity(output))
        .collect();
    let channels = values.spare_capacity_mut()[..len].chunks_mut(pixels);
    for (channel, memory) in channels.enumerate() {
        let parts = memory.chunks_mut(2 * rows * shape.width).enumerate();
        for (strip, part) in parts {
            places[channel / output * strips + strip].push(part);
        }
    }
    let floor = if relu { 0.0 } else { f32::NEG_INFINITY };
    places.into_par_iter().enumerate().for_each_init(
        || Buffers::new(shape, rows * across),
        |buffers, (i, places)| {
            let face = &x[i / strips * shape.input * pixels..][..shape.input * pixels];
            let first = i % strips * rows;
            let strip = Strip {
                first_tile_row: first,
                tile_rows: rows.min(down - first),
                across,
                width: shape.width,
                height: shape.height,
            };
            for (channel, plane) in face.chunks_exact(pixels).enumerate() {
                strip.transform_input(plane, channel, shape.input, buffers);
            }
            let tiles = strip.tiles();
            for k in 0..PRODUCTS {
                let weights = &weights[k * output * shape.input..];
                set_product(
                    [output, tiles, shape.input],
                    &mut buffers.products[k * output * tiles..],
                    tiles,
                    Matrix::rows(weights, shape.input),
                    Matrix::rows(&buffers.transformed[k * shape.input * tiles..], tiles),
                );
            }
            for (channel, place) in places.into_iter().enumerate() {
                let bias = bias.map_or(0.0, |bias| bias[channel]);
                strip.transform_output(channel, output, bias, floor, buffers, place);
            }
        },
    );
    // SAFETY: there is room for them; the strips are all of every channel, and each wrote its part: `places` holds one part of each
    // channel of its face, and `transform_output` writes every row of the part it is given.
    unsafe { values.set_len(len) };
    values
}

/// The kernels `[9, n]` as `[16, n]`: `G g G'`.
fn transformed_weights(taps: &[f32]) -> Vec<f32> {
    let n = taps.len() / 9;
    // Along a column of the kernel, then along the rows of what comes out.
    let mut columns = vec![0.0; SIDE * 3 * n];
    for j in 0..3 {
        let column = |i: usize| &taps[(3 * i + j) * n..][..n];
        let out = columns[j * SIDE * n..][..SIDE * n].chunks_exact_mut(n);
        spread_kernel([column(0), column(1), column(2)], out);
    }
    let mut all = vec![0.0; PRODUCTS * n];
    for i in 0..SIDE {
        let row = |j: usize| &columns[(j * SIDE + i) * n..][..n];
        let out = all[i * SIDE * n..][..SIDE * n].chunks_exact_mut(n);
        spread_kernel([row(0), row(1), row(2)], out);
    }
    all
}

/// Three rows as four: a, (a + b + c) / 2, (a - b + c) / 2, c.
fn spread_kernel<'a>([a, b, c]: [&[f32]; 3], out: impl Iterator<Item = &'a mut [f32]>) {
    let weights = [
        [1.0, 0.0, 0.0],
        [0.5, 0.5, 0.5],
        [0.5, -0.5, 0.5],
        [0.0, 0.0, 1.0],
    ];
    for (out, [u, v, w]) in out.zip(weights) {
        for (out, ((a, b), c)) in out.iter_mut().zip(a.iter().zip(b).zip(c)) {
            *out = u * a + v * b + w * c;
        }
    }
}

/// Memory of one thread, used again from strip to strip.
struct Buffers {
    /// The input, `[16, input, tiles]`.
    transformed: Vec<f32>,
    /// `[16, output, tiles]`
    products: Vec<f32>,
    /// Rows of one channel, those columns with even and those with odd numbers, zero padding around them.
    even: Vec<f32>,
    odd: Vec<f32>,
    /// Four lines of pixels, or of products, across a row of tiles.
    lines: [Vec<f32>; SIDE],
}

impl Buffers {
    fn new(shape: &ConvShape, tiles: usize) -> Self {
        Self {
            transformed: vec![0.0; PRODUCTS * shape.input * tiles],
            products: vec![0.0; PRODUCTS * shape.output * tiles],
            even: Vec::new(),
            odd: Vec::new(),
            lines: Default::default(),
        }
    }
}

/// Some rows of a face's tiles.
struct Strip {
    /// Rows of tiles above.
    first_tile_row: usize,
    tile_rows: usize,
    /// Tiles of a row.
    across: usize,
    width: usize,
    height: usize,
}

impl Strip {
    fn tiles(&self) -> usize {
        self.tile_rows * self.across
    }

    /// `B' d B` of every tile of a channel.
    fn transform_input(
        &self,
        plane: &[f32],
        channel: usize,
        channels: usize,
        buffers: &mut Buffers,
    ) {
        let Buffers {
            transformed,
            even,
            odd,
            lines,
            ..
        } = buffers;
        self.split_columns(plane, even, odd);
        let (across, tiles) = (self.across, self.tiles());
        let length = across + 1;
        for tile_row in 0..self.tile_rows {
            for i in 0..SIDE {
                // The input's four rows become one each: 0 - 2, 1 + 2, 2 - 1, 1 - 3.
                let [a, b, sign] = [[0, 2, 1], [1, 2, 0], [2, 1, 1], [1, 3, 1]][i];
                let sign = if sign == 1 { -1.0 } else { 1.0 };
                let [of_even, of_odd, ..] = lines;
                for (out, from) in [(of_even, &*even), (of_odd, &*odd)] {
                    let line = |n: usize| &from[(2 * tile_row + n) * length..][..length];
                    out.clear();
                    out.extend(line(a).iter().zip(line(b)).map(|(a, b)| a + sign * b));
                }
                // And the same along the row, where 0 and 2 are even columns, 1 and 3 odd ones.
                let (e, o) = (&lines[0], &lines[1]);
                let place = |j: usize| {
                    let first = ((i * SIDE + j) * channels + channel) * tiles;
                    first + tile_row * across..first + (tile_row + 1) * across
                };
                combine(&mut transformed[place(0)], &e[..across], &e[1..], |a, b| {
                    a - b
                });
                combine(&mut transformed[place(1)], &o[..across], &e[1..], |a, b| {
                    a + b
                });
                combine(&mut transformed[place(2)], &o[..across], &e[1..], |a, b| {
                    b - a
                });
                combine(&mut transformed[place(3)], &o[..across], &o[1..], |a, b| {
                    a - b
                });
            }
        }
    }

    /// The rows that the strip looks at, `across + 1` even and as many odd columns each. Column 0 is padding.
    fn split_columns(&self, plane: &[f32], even: &mut Vec<f32>, odd: &mut Vec<f32>) {
        let length = self.across + 1;
        let rows = 2 * self.tile_rows + 2;
        for columns in [&mut *even, &mut *odd] {
            columns.clear();
            columns.resize(rows * length, 0.0);
        }
        for row in 0..rows {
            // The padding is one pixel wide.
            let Some(y) = (2 * self.first_tile_row + row)
                .checked_sub(1)
                .filter(|y| *y < self.height)
            else {
                continue;
            };
            let from = &plane[y * self.width..][..self.width];
            let even = &mut even[row * length + 1..][..length - 1];
            let odd = &mut odd[row * length..][..length];
            let pairs = from.chunks_exact(2);
            if let [last] = pairs.remainder() {
                odd[self.width / 2] = *last;
            }
            for ((even, odd), pair) in even.iter_mut().zip(odd).zip(pairs) {
                (*odd, *even) = (pair[0], pair[1]);
            }
        }
    }

    /// `A' m A` of every tile of a channel, written to the strip's part of it: whole rows of the map.
    fn transform_output(
        &self,
        channel: usize,
        channels: usize,
        bias: f32,
        floor: f32,
        buffers: &mut Buffers,
        place: &mut [MaybeUninit<f32>],
    ) {
        let Buffers {
            products, lines, ..
        } = buffers;
        let (across, tiles) = (self.across, self.tiles());
        for (y, out) in place.chunks_exact_mut(self.width).enumerate() {
            let product = |i: usize, j: usize| {
                let first = ((i * SIDE + j) * channels + channel) * tiles;
                &products[first + y / 2 * across..][..across]
            };
            for (j, sum) in lines.iter_mut().enumerate() {
                sum.clear();
                // The upper row of pixels is 0 + 1 + 2, the lower one 1 - 2 - 3.
                let three = (product(usize::from(y % 2 == 1), j).iter())
                    .zip(product(y % 2 + 1, j))
                    .zip(product(y % 2 + 2, j));
                if y % 2 == 0 {
                    sum.extend(three.map(|((a, b), c)| a + b + c));
                } else {
                    sum.extend(three.map(|((a, b), c)| a - b - c));
                }
            }
            let [a, b, c, d] = lines.each_ref().map(|line| &line[..across]);
            let pixel = |value: f32| MaybeUninit::new(at_least(value + bias, floor));
            let (pairs, last) = out.split_at_mut(self.width / 2 * 2);
            for (x, pair) in pairs.chunks_exact_mut(2).enumerate() {
                pair[0] = pixel(a[x] + b[x] + c[x]);
                pair[1] = pixel(b[x] - c[x] - d[x]);
            }
            if let [last] = last {
                let x = across - 1;
                *last = pixel(a[x] + b[x] + c[x]);
            }
        }
    }
}

fn combine(out: &mut [f32], a: &[f32], b: &[f32], of: impl Fn(f32, f32) -> f32) {
    for (out, (a, b)) in out.iter_mut().zip(a.iter().zip(b)) {
        *out = of(*a, *b);
    }
}
