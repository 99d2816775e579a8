//! A 2x3 affine map of the plane.

use serde::{Deserialize, Serialize};

use crate::point::Point;

/// Maps (x, y) to (a x + b y + c, d x + e y + f). Unless said otherwise it maps original pixels to crop pixels.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Affine {
    /// The two rows `[a, b, c]` and `[d, e, f]`.
    pub rows: [[f64; 3]; 2],
}

impl Default for Affine {
    fn default() -> Self {
        Self::IDENTITY
    }
}

impl Affine {
    /// Maps every point to itself.
    pub const IDENTITY: Self = Self::new([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]);

    /// From the two rows of the matrix.
    pub const fn new(rows: [[f64; 3]; 2]) -> Self {
        Self { rows }
    }

    /// A shift by (dx, dy) pixels.
    pub const fn translation(dx: f64, dy: f64) -> Self {
        Self::new([[1.0, 0.0, dx], [0.0, 1.0, dy]])
    }

    /// Mirrors left and right: x becomes `base - x`.
    pub const fn mirror(base: f64) -> Self {
        Self::new([[-1.0, 0.0, base], [0.0, 1.0, 0.0]])
    }

    /// Rotates by `angle` radians (x towards y, clockwise on the screen) and scales, both about `center`.
    pub fn rotation_about(center: Point, angle: f64, scale: f64) -> Self {
        let (sin, cos) = angle.sin_cos();
        let (c, s) = (scale * cos, scale * sin);
        Self::new([
            [c, -s, center.x - c * center.x + s * center.y],
            [s, c, center.y - s * center.x - c * center.y],
        ])
    }

    /// Where a point goes.
    pub fn apply(&self, p: Point) -> Point {
        let [[a, b, c], [d, e, f]] = self.rows;
        Point::new(a * p.x + b * p.y + c, d * p.x + e * p.y + f)
    }

    /// Where each of the points goes.
    pub fn apply_all(&self, points: &[Point]) -> Vec<Point> {
        points.iter().map(|&p| self.apply(p)).collect()
    }

    /// The map that does `self` first and `next` second: as matrices, `next * self`.
    #[must_use]
    pub fn then(&self, next: &Self) -> Self {
        let mut rows = [[0.0; 3]; 2];
        for (row, n) in rows.iter_mut().zip(&next.rows) {
            for (k, value) in row.iter_mut().enumerate() {
                *value = n[0] * self.rows[0][k] + n[1] * self.rows[1][k];
            }
            row[2] += n[2];
        }
        Self { rows }
    }

    /// The matrix product `self * first`: does `first` first.
    #[must_use]
    pub fn compose(&self, first: &Self) -> Self {
        first.then(self)
    }

    /// The signed area of the unit square after the map.
    pub fn determinant(&self) -> f64 {
        self.rows[0][0] * self.rows[1][1] - self.rows[0][1] * self.rows[1][0]
    }

    /// The map back, or `None` when the map flattens the plane or is not finite.
    pub fn invert(&self) -> Option<Self> {
        let [[a, b, c], [d, e, f]] = self.rows;
        let det = self.determinant();
        let inverse = Self::new([
            [e / det, -b / det, (b * f - e * c) / det],
            [-d / det, a / det, (d * c - a * f) / det],
        ]);
        (det != 0.0 && inverse.rows.iter().flatten().all(|v| v.is_finite())).then_some(inverse)
    }
}
