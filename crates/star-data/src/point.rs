//! A place in an image.

use serde::{Deserialize, Serialize};

/// Larger coordinates are taken for damage: no image that is decoded is nearly as wide.
pub(crate) const MAX_COORDINATE: f64 = 1e6;

/// A point (x, y) in pixels; pixel centres are at integers, x to the right, y down.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Point {
    /// To the right, pixels.
    pub x: f64,
    /// Down, pixels.
    pub y: f64,
}

impl Point {
    /// The point (x, y).
    pub const fn new(x: f64, y: f64) -> Self {
        Self { x, y }
    }

    /// The place of a landmark that nobody has labelled: both numbers are NaN, so that a sum which forgets to leave it out shows it.
    pub const MISSING: Self = Self::new(f64::NAN, f64::NAN);

    /// Whether it is a place, and not [`Point::MISSING`].
    pub fn is_labelled(self) -> bool {
        self.x.is_finite() && self.y.is_finite()
    }

    /// Whether both are the same place, or both [`Point::MISSING`].
    pub fn same(self, other: Self) -> bool {
        self == other || !(self.is_labelled() || other.is_labelled())
    }

    /// Euclidean distance in pixels.
    pub fn distance(self, other: Self) -> f64 {
        (self.x - other.x).hypot(self.y - other.y)
    }
}
