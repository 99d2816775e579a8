//! What a camera does to a picture: blur, noise, contrast, colour casts.

use tiny_skia::PremultipliedColorU8;

use super::canvas::Canvas;
use crate::synth::{dice::Dice, look::Look};

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
    let rgb: Vec<[f32; 3]> = pixels
        .iter()
        .map(|p| [p.red(), p.green(), p.blue()].map(f32::from))
        .collect();
    let pass = |from: &[[f32; 3]],
                step: usize,
                length: usize,
                at: &dyn Fn(usize) -> usize|
     -> Vec<[f32; 3]> {
        (0..from.len())
            .map(|i| {
                let position = at(i);
                let mut sum = from[i].map(|v| v * kernel[0]);
                for (k, weight) in kernel.iter().enumerate().skip(1) {
                    let down = i - step * k.min(position);
                    let up = i + step * k.min(length - 1 - position);
                    for c in 0..3 {
                        sum[c] += weight * (from[down][c] + from[up][c]);
                    }
                }
                sum
            })
            .collect()
    };
    let rows = pass(&rgb, 1, width, &|i| i % width);
    let both = pass(&rows, width, height, &|i| i / width);
    for (pixel, sum) in pixels.iter_mut().zip(both) {
        let [r, g, b] = sum.map(|v| (v + 0.5) as u8);
        if let Some(color) = PremultipliedColorU8::from_rgba(r, g, b, 255) {
            *pixel = color;
        }
    }
}
