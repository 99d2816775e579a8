//! A thick curve for each edge (REFERENCE L4).
//!
//! The curve is drawn four pixels thick on a canvas four times the crop. A cell of the map is the covered fraction of the 8 x 8 canvas
//! pixels that belong to the four crop pixels it is reduced from, so a cell is one 64-bit mask and a piece of the curve sets runs
//! of bits in it.

use super::{MAP_FACTOR, partial_edge::PartialEdge, spline::curve, thick_line::ThickLine};
use crate::{layout::Edge, point::Point};

/// Canvas pixels a crop pixel, along a side.
const OVERSAMPLE: usize = 4;
/// Canvas pixels from one cell to the next.
const PITCH: i64 = (MAP_FACTOR * OVERSAMPLE) as i64;
/// Canvas pixels of a cell along a side: two crop pixels.
const BLOCK: i64 = 2 * OVERSAMPLE as i64;
/// Where a cell's canvas pixels begin: after one crop pixel.
const OFFSET: i64 = OVERSAMPLE as i64;
/// Cells that are looked at together: most of a map is empty.
const STRIP: usize = 16;

/// The edge maps of a face, `[edges, size / 4, size / 4]`, from landmarks in pixels of a `size` x `size` crop.
///
/// Values are whole 64ths, or [`UNKNOWN`]. `landmarks` must be a whole face of the edges' layout. Of an edge with landmarks that are not labelled
/// the pieces between labelled neighbours are drawn; where the others can be is unknown.
pub fn edge_maps(landmarks: &[Point], edges: &[Edge], size: usize) -> Vec<f32> {
    let mut canvas = EdgeCanvas::new(size);
    let mut maps = Vec::with_capacity(edges.len() * canvas.masks.len());
    for edge in edges {
        let on_edge: Vec<Point> = edge.points.iter().map(|&i| landmarks[i]).collect();
        if on_edge.iter().all(|p| p.is_labelled()) {
            canvas.draw(&curve(&on_edge, edge.closed), edge.closed);
            canvas.take(&mut maps);
        } else {
            let part = PartialEdge::new(&on_edge, edge.closed);
            for piece in part.pieces() {
                canvas.draw(piece, false);
            }
            let first = maps.len();
            canvas.take(&mut maps);
            part.mark(&mut maps[first..], size);
        }
    }
    maps
}

/// The value of a cell of which the labels do not say whether the edge is there; it must give no loss.
pub const UNKNOWN: f32 = -1.0;

/// The masks of one edge.
pub struct EdgeCanvas {
    size: usize,
    cells: usize,
    masks: Vec<u64>,
    line: ThickLine,
}

impl EdgeCanvas {
    /// An empty canvas for a crop of `size` x `size` pixels.
    pub fn new(size: usize) -> Self {
        let cells = size / MAP_FACTOR;
        Self {
            size,
            cells,
            masks: vec![0; cells * cells],
            line: ThickLine::new(size * OVERSAMPLE),
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

    fn draw_piece(&mut self, a: (i64, i64), b: (i64, i64)) {
        let (masks, cells) = (&mut self.masks, self.cells);
        for (y, from, to) in self.line.draw(a, b) {
            cover(masks, cells, y, from, to);
        }
    }
}

/// Sets the pixels `from..=to` of canvas row `y`, where they belong to cells.
fn cover(masks: &mut [u64], cells: usize, y: i64, from: i64, to: i64) {
    let within = y.rem_euclid(PITCH) - OFFSET;
    if y < 0 || y >= cells as i64 * PITCH || !(0..BLOCK).contains(&within) || to < 0 {
        return;
    }
    let row = (y / PITCH) as usize;
    let first = (from.max(0) / PITCH) as usize;
    let last = ((to / PITCH) as usize).min(cells - 1);
    for cell in first..=last {
        let start = cell as i64 * PITCH + OFFSET;
        let low = (from - start).max(0);
        let high = (to - start).min(BLOCK - 1);
        if low <= high {
            let run = (0xFF_u64 >> (BLOCK - 1 - (high - low))) << low;
            masks[row * cells + cell] |= run << (within * BLOCK) as u32;
        }
    }
}
