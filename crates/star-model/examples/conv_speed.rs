//! How long convolutions take, forward and backward, by Burn's own operation and by this crate's kernels on the CPU:
//! `cargo run --release -p star-model --features flex --example conv_speed -- [ROUNDS]`, with RAYON_NUM_THREADS=1 on one core.

use std::time::Instant;

use burn::backend::{Autodiff, Flex};
use burn::tensor::module::conv2d;
use burn::tensor::ops::ConvOptions;
use burn::tensor::{Distribution, Tensor};
use star_model::{Mode, conv::ConvConfig};

type B = Autodiff<Flex>;

/// Best of `rounds`, milliseconds: forward, and backward.
fn time(
    rounds: usize,
    x: &Tensor<B, 4>,
    convolve: impl Fn(Tensor<B, 4>) -> Tensor<B, 4>,
) -> [f64; 2] {
    let mut best = [f64::INFINITY; 2];
    for _ in 0..rounds {
        let start = Instant::now();
        let y = convolve(x.clone());
        best[0] = best[0].min(start.elapsed().as_secs_f64() * 1e3);
        let loss = y.sum();
        let start = Instant::now();
        let gradients = loss.backward();
        best[1] = best[1].min(start.elapsed().as_secs_f64() * 1e3);
        drop(gradients);
    }
    best
}

fn main() {
    let device = Default::default();
    let rounds = std::env::args().nth(1).and_then(|n| n.parse().ok());
    let rounds = rounds.unwrap_or(15);
    println!("kernel  channels   side  batch    Burn: there   back    here: there   back, ms");
    for (kernel, input, output, side, batch) in [
        (1, 256, 128, 64, 2),
        (1, 64, 64, 32, 8),
        (1, 64, 64, 8, 8),
        (3, 128, 128, 64, 2),
        (3, 64, 64, 32, 8),
        (3, 128, 128, 8, 8),
        (3, 32, 32, 4, 8),
    ] {
        let random = Distribution::Uniform(-1.0, 1.0);
        let x: Tensor<B, 4> = Tensor::random([batch, input, side, side], random, &device);
        let x = x.require_grad();
        let conv = ConvConfig::new(input, output, kernel).init::<B>(&device);
        let padding = [kernel / 2; 2];
        let options = ConvOptions::new([1, 1], padding, [1, 1], 1);
        let burn = time(rounds, &x, |x| {
            conv2d(x, conv.weight.val(), Some(conv.bias.val()), options.clone())
        });
        let here = time(rounds, &x, |x| conv.forward(x, Mode::Eval));
        println!(
            "{kernel}x{kernel}    {input:>3}->{output:<3}  {side:>5}  {batch:>5}    {:>11.2}  {:>5.1}    {:>11.2}  {:>5.1}",
            burn[0], burn[1], here[0], here[1]
        );
    }
}
