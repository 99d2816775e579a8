//! The one product that all convolutions are made of: rows of pixels times packed weights, and what follows in the same pass.

// Several arrays are gone through at once.
#![allow(clippy::needless_range_loop)]

use pulp::{Arch, Simd, WithSimd};

/// Outputs of a panel: two vectors of AVX2, one of AVX-512.
pub const WIDTH: usize = 16;

/// Weights `[outputs, inputs]` and biases, in panels of [`WIDTH`] outputs: `[panel, input, WIDTH]`, filled up with zeros.
#[derive(Debug)]
pub struct Panels {
    pub inputs: usize,
    pub outputs: usize,
    weights: Vec<f32>,
    bias: Vec<f32>,
}

impl Panels {
    /// `weight` of an output and an input, `bias` of an output.
    pub fn new(
        [outputs, inputs]: [usize; 2],
        weight: impl Fn(usize, usize) -> f32,
        bias: impl Fn(usize) -> f32,
    ) -> Self {
        let count = outputs.div_ceil(WIDTH);
        let mut weights = Vec::with_capacity(count * inputs * WIDTH);
        for first in (0..outputs).step_by(WIDTH) {
            for input in 0..inputs {
                weights.extend((first..first + WIDTH).map(|output| {
                    if output < outputs {
                        weight(output, input)
                    } else {
                        0.0
                    }
                }));
            }
        }
        let mut bias: Vec<f32> = (0..outputs).map(bias).collect();
        bias.resize(count * WIDTH, 0.0);
        Self {
            inputs,
            outputs,
            weights,
            bias,
        }
    }
}

/// What is added to a product besides its bias.
#[derive(Clone, Copy, Debug)]
pub enum Add<'a> {
    Nothing,
    /// What is there already.
    Own,
    /// These rows, as long as those of the output.
    Rows(&'a [f32]),
}

/// Rows of numbers, each as long as a product's inputs.
#[derive(Clone, Copy, Debug)]
pub struct Rows<'a> {
    pub data: &'a [f32],
    /// From a row to the next.
    pub stride: usize,
    /// `None` where row `i` is the numbers from `i * stride` on.
    pub windows: Option<Windows>,
}

/// Rows that are what a kernel sees of a padded map, one line of it after another, from where they lie.
#[derive(Clone, Copy, Debug)]
pub struct Windows {
    /// Lines of the kernel.
    pub lines: usize,
    /// Numbers in a line of the map.
    pub length: usize,
    /// Lines of the map from a row of windows to the next.
    pub step: usize,
    /// Windows side by side.
    pub across: usize,
    /// Which of them, counted row by row, is the first.
    pub first: usize,
}

impl<'a> Rows<'a> {
    /// Each row in one piece.
    pub fn new(data: &'a [f32], stride: usize) -> Self {
        Self {
            data,
            stride,
            windows: None,
        }
    }

    /// Where a row begins.
    #[inline(always)]
    fn start(&self, row: usize) -> usize {
        match self.windows {
            None => row * self.stride,
            Some(windows) => {
                let at = windows.first + row;
                let (down, right) = (at / windows.across, at % windows.across);
                down * windows.step * windows.length + right * self.stride
            }
        }
    }

    /// Pieces of a row, and from one to the next.
    #[inline(always)]
    fn pieces(&self) -> (usize, usize) {
        self.windows.map_or((1, 0), |w| (w.lines, w.length))
    }
}

/// `y [rows, outputs] = x [rows, inputs] weights + bias + add`, negative values cut off where there is a ReLU. In this thread.
///
/// # Panics
/// When a slice is shorter than the others ask for, or `y` is no whole rows.
pub fn product(x: Rows, panels: &Panels, y: &mut [f32], add: Add, relu: bool) {
    assert!(y.len().is_multiple_of(panels.outputs));
    let rows = y.len() / panels.outputs;
    if let Add::Rows(add) = add {
        assert_eq!(add.len(), y.len());
    }
    let (pieces, step) = x.pieces();
    assert!(panels.inputs.is_multiple_of(pieces));
    if rows > 0 {
        let end = x.start(rows - 1) + (pieces - 1) * step + panels.inputs / pieces;
        assert!(x.data.len() >= end);
        Arch::new().dispatch(Product {
            x,
            panels,
            y,
            add,
            relu,
        });
    }
}

struct Product<'a> {
    x: Rows<'a>,
    panels: &'a Panels,
    y: &'a mut [f32],
    add: Add<'a>,
    relu: bool,
}

impl WithSimd for Product<'_> {
    type Output = ();

    /// Rows and panels at a time, and vectors to a panel: as many sums as make the additions' latency disappear and fit into the registers,
    /// beside the weights and a pixel. Of those tried with AVX-512 (4x4, 6x2, 6x3, 6x4, 8x1, 8x2, 10x2, 12x1, 12x2) and with AVX2 (2x2,
    /// 4x1, 5x1, 6x1).
    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        match S::F32_LANES {
            16 => self.run::<S, 8, 2, 1>(simd),
            8 => self.run::<S, 6, 1, 2>(simd),
            4 => self.run::<S, 6, 1, 4>(simd),
            _ => self.run::<S, 1, 1, WIDTH>(simd),
        }
    }
}

impl Product<'_> {
    #[inline(always)]
    fn run<S: Simd, const ROWS: usize, const PANELS: usize, const VECTORS: usize>(
        mut self,
        simd: S,
    ) {
        let rows = self.y.len() / self.panels.outputs;
        let count = self.panels.outputs.div_ceil(WIDTH);
        let together = count / PANELS * PANELS;
        // Panels stay in the nearest caches while the rows go by.
        for panel in (0..together).step_by(PANELS) {
            for row in (0..rows).step_by(ROWS) {
                self.tile::<S, ROWS, PANELS, VECTORS>(simd, panel, row);
            }
        }
        for panel in together..count {
            for row in (0..rows).step_by(ROWS) {
                self.tile::<S, ROWS, 1, VECTORS>(simd, panel, row);
            }
        }
    }

    /// Some rows times some panels. No array of sums is indexed by what is known only when it runs, or it would not be kept in registers.
    #[inline(always)]
    fn tile<S: Simd, const ROWS: usize, const PANELS: usize, const VECTORS: usize>(
        &mut self,
        simd: S,
        panel: usize,
        row: usize,
    ) {
        let &Panels {
            inputs, outputs, ..
        } = self.panels;
        let panels = &self.panels.weights[panel * inputs * WIDTH..][..PANELS * inputs * WIDTH];
        // Beyond the last row it is the last row again, and what comes of it is left: fewer rows would be another loop.
        let rows = (self.y.len() / outputs - row).min(ROWS);
        let starts: [usize; ROWS] = std::array::from_fn(|r| self.x.start(row + r.min(rows - 1)));
        let (pieces, step) = self.x.pieces();
        let length = inputs / pieces;
        let mut sums = [[[simd.splat_f32s(0.0); VECTORS]; PANELS]; ROWS];
        for piece in 0..pieces {
            let x: [&[f32]; ROWS] =
                std::array::from_fn(|r| &self.x.data[starts[r] + piece * step..][..length]);
            let weights: [&[[S::f32s; VECTORS]]; PANELS] = std::array::from_fn(|p| {
                let panel = &panels[(p * inputs + piece * length) * WIDTH..][..length * WIDTH];
                S::as_simd_f32s(panel).0.as_chunks().0
            });
            // An iterator over the first panel, not an index: with it, AVX2's registers hold all sums (2.4 times as fast).
            for (i, first) in weights[0].iter().enumerate().take(length) {
                for r in 0..ROWS {
                    let pixel = simd.splat_f32s(x[r][i]);
                    for p in 0..PANELS {
                        let weights = if p == 0 { first } else { &weights[p][i] };
                        for v in 0..VECTORS {
                            sums[r][p][v] = simd.mul_add_e_f32s(pixel, weights[v], sums[r][p][v]);
                        }
                    }
                }
            }
        }
        for r in 0..ROWS {
            if r == rows {
                break;
            }
            for p in 0..PANELS {
                self.finish(simd, (panel + p) * WIDTH, row + r, sums[r][p]);
            }
        }
    }

    /// Bias, what is added, and ReLU for a row's outputs from `first` on. The last panel may not be full.
    #[inline(always)]
    fn finish<S: Simd, const VECTORS: usize>(
        &mut self,
        simd: S,
        first: usize,
        row: usize,
        sums: [S::f32s; VECTORS],
    ) {
        let outputs = self.panels.outputs;
        let at = row * outputs + first;
        let width = WIDTH.min(outputs - first);
        let zero = simd.splat_f32s(0.0);
        for v in 0..VECTORS {
            // Past the end both are `width`, and nothing is read or written.
            let from = (v * S::F32_LANES).min(width);
            let to = (from + S::F32_LANES).min(width);
            let bias = &self.panels.bias[first + v * S::F32_LANES..][..S::F32_LANES];
            let mut sum = simd.add_f32s(sums[v], simd.partial_load_f32s(bias));
            let y = &mut self.y[at + from..at + to];
            match self.add {
                Add::Nothing => {}
                Add::Own => sum = simd.add_f32s(sum, simd.partial_load_f32s(y)),
                Add::Rows(rows) => {
                    let rows = &rows[at + from..at + to];
                    sum = simd.add_f32s(sum, simd.partial_load_f32s(rows));
                }
            }
            if self.relu {
                // Not `max`: a value that is not a number stays one.
                sum = simd.select_f32s(simd.less_than_f32s(sum, zero), zero, sum);
            }
            simd.partial_store_f32s(y, sum);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prepared::flex::numbers;

    /// Every number of rows that is left over, panels that are not full, every way to add.
    #[test]
    fn products_are_sums() {
        for (rows, inputs, outputs) in (1..=27).map(|rows| (rows, 5, 19)).chain([
            (3, 1, 1),
            (50, 33, 98),
            (7, 0, 3),
            (12, 64, 16),
            (0, 4, 4),
        ]) {
            let (x, w) = (
                numbers(rows * (inputs + 2), 1),
                numbers(inputs * outputs, 2),
            );
            let (bias, extra) = (numbers(outputs, 3), numbers(rows * outputs, 4));
            let panels = Panels::new([outputs, inputs], |m, k| w[m * inputs + k], |m| bias[m]);
            let x = Rows::new(&x, inputs + 2);
            for relu in [false, true] {
                for add in [Add::Nothing, Add::Own, Add::Rows(&extra)] {
                    let mut y = extra.clone();
                    product(x, &panels, &mut y, add, relu);
                    for (at, y) in y.iter().enumerate() {
                        let (row, m) = (at / outputs, at % outputs);
                        let sum: f64 = (0..inputs)
                            .map(|k| {
                                f64::from(x.data[row * x.stride + k]) * f64::from(w[m * inputs + k])
                            })
                            .sum();
                        let added = if matches!(add, Add::Nothing) {
                            0.0
                        } else {
                            extra[at]
                        };
                        let sum = sum + f64::from(bias[m]) + f64::from(added);
                        let sum = if relu { sum.max(0.0) } else { sum };
                        assert!(
                            (f64::from(*y) - sum).abs() < 1e-5,
                            "{rows} {inputs} {outputs}: {y} {sum}"
                        );
                    }
                }
            }
        }
    }

    /// A 3x2 kernel in steps of two over a map of two channels, from the second window on, against the same rows laid out one by one.
    #[test]
    fn windows_are_rows() {
        let (lines, wide, step, channels) = (3, 2, 2, 2);
        let (height, width, outputs) = (9, 10, 17);
        let map = numbers(height * width * channels, 1);
        let inputs = lines * wide * channels;
        let weights = numbers(inputs * outputs, 2);
        let panels = Panels::new([outputs, inputs], |m, k| weights[m * inputs + k], |_| 0.5);
        let (down, across) = ((height - lines) / step + 1, (width - wide) / step + 1);
        let mut rows = Vec::new();
        for at in 1..down * across {
            for line in 0..lines {
                let from = (at / across * step + line) * width + at % across * step;
                rows.extend(&map[from * channels..][..wide * channels]);
            }
        }
        let mut expected = vec![0.0; rows.len() / inputs * outputs];
        let mut y = expected.clone();
        product(
            Rows::new(&rows, inputs),
            &panels,
            &mut expected,
            Add::Nothing,
            false,
        );
        let windows = Rows {
            data: &map,
            stride: step * channels,
            windows: Some(Windows {
                lines,
                length: width * channels,
                step,
                across,
                first: 1,
            }),
        };
        product(windows, &panels, &mut y, Add::Nothing, false);
        assert_eq!(y, expected);
    }

    #[test]
    fn what_is_not_a_number_passes_a_relu() {
        let panels = Panels::new([1, 1], |_, _| 1.0, |_| 0.0);
        let x = Rows::new(&[f32::NAN], 1);
        let mut y = [0.0];
        product(x, &panels, &mut y, Add::Nothing, true);
        assert!(y[0].is_nan());
    }
}
