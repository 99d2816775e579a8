//! Anti-aliased drawing on an RGB picture.

use image::RgbImage;
use star_data::Point;
use tiny_skia::{Color, LineCap, LineJoin, Paint, Path, PathBuilder, Pixmap, Stroke, Transform};

/// Points further out than this are not drawn: no picture is that large, and path coordinates are f32.
const FAR: f64 = 1e6;

/// A colour with opacity.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Ink {
    pub rgb: [u8; 3],
    /// 0 to 1.
    pub opacity: f32,
}

impl Ink {
    pub fn new(rgb: [u8; 3], opacity: f32) -> Self {
        Self { rgb, opacity }
    }

    fn paint(self) -> Paint<'static> {
        let [r, g, b] = self.rgb.map(|c| f32::from(c) / 255.0);
        let mut paint = Paint::default();
        // Opacities are constants of this module, in 0..=1.
        paint.set_color(Color::from_rgba(r, g, b, self.opacity).unwrap_or(Color::BLACK));
        paint.anti_alias = true;
        paint
    }
}

/// An opaque picture to draw on. Coordinates are pixels with centres at integers, as everywhere in this project.
pub(super) struct Canvas {
    /// None for a picture without pixels, on which nothing can be drawn.
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

    /// The picture. Opaque pixels are the same premultiplied and not.
    pub fn into_image(self) -> RgbImage {
        let mut image = RgbImage::new(self.size.0, self.size.1);
        if let Some(pixels) = &self.pixels {
            for (to, from) in image.pixels_mut().zip(pixels.data().chunks_exact(4)) {
                to.0.copy_from_slice(&from[..3]);
            }
        }
        image
    }

    /// A filled disc.
    ///
    /// Not through the path renderer, whose quarter pixels are visible where a landmark's place is the message.
    pub fn disc(&mut self, center: Point, radius: f64, ink: Ink) {
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

    /// A line through `points`; joined to its start if `closed`. Breaks at points that have no place.
    pub fn line(&mut self, points: &[Point], closed: bool, width: f64, ink: Ink) {
        let mut path = PathBuilder::new();
        let mut run = 0;
        let mut whole = true;
        for place in points.iter().copied().map(place) {
            match place {
                Some((x, y)) if run == 0 => {
                    path.move_to(x, y);
                    run = 1;
                }
                Some((x, y)) => {
                    path.line_to(x, y);
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
                    path.move_to(a.0, a.1);
                    path.line_to(b.0, b.1);
                }
            }
            _ if closed && run > 1 => path.close(),
            _ => {}
        }
        self.stroke(path.finish(), width, ink);
    }

    /// The outline of an ellipse, given by its half axes as vectors, in pixels.
    pub fn ellipse(&mut self, center: Point, major: Point, minor: Point, width: f64, ink: Ink) {
        let Some((x, y)) = place(center) else { return };
        let [a, b, c, d] = [major.x, major.y, minor.x, minor.y].map(|v| v as f32);
        if ![a, b, c, d]
            .iter()
            .all(|v| v.is_finite() && f64::from(v.abs()) < FAR)
        {
            return;
        }
        let circle = PathBuilder::from_circle(0.0, 0.0, 1.0);
        let shape = Transform::from_row(a, b, c, d, x, y);
        self.stroke(circle.and_then(|path| path.transform(shape)), width, ink);
    }

    fn stroke(&mut self, path: Option<Path>, width: f64, ink: Ink) {
        if let (Some(pixels), Some(path)) = (&mut self.pixels, path) {
            let stroke = Stroke {
                width: width as f32,
                line_cap: LineCap::Round,
                line_join: LineJoin::Round,
                ..Stroke::default()
            };
            pixels.stroke_path(&path, &ink.paint(), &stroke, Transform::identity(), None);
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

/// Where a point is on the canvas, whose coordinates are 0 at the corner of the first pixel, not at its centre.
fn place(p: Point) -> Option<(f32, f32)> {
    let inside = |v: f64| v.is_finite() && v.abs() < FAR;
    (inside(p.x) && inside(p.y)).then_some(((p.x + 0.5) as f32, (p.y + 0.5) as f32))
}
