//! A black rectangle somewhere on the crop (REFERENCE A1).

use image::{Rgb, RgbImage};

/// Inclusive pixel bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rectangle {
    /// First row.
    pub top: u32,
    /// The row after the last.
    pub bottom: u32,
    /// First column.
    pub left: u32,
    /// The column after the last.
    pub right: u32,
}

/// The rectangle of four uniform draws, at most 0.4 of the height and 0.5 of the width; `None` when it misses the image.
///
/// The published program draws the horizontal place from the height and the vertical one from the width. On a square crop,
/// the only kind it is used on, that makes no difference; it is kept so that recorded draws give the recorded rectangle.
pub fn occlusion_rectangle(width: u32, height: u32, draws: [f64; 4]) -> Option<Rectangle> {
    let (w, h) = (f64::from(width), f64::from(height));
    let fraction_h = 0.2 + 0.6 * draws[0];
    let fraction_w = fraction_h - 0.2 + 0.4 * draws[1];
    let center_x = ((h - 1.0) * draws[2]) as i64;
    let center_y = ((w - 1.0) * draws[3]) as i64;
    let half_h = (h / 2.0 * fraction_h) as i64 / 2;
    let half_w = (w / 2.0 * fraction_w) as i64 / 2;
    let clip = |center: i64, half: i64, length: u32| {
        let (low, high) = (
            (center - half).max(0),
            (center + half).min(i64::from(length) - 1),
        );
        (low <= high).then_some((low as u32, high as u32))
    };
    let (top, bottom) = clip(center_y, half_h, height)?;
    let (left, right) = clip(center_x, half_w, width)?;
    Some(Rectangle {
        top,
        bottom,
        left,
        right,
    })
}

/// Blackens the rectangle of four uniform draws.
pub fn occlude(image: &mut RgbImage, draws: [f64; 4]) {
    let Some(r) = occlusion_rectangle(image.width(), image.height(), draws) else {
        return;
    };
    for y in r.top..=r.bottom {
        for x in r.left..=r.right {
            image.put_pixel(x, y, Rgb([0; 3]));
        }
    }
}
