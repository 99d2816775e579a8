use burn::backend::{Autodiff, Flex, NdArray};
use burn::tensor::ElementConversion;

use super::*;

type B = Autodiff<Flex>;

/// Rounded to 10 bits behind the first, as TF32 has.
fn tf32(x: Tensor<B, 2>) -> Tensor<B, 2> {
    let round = |v: f32| {
        let bits = v.to_bits();
        f32::from_bits((bits + 0x0FFF + ((bits >> 13) & 1)) & !0x1FFF)
    };
    let shape = x.dims();
    let values = x.detach().into_data().into_vec::<f32>().expect("f32");
    let values: Vec<f32> = values.into_iter().map(round).collect();
    Tensor::from_data(TensorData::new(values, shape), &Default::default())
}

/// What a matrix product of tensor cores gives.
fn by_tf32_matrix(maps: Tensor<B, 2>, grid: Tensor<B, 2>) -> Tensor<B, 2> {
    by_matrix(tf32(maps), tf32(grid))
}

const SIDE: usize = 64;

/// A peak of the usual size, far from the centre, in the numbers of f32.
fn heatmap() -> Vec<f32> {
    let value = |i: usize| {
        let (x, y) = ((i % SIDE) as f32 - 58.3, (i / SIDE) as f32 - 51.9);
        0.37 * (-0.5 * (x * x / 2.0 + y * y)).exp()
    };
    (0..SIDE * SIDE).map(value).collect()
}

fn tensor() -> Tensor<B, 4> {
    let data = TensorData::new(heatmap(), [1, 1, SIDE, SIDE]);
    Tensor::from_data(data, &Default::default())
}

/// In f64.
fn truth() -> [f64; 2] {
    let map = heatmap();
    let sum = |of: &dyn Fn(usize) -> f64| -> f64 {
        let terms = map.iter().enumerate();
        terms.map(|(i, v)| f64::from(*v) * of(i)).sum()
    };
    let along = |i: usize| 2.0 * i as f64 / (SIDE - 1) as f64 - 1.0;
    let mass = sum(&|_| 1.0);
    [
        sum(&|i| along(i % SIDE)) / mass,
        sum(&|i| along(i / SIDE)) / mass,
    ]
}

fn off(sums: Sums<B>) -> f64 {
    let found: Vec<f64> = decode_by(sums, tensor())
        .into_data()
        .iter::<f64>()
        .collect();
    let pairs = found.iter().zip(truth());
    pairs.fold(0.0, |most: f64, (found, truth)| {
        most.max((found - truth).abs())
    })
}

#[test]
fn points_are_the_same_where_matrix_products_round() {
    let (noise, rounded) = (off(by_matrix), off(by_tf32_matrix));
    println!(
        "f32 {noise:.1e}, TF32 product {rounded:.1e}, one by one {:.1e}",
        off(one_by_one)
    );
    assert!(rounded > 1e-5, "{rounded:e}: there is nothing to avoid");
    assert!(off(one_by_one) <= 10.0 * noise + 1e-6);
}

#[test]
fn both_ways_have_the_same_gradient() {
    let gradient = |sums: Sums<B>| -> Vec<f32> {
        let heatmaps = tensor().require_grad();
        let points = decode_by(sums, heatmaps.clone());
        let upstream = Tensor::<B, 3>::from_floats([[[0.7, -1.3]]], &Default::default());
        let gradients = (points * upstream).sum().backward();
        let gradient = heatmaps.grad(&gradients).expect("of the heatmaps");
        gradient.into_data().into_vec().expect("f32")
    };
    let (one, other) = (gradient(by_matrix), gradient(one_by_one));
    let largest = one.iter().fold(0f32, |m, v| m.max(v.abs()));
    assert!(largest > 0.0);
    for (one, other) in one.iter().zip(&other) {
        assert!((one - other).abs() <= 1e-6 * largest, "{one} {other}");
    }
}

#[test]
fn cpus_multiply_matrices_in_f32() {
    assert!(!rounds_products::<B>(&Default::default()));
    assert!(!rounds_products::<NdArray>(&Default::default()));
    let default: f64 = decode(tensor())
        .slice([0..1, 0..1, 0..1])
        .into_scalar()
        .elem();
    let matrix: f64 = decode_by(by_matrix, tensor())
        .slice([0..1, 0..1, 0..1])
        .into_scalar()
        .elem();
    assert_eq!(default, matrix);
}
