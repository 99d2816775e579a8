//! A line four canvas pixels thick, pixel for pixel as OpenCV draws it on a float canvas (REFERENCE L4).
//!
//! Such a line is a quadrilateral, whose corners lie in 65,536ths of a pixel, and a small disc at each end. The quadrilateral is its
//! outline, stepped from pixel to pixel, and its inside, stepped from row to row with its slopes rounded: the two differ by a pixel
//! here and there, and both are drawn. What is covered of a row is always one run.

/// A pixel of the canvas, or a place in [`ONE`]ths of one.
pub type Place = (i64, i64);

const FRACTION: u32 = 16;
const ONE: i64 = 1 << FRACTION;
const HALF: i64 = ONE / 2;
/// Half the thickness, in pixels.
const HALF_WIDTH: f64 = 2.0;
/// How far the disc at an end reaches along its row, one row away, and two rows away.
const DISC: [i64; 3] = [2, 1, 0];
/// Rows that a line can reach beyond its ends.
const REACH: i64 = 3;
/// The run of a row in which nothing is drawn.
const EMPTY: Place = (i64::MAX, i64::MIN);

/// The row of canvas pixels of a place, or the column.
fn pixel(v: i64) -> i64 {
    (v + HALF) >> FRACTION
}

/// Draws lines, one at a time, on a square canvas.
pub struct ThickLine {
    /// Pixels of the canvas along a side.
    side: i64,
    /// The row of the first run.
    top: i64,
    /// First and last pixel of each row that the line may touch.
    runs: Vec<Place>,
}

impl ThickLine {
    pub fn new(side: usize) -> Self {
        Self {
            side: side as i64,
            top: 0,
            runs: Vec::new(),
        }
    }

    /// The rows of the line from pixel `a` to pixel `b`: each row's number, first and last pixel. Both may lie outside the canvas.
    pub fn draw(&mut self, a: Place, b: Place) -> impl Iterator<Item = (i64, i64, i64)> + '_ {
        self.top = a.1.min(b.1) - REACH;
        let rows = (a.1 - b.1).abs() + 2 * REACH + 1;
        self.runs.clear();
        self.runs.resize(rows as usize, EMPTY);
        if let Some(corners) = corners(a, b) {
            let last_row = corners.iter().map(|c| pixel(c.1)).max().unwrap_or(0);
            for i in 0..4 {
                let (from, to) = (corners[(i + 3) % 4], corners[i]);
                self.outline(from, to);
                self.inside(from, to, last_row);
            }
        }
        for (x, y) in [a, b] {
            for (i, reach) in DISC.iter().enumerate() {
                for y in [y - i as i64, y + i as i64] {
                    self.put(x - reach, y);
                    self.put(x + reach, y);
                }
            }
        }
        let top = self.top;
        let drawn = self
            .runs
            .iter()
            .zip(top..)
            .filter(|(run, _)| **run != EMPTY);
        drawn.map(|(&(first, last), y)| (y, first, last))
    }

    fn put(&mut self, x: i64, y: i64) {
        if let Some(run) = self.runs.get_mut((y - self.top) as usize) {
            *run = (run.0.min(x), run.1.max(x));
        }
    }

    /// The pixels along one side: one a column where it is flat, one a row where it is steep.
    fn outline(&mut self, a: Place, b: Place) {
        let Some((mut a, mut b)) = clip(a, b, (self.side << FRACTION) - 1) else {
            return;
        };
        let (dx, dy) = ((b.0 - a.0).abs(), (b.1 - a.1).abs());
        let flat = dx > dy;
        if (flat && b.0 < a.0) || (!flat && b.1 < a.1) {
            std::mem::swap(&mut a, &mut b);
        }
        self.put(pixel(b.0), pixel(b.1));
        if flat {
            let step = ((b.1 - a.1) << FRACTION) / (dx | 1);
            for i in 0..=(b.0 - a.0) >> FRACTION {
                self.put(pixel(a.0) + i, pixel(a.1 + i * step));
            }
        } else {
            let step = ((b.0 - a.0) << FRACTION) / (dy | 1);
            for i in 0..=(b.1 - a.1) >> FRACTION {
                self.put(pixel(a.0 + i * step), pixel(a.1) + i);
            }
        }
    }

    /// Where each row of the inside begins or ends at one side. The last row of the whole belongs to the sides that end there.
    fn inside(&mut self, a: Place, b: Place, last_row: i64) {
        let (upper, lower) = if a.1 <= b.1 { (a, b) } else { (b, a) };
        let (first, end) = (pixel(upper.1), pixel(lower.1));
        let rows = end - first;
        if rows == 0 {
            return;
        }
        let step = (2 * (lower.0 - upper.0) + rows) / (2 * rows);
        for i in 0..rows + i64::from(end == last_row) {
            self.put(pixel(upper.0 + i * step), first + i);
        }
    }
}

/// Of the quadrilateral around a line, in [`ONE`]ths; none where the line is a point.
fn corners(a: Place, b: Place) -> Option<[Place; 4]> {
    if a == b {
        return None;
    }
    let (dx, dy) = ((a.0 - b.0) as f64, (b.1 - a.1) as f64);
    let width = HALF_WIDTH * ONE as f64 / (dx * dx + dy * dy).sqrt();
    // Halves to the even number, as OpenCV rounds.
    let across = [dy * width, dx * width].map(|v| v.round_ties_even() as i64);
    let beside = |(x, y): Place, sign: i64| {
        (
            (x << FRACTION) + sign * across[0],
            (y << FRACTION) + sign * across[1],
        )
    };
    Some([beside(a, 1), beside(a, -1), beside(b, -1), beside(b, 1)])
}

/// The part of a line inside `0..=last` both ways: first cut above and below, then left and right, towards zero.
fn clip(mut a: Place, mut b: Place, last: i64) -> Option<(Place, Place)> {
    let cut = |at: i64, from: i64, span: i64, across: i64| {
        ((at - from) as f64 * across as f64 / span as f64) as i64
    };
    let beyond = |v: i64| (v < 0) || (v > last);
    let both = |v: i64, w: i64| (v < 0 && w < 0) || (v > last && w > last);
    if both(a.0, b.0) || both(a.1, b.1) {
        return None;
    }
    for _ in 0..2 {
        if beyond(a.1) {
            let at = a.1.clamp(0, last);
            a = (a.0 + cut(at, a.1, b.1 - a.1, b.0 - a.0), at);
        }
        std::mem::swap(&mut a, &mut b);
    }
    if both(a.0, b.0) {
        return None;
    }
    for _ in 0..2 {
        if beyond(a.0) {
            let at = a.0.clamp(0, last);
            a = (at, a.1 + cut(at, a.0, b.0 - a.0, b.1 - a.1));
        }
        std::mem::swap(&mut a, &mut b);
    }
    Some((a, b))
}
