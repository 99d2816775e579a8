//! A box blur (REFERENCE A5).

use image::RgbImage;

const CHANNELS: usize = 3;
/// A larger box would not fit the 32-bit sums; the largest picture asks for 819.
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
/// picture by half a pixel. The rounding is OpenCV's, which is half a level high for the boxes it computes with shifts (2, 4, 8).
pub fn blur(image: &mut RgbImage, k: u32) {
    let (width, height) = (image.width() as usize, image.height() as usize);
    if k < 2 || width == 0 || height == 0 {
        return;
    }
    let k = k.min(LARGEST) as usize;
    let row_len = width * CHANNELS;
    let columns: Vec<usize> = window(width, k);
    let rows: Vec<usize> = window(height, k);

    // Sums along each row, then a running sum of k such rows.
    let mut sums = vec![0u32; row_len * height];
    for (pixels, sums) in image
        .chunks_exact(row_len)
        .zip(sums.chunks_exact_mut(row_len))
    {
        let mut running = [0u32; CHANNELS];
        for &x in &columns[..k - 1] {
            add(&mut running, &pixels[x * CHANNELS..]);
        }
        for (x, out) in sums.chunks_exact_mut(CHANNELS).enumerate() {
            add(&mut running, &pixels[columns[x + k - 1] * CHANNELS..]);
            out.copy_from_slice(&running);
            let leaving = &pixels[columns[x] * CHANNELS..];
            for (r, &p) in running.iter_mut().zip(leaving) {
                *r -= u32::from(p);
            }
        }
    }
    let line = |y: usize| &sums[rows[y] * row_len..][..row_len];
    let mut running = vec![0u32; row_len];
    for y in 0..k - 1 {
        running.iter_mut().zip(line(y)).for_each(|(r, s)| *r += s);
    }
    let area = (k * k) as u32;
    let (bias, divisor) = if matches!(k, 2 | 4 | 8) {
        (area / 2 + 1, area)
    } else {
        // floor(s / area + 1/2) without fractions.
        (area, 2 * area)
    };
    let factor = divisor / area;
    let quotient = Divider::new(factor * 255 * area + bias, divisor);
    let inverse = 1.0 / divisor as f32;
    for (y, out) in image.chunks_exact_mut(row_len).enumerate() {
        running
            .iter_mut()
            .zip(line(y + k - 1))
            .for_each(|(r, s)| *r += s);
        if divisor <= SMALL_DIVISOR {
            for (out, &sum) in out.iter_mut().zip(&running) {
                // Signed, because those become floating-point numbers in one instruction.
                let dividend = (factor * sum + bias) as i32 as f32;
                *out = ((dividend * inverse + NUDGE) as i32).min(255) as u8;
            }
        } else {
            for (out, &sum) in out.iter_mut().zip(&running) {
                *out = quotient.of(factor * sum + bias).min(255) as u8;
            }
        }
        running.iter_mut().zip(line(y)).for_each(|(r, s)| *r -= s);
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

fn add(running: &mut [u32; CHANNELS], pixel: &[u8]) {
    for (r, &p) in running.iter_mut().zip(pixel) {
        *r += u32::from(p);
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
