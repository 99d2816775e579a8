//! Brightness by a power (REFERENCE A4).

use image::RgbImage;

/// The exponent of two uniform draws: the first picks brighter (0.25 to 1) or darker (1 to 4), the second how much.
pub fn gamma_from_draws([which, amount]: [f64; 2]) -> f64 {
    if which < 0.5 {
        0.25 + 0.75 * amount
    } else {
        1.0 + 3.0 * amount
    }
}

/// What each level becomes: 255 (v / 255)^gamma, rounded down as in the published program.
pub fn gamma_table(gamma: f64) -> [u8; 256] {
    std::array::from_fn(|v| ((v as f64 / 255.0).powf(gamma) * 255.0) as u8)
}

/// Raises every level to the power `gamma`.
pub fn gamma(image: &mut RgbImage, gamma: f64) {
    let table = gamma_table(gamma);
    for level in image.iter_mut() {
        *level = table[usize::from(*level)];
    }
}
