//! Against Burn's operations on a backend that has no kernels.

use burn::{
    backend::{Autodiff, Flex, NdArray},
    tensor::{Tensor, TensorData, backend::AutodiffBackend},
};

use crate::{AWingLossConfig, StarLossConfig, products::Products};

type Fast = Autodiff<Flex>;
type Plain = Autodiff<NdArray>;

/// Of one pixel, odd ones, less and more than a vector, whole vectors.
const SHAPES: [[usize; 4]; 5] = [
    [1, 1, 1, 1],
    [2, 3, 5, 7],
    [1, 2, 33, 17],
    [3, 1, 2, 40],
    [2, 4, 32, 32],
];

/// Numbers from 0 to 1, the same at every run.
fn numbers(len: usize, seed: u32) -> Vec<f32> {
    let mut state = seed;
    let next = |_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / 16_777_216.0
    };
    (0..len).map(next).collect()
}

/// Mostly background, as the targets of maps are.
fn targets(len: usize) -> Vec<f32> {
    numbers(len, 2).into_iter().map(|v| v.powi(6)).collect()
}

/// On both sides of the target, near and far, and some exactly there.
fn predictions(targets: &[f32]) -> Vec<f32> {
    let offsets = numbers(targets.len(), 3);
    let all = targets.iter().zip(offsets).enumerate();
    all.map(|(i, (target, offset))| match i % 7 {
        0 => *target,
        1 => target + 1e-6 * (offset - 0.5),
        _ => target + 1.6 * (offset - 0.5),
    })
    .collect()
}

fn values<B: AutodiffBackend, const D: usize>(tensor: Tensor<B::InnerBackend, D>) -> Vec<f32> {
    tensor.into_data().to_vec().expect("f32")
}

fn assert_near(fast: &[f32], plain: &[f32], what: &str) {
    assert_eq!(fast.len(), plain.len());
    let largest = plain.iter().fold(0f32, |most, value| most.max(value.abs()));
    for (fast, plain) in fast.iter().zip(plain) {
        let off = (fast - plain).abs();
        assert!(off <= 4e-6 * largest, "{what}: {fast} {plain}");
    }
}

/// Losses of each sample, and the gradient of their sum weighted 1, 2, 3, ...
fn awing<B: AutodiffBackend>(
    config: AWingLossConfig,
    shape: [usize; 4],
    prediction: &[f32],
    target: &[f32],
) -> (Vec<f32>, Vec<f32>) {
    let device = Default::default();
    let tensor = |numbers: &[f32]| {
        Tensor::<B, 4>::from_data(TensorData::new(numbers.to_vec(), shape), &device)
    };
    let prediction = tensor(prediction).require_grad();
    let losses = (config.init()).per_sample(prediction.clone(), tensor(target));
    let weights: Vec<f32> = (1..=shape[0]).map(|i| i as f32).collect();
    let weights = Tensor::<B, 1>::from_data(TensorData::new(weights, [shape[0]]), &device);
    let gradients = (losses.clone() * weights).sum().backward();
    let gradient = prediction.grad(&gradients).expect("it is tracked");
    (values::<B, 1>(losses.inner()), values::<B, 4>(gradient))
}

#[test]
fn adaptive_wing_is_what_operations_give() {
    let curves = [
        AWingLossConfig::default(),
        AWingLossConfig {
            use_weight_map: false,
            ..Default::default()
        },
        AWingLossConfig {
            omega: 3.0,
            theta: 0.2,
            epsilon: 0.3,
            ..Default::default()
        },
    ];
    for shape in SHAPES {
        let target = targets(shape.iter().product());
        let prediction = predictions(&target);
        for config in curves {
            let fast = awing::<Fast>(config, shape, &prediction, &target);
            let plain = awing::<Plain>(config, shape, &prediction, &target);
            assert_near(&fast.0, &plain.0, &format!("{shape:?} losses"));
            assert_near(&fast.1, &plain.1, &format!("{shape:?} gradients"));
        }
    }
}

#[test]
fn what_is_not_a_number_is_in_its_own_samples_loss() {
    let shape = [2, 1, 4, 5];
    let target = targets(40);
    let mut prediction = predictions(&target);
    prediction[23] = f32::NAN;
    let (losses, _) = awing::<Fast>(AWingLossConfig::default(), shape, &prediction, &target);
    assert!(losses[0].is_finite() && losses[1].is_nan());
}

fn star<B: AutodiffBackend>(shape: [usize; 4], maps: &[f32]) -> (Vec<f32>, Vec<f32>) {
    let device = Default::default();
    let [batch, points, ..] = shape;
    let maps = Tensor::<B, 4>::from_data(TensorData::new(maps.to_vec(), shape), &device);
    let maps = maps.require_grad();
    let at = numbers(batch * points * 2, 5);
    let at = Tensor::<B, 3>::from_data(TensorData::new(at, [batch, points, 2]), &device);
    let losses = (StarLossConfig::default().init()).per_sample(maps.clone(), at);
    let gradients = losses.clone().sum().backward();
    let gradient = maps.grad(&gradients).expect("it is tracked");
    (values::<B, 1>(losses.inner()), values::<B, 4>(gradient))
}

#[test]
fn star_is_what_operations_give() {
    for shape in SHAPES {
        // A single pixel has no spread: what is left of it is rounding.
        if shape[2] * shape[3] == 1 {
            continue;
        }
        let maps = targets(shape.iter().product());
        let (fast, plain) = (star::<Fast>(shape, &maps), star::<Plain>(shape, &maps));
        assert_near(&fast.0, &plain.0, &format!("{shape:?} losses"));
        assert_near(&fast.1, &plain.1, &format!("{shape:?} gradients"));
    }
}

/// Results do not tell: Burn's operations take over where a tensor is not recognised.
#[test]
fn kernels_are_used() {
    let device = Default::default();
    let maps = Tensor::<Fast, 4>::ones([1, 2, 3, 4], &device).require_grad();
    assert!(super::awing(&maps, &maps.clone().detach(), &AWingLossConfig::default()).is_some());
    let maps = maps.reshape([2, 3, 4]);
    assert_eq!(Products::on::<Fast>(&device), Products::Matrix);
    assert!(super::overview(&maps.clone().detach(), 1.0).is_some());
    let rows = Tensor::<Fast, 2>::ones([2, 4], &device);
    let weights = [rows.clone(), rows.clone(), rows.clone()];
    assert!(super::sums(&maps, &weights, &rows.narrow(1, 0, 1)).is_some());
    let plain = Tensor::<Plain, 3>::ones([2, 3, 4], &Default::default());
    assert!(super::overview(&plain, 1.0).is_none());
}
