//! Colour taken away (REFERENCE A2).

use image::RgbImage;
use multiversion::multiversion;

/// Replaces each pixel by its grey level.
///
/// The published program applies the weights of RGB to images stored as BGR, so blue counts 0.299 and red 0.114. Published
/// weights were trained that way, so it is kept. The integer form is exact.
pub fn gray(image: &mut RgbImage) {
    flatten(image);
}

#[multiversion(targets("x86_64+avx2"))]
fn flatten(levels: &mut [u8]) {
    for pixel in levels.chunks_exact_mut(3) {
        let [r, g, b] = [pixel[0], pixel[1], pixel[2]].map(u32::from);
        let level = ((9798 * b + 19235 * g + 3735 * r + 16384) >> 15) as u8;
        pixel.fill(level);
    }
}
