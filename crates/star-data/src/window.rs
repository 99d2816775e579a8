//! A part of an image that stands for the whole of it.

use image::RgbImage;

use crate::affine::Affine;

/// The pixels from `left`, `top` on of an image of `width` x `height`.
#[derive(Clone, Copy, Debug)]
pub struct Window<'a> {
    /// The part itself.
    pub pixels: &'a RgbImage,
    /// Columns of the whole image to its left.
    pub left: u32,
    /// Rows of the whole image above it.
    pub top: u32,
    /// Of the whole image.
    pub width: u32,
    /// Of the whole image.
    pub height: u32,
}

impl<'a> Window<'a> {
    /// All of an image.
    pub fn whole(image: &'a RgbImage) -> Self {
        Self {
            pixels: image,
            left: 0,
            top: 0,
            width: image.width(),
            height: image.height(),
        }
    }

    /// Whether every pixel of the image that a crop of `size` x `size` through `to_crop` looks at is in the window.
    pub fn covers(&self, to_crop: &Affine, size: u32) -> bool {
        let Some(back) = to_crop.invert() else {
            return false;
        };
        let last = f64::from(size) - 1.0;
        let [[ax, bx, cx], [ay, by, cy]] = back.rows;
        let within = |[a, b, c]: [f64; 3], first: u32, count: u32, all: u32| {
            let corners = [(0.0, 0.0), (last, 0.0), (0.0, last), (last, last)];
            let places = corners.map(|(x, y)| a * x + b * y + c);
            let low = places.iter().copied().fold(f64::INFINITY, f64::min);
            let high = places.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            // A place looks at the pixels on either side of it; beyond the image's own borders there is nothing to miss.
            (first == 0 || low - 1.0 >= f64::from(first))
                && (first + count == all || high + 1.0 <= f64::from(first + count) - 1.0)
        };
        let (columns, rows) = self.pixels.dimensions();
        within([ax, bx, cx], self.left, columns, self.width)
            && within([ay, by, cy], self.top, rows, self.height)
    }
}
