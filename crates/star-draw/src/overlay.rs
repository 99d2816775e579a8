//! Landmarks drawn on an image.

use image::RgbImage;
use star_data::{Covariance, Edge, Point};

use super::{
    canvas::Canvas,
    surface::{Ink, Surface},
};

/// Ellipses are drawn at this many standard deviations unless said otherwise: 86 % of a Gaussian's mass is inside.
pub const ELLIPSE_SIGMAS: f64 = 2.0;
/// An ellipse narrower than this, in line widths, is a line; it is drawn this wide to stay visible.
const LEAST_HALF_AXIS: f64 = 0.35;

/// The colour of an axis ratio: green where all directions are alike, over yellow, to red from [`MOST_ANISOTROPIC`] on.
///
/// The steps are those of the ratio's logarithm, because a ratio of 2 is as far from 1 as 4 is from 2.
pub fn anisotropy_color(ratio: f64) -> [u8; 3] {
    const STOPS: [[f64; 3]; 4] = [
        [90.0, 232.0, 164.0],
        [250.0, 232.0, 84.0],
        [255.0, 150.0, 50.0],
        [255.0, 52.0, 92.0],
    ];
    let fraction = (ratio.max(1.0).ln() / MOST_ANISOTROPIC.ln()).min(1.0);
    let place = fraction * (STOPS.len() - 1) as f64;
    let from = (place as usize).min(STOPS.len() - 2);
    let t = place - from as f64;
    std::array::from_fn(|i| {
        (STOPS[from][i] + (STOPS[from + 1][i] - STOPS[from][i]) * t).round() as u8
    })
}

/// The axis ratio from which on the colour no longer changes.
pub const MOST_ANISOTROPIC: f64 = 4.0;

/// The colours of an overlay. Each line has a dark rim, so that it reads on light and on dark skin.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Palette {
    /// Predicted points.
    pub points: [u8; 3],
    /// Lines through predicted points.
    pub edges: [u8; 3],
    /// Ellipses of the predicted points' spread.
    pub spread: [u8; 3],
    /// Points to compare with: annotated or true.
    pub reference: [u8; 3],
}

impl Default for Palette {
    /// Cyan against magenta: both far from skin, lips and hair, and apart for colour-blind eyes by brightness alone.
    fn default() -> Self {
        Self {
            points: [255, 255, 255],
            edges: [0, 214, 255],
            spread: [255, 225, 77],
            reference: [255, 45, 149],
        }
    }
}

/// What to draw over one face. Everything is in pixels of the image, with pixel centres at integers.
#[derive(Clone, Copy, Debug)]
pub struct Overlay<'a> {
    points: &'a [Point],
    edges: &'a [Edge],
    spreads: &'a [Covariance],
    reference: &'a [Point],
    palette: Palette,
    thickness: f64,
    sigmas: f64,
    by_anisotropy: bool,
    dots: bool,
    numbers: bool,
}

impl<'a> Overlay<'a> {
    /// The points alone. Points without a place (NaN) are left out.
    pub fn new(points: &'a [Point]) -> Self {
        Self {
            points,
            edges: &[],
            spreads: &[],
            reference: &[],
            palette: Palette::default(),
            thickness: 1.0,
            sigmas: ELLIPSE_SIGMAS,
            by_anisotropy: false,
            dots: true,
            numbers: false,
        }
    }

    /// Lines through the points, as a layout has them. Indices without a point are left out.
    #[must_use]
    pub fn edges(mut self, edges: &'a [Edge]) -> Self {
        self.edges = edges;
        self
    }

    /// An ellipse around each point, in the order of the points.
    #[must_use]
    pub fn spreads(mut self, spreads: &'a [Covariance]) -> Self {
        self.spreads = spreads;
        self
    }

    /// A second set of points, drawn below the first and joined to it by thin lines: annotated or true ones.
    #[must_use]
    pub fn reference(mut self, reference: &'a [Point]) -> Self {
        self.reference = reference;
        self
    }

    /// Other colours.
    #[must_use]
    pub fn palette(mut self, palette: Palette) -> Self {
        self.palette = palette;
        self
    }

    /// Multiplies all line widths and dots, 1 by default.
    #[must_use]
    pub fn thickness(mut self, thickness: f64) -> Self {
        self.thickness = thickness;
        self
    }

    /// Ellipses at this many standard deviations.
    #[must_use]
    pub fn sigmas(mut self, sigmas: f64) -> Self {
        self.sigmas = sigmas;
        self
    }

    /// Colours each ellipse by its axis ratio ([`anisotropy_color`]) instead of all alike.
    #[must_use]
    pub fn by_anisotropy(mut self) -> Self {
        self.by_anisotropy = true;
        self
    }

    /// Whether the points themselves are drawn (they are by default).
    #[must_use]
    pub fn dots(mut self, dots: bool) -> Self {
        self.dots = dots;
        self
    }

    /// Whether each point's index, from 0, is written beside it (it is not by default).
    #[must_use]
    pub fn numbers(mut self, numbers: bool) -> Self {
        self.numbers = numbers;
        self
    }

    /// A copy of `image` with this drawn over it.
    pub fn draw(&self, image: &RgbImage) -> RgbImage {
        draw_overlays(image, std::slice::from_ref(self))
    }

    pub(super) fn draw_on(&self, canvas: &mut dyn Surface) {
        let pen = self.pen();
        let rim = Ink::new([0, 0, 0], 0.55);
        let edges = || {
            self.edges
                .iter()
                .map(|edge| (self.edge_points(edge), edge.closed))
        };

        for (points, closed) in edges() {
            canvas.line(&points, closed, pen.line * 2.0, Ink::new([0, 0, 0], 0.35));
        }
        for (points, closed) in edges() {
            canvas.line(
                &points,
                closed,
                pen.line,
                Ink::new(self.palette.edges, 0.95),
            );
        }
        for (point, spread, axes) in self
            .points
            .iter()
            .zip(self.spreads)
            .filter_map(|(p, s)| Some((*p, *s, s.half_axes(self.sigmas)?)))
        {
            let color = match spread.anisotropy() {
                Some(ratio) if self.by_anisotropy => anisotropy_color(ratio),
                _ => self.palette.spread,
            };
            let (major, minor) = (visible(axes.0, pen.line), visible(axes.1, pen.line));
            let ink = if self.by_anisotropy {
                pen.ellipse_ink(major)
            } else {
                1.0
            };
            for (width, color, opacity) in [(1.5, [0, 0, 0], 0.3 * ink), (0.75, color, 0.9 * ink)] {
                let ink = Ink::new(color, opacity);
                canvas.ellipse(point, major, minor, pen.line * width, ink);
            }
        }
        for (a, b) in self.points.iter().zip(self.reference) {
            canvas.line(
                &[*a, *b],
                false,
                pen.line * 0.7,
                Ink::new(self.palette.reference, 0.8),
            );
        }
        for (points, color) in [
            (self.reference, self.palette.reference),
            (
                if self.dots { self.points } else { &[] },
                self.palette.points,
            ),
        ] {
            for &point in points {
                canvas.disc(point, pen.dot + pen.rim, rim);
                canvas.disc(point, pen.dot, Ink::new(color, 1.0));
            }
        }
        if self.numbers {
            self.draw_numbers(canvas, &pen);
        }
    }

    /// Each number stands on the far side of its point from the middle of the face, where there is most room.
    fn draw_numbers(&self, canvas: &mut dyn Surface, pen: &Pen) {
        let placed: Vec<(usize, Point)> = (self.points.iter().copied().enumerate())
            .filter(|(_, p)| p.x.is_finite() && p.y.is_finite())
            .collect();
        let count = placed.len() as f64;
        let middle = Point::new(
            placed.iter().map(|(_, p)| p.x).sum::<f64>() / count,
            placed.iter().map(|(_, p)| p.y).sum::<f64>() / count,
        );
        for (index, point) in placed {
            let away = point.distance(middle).max(1e-9);
            let out = pen.dot + 1.1 * pen.text;
            let at = Point::new(
                point.x + (point.x - middle.x) / away * out,
                point.y + (point.y - middle.y) / away * out,
            );
            let ink = Ink::new(self.palette.points, 1.0);
            canvas.text(at, pen.text, &index.to_string(), ink);
        }
    }

    fn edge_points(&self, edge: &Edge) -> Vec<Point> {
        edge.points
            .iter()
            .filter_map(|&i| self.points.get(i).copied())
            .collect()
    }

    /// Widths in proportion to the face: the geometric mean of the sides of the points' box.
    fn pen(&self) -> Pen {
        let size = [self.points, self.reference]
            .iter()
            .filter_map(|points| face_size(points))
            .next()
            .unwrap_or(0.0);
        // Below these a line is no longer seen; above, it hides the face.
        let unit = size.clamp(90.0, 4000.0) * self.thickness;
        Pen {
            line: unit * 0.0065,
            dot: unit * 0.0085,
            rim: unit * 0.0045,
            text: (unit * 0.022).max(4.5),
            clear: unit * 0.06,
        }
    }
}

/// Draws several faces over a copy of `image`.
pub fn draw_overlays(image: &RgbImage, overlays: &[Overlay]) -> RgbImage {
    let mut canvas = Canvas::new(image);
    for overlay in overlays {
        overlay.draw_on(&mut canvas);
    }
    canvas.into_image()
}

/// Line width, dot radii and height of digits, in pixels.
struct Pen {
    line: f64,
    dot: f64,
    rim: f64,
    text: f64,
    /// The longest half axis of an ellipse that is drawn in full strength.
    clear: f64,
}

impl Pen {
    /// All ellipses get about the same ink, 0 to 1 of full strength: many wide ones would hide the face, and matter less than its points.
    fn ellipse_ink(&self, major: Point) -> f32 {
        let long = major.x.hypot(major.y);
        (self.clear / long).clamp(0.2, 1.0) as f32
    }
}

/// The geometric mean of the sides of the points' box; None without two points apart.
fn face_size(points: &[Point]) -> Option<f64> {
    let mut low = Point::new(f64::INFINITY, f64::INFINITY);
    let mut high = Point::new(f64::NEG_INFINITY, f64::NEG_INFINITY);
    for p in points.iter().filter(|p| p.x.is_finite() && p.y.is_finite()) {
        low = Point::new(low.x.min(p.x), low.y.min(p.y));
        high = Point::new(high.x.max(p.x), high.y.max(p.y));
    }
    let size = ((high.x - low.x) * (high.y - low.y)).sqrt();
    (size.is_finite() && size > 0.0).then_some(size)
}

/// The half axis, not shorter than a line is wide.
fn visible(axis: Point, line: f64) -> Point {
    let length = axis.x.hypot(axis.y);
    let least = LEAST_HALF_AXIS * line;
    if length >= least {
        axis
    } else if length > 0.0 {
        Point::new(axis.x * least / length, axis.y * least / length)
    } else {
        // A point-like spread: the direction does not matter, but the two axes must differ.
        Point::new(least, 0.0)
    }
}
