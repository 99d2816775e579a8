//! Down to half the size and up again.

use multiversion::multiversion;

/// The maximum of 2x2 pixels of `x [.., width, channels]`; an odd last row or column is left out. What is not a number is larger than all.
#[multiversion(targets("x86_64+avx512f+avx2+fma", "x86_64+avx2+fma"))]
pub fn max_pool(x: &[f32], width: usize, channels: usize, y: &mut [f32]) {
    let half = width / 2;
    for (i, y) in y.chunks_exact_mut(channels).enumerate() {
        let first = (i / half * 2 * width + i % half * 2) * channels;
        let pixel = |at: usize| &x[first + at * channels..][..channels];
        let pixels = (pixel(0).iter().zip(pixel(1))).zip(pixel(width).iter().zip(pixel(width + 1)));
        for (y, ((a, b), (c, d))) in y.iter_mut().zip(pixels) {
            *y = larger(larger(*a, *b), larger(*c, *d));
        }
    }
}

#[inline(always)]
fn larger(a: f32, b: f32) -> f32 {
    if b > a || b.is_nan() { b } else { a }
}

/// Adds each pixel of `x [.., width, channels]` to four of `y`.
#[multiversion(targets("x86_64+avx512f+avx2+fma", "x86_64+avx2+fma"))]
pub fn upsample_add(x: &[f32], width: usize, channels: usize, y: &mut [f32]) {
    for (i, y) in y.chunks_exact_mut(channels).enumerate() {
        let from = i / (2 * width) / 2 * width + i % (2 * width) / 2;
        for (y, x) in y.iter_mut().zip(&x[from * channels..][..channels]) {
            *y += x;
        }
    }
}
