//! The one product that all convolutions are made of: rows of pixels times packed weights, and what follows in the same pass.

// Loops of constant length over several arrays at once become vectors; iterators over them do not always.
#![allow(clippy::needless_range_loop)]

use multiversion::{multiversion, target::target_cfg_f};

/// Outputs computed together: two vectors of AVX2, one of AVX-512.
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
        by_processor(x, panels, y, add, relu);
    }
}

// How many rows at a time: as many sums as the processor's registers hold, beside a vector of weights or two and a pixel.
#[multiversion(targets("x86_64+avx512f+avx2+fma", "x86_64+avx2+fma", "aarch64+neon"))]
fn by_processor(x: Rows, panels: &Panels, y: &mut [f32], add: Add, relu: bool) {
    if target_cfg_f!(target_feature = "avx512f") {
        all_rows::<12, true>(x, panels, y, add, relu);
    } else if target_cfg_f!(target_feature = "fma") || cfg!(target_arch = "aarch64") {
        all_rows::<6, true>(x, panels, y, add, relu);
    } else {
        all_rows::<4, false>(x, panels, y, add, relu);
    }
}

#[inline(always)]
fn all_rows<const ROWS: usize, const FUSED: bool>(
    x: Rows,
    panels: &Panels,
    y: &mut [f32],
    add: Add,
    relu: bool,
) {
    let rows = y.len() / panels.outputs;
    let job = Job {
        x,
        panels,
        add,
        relu,
    };
    // A panel stays in the first cache while the rows go by.
    for panel in 0..panels.outputs.div_ceil(WIDTH) {
        for row in (0..rows).step_by(ROWS) {
            job.tile::<ROWS, FUSED>(panel, row, y);
        }
    }
}

struct Job<'a> {
    x: Rows<'a>,
    panels: &'a Panels,
    add: Add<'a>,
    relu: bool,
}

impl Job<'_> {
    /// Some rows times a panel. Plain loops over arrays of constant length: these the compiler keeps in registers.
    #[inline(always)]
    fn tile<const ROWS: usize, const FUSED: bool>(&self, panel: usize, row: usize, y: &mut [f32]) {
        let &Panels {
            inputs, outputs, ..
        } = self.panels;
        let weights = &self.panels.weights[panel * inputs * WIDTH..][..inputs * WIDTH];
        // Beyond the last row it is the last row again, and what comes of it is left: fewer rows would be another loop.
        let rows = (y.len() / outputs - row).min(ROWS);
        let starts: [usize; ROWS] = std::array::from_fn(|r| self.x.start(row + r.min(rows - 1)));
        let (pieces, step) = self.x.pieces();
        let length = inputs / pieces;
        let mut sums = [[0f32; WIDTH]; ROWS];
        for piece in 0..pieces {
            let x: [&[f32]; ROWS] =
                std::array::from_fn(|r| &self.x.data[starts[r] + piece * step..][..length]);
            let weights = &weights[piece * length * WIDTH..];
            for (i, weights) in weights.chunks_exact(WIDTH).enumerate().take(length) {
                let weights = array(weights);
                for r in 0..ROWS {
                    let pixel = x[r][i];
                    for c in 0..WIDTH {
                        sums[r][c] = if FUSED {
                            pixel.mul_add(weights[c], sums[r][c])
                        } else {
                            sums[r][c] + pixel * weights[c]
                        };
                    }
                }
            }
        }
        let first = panel * WIDTH;
        let bias = array(&self.panels.bias[first..]);
        let width = WIDTH.min(outputs - first);
        for r in 0..rows {
            let at = (row + r) * outputs + first;
            let mut sum = [0f32; WIDTH];
            for c in 0..WIDTH {
                sum[c] = sums[r][c] + bias[c];
            }
            if width == WIDTH {
                let y = y[at..].first_chunk_mut().expect("a row holds its panels");
                match self.add {
                    Add::Nothing => self.finish(sum, &[0.0; WIDTH], y),
                    Add::Own => self.finish(sum, &y.clone(), y),
                    Add::Rows(rows) => self.finish(sum, array(&rows[at..]), y),
                }
            } else {
                self.finish_part(sum, at, &mut y[at..][..width]);
            }
        }
    }

    #[inline(always)]
    fn finish(&self, sum: [f32; WIDTH], added: &[f32; WIDTH], y: &mut [f32; WIDTH]) {
        for c in 0..WIDTH {
            let sum = sum[c] + added[c];
            // Not `max`: a value that is not a number stays one.
            y[c] = if self.relu && sum < 0.0 { 0.0 } else { sum };
        }
    }

    /// The same in the last panel, which is not full.
    fn finish_part(&self, sum: [f32; WIDTH], at: usize, y: &mut [f32]) {
        let mut added = [0.0; WIDTH];
        match self.add {
            Add::Nothing => {}
            Add::Own => added[..y.len()].copy_from_slice(y),
            Add::Rows(rows) => added[..y.len()].copy_from_slice(&rows[at..][..y.len()]),
        }
        let mut out = [0.0; WIDTH];
        self.finish(sum, &added, &mut out);
        y.copy_from_slice(&out[..y.len()]);
    }
}

#[inline(always)]
fn array(numbers: &[f32]) -> &[f32; WIDTH] {
    numbers.first_chunk().expect("panels are of whole vectors")
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
