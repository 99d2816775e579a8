//! A Gaussian bump for each landmark (REFERENCE L1, L2).
//!
//! The bump is a product of a function of y and one of x, and so is its reduced form; only these two profiles are computed and
//! kept. A batch of 98-point maps is then 30 times smaller on its way to the device, where one product makes the maps.

use super::MAP_FACTOR;
use crate::point::Point;

/// Standard deviation of the bump in crop pixels.
const SIGMA: f64 = 1.5;

/// The profiles of some landmarks: `map[row, column] = rows[row] * columns[column]`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PointProfiles {
    /// `[points, cells]`.
    pub rows: Vec<f32>,
    /// `[points, cells]`.
    pub columns: Vec<f32>,
}

/// The profiles of landmarks in pixels of a `size` x `size` crop, for maps of `size / 4` cells a side.
///
/// A landmark outside the crop makes its bump on the border (REFERENCE L2); one that is not labelled makes none.
pub fn point_profiles(landmarks: &[Point], size: usize) -> PointProfiles {
    profiles_with(landmarks, size, MAP_FACTOR, SIGMA)
}

/// As [`point_profiles`] for another even reduction and another bump. The patch reaches 3 sigma.
pub fn profiles_with(landmarks: &[Point], size: usize, factor: usize, sigma: f64) -> PointProfiles {
    let cells = size / factor;
    let mut profiles = PointProfiles {
        rows: vec![0.0; landmarks.len() * cells],
        columns: vec![0.0; landmarks.len() * cells],
    };
    for (i, p) in (landmarks.iter().enumerate()).filter(|(_, p)| p.is_labelled()) {
        let range = i * cells..(i + 1) * cells;
        fill(&mut profiles.rows[range.clone()], p.y, size, factor, sigma);
        fill(&mut profiles.columns[range], p.x, size, factor, sigma);
    }
    profiles
}

/// One coordinate's profile: the bump's values at the two middle pixels of each cell, averaged.
fn fill(cells: &mut [f32], coordinate: f64, size: usize, factor: usize, sigma: f64) {
    let p = coordinate.clamp(0.0, size as f64 - 1.0);
    let radius = 3.0 * sigma;
    let middle = (2.0 * radius + 1.0) as i64 / 2;
    // Both casts round towards zero: a landmark within `radius` of the first pixel moves its bump by one (REFERENCE L1).
    let first = (p - radius) as i64;
    let end = ((p + radius + 1.0) as i64).min(size as i64);
    for pixel in first.max(0)..end {
        let (cell, within) = (pixel as usize / factor, pixel as usize % factor);
        let taken = within + 1 == factor / 2 || within == factor / 2;
        if taken && let Some(cell) = cells.get_mut(cell) {
            let offset = (pixel - first - middle) as f64;
            *cell += (0.5 * (-offset * offset / (2.0 * sigma * sigma)).exp()) as f32;
        }
    }
}

/// The maps themselves, `[points, cells, cells]`, from their profiles.
pub fn expand_point_maps(profiles: &PointProfiles, cells: usize) -> Vec<f32> {
    let mut maps = Vec::with_capacity(profiles.rows.len() * cells);
    if cells == 0 {
        return maps;
    }
    let both = profiles
        .rows
        .chunks_exact(cells)
        .zip(profiles.columns.chunks_exact(cells));
    for (rows, columns) in both {
        for row in rows {
            maps.extend(columns.iter().map(|column| row * column));
        }
    }
    maps
}
