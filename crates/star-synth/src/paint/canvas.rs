//! An image to draw on, in this crate's pixel convention (centres at integers).

use tiny_skia::{
    Color, FillRule, GradientStop, LineCap, LineJoin, LinearGradient, Mask, Paint, Path,
    PathBuilder, Pixmap, PremultipliedColorU8, RadialGradient, Shader, SpreadMode, Stroke,
    Transform,
};

use star_data::Point;

/// A colour with channels in 0..1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Rgb(pub [f32; 3]);

impl Rgb {
    pub const BLACK: Self = Self([0.0; 3]);
    pub const WHITE: Self = Self([1.0; 3]);

    pub const fn new(r: f32, g: f32, b: f32) -> Self {
        Self([r, g, b])
    }

    pub fn mix(self, other: Self, t: f64) -> Self {
        let t = t as f32;
        let mut out = self.0;
        for (a, b) in out.iter_mut().zip(other.0) {
            *a += (b - *a) * t;
        }
        Self(out)
    }

    pub fn scale(self, k: f64) -> Self {
        Self(self.0.map(|v| (v * k as f32).clamp(0.0, 1.0)))
    }

    pub fn alpha(self, alpha: f64) -> Color {
        let [r, g, b] = self.0.map(|v| v.clamp(0.0, 1.0));
        // Every channel is in range, so the fallback is never taken.
        Color::from_rgba(r, g, b, (alpha as f32).clamp(0.0, 1.0)).unwrap_or(Color::TRANSPARENT)
    }

    pub fn solid(self) -> Color {
        self.alpha(1.0)
    }
}

pub(crate) struct Canvas {
    pixels: Pixmap,
}

/// tiny-skia has pixel centres at one half.
fn shift() -> Transform {
    Transform::from_translate(0.5, 0.5)
}

fn sk(p: Point) -> tiny_skia::Point {
    tiny_skia::Point::from_xy(p.x as f32, p.y as f32)
}

fn polygon(points: &[Point], closed: bool) -> Option<Path> {
    let (first, rest) = points.split_first()?;
    let mut path = PathBuilder::new();
    path.move_to(first.x as f32, first.y as f32);
    for p in rest {
        path.line_to(p.x as f32, p.y as f32);
    }
    if closed {
        path.close();
    }
    path.finish()
}

fn paint(shader: Shader<'_>) -> Paint<'_> {
    Paint {
        shader,
        anti_alias: true,
        ..Paint::default()
    }
}

impl Canvas {
    /// A black square canvas. `None` only for size 0.
    pub fn new(width: u32, height: u32) -> Option<Self> {
        let mut pixels = Pixmap::new(width, height)?;
        pixels.fill(Color::BLACK);
        Some(Self { pixels })
    }

    pub fn width(&self) -> u32 {
        self.pixels.width()
    }

    pub fn height(&self) -> u32 {
        self.pixels.height()
    }

    /// Fills a closed polygon.
    pub fn fill(&mut self, points: &[Point], color: Color, clip: Option<&Mask>) {
        self.fill_with(points, Shader::SolidColor(color), clip);
    }

    fn fill_with(&mut self, points: &[Point], shader: Shader<'_>, clip: Option<&Mask>) {
        if let Some(path) = polygon(points, true) {
            self.pixels
                .fill_path(&path, &paint(shader), FillRule::Winding, shift(), clip);
        }
    }

    /// Fills a closed polygon with a gradient from `from` to `to`.
    pub fn fill_gradient(
        &mut self,
        points: &[Point],
        from: (Point, Color),
        to: (Point, Color),
        clip: Option<&Mask>,
    ) {
        let stops = vec![GradientStop::new(0.0, from.1), GradientStop::new(1.0, to.1)];
        let shader = LinearGradient::new(
            sk(from.0),
            sk(to.0),
            stops,
            SpreadMode::Pad,
            Transform::identity(),
        );
        if let Some(shader) = shader {
            self.fill_with(points, shader, clip);
        }
    }

    /// Strokes a line of the given width in pixels, with round ends.
    pub fn line(
        &mut self,
        points: &[Point],
        closed: bool,
        width: f64,
        color: Color,
        clip: Option<&Mask>,
    ) {
        let stroke = Stroke {
            width: width as f32,
            line_cap: LineCap::Round,
            line_join: LineJoin::Round,
            ..Stroke::default()
        };
        if let Some(path) = polygon(points, closed) {
            let paint = paint(Shader::SolidColor(color));
            self.pixels
                .stroke_path(&path, &paint, &stroke, shift(), clip);
        }
    }

    /// A soft spot: `color` at the middle, nothing at the radius. The ellipse's radii are (`radius`, `radius * aspect`), turned by `turn`.
    pub fn spot(
        &mut self,
        center: Point,
        radius: f64,
        aspect: f64,
        turn: f64,
        color: Color,
        clip: Option<&Mask>,
    ) {
        let mut edge = color;
        edge.set_alpha(0.0);
        let mut half = color;
        half.set_alpha(color.alpha() * 0.55);
        let stops = vec![
            GradientStop::new(0.0, color),
            GradientStop::new(0.5, half),
            GradientStop::new(1.0, edge),
        ];
        let place = Transform::from_rotate(turn.to_degrees() as f32)
            .post_scale(1.0, 1.0)
            .pre_scale(radius as f32, (radius * aspect) as f32)
            .post_translate(center.x as f32, center.y as f32);
        let zero = tiny_skia::Point::from_xy(0.0, 0.0);
        let shader = RadialGradient::new(zero, zero, 1.0, stops, SpreadMode::Pad, place);
        if let Some(shader) = shader {
            self.fill_with(
                &ellipse(center, radius, radius * aspect, turn),
                shader,
                clip,
            );
        }
    }

    /// The coverage of a closed polygon, to clip with.
    pub fn mask(&self, points: &[Point]) -> Option<Mask> {
        let mut mask = Mask::new(self.width(), self.height())?;
        mask.fill_path(&polygon(points, true)?, FillRule::Winding, true, shift());
        Some(mask)
    }

    /// Red, green, blue, alpha of every pixel, row by row; alpha is always full.
    pub fn pixels_mut(&mut self) -> &mut [PremultipliedColorU8] {
        self.pixels.pixels_mut()
    }

    pub fn into_rgb(self) -> image::RgbImage {
        let (width, height) = (self.width(), self.height());
        let bytes = self
            .pixels
            .pixels()
            .iter()
            .flat_map(|p| [p.red(), p.green(), p.blue()])
            .collect();
        image::RgbImage::from_raw(width, height, bytes)
            .unwrap_or_else(|| image::RgbImage::new(width, height))
    }
}

/// A closed ellipse as a polygon.
pub(crate) fn ellipse(center: Point, rx: f64, ry: f64, turn: f64) -> Vec<Point> {
    let (st, ct) = turn.sin_cos();
    let steps = ((rx.max(ry) * 2.5) as usize).clamp(10, 64);
    (0..steps)
        .map(|i| {
            let (s, c) = (std::f64::consts::TAU * i as f64 / steps as f64).sin_cos();
            let (x, y) = (rx * c, ry * s);
            Point::new(center.x + x * ct - y * st, center.y + x * st + y * ct)
        })
        .collect()
}
