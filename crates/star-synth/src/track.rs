//! A drawn curve that landmarks are taken from.

use star_data::Point;

/// A dense polyline in image pixels, measured by arc length.
///
/// Places on it are named by `u`: whole numbers are the knots (eye corners, the chin, ...), fractions are fractions of the arc between two
/// knots. A closed track's last point is its first, and its last knot is the first one again.
#[derive(Clone, Debug)]
pub(super) struct Track {
    points: Vec<Point>,
    /// Arc length from the start to each point.
    arc: Vec<f64>,
    knots: Vec<usize>,
    closed: bool,
}

impl Track {
    /// Joins `pieces` end to start (each begins where the one before ends); the knots are the joints.
    pub fn from_pieces(pieces: &[Vec<Point>], closed: bool) -> Self {
        let mut points: Vec<Point> = Vec::new();
        let mut knots = vec![0];
        for piece in pieces {
            let skip = usize::from(!points.is_empty());
            points.extend(piece.iter().skip(skip));
            knots.push(points.len().saturating_sub(1));
        }
        if points.is_empty() {
            points.push(Point::default());
        }
        let mut arc = Vec::with_capacity(points.len());
        let mut length = 0.0;
        arc.push(0.0);
        for pair in points.windows(2) {
            length += pair[0].distance(pair[1]);
            arc.push(length);
        }
        Self {
            points,
            arc,
            knots,
            closed,
        }
    }

    pub fn points(&self) -> &[Point] {
        &self.points
    }

    fn length(&self) -> f64 {
        self.arc.last().copied().unwrap_or(0.0)
    }

    /// Arc length at `u`.
    pub fn arc_at(&self, u: f64) -> f64 {
        let last = self.knots.len().saturating_sub(2);
        let piece = (u.floor().max(0.0) as usize).min(last);
        let from = self.arc[self.knots[piece]];
        let to = self.arc[self.knots[(piece + 1).min(self.knots.len() - 1)]];
        from + (to - from) * (u - piece as f64)
    }

    /// The point and the unit tangent at an arc length. Past the ends a closed track goes round, an open one goes straight on.
    pub fn at(&self, arc: f64) -> (Point, Point) {
        (self.place(arc), self.tangent(arc))
    }

    /// The direction over a short stretch around `arc`, so that it does not jump from segment to segment.
    fn tangent(&self, arc: f64) -> Point {
        let length = self.length();
        let reach = length * 0.01;
        let (from, to) = if self.closed {
            (arc - reach, arc + reach)
        } else {
            let from = (arc - reach).clamp(0.0, (length - 2.0 * reach).max(0.0));
            (from, from + 2.0 * reach)
        };
        let (a, b) = (self.place(from), self.place(to));
        let size = a.distance(b);
        if size > 1e-9 {
            Point::new((b.x - a.x) / size, (b.y - a.y) / size)
        } else {
            Point::new(1.0, 0.0)
        }
    }

    fn place(&self, arc: f64) -> Point {
        if self.points.len() < 2 {
            return self.points[0];
        }
        let length = self.length();
        let arc = if self.closed && length > 0.0 {
            arc.rem_euclid(length)
        } else {
            arc
        };
        let next = self
            .arc
            .partition_point(|&a| a <= arc)
            .clamp(1, self.points.len() - 1);
        let (a, b) = (self.points[next - 1], self.points[next]);
        let step = (self.arc[next] - self.arc[next - 1]).max(1e-12);
        let t = (arc - self.arc[next - 1]) / step;
        Point::new(a.x + (b.x - a.x) * t, a.y + (b.y - a.y) * t)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A square of side 10 in two pieces of two sides each.
    fn square() -> Track {
        let p = |x: f64, y: f64| Point::new(x, y);
        let there = vec![p(0.0, 0.0), p(10.0, 0.0), p(10.0, 10.0)];
        let back = vec![p(10.0, 10.0), p(0.0, 10.0), p(0.0, 0.0)];
        Track::from_pieces(&[there, back], true)
    }

    #[test]
    fn whole_numbers_are_knots_and_fractions_are_arc_length() {
        let track = square();
        for (u, arc) in [
            (0.0, 0.0),
            (0.25, 5.0),
            (1.0, 20.0),
            (1.75, 35.0),
            (2.0, 40.0),
        ] {
            assert!((track.arc_at(u) - arc).abs() < 1e-12, "{u}");
        }
        let (place, tangent) = track.at(track.arc_at(1.25));
        assert!(place.distance(Point::new(5.0, 10.0)) < 1e-12);
        assert!(tangent.distance(Point::new(-1.0, 0.0)) < 1e-12);
    }

    #[test]
    fn closed_tracks_go_round_and_open_ones_straight_on() {
        let track = square();
        assert!(track.at(-3.0).0.distance(track.at(37.0).0) < 1e-12);
        assert!(track.at(41.0).0.distance(Point::new(1.0, 0.0)) < 1e-12);
        let line = vec![Point::new(0.0, 0.0), Point::new(3.0, 4.0)];
        let open = Track::from_pieces(&[line], false);
        assert!(open.at(-5.0).0.distance(Point::new(-3.0, -4.0)) < 1e-12);
        assert!(open.at(10.0).0.distance(Point::new(6.0, 8.0)) < 1e-12);
        assert!(open.at(10.0).1.distance(Point::new(0.6, 0.8)) < 1e-12);
    }

    #[test]
    fn degenerate_tracks_are_places() {
        for pieces in [vec![], vec![vec![]], vec![vec![Point::new(2.0, 3.0); 5]]] {
            let track = Track::from_pieces(&pieces, true);
            let (place, tangent) = track.at(track.arc_at(0.5));
            assert!(place.x.is_finite() && place.y.is_finite());
            assert!((tangent.x.hypot(tangent.y) - 1.0).abs() < 1e-12);
        }
    }
}
