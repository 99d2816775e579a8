//! How long ways of computing a convolution take, forward and backward: `cargo run --release -p star-model --example conv_speed`.

use std::time::Instant;

use burn::backend::{Autodiff, Flex};
use burn::tensor::module::conv2d;
use burn::tensor::ops::ConvOptions;
use burn::tensor::{Distribution, Tensor};

type B = Autodiff<Flex>;

fn burn_conv(x: Tensor<B, 4>, weight: Tensor<B, 4>, bias: Tensor<B, 1>) -> Tensor<B, 4> {
    let padding = (weight.dims()[2] - 1) / 2;
    conv2d(
        x,
        weight,
        Some(bias),
        ConvOptions::new([1, 1], [padding, padding], [1, 1], 1),
    )
}

fn product(x: Tensor<B, 4>, weight: Tensor<B, 4>, bias: Tensor<B, 1>) -> Tensor<B, 4> {
    let [batch, input, h, w] = x.dims();
    let output = weight.dims()[0];
    let y = weight
        .reshape([1, output, input])
        .matmul(x.reshape([batch, input, h * w]));
    (y + bias.reshape([1, output, 1]).repeat_dim(0, batch)).reshape([batch, output, h, w])
}

/// Nine products, their results shifted and added.
fn nine(x: Tensor<B, 4>, weight: Tensor<B, 4>, bias: Tensor<B, 1>) -> Tensor<B, 4> {
    let [batch, input, h, w] = x.dims();
    let [output, _, k, _] = weight.dims();
    let pad = (k - 1) / 2;
    let (hp, wp) = (h + 2 * pad, w + 2 * pad);
    let flat = x
        .pad((pad, pad, pad, pad), 0.0)
        .reshape([batch, input, hp * wp]);
    let length = (h - 1) * wp + w;
    let mut sum: Option<Tensor<B, 3>> = None;
    for i in 0..k {
        for j in 0..k {
            let from = i * wp + j;
            let part = flat
                .clone()
                .slice([0..batch, 0..input, from..from + length]);
            let tap = weight
                .clone()
                .slice([0..output, 0..input, i..i + 1, j..j + 1])
                .reshape([1, output, input]);
            let y = tap.matmul(part);
            sum = Some(match sum {
                Some(sum) => sum + y,
                None => y,
            });
        }
    }
    let y = sum.unwrap() + bias.reshape([1, output, 1]).repeat_dim(0, batch);
    let y = y
        .pad((0, h * wp - length, 0, 0), 0.0)
        .reshape([batch, output, h, wp]);
    y.slice([0..batch, 0..output, 0..h, 0..w])
}

/// Three copies shifted along rows, one product for each row of the kernel, their results shifted and added.
fn three(x: Tensor<B, 4>, weight: Tensor<B, 4>, bias: Tensor<B, 1>) -> Tensor<B, 4> {
    let [batch, input, h, w] = x.dims();
    let [output, _, k, _] = weight.dims();
    let pad = (k - 1) / 2;
    let (rows, wide) = (h + 2 * pad + 1, w + 2 * pad);
    let flat = x
        .pad([(0, 0), (0, 0), (pad, pad + 1), (pad, pad)], 0.0)
        .reshape([batch, input, rows * wide]);
    let length = (rows - 1) * wide;
    let columns = (0..k).map(|j| flat.clone().narrow(2, j, length)).collect();
    let columns = Tensor::cat(columns, 1);
    let weight = weight.permute([2, 0, 3, 1]).reshape([k, output, k * input]);
    let y = (0..k)
        .map(|i| {
            weight
                .clone()
                .narrow(0, i, 1)
                .matmul(columns.clone().narrow(2, i * wide, h * wide))
        })
        .reduce(|a, b| a + b)
        .unwrap();
    let y = y + bias.reshape([1, output, 1]).repeat_dim(0, batch);
    y.reshape([batch, output, h, wide]).narrow(3, 0, w)
}

/// Nine shifted copies, one product.
fn one(x: Tensor<B, 4>, weight: Tensor<B, 4>, bias: Tensor<B, 1>) -> Tensor<B, 4> {
    let [batch, input, h, w] = x.dims();
    let [output, _, k, _] = weight.dims();
    let pad = (k - 1) / 2;
    let (rows, wide) = (h + 2 * pad + 1, w + 2 * pad);
    let flat = x
        .pad([(0, 0), (0, 0), (pad, pad + 1), (pad, pad)], 0.0)
        .reshape([batch, input, rows * wide]);
    let columns = (0..k * k)
        .map(|t| flat.clone().narrow(2, t / k * wide + t % k, h * wide))
        .collect();
    let weight = weight
        .permute([0, 2, 3, 1])
        .reshape([1, output, k * k * input]);
    let y =
        weight.matmul(Tensor::cat(columns, 1)) + bias.reshape([1, output, 1]).repeat_dim(0, batch);
    y.reshape([batch, output, h, wide]).narrow(3, 0, w)
}

type Way = fn(Tensor<B, 4>, Tensor<B, 4>, Tensor<B, 1>) -> Tensor<B, 4>;

fn main() {
    let device = Default::default();
    let random = Distribution::Uniform(-1.0, 1.0);
    let arguments: Vec<usize> = std::env::args()
        .skip(1)
        .filter_map(|a| a.parse().ok())
        .collect();
    let rounds = arguments.first().copied().unwrap_or(7);
    for (kernel, input, output, size, batch) in [
        (1, 64, 64, 32, 8),
        (1, 64, 64, 64, 8),
        (1, 256, 128, 64, 8),
        (1, 64, 64, 8, 8),
        (3, 32, 32, 32, 8),
        (3, 64, 64, 32, 8),
        (3, 64, 64, 64, 8),
        (3, 128, 128, 64, 8),
        (3, 64, 64, 8, 8),
        (3, 32, 32, 4, 8),
    ] {
        let ways: &[(&str, Way)] = match kernel {
            1 => &[("conv2d", burn_conv), ("product", product)],
            _ => &[
                ("conv2d", burn_conv),
                ("nine", nine),
                ("three", three),
                ("one", one),
            ],
        };
        print!("{kernel}x{kernel} {input:>3}->{output:<3} {size:>2}x{size:<2}:");
        for (name, way) in ways {
            let x: Tensor<B, 4> =
                Tensor::random([batch, input, size, size], random, &device).require_grad();
            let weight: Tensor<B, 4> =
                Tensor::random([output, input, kernel, kernel], random, &device).require_grad();
            let bias: Tensor<B, 1> = Tensor::random([output], random, &device).require_grad();
            let up: Tensor<B, 4> = Tensor::random([batch, output, size, size], random, &device);
            let (mut there, mut back) = (Vec::new(), Vec::new());
            for _ in 0..rounds {
                let start = Instant::now();
                let y = way(x.clone(), weight.clone(), bias.clone());
                there.push(start.elapsed().as_secs_f64() * 1e3);
                let loss = (y * up.clone()).sum();
                let start = Instant::now();
                let grads = loss.backward();
                back.push(start.elapsed().as_secs_f64() * 1e3);
                drop(grads);
            }
            there.sort_by(f64::total_cmp);
            back.sort_by(f64::total_cmp);
            print!(
                "  {name} {:.2} + {:.2} ms",
                there[rounds / 2],
                back[rounds / 2]
            );
        }
        println!();
    }
}
