//! One exact bilinear sampling of an image through an affine map; outside the image everything is black (REFERENCE C8).

use image::RgbImage;
use multiversion::multiversion;

use crate::{affine::Affine, error::DataError, window::Window};

const CHANNELS: usize = 3;

/// The image `image` seen through `to_crop` (its pixels to crop pixels) in a crop of `width` x `height`.
///
/// A crop pixel takes the four pixels around the place it comes from, weighted by nearness and rounded to the nearest level.
/// There is no anti-aliasing when the crop shrinks the image (REFERENCE A10).
///
/// # Errors
/// When `to_crop` flattens the plane, so that there is no way back.
pub fn warp(
    image: &RgbImage,
    to_crop: &Affine,
    width: u32,
    height: u32,
) -> Result<RgbImage, DataError> {
    warp_window(&Window::whole(image), to_crop, width, height)
}

/// As [`warp`] of the whole image, from a part of it that [covers](Window::covers) what the crop looks at; what it does not have is black.
///
/// # Errors
/// As [`warp`].
pub fn warp_window(
    window: &Window,
    to_crop: &Affine,
    width: u32,
    height: u32,
) -> Result<RgbImage, DataError> {
    let Some(back) = to_crop.invert() else {
        return Err(DataError::Invalid(format!(
            "the crop matrix {:?} has no inverse; the face's crop box must have a positive, finite size",
            to_crop.rows
        )));
    };
    let source = Source {
        pixels: window.pixels.as_raw(),
        stride: window.pixels.width() as usize * CHANNELS,
        left: window.left as usize,
        top: window.top as usize,
        right: (window.left + window.pixels.width()) as usize,
        bottom: (window.top + window.pixels.height()) as usize,
        width: window.width as usize,
        height: window.height as usize,
    };
    let mut crop = RgbImage::new(width, height);
    if source.pixels.is_empty() || width == 0 {
        return Ok(crop);
    }
    let [[ax, bx, cx], [ay, by, cy]] = back.rows;
    let row_bytes = width as usize * CHANNELS;
    for (y, row) in crop.chunks_exact_mut(row_bytes).enumerate() {
        let line = Line {
            x: (ax, bx * y as f64 + cx),
            y: (ay, by * y as f64 + cy),
        };
        let inner = line.inner_span(width as usize, &source);
        let (before, rest) = row.split_at_mut(inner.start * CHANNELS);
        let (middle, after) = rest.split_at_mut(inner.len() * CHANNELS);
        source.sample_checked(&line, 0, before);
        sample_inner(&source, &line, inner.start, middle);
        source.sample_checked(&line, inner.end, after);
    }
    Ok(crop)
}

/// Where the pixels of one crop row come from: `slope * x + start` for either coordinate.
struct Line {
    x: (f64, f64),
    y: (f64, f64),
}

impl Line {
    fn at(&self, x: usize) -> (f64, f64) {
        let x = x as f64;
        (self.x.0 * x + self.x.1, self.y.0 * x + self.y.1)
    }

    /// The crop columns whose four source pixels are all there.
    fn inner_span(&self, columns: usize, source: &Source) -> std::ops::Range<usize> {
        let x = (self.x, source.left, source.right);
        let y = (self.y, source.top, source.bottom);
        let (mut from, mut to) = (0.0_f64, columns as f64);
        for ((slope, start), low, high) in [x, y] {
            // Inside means first <= slope * x + start <= last.
            let (first, last) = (low as f64 + MARGIN, high as f64 - 1.0 - MARGIN);
            if slope == 0.0 {
                if !(first <= start && start <= last) {
                    to = 0.0;
                }
            } else {
                let (a, b) = ((first - start) / slope, (last - start) / slope);
                from = from.max(a.min(b).ceil());
                to = to.min(a.max(b).floor() + 1.0);
            }
        }
        let inside = |x: usize| {
            let (sx, sy) = self.at(x);
            let within = |v: f64, low: usize, high: usize| {
                v >= low as f64 + MARGIN && v <= high as f64 - 1.0 - MARGIN
            };
            within(sx, source.left, source.right) && within(sy, source.top, source.bottom)
        };
        let clamp = |v: f64| v.clamp(0.0, columns as f64) as usize;
        let (mut from, mut to) = (clamp(from), clamp(to));
        // The division may be off by one rounding step; what counts is the sum that the sampling itself makes.
        while from < to && !inside(from) {
            from += 1;
        }
        while from < to && !inside(to - 1) {
            to -= 1;
        }
        if from < to { from..to } else { 0..0 }
    }
}

/// How far inside the image the quick path stays, in pixels: more than its coordinates can drift along a row.
const MARGIN: f64 = 1e-5;
/// Crop pixels that are worked on together: enough for the compiler to use the widest registers there are.
const BLOCK: usize = 16;

/// A coordinate with 32 bits after the point.
#[derive(Clone, Copy)]
struct Fixed(i64);

impl Fixed {
    fn new(v: f64) -> Self {
        Self((v * 4_294_967_296.0) as i64)
    }

    /// Counted from `origin` instead of 0.
    fn counted_from(self, origin: usize) -> Self {
        Self(self.0 - ((origin as i64) << 32))
    }

    /// Rounded down; only for what is not negative.
    fn whole(self) -> usize {
        (self.0 >> 32) as usize
    }

    /// What is left, in 2^-32.
    fn fraction(self) -> u32 {
        self.0 as u32
    }
}

struct Source<'a> {
    /// Those from `left` to before `right` and from `top` to before `bottom` of an image of `width` x `height`.
    pixels: &'a [u8],
    /// Bytes of a row of them.
    stride: usize,
    left: usize,
    top: usize,
    right: usize,
    bottom: usize,
    width: usize,
    height: usize,
}

impl Source<'_> {
    /// Crop pixels anywhere: source pixels outside the image count as black.
    fn sample_checked(&self, line: &Line, first: usize, row: &mut [u8]) {
        let (width, height) = (self.width as f64, self.height as f64);
        for (x, out) in row.chunks_exact_mut(CHANNELS).enumerate() {
            let (sx, sy) = line.at(first + x);
            if !(sx > -1.0 && sy > -1.0 && sx < width && sy < height) {
                continue;
            }
            let (x0, y0) = (sx.floor(), sy.floor());
            let (fx, fy) = ((sx - x0) as f32, (sy - y0) as f32);
            let (x0, y0) = (x0 as isize, y0 as isize);
            for (c, out) in out.iter_mut().enumerate() {
                let (top_left, top_right) = (self.level(x0, y0, c), self.level(x0 + 1, y0, c));
                let (low_left, low_right) =
                    (self.level(x0, y0 + 1, c), self.level(x0 + 1, y0 + 1, c));
                let top = top_left + fx * (top_right - top_left);
                let bottom = low_left + fx * (low_right - low_left);
                *out = round_level(top + fy * (bottom - top));
            }
        }
    }

    fn level(&self, x: isize, y: isize, channel: usize) -> f32 {
        let (left, top) = (self.left as isize, self.top as isize);
        if x < left || y < top || x >= self.right as isize || y >= self.bottom as isize {
            return 0.0;
        }
        let (column, row) = ((x - left) as usize, (y - top) as usize);
        f32::from(self.pixels[row * self.stride + column * CHANNELS + channel])
    }
}

/// Crop pixels whose four source pixels exist: the bulk of the work.
///
/// A block of crop pixels at a time: their source pixels are collected one by one and then mixed side by side.
#[multiversion(targets("x86_64+avx2"))]
fn sample_inner(source: &Source, line: &Line, first: usize, row: &mut [u8]) {
    let stride = source.stride;
    let (sx, sy) = line.at(first);
    // Over the longest row these drift by less than MARGIN.
    let (mut x, mut y) = (
        Fixed::new(sx).counted_from(source.left),
        Fixed::new(sy).counted_from(source.top),
    );
    let (step_x, step_y) = (Fixed::new(line.x.0), Fixed::new(line.y.0));
    let mut corners = Corners::default();
    for out in row.chunks_mut(BLOCK * CHANNELS) {
        for i in 0..out.len() / CHANNELS {
            let at = y.whole() * stride + x.whole() * CHANNELS;
            let (top, low) = (
                pixel_pair(source.pixels, at),
                pixel_pair(source.pixels, at + stride),
            );
            (corners.top_left[i], corners.top_right[i]) = top;
            (corners.low_left[i], corners.low_right[i]) = low;
            corners.x[i] = x.fraction();
            corners.y[i] = y.fraction();
            x.0 += step_x.0;
            y.0 += step_y.0;
        }
        for (out, mixed) in out.chunks_exact_mut(CHANNELS).zip(corners.mix()) {
            out.copy_from_slice(&mixed.to_le_bytes()[..CHANNELS]);
        }
    }
}

/// Two neighbouring pixels, six bytes, as one number each: the first channel in the lowest byte, the highest byte is to be ignored.
#[inline(always)]
fn pixel_pair(pixels: &[u8], at: usize) -> (u32, u32) {
    let mut both = [0; 8];
    match pixels[at..].first_chunk::<8>() {
        Some(eight) => both = *eight,
        // The last two pixels of the image.
        None => both[..2 * CHANNELS].copy_from_slice(&pixels[at..at + 2 * CHANNELS]),
    }
    let both = u64::from_le_bytes(both);
    (both as u32, (both >> 24) as u32)
}

/// For a block of crop pixels the four source pixels around each, and where between them it lies, in 2^-32.
#[derive(Default)]
struct Corners {
    top_left: [u32; BLOCK],
    top_right: [u32; BLOCK],
    low_left: [u32; BLOCK],
    low_right: [u32; BLOCK],
    x: [u32; BLOCK],
    y: [u32; BLOCK],
}

impl Corners {
    /// The crop pixels, the first channel in the lowest byte.
    #[inline(always)]
    fn mix(&self) -> [u32; BLOCK] {
        // Signed whole numbers, because those become floating-point ones in one instruction.
        let fraction = |fraction: u32| (fraction >> 8) as i32 as f32 / 16_777_216.0;
        let mut mixed = [0; BLOCK];
        // A plain loop: what is built of closures, such as `from_fn`, is not always made into wide instructions.
        for (i, mixed) in mixed.iter_mut().enumerate() {
            let (fx, fy) = (fraction(self.x[i]), fraction(self.y[i]));
            for shift in [0, 8, 16] {
                let level = |pixel: u32| ((pixel >> shift) & 0xFF) as i32 as f32;
                let (top_left, top_right) = (level(self.top_left[i]), level(self.top_right[i]));
                let (low_left, low_right) = (level(self.low_left[i]), level(self.low_right[i]));
                let top = top_left + fx * (top_right - top_left);
                let bottom = low_left + fx * (low_right - low_left);
                *mixed |= u32::from(round_level(top + fy * (bottom - top))) << shift;
            }
        }
        mixed
    }
}

/// The nearest level, ties to even: adding 2^23 leaves the rounded number in the lowest bits. `value` is within 0..=255.
fn round_level(value: f32) -> u8 {
    (value + 8_388_608.0).to_bits() as u8
}
