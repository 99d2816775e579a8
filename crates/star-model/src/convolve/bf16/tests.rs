use burn::backend::{Autodiff, Flex, NdArray};
use burn::tensor::module::conv2d;
use burn::tensor::ops::ConvOptions;
use burn::tensor::{TensorData, bf16};

use super::*;

type B = Autodiff<Flex>;
type Convolution = fn(Tensor<B, 4>, Tensor<B, 4>, usize) -> Tensor<B, 4>;

/// One unit in the last of 8 bits.
const ULP: f64 = 1.0 / 128.0;

/// Numbers in ±1, the same in every run. Many bits, so that rounding changes nearly all of them.
fn random(shape: [usize; 4], seed: u64) -> Tensor<B, 4> {
    let mut state = seed;
    let mut number = || {
        state =
            (state.wrapping_mul(6_364_136_223_846_793_005)).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1u32 << 23) as f32 - 1.0
    };
    let values: Vec<f32> = (0..shape.iter().product()).map(|_| number()).collect();
    Tensor::from_data(TensorData::new(values, shape), &Default::default())
}

fn floats(x: Tensor<Flex, 4>) -> Vec<f32> {
    x.into_data().into_vec().expect("f32")
}

/// Rounded by the number type itself, not by the backend; from `f64`, which decides near ties as Flex does.
fn nearest(x: Tensor<Flex, 4>) -> Tensor<Flex, 4> {
    let shape = x.dims();
    let values = floats(x).into_iter();
    let values: Vec<f32> = values.map(|v| bf16::from_f64(v.into()).to_f32()).collect();
    Tensor::from_data(TensorData::new(values, shape), &Default::default())
}

/// Output and gradients of input and weight.
fn all_of(
    convolve: Convolution,
    x: &Tensor<B, 4>,
    weight: &Tensor<B, 4>,
    up: &Tensor<B, 4>,
    stride: usize,
) -> [Tensor<Flex, 4>; 3] {
    let (x, weight) = (x.clone().require_grad(), weight.clone().require_grad());
    let y = convolve(x.clone(), weight.clone(), stride);
    let gradients = (y.clone() * up.clone()).sum().backward();
    let of = |tensor: &Tensor<B, 4>| tensor.grad(&gradients).expect("a gradient");
    [y.inner(), of(&x), of(&weight)]
}

/// Products of rounded factors, summed by Burn's own operation and rounded once at the end; forward and backward.
fn expected(
    x: &Tensor<B, 4>,
    weight: &Tensor<B, 4>,
    up: &Tensor<B, 4>,
    stride: usize,
) -> [Tensor<Flex, 4>; 3] {
    let again = |x: Tensor<Flex, 4>| Tensor::<B, 4>::from_inner(x);
    let (x, weight, up) = (
        again(nearest(x.clone().inner())),
        again(nearest(weight.clone().inner())),
        again(nearest(up.clone().inner())),
    );
    let plain: Convolution = |x, weight, stride| {
        let pad = (weight.dims()[2] - 1) / 2;
        let options = ConvOptions::new([stride, stride], [pad, pad], [1, 1], 1);
        conv2d(x, weight, None, options)
    };
    all_of(plain, &x, &weight, &up, stride).map(nearest)
}

/// `partial`: sums that were rounded before they were added up, as a fraction of the largest value.
fn assert_within_one_ulp(
    what: &str,
    found: Tensor<Flex, 4>,
    expected: Tensor<Flex, 4>,
    partial: f64,
) {
    let (found, expected) = (floats(found), floats(expected));
    let most = expected.iter().fold(0f32, |most, v| most.max(v.abs()));
    for (found, expected) in found.iter().zip(&expected) {
        // Sums run in another order, so a value between two others may be rounded the other way; small ones are what is left of large ones.
        let allowed = ULP * f64::from(expected.abs()) + (1e-5 + partial) * f64::from(most);
        let apart = f64::from((found - expected).abs());
        assert!(apart <= allowed, "{what}: {found} instead of {expected}");
        let kept = bf16::from_f32(*found).to_f32();
        assert_eq!(*found, kept, "{what}: not a bf16");
    }
}

#[test]
fn both_ways_multiply_rounded_factors() {
    for (kernel, stride, side) in [(1, 1, 6), (3, 1, 9), (3, 1, 32), (7, 2, 16), (3, 2, 8)] {
        let x = random([2, 5, side, side], 1);
        let weight = random([7, 5, kernel, kernel], 2);
        let up = random([2, 7, side / stride, side / stride], 3);
        let kernels: [(&str, Convolution); 2] =
            [("in bf16", in_bf16), ("in rounded f32", in_rounded_f32)];
        for (name, convolve) in kernels {
            let found = all_of(convolve, &x, &weight, &up, stride);
            let expected = expected(&x, &weight, &up, stride);
            let parts = ["output", "input's gradient", "weight's gradient"];
            for ((part, found), expected) in parts.into_iter().zip(found).zip(expected) {
                let what = format!("{kernel}x{kernel} stride {stride}, {name}, {part}");
                // How a backend adds up products of bf16 is its own affair: Flex rounds in between.
                let partial = if name == "in bf16" { 2.0 * ULP } else { 0.0 };
                assert_within_one_ulp(&what, found, expected, partial);
            }
        }
    }
}

#[test]
fn biases_and_their_gradients_are_not_rounded() {
    let device = Default::default();
    let bias: Tensor<B, 1> = Tensor::from_floats([0.1234567, -7.654321], &device).require_grad();
    let zeros = |shape: [usize; 4]| Tensor::<B, 4>::zeros(shape, &device);
    let y = convolve_bf16(zeros([1, 3, 2, 2]), zeros([2, 3, 1, 1]), bias.clone(), 1);
    let values = floats(y.clone().inner());
    assert_eq!(values[..4], [0.1234567; 4]);
    assert_eq!(values[4..], [-7.654321; 4]);
    let gradient = bias.grad(&(y * 0.1234567).sum().backward()).expect("one");
    let gradient: Vec<f32> = gradient.into_data().into_vec().expect("f32");
    assert!(gradient.iter().all(|g| (g - 4.0 * 0.1234567).abs() < 1e-6));
}

#[test]
fn what_backends_have() {
    assert_eq!(
        Bf16Support::of::<Flex>(&Default::default()),
        Bf16Support::Rounding
    );
    assert_eq!(
        Bf16Support::of::<NdArray>(&Default::default()),
        Bf16Support::None
    );
}
