//! What is read off a stack's features: all maps by one product, and what is made of them.

use multiversion::multiversion;
use star_flex::exp;

use super::{
    memory::{Buffer, Memory},
    pointwise::Pointwise,
    product::{Add, Panels, Rows, product},
    split::{PASS, by_rows},
};
use crate::{batch_norm::EPSILON, decoder::MIN_SUM};

/// Rows whose sums are taken in single precision before they go on in double.
const RUN: usize = 64;

/// The maps of a stack, and how they and its features go on to the next.
#[derive(Debug)]
pub struct Heads {
    /// Behind the features' block.
    pub features: Pointwise,
    /// Heatmaps, then point maps, then edge maps.
    pub maps: Panels,
    pub points: usize,
    /// None for the last stack.
    pub merge: Option<Merge>,
}

/// Into the next stack's input.
#[derive(Debug)]
pub struct Merge {
    pub features: Panels,
    /// Of all maps.
    pub maps: Panels,
}

/// Maps of one face, `[maps, height, width]`.
#[derive(Debug, Default)]
pub struct Face {
    /// `[points, 2]`, x and y.
    pub landmarks: Vec<f32>,
    pub heatmaps: Vec<f32>,
    /// Both empty without attention.
    pub point_maps: Vec<f32>,
    pub edge_maps: Vec<f32>,
}

impl Heads {
    /// All maps of the features, `[pixels, maps]`.
    pub fn maps<'m>(&self, features: &[f32], memory: &'m Memory) -> Buffer<'m> {
        let Panels {
            inputs, outputs, ..
        } = self.maps;
        let mut maps = memory.take(features.len() / inputs * outputs);
        let work = maps.len() * inputs;
        by_rows(&mut maps, outputs, work, |first, maps| {
            let x = Rows::new(&features[first * inputs..], inputs);
            product(x, &self.maps, maps, Add::Nothing, false);
        });
        let (mean, scale) = statistics(&maps, outputs, self.points);
        let work = maps.len() * PASS;
        by_rows(&mut maps, outputs, work, |_, maps| {
            activate(maps, outputs, &mean, &scale);
        });
        maps
    }

    /// Adds features and maps to the next stack's input.
    pub fn merge(&self, features: &[f32], maps: &[f32], x: &mut [f32]) {
        let Some(merge) = &self.merge else { return };
        let outputs = merge.features.outputs;
        let work = x.len() * (merge.features.inputs + merge.maps.inputs);
        by_rows(x, outputs, work, |first, x| {
            for (data, panels) in [(features, &merge.features), (maps, &merge.maps)] {
                let rows = Rows::new(&data[first * panels.inputs..], panels.inputs);
                product(rows, panels, x, Add::Own, false);
            }
        });
    }

    /// The answer: heatmaps, masked where there is attention (`edges` are the edges' sums for each point), and their centres of mass.
    pub fn face(
        &self,
        maps: &[f32],
        [height, width]: [usize; 2],
        edges: Option<&Panels>,
        memory: &Memory,
    ) -> Face {
        let (all, points) = (self.maps.outputs, self.points);
        let pixels = height * width;
        let Some(edges) = edges else {
            let heatmaps = planes(maps, all, 0..points);
            return Face {
                landmarks: centres(&heatmaps, pixels, width),
                heatmaps,
                ..Face::default()
            };
        };
        let mut masked = memory.take(pixels * points);
        let work = masked.len() * edges.inputs;
        by_rows(&mut masked, points, work, |first, masked| {
            let maps = &maps[first * all..];
            let x = Rows::new(&maps[2 * points..], all);
            product(x, edges, masked, Add::Nothing, false);
            for (masked, maps) in masked.chunks_exact_mut(points).zip(maps.chunks_exact(all)) {
                let (heat, point) = maps[..2 * points].split_at(points);
                for ((masked, heat), point) in masked.iter_mut().zip(heat).zip(point) {
                    *masked = *masked * point * heat;
                }
            }
        });
        let heatmaps = planes(&masked, points, 0..points);
        Face {
            landmarks: centres(&heatmaps, pixels, width),
            heatmaps,
            point_maps: planes(maps, all, points..2 * points),
            edge_maps: planes(maps, all, 2 * points..all),
        }
    }
}

/// Mean and 1 / standard deviation of the first `points` maps.
fn statistics(maps: &[f32], all: usize, points: usize) -> (Vec<f32>, Vec<f32>) {
    let count = (maps.len() / all) as f64;
    let sums_of = sums(maps, all, &vec![0.0; points], false);
    let mean: Vec<f32> = (sums_of.iter()).map(|sum| (sum / count) as f32).collect();
    let squares = sums(maps, all, &mean, true);
    let scale = (squares.iter()).map(|sum| (1.0 / (sum / count + EPSILON).sqrt()) as f32);
    (mean, scale.collect())
}

/// Sums over pixels of the first maps minus `centre`, or of the squares of that.
fn sums(maps: &[f32], all: usize, centre: &[f32], squared: bool) -> Vec<f64> {
    let mut sums = vec![0f64; centre.len()];
    let mut run = vec![0f32; centre.len()];
    for rows in maps.chunks(RUN * all) {
        run.fill(0.0);
        add_rows(rows, all, centre, squared, &mut run);
        for (sum, run) in sums.iter_mut().zip(&run) {
            *sum += f64::from(*run);
        }
    }
    sums
}

#[multiversion(targets("x86_64+avx512f+avx2+fma", "x86_64+avx2+fma"))]
fn add_rows(rows: &[f32], all: usize, centre: &[f32], squared: bool, sums: &mut [f32]) {
    for row in rows.chunks_exact(all) {
        for ((sum, value), centre) in sums.iter_mut().zip(row).zip(centre) {
            let value = value - centre;
            *sum += if squared { value * value } else { value };
        }
    }
}

/// Heatmaps to mean 0 and variance 1, below 0 cut off; the other maps through a sigmoid.
#[multiversion(targets("x86_64+avx512f+avx2+fma", "x86_64+avx2+fma"))]
fn activate(maps: &mut [f32], all: usize, mean: &[f32], scale: &[f32]) {
    for row in maps.chunks_exact_mut(all) {
        let (heat, others) = row.split_at_mut(mean.len());
        for ((value, mean), scale) in heat.iter_mut().zip(mean).zip(scale) {
            let normal = (*value - mean) * scale;
            *value = if normal < 0.0 { 0.0 } else { normal };
        }
        for value in others {
            *value = 1.0 / (1.0 + exp(-*value));
        }
    }
}

/// Some maps of `[pixels, all]` as `[maps, pixels]`.
fn planes(maps: &[f32], all: usize, which: std::ops::Range<usize>) -> Vec<f32> {
    let pixels = maps.len() / all;
    let mut out = vec![0.0; which.len() * pixels];
    // Some pixels of all maps at a time, so that both sides stay in the cache.
    const BLOCK: usize = 16;
    for first in (0..pixels).step_by(BLOCK) {
        let rows = &maps[first * all..][..BLOCK.min(pixels - first) * all];
        for (map, out) in which.clone().zip(out.chunks_exact_mut(pixels)) {
            let column = rows.chunks_exact(all).map(|row| row[map]);
            for (out, value) in out[first..].iter_mut().zip(column) {
                *out = value;
            }
        }
    }
    out
}

/// The centre of mass of each map, as [`crate::decode`].
fn centres(maps: &[f32], pixels: usize, width: usize) -> Vec<f32> {
    let height = pixels / width;
    let along = |i: usize, len: usize| 2.0 * i as f32 / (len.max(2) - 1) as f32 - 1.0;
    let columns: Vec<f32> = (0..width).map(|i| along(i, width)).collect();
    let mut centres = Vec::with_capacity(2 * maps.len() / pixels);
    for map in maps.chunks_exact(pixels) {
        let (mut x, mut y, mut mass) = (0f64, 0f64, 0f64);
        for (row, values) in map.chunks_exact(width).enumerate() {
            let sum: f32 = values.iter().sum();
            let across: f32 = values.iter().zip(&columns).map(|(v, x)| v * x).sum();
            x += f64::from(across);
            y += f64::from(sum) * f64::from(along(row, height));
            mass += f64::from(sum);
        }
        let mass = if mass < MIN_SUM { MIN_SUM } else { mass };
        centres.extend([(x / mass) as f32, (y / mass) as f32]);
    }
    centres
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn planes_are_columns() {
        let maps: Vec<f32> = (0..37 * 5).map(|i| i as f32).collect();
        let planes = planes(&maps, 5, 1..4);
        for (at, value) in planes.iter().enumerate() {
            assert_eq!(*value, maps[at % 37 * 5 + 1 + at / 37]);
        }
    }
}
