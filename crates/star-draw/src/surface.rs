//! What landmarks are drawn on: pixels or an SVG. Coordinates are pixels of the image with centres at integers.

use star_data::Point;

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
}

/// Draws shapes. Shapes with a coordinate that is no number, or far outside of any image, are left out.
pub(super) trait Surface {
    /// A filled disc.
    fn disc(&mut self, center: Point, radius: f64, ink: Ink);
    /// A line through `points`; joined to its start if `closed`. Breaks at points that have no place.
    fn line(&mut self, points: &[Point], closed: bool, width: f64, ink: Ink);
    /// The outline of an ellipse, given by its half axes as vectors, which are perpendicular.
    fn ellipse(&mut self, center: Point, major: Point, minor: Point, width: f64, ink: Ink);
    /// Text centred at a point. `height` is that of a digit.
    fn text(&mut self, center: Point, height: f64, text: &str, ink: Ink);
}

/// Points further out than this are not drawn: no image is that large, and path coordinates are f32.
const FAR: f64 = 1e6;

/// Where a point is when coordinates are 0 at the corner of the first pixel, not at its centre.
pub(super) fn place(p: Point) -> Option<(f64, f64)> {
    let inside = |v: f64| v.is_finite() && v.abs() < FAR;
    (inside(p.x) && inside(p.y)).then_some((p.x + 0.5, p.y + 0.5))
}

/// Whether a vector can be drawn.
pub(super) fn drawable(v: Point) -> bool {
    [v.x, v.y].iter().all(|v| v.is_finite() && v.abs() < FAR)
}
