//! The maximum of 2x2 pixels.

use rayon::prelude::*;

/// `[planes, height, width]` -> `[planes, height / 2, width / 2]`; an odd last row or column is left out.
///
/// # Panics
/// If `x` is not of whole planes.
pub(super) fn forward(x: &[f32], [height, width]: [usize; 2]) -> Vec<f32> {
    assert!(x.is_empty() || x.len().is_multiple_of(height * width));
    let (h, w) = (height / 2, width / 2);
    let mut y = vec![0.0; x.len() / (height * width).max(1) * h * w];
    if y.is_empty() {
        return y;
    }
    let planes = y.par_chunks_exact_mut(h * w);
    planes
        .zip(x.par_chunks_exact(height * width))
        .for_each(|(y, x)| {
            for (y, rows) in y.chunks_exact_mut(w).zip(x.chunks_exact(2 * width)) {
                let (upper, lower) = rows.split_at(width);
                let pairs = upper.chunks_exact(2).zip(lower.chunks_exact(2));
                for (y, (upper, lower)) in y.iter_mut().zip(pairs) {
                    *y = larger(larger(upper[0], upper[1]), larger(lower[0], lower[1]));
                }
            }
        });
    y
}

/// The gradient of the input: all of it goes to the first of the largest pixels, row by row.
pub(super) fn backward(x: &[f32], gradient: &[f32], [height, width]: [usize; 2]) -> Vec<f32> {
    let (h, w) = (height / 2, width / 2);
    let mut out = vec![0.0; x.len()];
    assert!(x.is_empty() || x.len().is_multiple_of(height * width));
    let planes = x.len() / (height * width).max(1);
    assert_eq!(gradient.len(), planes * h * w);
    if gradient.is_empty() {
        return out;
    }
    let planes = out.par_chunks_exact_mut(height * width);
    let given = (x.par_chunks_exact(height * width)).zip(gradient.par_chunks_exact(h * w));
    planes.zip(given).for_each(|(out, (x, gradient))| {
        let rows = out
            .chunks_exact_mut(2 * width)
            .zip(x.chunks_exact(2 * width));
        for ((out, x), gradient) in rows.zip(gradient.chunks_exact(w)) {
            let (upper, lower) = x.split_at(width);
            let (out_upper, out_lower) = out.split_at_mut(width);
            let pairs = upper.chunks_exact(2).zip(lower.chunks_exact(2));
            let places = out_upper
                .chunks_exact_mut(2)
                .zip(out_lower.chunks_exact_mut(2));
            for (((a, b), (to_a, to_b)), gradient) in pairs.zip(places).zip(gradient) {
                let largest = larger(larger(a[0], a[1]), larger(b[0], b[1]));
                let is = |value: f32| value == largest || value.is_nan();
                let first = [is(a[0]), is(a[1]), is(b[0])];
                // No branches: which pixel is the largest cannot be foretold.
                to_a[0] = if first[0] { *gradient } else { 0.0 };
                to_a[1] = if !first[0] & first[1] { *gradient } else { 0.0 };
                to_b[0] = if !first[0] & !first[1] & first[2] {
                    *gradient
                } else {
                    0.0
                };
                to_b[1] = if !first[0] & !first[1] & !first[2] {
                    *gradient
                } else {
                    0.0
                };
            }
        }
    });
    out
}

/// The larger one; what is not a number is larger than all numbers.
fn larger(a: f32, b: f32) -> f32 {
    if b > a || b.is_nan() { b } else { a }
}
