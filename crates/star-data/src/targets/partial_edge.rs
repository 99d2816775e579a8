//! An edge some of whose landmarks are not labelled: what is known of its curve, and where the rest of it can be.

use super::{
    MAP_FACTOR,
    edge_map::UNKNOWN,
    spline::{SAMPLES, curve},
};
use crate::point::Point;

/// How much longer a piece of the curve may be than the chords of its neighbours say: contours bend, and landmarks are not evenly spaced.
const SLACK: f64 = 1.25;

/// The curve between labelled neighbours, and the regions that a curve of the missing length can reach.
pub struct PartialEdge {
    pieces: Vec<Vec<Point>>,
    unknown: Unknown,
}

enum Unknown {
    /// Fewer than two landmarks are labelled.
    Everywhere,
    Regions(Vec<Region>),
}

/// Where distances to `from` and `to` add up to `length` at most: an ellipse around a gap, a disc (`from == to`) around an open end.
struct Region {
    from: Point,
    to: Point,
    length: f64,
}

impl PartialEdge {
    /// Of an edge's landmarks in its order, [`Point::MISSING`] where there is none, in crop pixels.
    pub fn new(on_edge: &[Point], closed: bool) -> Self {
        let known: Vec<usize> = (0..on_edge.len())
            .filter(|&i| on_edge[i].is_labelled())
            .collect();
        if known.len() < 2 {
            return Self {
                pieces: Vec::new(),
                unknown: Unknown::Everywhere,
            };
        }
        let points: Vec<Point> = known.iter().map(|&i| on_edge[i]).collect();
        let mut line = curve(&points, closed);
        if closed && let Some(&first) = line.first() {
            line.push(first);
        }
        // Few landmarks come back as they are, see `curve`.
        let each = if line.len() > points.len() + 1 {
            SAMPLES
        } else {
            1
        };

        // From each labelled landmark to the next: how many steps of the whole edge, and how far.
        let spans = if closed { known.len() } else { known.len() - 1 };
        let span = |k: usize| {
            let next = (k + 1) % known.len();
            let steps = (known[next] + on_edge.len() - known[k] - 1) % on_edge.len() + 1;
            (points[k], points[next], steps)
        };
        let a_step = |(from, to, steps): (Point, Point, usize)| from.distance(to) / steps as f64;
        let whole = (0..spans).map(span).filter(|span| span.2 == 1);
        let longest = (whole.map(a_step).reduce(f64::max))
            .or_else(|| (0..spans).map(span).map(a_step).reduce(f64::max))
            .unwrap_or_default();

        let (mut pieces, mut regions) = (Vec::new(), Vec::new());
        for k in 0..spans {
            let (from, to, steps) = span(k);
            if steps == 1 {
                pieces.push(line[k * each..=(k + 1) * each].to_vec());
            } else {
                let length = SLACK * (steps as f64 * longest).max(from.distance(to));
                regions.push(Region { from, to, length });
            }
        }
        if !closed {
            let ends = [
                (0, known[0]),
                (known.len() - 1, on_edge.len() - 1 - known[known.len() - 1]),
            ];
            for (at, missing) in ends {
                if missing > 0 {
                    let length = 2.0 * SLACK * missing as f64 * longest;
                    let from = points[at];
                    regions.push(Region {
                        from,
                        to: from,
                        length,
                    });
                }
            }
        }
        Self {
            pieces,
            unknown: Unknown::Regions(regions),
        }
    }

    /// The known pieces of the curve, each from one landmark to the next.
    pub fn pieces(&self) -> impl Iterator<Item = &[Point]> {
        self.pieces.iter().map(Vec::as_slice)
    }

    /// Marks the empty cells of a map `[size / 4, size / 4]` where the rest of the curve can be as [`UNKNOWN`].
    pub fn mark(&self, map: &mut [f32], size: usize) {
        let regions = match &self.unknown {
            Unknown::Everywhere => return map.fill(UNKNOWN),
            Unknown::Regions(regions) => regions,
        };
        let cells = size / MAP_FACTOR;
        for (i, value) in map
            .iter_mut()
            .enumerate()
            .filter(|(_, value)| **value == 0.0)
        {
            // A cell is reduced from four crop pixels; this is their middle.
            let [x, y] = [i % cells, i / cells].map(|c| (c * MAP_FACTOR) as f64 + 1.5);
            let middle = Point::new(x, y);
            if regions.iter().any(|region| region.has(middle)) {
                *value = UNKNOWN;
            }
        }
    }
}

impl Region {
    fn has(&self, place: Point) -> bool {
        // As much wider as a line is thick.
        let thick = MAP_FACTOR as f64;
        place.distance(self.from) + place.distance(self.to) <= self.length + thick
    }
}
