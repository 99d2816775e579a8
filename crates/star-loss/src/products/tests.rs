//! The losses on a device whose matrix products round their factors to TF32, played on the CPU.

use std::cell::Cell;

use burn::{
    backend::{Autodiff, Flex, NdArray},
    tensor::{DType, Tensor, TensorData, backend::Backend},
};

use super::Products;
use crate::{AWingLossConfig, StarLossConfig, heatmap_stats};

type B = Autodiff<Flex>;

thread_local! {
    static IN_TF32: Cell<bool> = const { Cell::new(false) };
    static FORCED: Cell<Option<Products>> = const { Cell::new(None) };
}

/// Whether this thread plays a device that multiplies matrices in TF32.
pub(super) fn in_tf32() -> bool {
    IN_TF32.get()
}

/// What is used whatever the device needs.
pub(super) fn forced() -> Option<Products> {
    FORCED.get()
}

/// What `run` gives on a device that multiplies matrices in TF32.
fn on_tf32<T>(forced: Option<Products>, run: impl FnOnce() -> T) -> T {
    IN_TF32.set(true);
    FORCED.set(forced);
    let given = run();
    IN_TF32.set(false);
    FORCED.set(None);
    given
}

/// The nearest number of 10 bits behind the first; ties to the even one.
fn nearest(value: f32) -> f32 {
    let bits = value.to_bits();
    f32::from_bits((bits + 0x0FFF + ((bits >> 13) & 1)) & !0x1FFF)
}

/// All values rounded; the gradient passes.
pub(super) fn tf32<B: Backend>(x: Tensor<B, 3>) -> Tensor<B, 3> {
    assert_eq!(x.dtype(), DType::F32, "TF32 is of f32");
    let fixed = x.clone().detach();
    let values = fixed.clone().into_data().into_vec::<f32>().expect("f32");
    let rounded: Vec<f32> = values.into_iter().map(nearest).collect();
    let rounded = Tensor::<B, 3>::from_data(TensorData::new(rounded, x.dims()), &x.device());
    x + (rounded - fixed)
}

#[test]
fn the_rounding_is_that_of_tf32() {
    let step = 2f32.powi(-10);
    assert_eq!(nearest(1.0 + 0.4 * step), 1.0);
    assert_eq!(nearest(1.0 + 0.6 * step), 1.0 + step);
    assert_eq!(nearest(1.0 + 0.5 * step), 1.0);
    assert_eq!(nearest(1.0 + 1.5 * step), 1.0 + 2.0 * step);
    assert_eq!(nearest(-1.0 - 0.6 * step), -1.0 - step);
    let odd = Tensor::<Flex, 3>::from_floats([[[1.0 + 1e-4], [3.0 - 1e-5]]], &Default::default());
    assert_eq!(tf32(odd).into_data(), TensorData::from([[[1f32], [3.0]]]));
}

/// A Gaussian, spreads and centre in pixels.
fn blob(side: usize, centre: (f64, f64), spread: (f64, f64)) -> Vec<f64> {
    let pixel = |i: usize| {
        let (x, y) = ((i % side) as f64 - centre.0, (i / side) as f64 - centre.1);
        0.37 * (-0.5 * ((x / spread.0).powi(2) + (y / spread.1).powi(2))).exp()
    };
    (0..side * side).map(pixel).collect()
}

const SIDE: usize = 64;
/// A network's first maps, its later ones, and peaks of hardly more than one pixel.
const SPREADS: [(&str, (f64, f64)); 5] = [
    ("wide", (12.0, 7.0)),
    ("usual", (2.0, 1.2)),
    ("sharp", (0.5, 0.4)),
    ("narrow", (0.3, 0.25)),
    ("one pixel", (0.2, 0.18)),
];

/// What is compared: the loss, the gradient of the heatmap, mean and covariance.
struct Figures {
    loss: f64,
    gradient: Vec<f64>,
    mean: Vec<f64>,
    covariance: Vec<f64>,
}

fn figures(map: &[f64], dtype: DType) -> Figures {
    let floats = |t: Tensor<B, 1>| t.into_data().iter::<f64>().collect::<Vec<_>>();
    let tensor = |values: Vec<f64>, shape: [usize; 4]| {
        Tensor::<B, 4>::from_data(TensorData::new(values, shape), (&Default::default(), dtype))
    };
    let heatmap = tensor(map.to_vec(), [1, 1, SIDE, SIDE]).require_grad();
    let target = tensor(vec![0.02, -0.13], [1, 1, 1, 2]).reshape([1, 1, 2]);
    let loss = StarLossConfig::default()
        .init()
        .forward(heatmap.clone(), target);
    let gradients = loss.backward();
    let gradient = heatmap.grad(&gradients).expect("of the heatmap");
    let stats = heatmap_stats(heatmap.detach());
    let covariance = Tensor::cat(vec![stats.cov_xx, stats.cov_xy, stats.cov_yy], 1);
    Figures {
        loss: floats(loss)[0],
        gradient: gradient.into_data().iter::<f64>().collect(),
        mean: floats(stats.mean.reshape([2])),
        covariance: floats(covariance.reshape([3])),
    }
}

/// The length of the difference over the length.
fn relative(a: &[f64], b: &[f64]) -> f64 {
    let length = |values: &mut dyn Iterator<Item = f64>| values.map(|v| v * v).sum::<f64>().sqrt();
    length(&mut a.iter().zip(b).map(|(a, b)| a - b)) / length(&mut b.iter().copied())
}

impl Figures {
    /// Of loss, gradient and covariance the relative error, of the mean the error in units of the grid.
    fn off(&self, truth: &Self) -> [f64; 4] {
        let apart = |(a, b): (&f64, &f64)| (a - b).abs();
        [
            (self.loss - truth.loss).abs() / truth.loss,
            relative(&self.gradient, &truth.gradient),
            relative(&self.covariance, &truth.covariance),
            (self.mean.iter().zip(&truth.mean).map(apart)).fold(0.0, f64::max),
        ]
    }
}

/// Held to ten times what f32 leaves anyway, plus 1e-6.
#[test]
fn star_is_the_same_where_matrix_products_round() {
    for (name, spread) in SPREADS {
        let map = blob(SIDE, (33.1, 27.85), spread);
        // f64 of the numbers that f32 has.
        let map: Vec<f64> = map.into_iter().map(|v| f64::from(v as f32)).collect();
        let truth = figures(&map, DType::F64);
        let noise = figures(&map, DType::F32).off(&truth);
        let as_it_was = on_tf32(Some(Products::Matrix), || figures(&map, DType::F32));
        let as_it_was = as_it_was.off(&truth);
        let off = on_tf32(None, || figures(&map, DType::F32)).off(&truth);
        println!("{name}: loss, gradient, covariance, mean");
        for (kernel, off) in [("f32", noise), ("TF32 products", as_it_was), ("now", off)] {
            println!(
                "    off by {} in {kernel}",
                off.map(|off| format!("{off:.0e}")).join(", ")
            );
        }
        for (i, what) in ["loss", "gradient", "covariance", "mean"]
            .iter()
            .enumerate()
        {
            let allowed = 10.0 * noise[i] + 1e-6;
            assert!(
                off[i] <= allowed,
                "{name}: {what} off by {:e}, allowed {allowed:e}",
                off[i]
            );
        }
        // What this is about: the products that other devices use would not do.
        assert!(as_it_was[1] > 1e-4, "{name}: {as_it_was:?}");
        if name == "one pixel" {
            assert!(as_it_was[2] > 0.1, "{name}: {as_it_was:?}");
        }
    }
}

#[test]
fn awing_is_the_same_where_matrix_products_round() {
    let target = blob(SIDE, (33.1, 27.85), (2.0, 1.2));
    let prediction = blob(SIDE, (31.7, 28.4), (2.5, 1.7));
    let figures = || {
        let tensor = |values: &[f64]| {
            let values: Vec<f32> = values.iter().map(|v| *v as f32).collect();
            let data = TensorData::new(values, [1, 1, SIDE, SIDE]);
            Tensor::<B, 4>::from_data(data, &Default::default())
        };
        let output = tensor(&prediction).require_grad();
        let loss = AWingLossConfig::default()
            .init()
            .forward(output.clone(), tensor(&target));
        let gradient = output.grad(&loss.backward()).expect("of the prediction");
        let all = [loss.inner().reshape([1]), gradient.reshape([SIDE * SIDE])];
        all.map(|t| t.into_data().iter::<f64>().collect::<Vec<_>>())
    };
    let plain = figures();
    let as_it_was = on_tf32(Some(Products::Matrix), figures);
    let now = on_tf32(None, figures);
    for (now, plain) in now.iter().zip(&plain) {
        assert!(relative(now, plain) < 1e-6);
    }
    assert!(relative(&as_it_was[1], &plain[1]) > 1e-5);
}

#[test]
fn cpus_multiply_matrices_in_f32() {
    assert_eq!(Products::on::<B>(&Default::default()), Products::Matrix);
    assert_eq!(
        Products::on::<NdArray>(&Default::default()),
        Products::Matrix
    );
    on_tf32(None, || {
        assert_eq!(Products::on::<B>(&Default::default()), Products::OneByOne)
    });
}
