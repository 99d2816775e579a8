//! Anti-aliased drawing on an RGB image.

use image::RgbImage;
use star_data::Point;
use tiny_skia::{Color, LineCap, LineJoin, Paint, Path, PathBuilder, Pixmap, Stroke, Transform};

use super::{
    glyphs,
    surface::{Ink, Surface, drawable, place},
};

fn paint(ink: Ink) -> Paint<'static> {
    let [r, g, b] = ink.rgb.map(|c| f32::from(c) / 255.0);
    let mut paint = Paint::default();
    // Opacities are constants of this module, in 0..=1.
    paint.set_color(Color::from_rgba(r, g, b, ink.opacity).unwrap_or(Color::BLACK));
    paint.anti_alias = true;
    paint
}

/// An opaque image to draw on. Coordinates are pixels with centres at integers, as everywhere in this project.
pub(super) struct Canvas {
    /// None for an image without pixels, on which nothing can be drawn.
    pixels: Option<Pixmap>,
    size: (u32, u32),
}

impl Canvas {
    pub fn new(image: &RgbImage) -> Self {
        let mut pixels = Pixmap::new(image.width(), image.height());
        if let Some(pixels) = &mut pixels {
            for (to, from) in pixels.data_mut().chunks_exact_mut(4).zip(image.pixels()) {
                to[..3].copy_from_slice(&from.0);
                to[3] = 255;
            }
        }
        Self {
            pixels,
            size: image.dimensions(),
        }
    }

    /// The image. Opaque pixels are the same premultiplied and not.
    pub fn into_image(self) -> RgbImage {
        let mut image = RgbImage::new(self.size.0, self.size.1);
        if let Some(pixels) = &self.pixels {
            for (to, from) in image.pixels_mut().zip(pixels.data().chunks_exact(4)) {
                to.0.copy_from_slice(&from[..3]);
            }
        }
        image
    }

    fn stroke(&mut self, path: Option<Path>, width: f64, ink: Ink) {
        if let (Some(pixels), Some(path)) = (&mut self.pixels, path) {
            let stroke = Stroke {
                width: width as f32,
                line_cap: LineCap::Round,
                line_join: LineJoin::Round,
                ..Stroke::default()
            };
            pixels.stroke_path(&path, &paint(ink), &stroke, Transform::identity(), None);
        }
    }
}

impl Surface for Canvas {
    /// Not through the path renderer, whose quarter pixels are visible where a landmark's place is the message.
    fn disc(&mut self, center: Point, radius: f64, ink: Ink) {
        let (Some(pixels), Some(_)) = (&mut self.pixels, place(center)) else {
            return;
        };
        let (width, height) = (pixels.width() as usize, pixels.height() as usize);
        let reach = radius + 1.0;
        let span = |at: f64, size: usize| {
            let low = (at - reach).floor().max(0.0) as usize;
            let high = (at + reach).ceil() + 1.0;
            low..(high.max(0.0) as usize).min(size)
        };
        let row_bytes = width * 4;
        for y in span(center.y, height) {
            for x in span(center.x, width) {
                let alpha = coverage(x as f64 - center.x, y as f64 - center.y, radius)
                    * f64::from(ink.opacity);
                if alpha > 0.0 {
                    let at = y * row_bytes + x * 4;
                    for (to, from) in pixels.data_mut()[at..at + 3].iter_mut().zip(ink.rgb) {
                        let mixed = f64::from(*to) + (f64::from(from) - f64::from(*to)) * alpha;
                        *to = mixed.round() as u8;
                    }
                }
            }
        }
    }

    fn line(&mut self, points: &[Point], closed: bool, width: f64, ink: Ink) {
        let mut path = PathBuilder::new();
        let mut run = 0;
        let mut whole = true;
        for place in points.iter().copied().map(place) {
            match place {
                Some((x, y)) if run == 0 => {
                    path.move_to(x as f32, y as f32);
                    run = 1;
                }
                Some((x, y)) => {
                    path.line_to(x as f32, y as f32);
                    run += 1;
                }
                None => {
                    run = 0;
                    whole = false;
                }
            }
        }
        match (points.first(), points.last()) {
            (Some(first), Some(last)) if closed && !whole => {
                if let (Some(a), Some(b)) = (place(*last), place(*first)) {
                    path.move_to(a.0 as f32, a.1 as f32);
                    path.line_to(b.0 as f32, b.1 as f32);
                }
            }
            _ if closed && run > 1 => path.close(),
            _ => {}
        }
        self.stroke(path.finish(), width, ink);
    }

    fn ellipse(&mut self, center: Point, major: Point, minor: Point, width: f64, ink: Ink) {
        let Some((x, y)) = place(center) else { return };
        if !drawable(major) || !drawable(minor) {
            return;
        }
        let [a, b, c, d, x, y] = [major.x, major.y, minor.x, minor.y, x, y].map(|v| v as f32);
        let circle = PathBuilder::from_circle(0.0, 0.0, 1.0);
        let shape = Transform::from_row(a, b, c, d, x, y);
        self.stroke(circle.and_then(|path| path.transform(shape)), width, ink);
    }

    fn text(&mut self, center: Point, height: f64, text: &str, ink: Ink) {
        let (lines, width) = glyphs::polylines(center, height, text);
        // A rim, so that digits read on skin and on hair.
        for (width, ink) in [
            (width + 0.3 * height, Ink::new([0, 0, 0], 0.6 * ink.opacity)),
            (width, ink),
        ] {
            for line in &lines {
                match line[..] {
                    [a, b] if a == b => self.disc(a, width * 0.6, ink),
                    _ => self.line(line, false, width, ink),
                }
            }
        }
    }
}

/// How much of a pixel is inside a disc whose centre is (-dx, -dy) from the pixel's.
fn coverage(dx: f64, dy: f64, radius: f64) -> f64 {
    const STEPS: usize = 8;
    let distance = dx.hypot(dy);
    if distance + 0.71 < radius {
        return 1.0;
    }
    let offsets = || (0..STEPS).map(|i| (i as f64 + 0.5) / STEPS as f64 - 0.5);
    let inside = offsets()
        .flat_map(|y| offsets().map(move |x| (dx + x).hypot(dy + y)))
        .filter(|&d| d <= radius)
        .count();
    inside as f64 / (STEPS * STEPS) as f64
}
