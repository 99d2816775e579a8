//! A thick curve for each edge (REFERENCE L4).
//!
//! The curve is a band of half-width 2.5 on a canvas four times the crop, with a small lozenge at each joint. A cell of the map is the covered fraction of the 8 x 8 canvas
//! pixels that belong to the four crop pixels it is reduced from, so a cell is one 64-bit mask and a piece of the curve sets runs
//! of bits in it. Canvas pixels between the cells are never visited.

use super::{MAP_FACTOR, spline::curve};
use crate::{layout::Edge, point::Point};

/// Canvas pixels a crop pixel, along a side.
const OVERSAMPLE: usize = 4;
/// Canvas pixels from one cell to the next.
const PITCH: i64 = (MAP_FACTOR * OVERSAMPLE) as i64;
/// Canvas pixels of a cell along a side: two crop pixels.
const BLOCK: i64 = 2 * OVERSAMPLE as i64;
/// Where a cell's canvas pixels begin: after one crop pixel.
const OFFSET: i64 = OVERSAMPLE as i64;
/// How far the drawing of a lone point reaches along its row, one row away, and two rows away.
const CAP: [i64; 3] = [2, 1, 0];
/// Half the width of a straight piece, which reproduces OpenCV's thickness of 4.
const RADIUS: f64 = 2.5;
/// Cells that are looked at together: most of a map is empty.
const STRIP: usize = 16;
/// Rows that a piece can reach beyond its ends.
const REACH: i64 = 2;

/// The edge maps of a face, `[edges, size / 4, size / 4]`, from landmarks in pixels of a `size` x `size` crop.
///
/// Values are whole 64ths. `landmarks` must be a whole face of the edges' layout, and finite.
pub fn edge_maps(landmarks: &[Point], edges: &[Edge], size: usize) -> Vec<f32> {
    let mut canvas = EdgeCanvas::new(size);
    let mut maps = Vec::with_capacity(edges.len() * canvas.masks.len());
    for edge in edges {
        let on_edge: Vec<Point> = edge.points.iter().map(|&i| landmarks[i]).collect();
        canvas.draw(&curve(&on_edge, edge.closed), edge.closed);
        canvas.take(&mut maps);
    }
    maps
}

/// The masks of one edge.
pub struct EdgeCanvas {
    size: usize,
    cells: usize,
    masks: Vec<u64>,
}

impl EdgeCanvas {
    /// An empty canvas for a crop of `size` x `size` pixels.
    pub fn new(size: usize) -> Self {
        let cells = size / MAP_FACTOR;
        Self {
            size,
            cells,
            masks: vec![0; cells * cells],
        }
    }

    /// Draws a line through points in crop pixels; a closed one also from the last to the first.
    pub fn draw(&mut self, line: &[Point], closed: bool) {
        let last = self.size as f64 - 1.0;
        let canvas = |v: f64| (v.clamp(0.0, last) * OVERSAMPLE as f64 + 0.5) as i64;
        let corners: Vec<_> = line.iter().map(|p| (canvas(p.x), canvas(p.y))).collect();
        for pair in corners.windows(2) {
            self.draw_piece(pair[0], pair[1]);
        }
        if let (Some(&first), Some(&last)) = (corners.first(), corners.last())
            && (closed || corners.len() == 1)
        {
            self.draw_piece(last, first);
        }
    }

    /// Appends the map, `[cells, cells]`, and empties the canvas.
    pub fn take(&mut self, maps: &mut Vec<f32>) {
        let first = maps.len();
        maps.resize(first + self.masks.len(), 0.0);
        let values = maps[first..].chunks_mut(STRIP);
        for (masks, values) in self.masks.chunks_mut(STRIP).zip(values) {
            if masks.iter().fold(0, |all, mask| all | mask) == 0 {
                continue;
            }
            for (mask, value) in masks.iter_mut().zip(values) {
                *value = std::mem::take(mask).count_ones() as f32 / 64.0;
            }
        }
    }

    /// Covers the canvas pixels beside the segment from `a` to `b` and around its ends.
    fn draw_piece(&mut self, a: (i64, i64), b: (i64, i64)) {
        let (top, bottom) = if a.1 <= b.1 { (a, b) } else { (b, a) };
        let (dx, dy) = ((bottom.0 - top.0) as f64, (bottom.1 - top.1) as f64);
        let length2 = dx * dx + dy * dy;
        let half = RADIUS * length2.sqrt();
        let end = (bottom.1 + REACH).min(self.cells as i64 * PITCH - 1);
        let mut y = (top.1 - REACH).max(0);
        while y <= end {
            let within = y.rem_euclid(PITCH) - OFFSET;
            if !(0..BLOCK).contains(&within) {
                // On to the first canvas row of the next cell.
                y += if within < 0 { -within } else { PITCH - within };
                continue;
            }
            // The three parts overlap and the whole is very nearly convex, so what it covers of a row is taken as one run.
            let (mut from, mut to) = (i64::MAX, i64::MIN);
            for (cx, cy) in [top, bottom] {
                if let Some(&reach) = CAP.get((y - cy).unsigned_abs() as usize) {
                    from = from.min(cx - reach);
                    to = to.max(cx + reach);
                }
            }
            if let Some((low, high)) = straight(dx, dy, length2, half, (y - top.1) as f64) {
                from = from.min(top.0 + low);
                to = to.max(top.0 + high);
            }
            if from <= to {
                self.cover(y, from, to);
            }
            y += 1;
        }
    }

    /// Sets the pixels `from..=to` of canvas row `y`, which belongs to a row of cells.
    fn cover(&mut self, y: i64, from: i64, to: i64) {
        let row = (y / PITCH) as usize;
        let shift = ((y % PITCH - OFFSET) * BLOCK) as u32;
        let first = (from.max(0) / PITCH) as usize;
        let last = ((to.max(0) / PITCH) as usize).min(self.cells - 1);
        for cell in first..=last {
            let start = cell as i64 * PITCH + OFFSET;
            let low = (from - start).max(0);
            let high = (to - start).min(BLOCK - 1);
            if low <= high {
                let run = (0xFF_u64 >> (BLOCK - 1 - (high - low))) << low;
                self.masks[row * self.cells + cell] |= run << shift;
            }
        }
    }
}

/// Whole x, relative to the upper end, whose foot lies on the segment and whose distance to its line is at most the radius, `y` rows
/// below that end.
fn straight(dx: f64, dy: f64, length2: f64, half: f64, y: f64) -> Option<(i64, i64)> {
    if length2 == 0.0 {
        return None;
    }
    // |x dy - y dx| <= half and 0 <= x dx + y dy <= length2, each an interval of x.
    let mut low = f64::NEG_INFINITY;
    let mut high = f64::INFINITY;
    let mut limit = |slope: f64, from: f64, to: f64| {
        if slope == 0.0 {
            if from > 0.0 || to < 0.0 {
                high = f64::NEG_INFINITY;
            }
        } else {
            let (a, b) = (from / slope, to / slope);
            low = low.max(a.min(b));
            high = high.min(a.max(b));
        }
    };
    limit(dy, y * dx - half, y * dx + half);
    let cap = 0.0;
    limit(dx, -y * dy - cap, length2 - y * dy + cap);
    let (low, high) = (low.ceil(), high.floor());
    (low <= high).then_some((low as i64, high as i64))
}
