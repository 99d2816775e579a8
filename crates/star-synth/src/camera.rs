//! The head's turn and its projection onto the image.

use std::ops::{Add, Mul, Sub};

use star_data::Point;

/// A place on the head: x to the image's right, y down, z towards the viewer; the unit is the distance between the outer eye corners of
/// the average face, and the origin lies between the eyes on the ears' plane.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct P3 {
    pub x: f64,
    pub y: f64,
    pub z: f64,
}

impl P3 {
    pub const fn new(x: f64, y: f64, z: f64) -> Self {
        Self { x, y, z }
    }

    pub fn lerp(self, to: Self, t: f64) -> Self {
        self + (to - self) * t
    }

    pub fn cross(self, b: Self) -> Self {
        Self::new(
            self.y * b.z - self.z * b.y,
            self.z * b.x - self.x * b.z,
            self.x * b.y - self.y * b.x,
        )
    }

    pub fn dot(self, b: Self) -> f64 {
        self.x * b.x + self.y * b.y + self.z * b.z
    }

    pub fn unit(self) -> Self {
        self * (1.0 / self.dot(self).sqrt().max(1e-12))
    }
}

impl Add for P3 {
    type Output = Self;
    fn add(self, b: Self) -> Self {
        Self::new(self.x + b.x, self.y + b.y, self.z + b.z)
    }
}

impl Sub for P3 {
    type Output = Self;
    fn sub(self, b: Self) -> Self {
        Self::new(self.x - b.x, self.y - b.y, self.z - b.z)
    }
}

impl Mul<f64> for P3 {
    type Output = Self;
    fn mul(self, k: f64) -> Self {
        Self::new(self.x * k, self.y * k, self.z * k)
    }
}

/// The head turns about its middle, which the camera sees at `center`.
const PIVOT: P3 = P3::new(0.0, 0.12, 0.0);
/// From the camera to the head's middle, in head units: a portrait lens.
const DISTANCE: f64 = 7.0;

#[derive(Clone, Debug)]
pub(super) struct Camera {
    rows: [P3; 3],
    /// Turn to the side, radians; positive turns the nose to the image's right.
    pub yaw: f64,
    /// Pixels per head unit.
    pub zoom: f64,
    center: Point,
}

impl Camera {
    /// Angles in radians: yaw about the head's axis, then pitch (positive looks down), then roll in the image.
    pub fn new(yaw: f64, pitch: f64, roll: f64, zoom: f64, center: Point) -> Self {
        let (sy, cy) = yaw.sin_cos();
        let (sp, cp) = pitch.sin_cos();
        let (sr, cr) = roll.sin_cos();
        let x = P3::new(cy, 0.0, sy);
        let z = P3::new(-sy, 0.0, cy);
        let y = P3::new(0.0, cp, 0.0) + z * sp;
        let z = P3::new(0.0, -sp, 0.0) + z * cp;
        let rows = [x * cr - y * sr, x * sr + y * cr, z];
        Self {
            rows,
            yaw,
            zoom,
            center,
        }
    }

    /// The direction `v` of the head as the viewer sees it.
    pub fn turn(&self, v: P3) -> P3 {
        P3::new(
            self.rows[0].dot(v),
            self.rows[1].dot(v),
            self.rows[2].dot(v),
        )
    }

    /// The direction `v` of the viewer in the head's own space.
    pub fn unturn(&self, v: P3) -> P3 {
        self.rows[0] * v.x + self.rows[1] * v.y + self.rows[2] * v.z
    }

    pub fn project(&self, p: P3) -> Point {
        let v = self.turn(p - PIVOT);
        let k = self.zoom / (1.0 - v.z / DISTANCE);
        Point::new(self.center.x + k * v.x, self.center.y + k * v.y)
    }

    pub fn project_all(&self, points: &[P3]) -> Vec<Point> {
        points.iter().map(|&p| self.project(p)).collect()
    }
}
