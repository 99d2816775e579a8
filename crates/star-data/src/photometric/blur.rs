//! A box blur (REFERENCE A5).

use image::RgbImage;
use multiversion::multiversion;

const CHANNELS: usize = 3;
/// A larger box would not fit the 32-bit sums; the largest image asks for 819.
const LARGEST: u32 = 1024;
/// Up to here whole division is a multiplication by the f32 inverse: quotients are at most 256, so it is off by less than 5e-5, and
/// [`NUDGE`] is more than that and less than what a quotient misses to the next whole number, at least 1 / 800.
const SMALL_DIVISOR: u32 = 800;
const NUDGE: f32 = 5e-4;

/// The side of the box for a uniform draw: up to a twentieth of the crop.
pub fn blur_size(size: u32, draw: f64) -> u32 {
    (f64::from(size) * 0.05 * draw) as u32
}

/// Replaces each pixel by the mean of the `k` x `k` box around it; nothing happens for `k` < 2. `k` is at most 1024.
///
/// Borders mirror without repeating the outermost pixel. The box begins `k / 2` before the pixel, so an even one shifts the
/// image by half a pixel. The rounding is OpenCV's, which is half a level high for the boxes it computes with shifts (2, 4, 8).
pub fn blur(image: &mut RgbImage, k: u32) {
    let (width, height) = (image.width() as usize, image.height() as usize);
    if k < 2 || width == 0 || height == 0 {
        return;
    }
    let k = k.min(LARGEST) as usize;
    let row_len = width * CHANNELS;
    let (columns, rows) = (window(width, k), window(height, k));
    let mean = Mean::new(k);
    let line = |y: usize| rows[y] * row_len..(rows[y] + 1) * row_len;

    // A running sum of k rows; then of k pixels along it.
    let levels = image.as_raw().clone();
    let mut running = vec![0; row_len];
    for y in 0..k - 1 {
        add(&mut running, &levels[line(y)]);
    }
    let mut sums = RowSums::new(columns.len(), k);
    for (y, out) in image.chunks_exact_mut(row_len).enumerate() {
        add(&mut running, &levels[line(y + k - 1)]);
        let pixels = sums.row.chunks_exact_mut(CHANNELS);
        for (to, &from) in pixels.zip(&columns) {
            to.copy_from_slice(&running[from * CHANNELS..][..CHANNELS]);
        }
        mean.of(sums.sum(), out);
        subtract(&mut running, &levels[line(y)]);
    }
}

#[multiversion(targets("x86_64+avx2"))]
fn add(running: &mut [u32], levels: &[u8]) {
    for (sum, &level) in running.iter_mut().zip(levels) {
        *sum += u32::from(level);
    }
}

#[multiversion(targets("x86_64+avx2"))]
fn subtract(running: &mut [u32], levels: &[u8]) {
    for (sum, &level) in running.iter_mut().zip(levels) {
        *sum -= u32::from(level);
    }
}

/// Sums of `k` neighbouring pixels of a row, from sums of 1, 2, 4, ... of them, as many as `k` has bits: each is one pass over the
/// row, and no number waits for the one before it.
struct RowSums {
    /// The mirrored row, to be filled in before each sum.
    row: Vec<u32>,
    other: Vec<u32>,
    sums: Vec<u32>,
    k: usize,
}

impl RowSums {
    /// For a mirrored row of `pixels` pixels.
    fn new(pixels: usize, k: usize) -> Self {
        let values = pixels * CHANNELS;
        Self {
            row: vec![0; values],
            other: vec![0; values],
            sums: vec![0; (pixels + 1 - k) * CHANNELS],
            k,
        }
    }

    /// Uses `row` up.
    fn sum(&mut self) -> &[u32] {
        self.sums.fill(0);
        let (mut power, mut done) = (1, 0);
        loop {
            if self.k & power != 0 {
                add_row(&mut self.sums, &self.row[done * CHANNELS..]);
                done += power;
            }
            if 2 * power > self.k {
                return &self.sums;
            }
            add_shifted(&mut self.other, &self.row, power * CHANNELS);
            std::mem::swap(&mut self.row, &mut self.other);
            power *= 2;
        }
    }
}

#[multiversion(targets("x86_64+avx2"))]
fn add_row(sums: &mut [u32], row: &[u32]) {
    for (sum, value) in sums.iter_mut().zip(row) {
        *sum += value;
    }
}

/// `out[i] = row[i] + row[i + shift]`, as far as there are both.
#[multiversion(targets("x86_64+avx2"))]
fn add_shifted(out: &mut [u32], row: &[u32], shift: usize) {
    for (out, (a, b)) in out.iter_mut().zip(row.iter().zip(&row[shift..])) {
        *out = a + b;
    }
}

/// From the sum over a box to its mean, rounded as OpenCV does.
struct Mean {
    factor: u32,
    bias: u32,
    divisor: u32,
    large: Divider,
}

impl Mean {
    fn new(k: usize) -> Self {
        let area = (k * k) as u32;
        let (bias, divisor) = if matches!(k, 2 | 4 | 8) {
            (area / 2 + 1, area)
        } else {
            // floor(s / area + 1/2) without fractions.
            (area, 2 * area)
        };
        let factor = divisor / area;
        Self {
            factor,
            bias,
            divisor,
            large: Divider::new(factor * 255 * area + bias, divisor),
        }
    }

    fn of(&self, sums: &[u32], out: &mut [u8]) {
        if self.divisor <= SMALL_DIVISOR {
            small_quotients(sums, self.factor, self.bias, self.divisor, out);
        } else {
            for (out, &sum) in out.iter_mut().zip(sums) {
                *out = self.large.of(self.factor * sum + self.bias).min(255) as u8;
            }
        }
    }
}

#[multiversion(targets("x86_64+avx2"))]
fn small_quotients(sums: &[u32], factor: u32, bias: u32, divisor: u32, out: &mut [u8]) {
    let inverse = 1.0 / divisor as f32;
    for (out, &sum) in out.iter_mut().zip(sums) {
        // Signed, because those become floating-point numbers in one instruction.
        let dividend = (factor * sum + bias) as i32 as f32;
        *out = ((dividend * inverse + NUDGE) as i32).min(255) as u8;
    }
}

/// Whole division by a number known only at run time, as one multiplication; a division each level would be most of the blur's cost.
struct Divider {
    factor: u64,
    shift: u32,
}

impl Divider {
    /// Exact for dividends up to `largest`, which has at most 31 bits.
    fn new(largest: u32, divisor: u32) -> Self {
        // With dividend x divisor below 2^shift, the excess of the rounded-up factor never reaches the next whole number.
        let bits = |v: u32| u32::BITS - v.leading_zeros();
        let shift = bits(largest) + bits(divisor);
        let factor = (1_u64 << shift) / u64::from(divisor) + 1;
        Self { factor, shift }
    }

    fn of(&self, dividend: u32) -> u32 {
        ((u64::from(dividend) * self.factor) >> self.shift) as u32
    }
}

/// The `length + k - 1` places that boxes of `k` meet along a line, mirrored at both ends.
fn window(length: usize, k: usize) -> Vec<usize> {
    (0..length + k - 1)
        .map(|i| mirror(i as isize - (k / 2) as isize, length))
        .collect()
}

/// Reflects about the outermost pixels, as often as it takes.
fn mirror(i: isize, length: usize) -> usize {
    if length == 1 {
        return 0;
    }
    let last = length as isize - 1;
    let i = i.rem_euclid(2 * last);
    i.min(2 * last - i) as usize
}
