//! How long the losses take: `cargo run --release -p star-loss --example speed`.
//!
//! A batch of 32 faces with 98 points and 64 x 64 maps, the size that WFLW is trained with, forward and backward.

use std::time::{Duration, Instant};

use burn::{
    backend::{Autodiff, Flex},
    tensor::{Distribution, Tensor, activation::relu},
};
use star_loss::{AWingLossConfig, StarLossConfig};

type B = Autodiff<Flex>;

/// The median of several runs.
fn median(mut run: impl FnMut()) -> Duration {
    run();
    let mut times: Vec<_> = (0..7)
        .map(|_| {
            let start = Instant::now();
            run();
            start.elapsed()
        })
        .collect();
    times.sort();
    times[times.len() / 2]
}

fn main() {
    let device = Default::default();
    let (batch, points, side) = (32, 98, 64);
    let heatmaps: Tensor<B, 4> = relu(Tensor::random(
        [batch, points, side, side],
        Distribution::Normal(0.0, 1.0),
        &device,
    ));
    let targets: Tensor<B, 3> = Tensor::random(
        [batch, points, 2],
        Distribution::Uniform(-1.0, 1.0),
        &device,
    );
    let maps: Tensor<B, 4> = Tensor::random(
        [batch, points, side, side],
        Distribution::Uniform(0.0, 1.0),
        &device,
    );
    let heatmaps = heatmaps.detach();

    let star = StarLossConfig::default().init();
    let awing = AWingLossConfig::default().init();
    println!("batch {batch}, {points} points, {side} x {side}, median of 7");
    println!(
        "STAR forward            {:>8.1?}",
        median(|| {
            star.forward(heatmaps.clone(), targets.clone()).into_data();
        })
    );
    println!(
        "STAR forward, backward  {:>8.1?}",
        median(|| {
            let heatmaps = heatmaps.clone().require_grad();
            let grads = star.forward(heatmaps.clone(), targets.clone()).backward();
            heatmaps.grad(&grads);
        })
    );
    println!(
        "AWing forward, backward {:>8.1?}",
        median(|| {
            let heatmaps = heatmaps.clone().require_grad();
            let grads = awing.forward(heatmaps.clone(), maps.clone()).backward();
            heatmaps.grad(&grads);
        })
    );
}
