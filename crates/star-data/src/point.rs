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

    /// Euclidean distance in pixels.
    pub fn distance(self, other: Self) -> f64 {
        (self.x - other.x).hypot(self.y - other.y)
    }
}
