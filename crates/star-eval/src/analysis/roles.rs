//! What kind of place a landmark is at, by its layout.

use std::fmt;

use serde::Serialize;
use star_data::{Layout, Point};

/// Where on its edge a landmark lies.
///
/// A landmark on several edges takes the first role that applies, in the order below: a corner is a corner on whatever else it lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// One of the two points of a closed edge that are farthest apart: the corners of eyes and of the mouth.
    Corner,
    /// First or last of an open edge.
    End,
    /// Elsewhere on a closed edge: eyelids and lips.
    Rim,
    /// Inside an open edge: jaw, brows, nose. Where annotators agree least on how far along a point belongs.
    Contour,
    /// On no edge: pupils.
    Single,
}

impl Role {
    /// In the order in which one overrules the next.
    pub const ALL: [Self; 5] = [
        Self::Corner,
        Self::End,
        Self::Rim,
        Self::Contour,
        Self::Single,
    ];

    /// Its name in tables and files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Corner => "corner",
            Self::End => "end",
            Self::Rim => "rim",
            Self::Contour => "contour",
            Self::Single => "single",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// The role of each landmark; `shape` is the mean face, which decides where closed edges have their corners.
pub fn roles(layout: &Layout, shape: &[Point]) -> Vec<Role> {
    let mut roles = vec![Role::Single; layout.points];
    for edge in &layout.edges {
        let ends = if edge.closed {
            farthest(&edge.points, shape)
        } else {
            edge.points
                .first()
                .copied()
                .zip(edge.points.last().copied())
        };
        for &point in &edge.points {
            let is_end = ends.is_some_and(|(a, b)| point == a || point == b);
            let role = match (edge.closed, is_end) {
                (true, true) => Role::Corner,
                (false, true) => Role::End,
                (true, false) => Role::Rim,
                (false, false) => Role::Contour,
            };
            let rank = |role: Role| Role::ALL.iter().position(|r| *r == role);
            if let Some(old) = roles.get_mut(point)
                && rank(role) < rank(*old)
            {
                *old = role;
            }
        }
    }
    roles
}

/// The two of `points` that are farthest apart in `shape`.
fn farthest(points: &[usize], shape: &[Point]) -> Option<(usize, usize)> {
    let mut best = None;
    let mut length = 0.0;
    for (k, &a) in points.iter().enumerate() {
        for &b in &points[k + 1..] {
            let (Some(p), Some(q)) = (shape.get(a), shape.get(b)) else {
                continue;
            };
            if p.distance(*q) > length {
                length = p.distance(*q);
                best = Some((a, b));
            }
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_68_points_have_the_roles_a_person_would_give() {
        let layout = Layout::builtin("ibug68").unwrap();
        // Eyes and lips twice as wide as high; nothing else is looked at.
        let mut shape = vec![Point::default(); 68];
        for (from, to) in [(36, 42), (42, 48), (48, 60), (60, 68)] {
            for (i, point) in shape[from..to].iter_mut().enumerate() {
                let angle = i as f64 / (to - from) as f64 * std::f64::consts::TAU;
                *point = Point::new(-2.0 * angle.cos(), -angle.sin());
            }
        }
        let roles = roles(&layout, &shape);
        let of = |role: Role| -> Vec<usize> { (0..68).filter(|&i| roles[i] == role).collect() };
        assert_eq!(of(Role::Corner), [36, 39, 42, 45, 48, 54, 60, 64]);
        assert_eq!(of(Role::End), [0, 16, 17, 21, 22, 26, 27, 30, 31, 35]);
        assert_eq!(of(Role::Rim).len(), 4 + 4 + 10 + 6);
        assert_eq!(of(Role::Contour).len(), 15 + 3 + 3 + 2 + 3);
        assert!(of(Role::Single).is_empty());
    }
}
