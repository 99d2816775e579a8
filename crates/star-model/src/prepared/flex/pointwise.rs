//! 1x1 convolutions: a product for each pixel. A norm in front is applied to some pixels at a time, on their way into it.

use multiversion::multiversion;

use super::{
    memory::Memory,
    product::{Add, Panels, Rows, product},
    split::by_rows,
};

/// A batch norm of evaluation, `x * scale + shift` for each channel, with ReLU behind it.
#[derive(Clone, Debug)]
pub struct Norm {
    pub scale: Vec<f32>,
    pub shift: Vec<f32>,
}

/// A 1x1 convolution with what surrounds it.
#[derive(Debug)]
pub struct Pointwise {
    /// In front.
    pub norm_relu: Option<Norm>,
    /// A norm behind it is multiplied in.
    pub panels: Panels,
    /// Behind it, and behind what is added.
    pub relu: bool,
}

impl Pointwise {
    /// `x [pixels, inputs]` -> `y [pixels, outputs]`
    pub fn run(&self, x: &[f32], y: &mut [f32], add: Add, memory: &Memory) {
        let Panels {
            inputs, outputs, ..
        } = self.panels;
        let work = y.len() * inputs;
        by_rows(y, outputs, work, |first, y| {
            let rows = y.len() / outputs;
            let x = &x[first * inputs..][..rows * inputs];
            let add = add.from(first * outputs, y.len());
            let rows_of = |data| Rows::new(data, inputs);
            match &self.norm_relu {
                None => product(rows_of(x), &self.panels, y, add, self.relu),
                Some(norm) => {
                    let mut normalised = memory.take(x.len());
                    normalise(x, norm, &mut normalised);
                    product(rows_of(&normalised), &self.panels, y, add, self.relu);
                }
            }
        });
    }
}

impl<'a> Add<'a> {
    /// What is added to the part of the output that begins at `first`.
    pub fn from(self, first: usize, len: usize) -> Self {
        match self {
            Self::Rows(rows) => Self::Rows(&rows[first..][..len]),
            other => other,
        }
    }
}

#[multiversion(targets("x86_64+avx512f+avx2+fma", "x86_64+avx2+fma"))]
fn normalise(x: &[f32], norm: &Norm, y: &mut [f32]) {
    let channels = norm.scale.len();
    for (y, x) in y.chunks_exact_mut(channels).zip(x.chunks_exact(channels)) {
        let norm = norm.scale.iter().zip(&norm.shift);
        for ((y, x), (scale, shift)) in y.iter_mut().zip(x).zip(norm) {
            let value = x * scale + shift;
            *y = if value < 0.0 { 0.0 } else { value };
        }
    }
}
