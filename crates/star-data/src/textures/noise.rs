//! Uniform noise mixed in (REFERENCE A3, where the program calls it "nose").

use image::RgbImage;

/// The share of noise for a uniform draw: up to a half.
pub fn noise_strength(draw: f64) -> f64 {
    0.5 * draw
}

/// Mixes `strength` parts of `bytes` into the picture, rounded down; one byte for each channel of each pixel.
pub fn noise(image: &mut RgbImage, strength: f64, bytes: &[u8]) {
    for (level, &byte) in image.iter_mut().zip(bytes) {
        *level = ((1.0 - strength) * f64::from(*level) + strength * f64::from(byte)) as u8;
    }
}
