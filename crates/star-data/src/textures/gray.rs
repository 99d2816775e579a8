//! Colour taken away (REFERENCE A2).

use image::RgbImage;

/// Replaces each pixel by its grey level.
///
/// The published program applies the weights of RGB to pictures stored as BGR, so blue counts 0.299 and red 0.114. Published
/// weights were trained that way, so it is kept. The integer form is exact.
pub fn gray(image: &mut RgbImage) {
    for pixel in image.pixels_mut() {
        let [r, g, b] = pixel.0.map(u32::from);
        pixel.0 = [((9798 * b + 19235 * g + 3735 * r + 16384) >> 15) as u8; 3];
    }
}
