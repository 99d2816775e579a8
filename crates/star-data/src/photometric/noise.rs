//! Uniform noise mixed in (REFERENCE A3, where the program calls it "nose").

use image::RgbImage;
use multiversion::multiversion;

/// The fraction of noise for a uniform draw: up to a half.
pub fn noise_strength(draw: f64) -> f64 {
    0.5 * draw
}

/// Mixes `strength` parts of `bytes` into the image, rounded down; one byte for each channel of each pixel.
pub fn noise(image: &mut RgbImage, strength: f64, bytes: &[u8]) {
    mix(image, strength, bytes);
}

#[multiversion(targets("x86_64+avx2"))]
fn mix(levels: &mut [u8], strength: f64, bytes: &[u8]) {
    for (level, &byte) in levels.iter_mut().zip(bytes) {
        let mixed = (1.0 - strength) * f64::from(*level) + strength * f64::from(byte);
        // Within 0..=255; signed, because those are made in one instruction.
        *level = mixed as i32 as u8;
    }
}
