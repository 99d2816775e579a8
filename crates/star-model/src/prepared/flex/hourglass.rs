//! An hourglass, its skip branches beside what lies below them: both take the same time.

use super::{
    block::Block,
    memory::{Buffer, Memory},
    pointwise::Pointwise,
    pool::{max_pool, upsample_add},
    product::{Add, Panels, Rows, product},
    split::{PASS, by_rows},
};
use crate::coord::{BOUNDARY_THRESHOLD, coordinates};

/// See [`crate::hourglass::Hourglass`].
#[derive(Debug)]
pub struct Hourglass {
    pub coords: Option<CoordConv>,
    /// The largest first.
    pub levels: Vec<Level>,
    pub innermost: Block,
}

/// See [`crate::hourglass::HourglassLevel`].
#[derive(Debug)]
pub struct Level {
    pub up1: Block,
    pub low1: Block,
    pub low3: Block,
}

/// A 1x1 convolution of features and of coordinates, these as a product of their own.
#[derive(Debug)]
pub struct CoordConv {
    pub features: Pointwise,
    pub coords: Panels,
}

/// Heatmaps of the stack before, of which the last lights up coordinates: `[pixels, stride]`, the map at place `last`.
#[derive(Clone, Copy, Debug)]
pub struct Lit<'a> {
    pub maps: &'a [f32],
    pub stride: usize,
    pub last: usize,
}

impl Hourglass {
    /// `x [height, width, channels]`, same shape out. `lit` where the coordinates have it.
    pub fn run<'m>(
        &self,
        x: &[f32],
        size: [usize; 2],
        lit: Option<Lit>,
        memory: &'m Memory,
    ) -> Buffer<'m> {
        match &self.coords {
            None => self.level(0, x, size, memory),
            Some(coords) => {
                let mut y = memory.take(x.len());
                coords.run(x, size, lit, &mut y, memory);
                self.level(0, &y, size, memory)
            }
        }
    }

    fn level<'m>(
        &self,
        i: usize,
        x: &[f32],
        [height, width]: [usize; 2],
        memory: &'m Memory,
    ) -> Buffer<'m> {
        let Some(level) = self.levels.get(i) else {
            let mut y = memory.take(x.len());
            self.innermost.run(x, [height, width], &mut y, memory);
            return y;
        };
        let half = [height / 2, width / 2];
        let channels = x.len() / (height * width);
        let (mut skip, low) = rayon::join(
            || {
                let mut y = memory.take(x.len());
                level.up1.run(x, [height, width], &mut y, memory);
                y
            },
            || {
                let mut pooled = memory.take(half[0] * half[1] * channels);
                let work = pooled.len() * PASS;
                by_rows(&mut pooled, half[1] * channels, work, |first, y| {
                    max_pool(&x[2 * first * width * channels..], width, channels, y);
                });
                let mut below = memory.take(pooled.len());
                level.low1.run(&pooled, half, &mut below, memory);
                drop(pooled);
                let below = self.level(i + 1, &below, half, memory);
                let mut y = memory.take(below.len());
                level.low3.run(&below, half, &mut y, memory);
                y
            },
        );
        let work = skip.len() * PASS;
        // Pairs of rows.
        by_rows(&mut skip, 2 * width * channels, work, |first, y| {
            upsample_add(&low[first * half[1] * channels..], half[1], channels, y);
        });
        skip
    }
}

impl CoordConv {
    fn run(
        &self,
        x: &[f32],
        [height, width]: [usize; 2],
        lit: Option<Lit>,
        y: &mut [f32],
        memory: &Memory,
    ) {
        let Panels {
            inputs, outputs, ..
        } = self.features.panels;
        let work = y.len() * inputs;
        by_rows(y, outputs, work, |first, y| {
            let rows = y.len() / outputs;
            let x = &x[first * inputs..][..rows * inputs];
            self.features.run(x, y, Add::Nothing, memory);
            let length = self.coords.inputs;
            let mut coords = memory.take(rows * length);
            for (p, coords) in coords.chunks_exact_mut(length).enumerate() {
                let pixel = first + p;
                let at = coordinates([pixel / width, pixel % width], [height, width]);
                coords[..at.len()].copy_from_slice(&at);
                if let Some(Lit { maps, stride, last }) = lit {
                    let is_lit = f64::from(maps[pixel * stride + last]) >= BOUNDARY_THRESHOLD;
                    let (row, column) = if is_lit { (at[0], at[1]) } else { (0.0, 0.0) };
                    coords[at.len()..].copy_from_slice(&[row, column]);
                }
            }
            let coords = Rows::new(&coords, length);
            product(coords, &self.coords, y, Add::Own, false);
        });
    }
}
