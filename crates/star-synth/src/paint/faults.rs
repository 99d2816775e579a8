//! What a camera does to an image: blur, noise, contrast, colour casts.

use tiny_skia::PremultipliedColorU8;

use super::canvas::Canvas;
use crate::{dice::Dice, look::Look};

pub(super) fn apply(canvas: &mut Canvas, look: &Look, dice: &mut Dice) {
    let (width, height) = (canvas.width() as usize, canvas.height() as usize);
    let pixels = canvas.pixels_mut();
    if look.blur > 0.3 {
        blur(pixels, width, height, look.blur);
    }
    // One table a channel does contrast, brightness and cast.
    let table = look.cast.map(|cast| {
        let mut row = [0f32; 256];
        for (value, out) in row.iter_mut().enumerate() {
            let v = value as f64 / 255.0;
            let v = ((v - 0.5) * look.contrast + 0.5 + look.brightness) * cast;
            *out = (v * 255.0) as f32;
        }
        row
    });
    let mut random = Fast(dice.bits() | 1);
    // A sum of two uniform numbers is near enough to normal for a camera; its deviation is 1 / sqrt(6).
    let strength = (look.noise * 255.0 * 6f64.sqrt()) as f32;
    for pixel in pixels {
        let mut rgb = [
            table[0][usize::from(pixel.red())],
            table[1][usize::from(pixel.green())],
            table[2][usize::from(pixel.blue())],
        ];
        if look.gray {
            let gray = 0.299 * rgb[0] + 0.587 * rgb[1] + 0.114 * rgb[2];
            rgb = [gray; 3];
        }
        if strength > 0.0 {
            let bits = random.next();
            for (k, v) in rgb.iter_mut().enumerate() {
                let part = (bits >> (20 * k)) & 0xF_FFFF;
                let (a, b) = ((part & 0x3FF) as f32, (part >> 10) as f32);
                *v += strength * ((a + b) / 1023.0 - 1.0);
            }
        }
        let [r, g, b] = rgb.map(|v| v.clamp(0.0, 255.0) as u8);
        if let Some(color) = PremultipliedColorU8::from_rgba(r, g, b, 255) {
            *pixel = color;
        }
    }
}

/// Xorshift: a noise source for pixels, good enough to look like noise and fast enough for 50,000 of them.
struct Fast(u64);

impl Fast {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
}

/// Gaussian blur with deviation `sigma` pixels (at most about 2), as a row and a column pass.
fn blur(pixels: &mut [PremultipliedColorU8], width: usize, height: usize, sigma: f64) {
    let reach = (2.2 * sigma).ceil() as usize;
    let mut kernel: Vec<f32> = (0..=reach)
        .map(|i| (-(i as f64).powi(2) / (2.0 * sigma * sigma)).exp() as f32)
        .collect();
    let total = 2.0 * kernel.iter().sum::<f32>() - kernel[0];
    kernel.iter_mut().for_each(|k| *k /= total);
    let mut planes: Vec<[f32; 3]> = pixels
        .iter()
        .map(|p| [p.red(), p.green(), p.blue()].map(f32::from))
        .collect();
    let mut line = Vec::new();
    for y in 0..height {
        blur_line(&mut planes, y * width, 1, width, &kernel, &mut line);
    }
    for x in 0..width {
        blur_line(&mut planes, x, width, height, &kernel, &mut line);
    }
    for (pixel, sum) in pixels.iter_mut().zip(planes) {
        let [r, g, b] = sum.map(|v| (v + 0.5) as u8);
        if let Some(color) = PremultipliedColorU8::from_rgba(r, g, b, 255) {
            *pixel = color;
        }
    }
}

/// Blurs `length` pixels from `start`, `step` apart, with the border pixels repeated. `kernel` is its right half; `line` is scratch space.
fn blur_line(
    planes: &mut [[f32; 3]],
    start: usize,
    step: usize,
    length: usize,
    kernel: &[f32],
    line: &mut Vec<[f32; 3]>,
) {
    let reach = kernel.len() - 1;
    line.clear();
    line.extend((0..length + 2 * reach).map(|i| {
        let i = i.saturating_sub(reach).min(length - 1);
        planes[start + i * step]
    }));
    for (i, window) in line.windows(2 * reach + 1).enumerate() {
        let mut sum = window[reach].map(|v| v * kernel[0]);
        for (k, weight) in kernel.iter().enumerate().skip(1) {
            for (c, s) in sum.iter_mut().enumerate() {
                *s += weight * (window[reach - k][c] + window[reach + k][c]);
            }
        }
        planes[start + i * step] = sum;
    }
}
