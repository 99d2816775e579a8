//! What the colours and sizes of ellipses mean, in a strip below the image, where it hides nothing.

use star_data::Point;

use super::{
    overlay::{MOST_ANISOTROPIC, anisotropy_color},
    surface::{Ink, Surface},
};

/// The strip's own colour.
pub(super) const BACKGROUND: [u8; 3] = [24, 26, 31];
const TEXT: [u8; 3] = [225, 228, 233];
/// Pieces that the colour bar is made of.
const PIECES: usize = 48;
/// Width of the legend in heights of the strip.
const WIDTH: f64 = 12.5;
/// A strip less high than this cannot be read.
const LEAST: f64 = 9.0;

/// Height of the strip for an image this wide, in pixels; None where there is no room for one.
pub(super) fn height(width: u32) -> Option<u32> {
    let width = f64::from(width);
    let height = (0.055 * width).clamp(20.0, 64.0).min(width / WIDTH);
    (height >= LEAST).then_some(height.round() as u32)
}

/// Draws the legend into the strip from `top` on, `high` pixels high, below an image `wide` pixels wide.
pub(super) fn draw(surface: &mut dyn Surface, top: u32, wide: u32, high: u32, sigmas: f64) {
    let u = f64::from(high);
    let (middle, ink) = (f64::from(top) + u / 2.0 - 0.5, Ink::new(TEXT, 1.0));
    // In the middle of the image's width.
    let left = (f64::from(wide) - WIDTH * u) / 2.0;
    let at = |x: f64| Point::new(left + x * u, middle);
    let text = 0.34 * u;
    let line = 0.07 * u;

    surface.text(at(0.9), text, &format!("{}σ", number(sigmas)), ink);
    ellipse(surface, at(2.35), 0.22 * u, 1.0, line);
    surface.text(at(3.2), text, "1:1", ink);
    let (from, to) = (4.0, 9.0);
    for piece in 0..PIECES {
        let place = |i: usize| from + (to - from) * i as f64 / PIECES as f64;
        let ratio = MOST_ANISOTROPIC.powf((piece as f64 + 0.5) / PIECES as f64);
        let ends = [at(place(piece)), at(place(piece + 1))];
        surface.line(
            &ends,
            false,
            0.2 * u,
            Ink::new(anisotropy_color(ratio), 1.0),
        );
    }
    ellipse(surface, at(10.05), 0.42 * u, MOST_ANISOTROPIC, line);
    let most = format!("{}:1", number(MOST_ANISOTROPIC));
    surface.text(at(11.2), text, &most, ink);
}

/// An upright example of an axis ratio: its width is the long axis.
fn ellipse(surface: &mut dyn Surface, at: Point, long: f64, ratio: f64, line: f64) {
    surface.ellipse(
        at,
        Point::new(long, 0.0),
        Point::new(0.0, long / ratio),
        line,
        Ink::new(anisotropy_color(ratio), 1.0),
    );
}

/// Without superfluous digits.
fn number(value: f64) -> String {
    let text = format!("{value:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}
