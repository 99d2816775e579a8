//! Sums over heatmaps that their moments are made of.

// Loops of constant length over several arrays at once become vectors; iterators over them do not always.
#![allow(clippy::needless_range_loop)]

use burn::{
    backend::{
        Flex,
        autodiff::{
            checkpoint::{base::Checkpointer, strategy::NoCheckpointing},
            grads::Gradients,
            ops::{Backward, Ops, OpsKind},
        },
    },
    tensor::{Shape, Tensor, backend::Backend},
};
use multiversion::multiversion;
use rayon::prelude::*;
use star_flex::{Floats, from_vec, gradient_of, graph, own, tracked};

use super::{LANES, constant, floats, total};
use crate::products::Overview;

/// Weighted sums of each row.
const SUMS: usize = 3;

/// Of `maps [maps, height, width]`, columns times `factor`.
pub(crate) fn overview<B: Backend>(maps: &Tensor<B, 3>, factor: f64) -> Option<Overview<B>> {
    let maps = floats(maps)?;
    let [count, height, width] = maps.shape().dims();
    let mut columns = vec![0.0; count * width];
    let magnitude: Vec<f32> = (columns.par_chunks_mut(width))
        .zip(maps.par_chunks(height * width))
        .map(|(columns, map)| look_over(map, factor as f32, columns))
        .collect();
    Some(Overview {
        magnitude: constant(from_vec(magnitude, Shape::new([count, 1])))?,
        columns: constant(from_vec(columns, Shape::new([count, width])))?,
    })
}

/// Sums of columns are rounded as [`forward`] rounds those of rows: of a map that is its own transpose they are the same.
#[multiversion(targets("x86_64+avx512f+avx2+fma", "x86_64+avx2+fma"))]
fn look_over(map: &[f32], factor: f32, columns: &mut [f32]) -> f32 {
    let width = columns.len();
    let mut lanes = vec![0f32; LANES * width];
    let mut largest = [0f32; LANES];
    for (y, row) in map.chunks_exact(width).enumerate() {
        let lane = &mut lanes[y % LANES * width..][..width];
        for (lane, value) in lane.iter_mut().zip(row) {
            *lane += value * factor;
        }
        for row in row.chunks(LANES) {
            for (largest, value) in largest.iter_mut().zip(row) {
                *largest = larger(*largest, value.abs());
            }
        }
    }
    for (x, column) in columns.iter_mut().enumerate() {
        *column = total(std::array::from_fn(|lane| lanes[lane * width + x])) as f32;
    }
    largest.into_iter().fold(0.0, larger)
}

/// What is not a number is larger than all.
#[inline(always)]
fn larger(a: f32, b: f32) -> f32 {
    if b > a || b.is_nan() { b } else { a }
}

/// The sum of each row of `maps` `[maps, height, width]` by each of the weights `[maps, width]`: `[maps, height]` each; and the sum of squares of each
/// map times `scale` `[maps, 1]`: `[maps, 1]`. Gradients flow to the maps alone, and that of the squares takes one of their two factors for a constant.
pub(crate) fn sums<B: Backend>(
    maps: &Tensor<B, 3>,
    weights: &[Tensor<B, 2>; SUMS],
    scale: &Tensor<B, 2>,
) -> Option<([Tensor<B, 2>; SUMS], Tensor<B, 2>)> {
    let [ones, firsts, seconds] = weights;
    let state = State {
        maps: floats(maps)?,
        weights: [floats(ones)?, floats(firsts)?, floats(seconds)?],
        scale: floats(scale)?,
    };
    let [count, height, _] = state.maps.shape().dims();
    let length = SUMS * height + 1;
    let mut sums = vec![0.0; count * length];
    (sums.par_chunks_mut(length).enumerate()).for_each(|(map, sums)| forward(&state.of(map), sums));
    let sums = from_vec(sums, Shape::new([count, length]));

    let sums: Tensor<B, 2> = match tracked(maps) {
        None => constant(sums)?,
        Some(maps) => {
            let maps = maps.into_primitive().tensor();
            let step = Sums.prepare::<NoCheckpointing>([maps.node]);
            own(graph::<2>(match step.compute_bound().stateful() {
                OpsKind::Tracked(step) => step.finish(state, sums),
                OpsKind::UnTracked(step) => step.finish(sums),
            }))?
        }
    };
    let rows = std::array::from_fn(|k| sums.clone().narrow(1, k * height, height));
    Some((rows, sums.narrow(1, SUMS * height, 1)))
}

#[derive(Debug)]
struct Sums;

#[derive(Clone, Debug)]
struct State {
    /// `[maps, height, width]`
    maps: Floats,
    /// `[maps, width]` each.
    weights: [Floats; SUMS],
    /// `[maps, 1]`
    scale: Floats,
}

/// One map's part of it.
struct Of<'a> {
    map: &'a [f32],
    weights: [&'a [f32]; SUMS],
    scale: f32,
}

impl State {
    fn of(&self, map: usize) -> Of<'_> {
        let [_, height, width] = self.maps.shape().dims();
        Of {
            map: &self.maps[map * height * width..][..height * width],
            weights: std::array::from_fn(|k| &self.weights[k][map * width..][..width]),
            scale: self.scale[map],
        }
    }
}

impl Backward<Flex, 1> for Sums {
    type State = State;

    fn backward(self, ops: Ops<Self::State, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let of_sums = gradient_of(&ops, grads);
        let [parent] = ops.parents;
        let Some(node) = parent else { return };
        let state = &ops.state;
        let [_, height, width] = state.maps.shape().dims();
        let mut gradient = vec![0.0; state.maps.len()];
        gradient
            .par_chunks_mut(height * width)
            .zip(of_sums.par_chunks(SUMS * height + 1))
            .enumerate()
            .for_each(|(map, (gradient, of_sums))| backward(&state.of(map), of_sums, gradient));
        grads.register::<Flex>(node.id, from_vec(gradient, state.maps.shape()));
    }
}

/// Rows by the first weights, by the second, by the third, then the squares.
#[multiversion(targets("x86_64+avx512f+avx2+fma", "x86_64+avx2+fma"))]
fn forward(of: &Of, sums: &mut [f32]) {
    let width = of.weights[0].len();
    let height = of.map.len() / width;
    let mut squares = 0f64;
    for (y, row) in of.map.chunks_exact(width).enumerate() {
        let mut lanes = [[0f32; LANES]; SUMS + 1];
        for first in (0..width).step_by(LANES) {
            let [ones, firsts, seconds] = of.weights.map(|weights| &weights[first..]);
            let row = &row[first..];
            // Whole ones are of a length that the compiler knows.
            if let (Some(row), Some(ones)) = (row.first_chunk(), ones.first_chunk())
                && let (Some(firsts), Some(seconds)) = (firsts.first_chunk(), seconds.first_chunk())
            {
                add::<LANES>(&mut lanes, row, [ones, firsts, seconds], of.scale);
            } else {
                for i in 0..row.len() {
                    let mut one = lanes.map(|lanes| [lanes[i]]);
                    let weights = [&[ones[i]], &[firsts[i]], &[seconds[i]]];
                    add::<1>(&mut one, &[row[i]], weights, of.scale);
                    for (lanes, one) in lanes.iter_mut().zip(one) {
                        lanes[i] = one[0];
                    }
                }
            }
        }
        for k in 0..SUMS {
            sums[k * height + y] = total(lanes[k]) as f32;
        }
        squares += total(lanes[SUMS]);
    }
    sums[SUMS * height] = squares as f32;
}

#[inline(always)]
fn add<const N: usize>(
    lanes: &mut [[f32; N]; SUMS + 1],
    row: &[f32; N],
    weights: [&[f32; N]; SUMS],
    scale: f32,
) {
    for i in 0..N {
        for k in 0..SUMS {
            lanes[k][i] += row[i] * weights[k][i];
        }
        lanes[SUMS][i] += row[i] * (row[i] * scale);
    }
}

#[multiversion(targets("x86_64+avx512f+avx2+fma", "x86_64+avx2+fma"))]
fn backward(of: &Of, of_sums: &[f32], gradient: &mut [f32]) {
    let [ones, firsts, seconds] = of.weights;
    let width = ones.len();
    let height = of.map.len() / width;
    let of_squares = of_sums[SUMS * height];
    let rows = gradient
        .chunks_exact_mut(width)
        .zip(of.map.chunks_exact(width));
    for (y, (gradient, row)) in rows.enumerate() {
        let [of_ones, of_firsts, of_seconds] = [0, 1, 2].map(|k| of_sums[k * height + y]);
        let all = row.iter().zip(ones).zip(firsts).zip(seconds);
        for (gradient, (((value, one), first), second)) in gradient.iter_mut().zip(all) {
            let of_rows = of_ones * one + of_firsts * first + of_seconds * second;
            // The scale of large maps is too small for any other order.
            *gradient = of_rows + of_squares * (value * of.scale);
        }
    }
}
