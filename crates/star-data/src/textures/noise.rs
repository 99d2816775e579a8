//! Uniform noise mixed in (REFERENCE A3, where the program calls it "nose").

use image::RgbImage;

/// The share of noise for a uniform draw: up to a half.
pub fn noise_strength(draw: f64) -> f64 {
    0.5 * draw
}

/// Mixes `strength` parts of `bytes` into the picture, rounded down; one byte for each channel of each pixel.
pub fn noise(image: &mut RgbImage, strength: f64, bytes: &[u8]) {
    let parts = |share: f64| -> [f64; 256] { std::array::from_fn(|level| share * level as f64) };
    let (of_image, of_noise) = (parts(1.0 - strength), parts(strength));
    for (level, &byte) in image.iter_mut().zip(bytes) {
        *level = (of_image[usize::from(*level)] + of_noise[usize::from(byte)]) as u8;
    }
}
