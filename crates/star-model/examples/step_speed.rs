//! How long one forward and backward pass takes: `cargo run --release -p star-model --example step_speed -- [channels] [stacks] [input size] [batch]`.

use std::time::Instant;

use burn::backend::{Autodiff, Flex};
use burn::module::AutodiffModule;
use burn::tensor::{Distribution, Tensor};
use star_model::StarNetConfig;

type B = Autodiff<Flex>;

fn main() {
    let given: Vec<usize> = std::env::args()
        .skip(1)
        .filter_map(|a| a.parse().ok())
        .collect();
    let number = |i: usize, default: usize| given.get(i).copied().unwrap_or(default);
    let (channels, stacks, size, batch) =
        (number(0, 64), number(1, 2), number(2, 128), number(3, 8));
    let edges = (0..9).map(|e| (e * 10..(e + 1) * 10).collect()).collect();
    let config = StarNetConfig::new(98, edges)
        .with_channels(channels)
        .with_stacks(stacks)
        .with_input_size(size);
    let device = Default::default();
    let net = config.init::<B>(&device);
    let images: Tensor<B, 4> = Tensor::random(
        [batch, 3, size, size],
        Distribution::Uniform(-1.0, 1.0),
        &device,
    );
    let (mut there, mut back, mut eval) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..7 {
        let start = Instant::now();
        let outputs = net.forward(images.clone());
        let loss = outputs
            .into_iter()
            .map(|o| o.landmarks.sum() + o.heatmaps.sum())
            .reduce(|a, b| a + b);
        there.push(start.elapsed().as_secs_f64() * 1e3);
        let start = Instant::now();
        let grads = loss.map(|loss| loss.backward());
        back.push(start.elapsed().as_secs_f64() * 1e3);
        drop(grads);
        let start = Instant::now();
        let valid = net.valid();
        valid.forward_last(images.clone().inner());
        eval.push(start.elapsed().as_secs_f64() * 1e3);
    }
    for times in [&mut there, &mut back, &mut eval] {
        times.sort_by(f64::total_cmp);
    }
    println!(
        "{channels} channels, {stacks} stacks, {size} x {size}, batch {batch}: forward {:.0} ms, backward {:.0} ms, evaluation {:.0} ms",
        there[3], back[3], eval[3]
    );
}
