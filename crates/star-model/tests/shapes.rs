//! Shapes that do not fit stop every public function, with all shapes in the message, on every backend alike.

mod support;

use std::panic::{AssertUnwindSafe, catch_unwind};

use burn::backend::NdArray;
use burn::module::{AutodiffModule, RunningState};
use burn::tensor::Tensor;
use burn::tensor::backend::Backend;
use star_model::batch_norm::BatchNorm;
use star_model::conv::ConvConfig;
use star_model::conv_block::ConvBlock;
use star_model::coord::append_coords;
use star_model::heads::{Aam, AamMaps, E2h};
use star_model::hourglass::{Coords, Hourglass};
use star_model::residual::ResBlock;
use star_model::{
    Compute, Mode, StarNet, StarNetConfig, Statistics, Stem, average_statistics, ema_update,
};
use support::{Diff, Plain};

/// A call, and what its panic must say.
type Wrong<'a> = (&'a str, Box<dyn Fn() + 'a>, &'a [&'a str]);

fn assert_stopped(wrong: Vec<Wrong>) {
    assert!(!wrong.is_empty());
    for (call, run, parts) in wrong {
        let panic = catch_unwind(AssertUnwindSafe(run))
            .err()
            .unwrap_or_else(|| panic!("{call}: was not stopped"));
        let text = (panic.downcast_ref::<String>().map(String::as_str))
            .or(panic.downcast_ref::<&str>().copied())
            .expect("a message");
        for part in parts {
            assert!(text.contains(part), "{call}: no {part} in: {text}");
        }
    }
}

fn zeros<B: Backend>(shape: [usize; 4]) -> Tensor<B, 4> {
    Tensor::zeros(shape, &Default::default())
}

fn config() -> StarNetConfig {
    StarNetConfig::new(3, vec![vec![0, 1], vec![2]])
        .with_stacks(2)
        .with_channels(4)
        .with_stem(2)
        .with_input_size(64)
}

fn layers<B: Backend>(mode: Mode) {
    let device = Default::default();
    let conv = ConvConfig::new(4, 5, 3).init::<B>(&device);
    let pointwise = ConvConfig::new(4, 5, 1).init::<B>(&device);
    let stepping = ConvConfig::new(4, 5, 3).with_stride(2).init::<B>(&device);
    let mut cut = conv.clone();
    cut.bias = cut.bias.map(|bias| bias.narrow(0, 0, 4));
    let mut oblong = conv.clone();
    oblong.weight = oblong
        .weight
        .map(|weight| weight.slice([0..5, 0..4, 0..3, 0..1]));
    let mut even = conv.clone();
    even.weight = even
        .weight
        .map(|weight| weight.slice([0..5, 0..4, 0..2, 0..2]));
    let block = ConvBlock::<B>::normalised(ConvConfig::new(4, 5, 3), &device);
    let norm = BatchNorm::<B>::new(4, &device);
    let mut uneven = BatchNorm::<B>::new(4, &device);
    uneven.running_var = RunningState::new(Tensor::ones([1], &device));
    let residual = ResBlock::<B>::new(4, 6, &device);
    let e2h = E2h::<B>::new(3, &[vec![0, 1], vec![2]], &device);
    let aam = Aam::<B>::new(3, &[vec![0, 1], vec![2]], 2, 4, &device);
    let maps = |points, edges| AamMaps {
        point_maps: zeros::<B>(points),
        edge_maps: zeros::<B>(edges),
    };
    let plain = Hourglass::<B>::new(2, 4, Coords::Plain, &device);
    let boundary = Hourglass::<B>::new(2, 4, Coords::Boundary, &device);
    let stem = Stem::<B>::new(2, 4, true, &device);
    let net = config().init::<B>(&device);
    assert_stopped(vec![
        (
            "convolution of 3 channels by weights for 4",
            Box::new(|| drop(conv.forward(zeros([1, 3, 8, 8]), mode))),
            &["[1, 3, 8, 8]", "[5, 4, 3, 3]"],
        ),
        (
            "more channels than weights",
            Box::new(|| drop(conv.forward(zeros([2, 8, 4, 4]), mode))),
            &["[2, 8, 4, 4]", "[5, 4, 3, 3]"],
        ),
        (
            "pointwise",
            Box::new(|| drop(pointwise.forward(zeros([1, 3, 8, 8]), mode))),
            &["[1, 3, 8, 8]", "[5, 4, 1, 1]"],
        ),
        (
            "with a stride",
            Box::new(|| drop(stepping.forward(zeros([1, 3, 8, 8]), mode))),
            &["[1, 3, 8, 8]", "[5, 4, 3, 3]"],
        ),
        (
            "too few biases",
            Box::new(|| drop(cut.forward(zeros([1, 4, 8, 8]), mode))),
            &["bias [4]", "[5, 4, 3, 3]"],
        ),
        (
            "kernel not square",
            Box::new(|| drop(oblong.forward(zeros([1, 4, 8, 8]), mode))),
            &["[1, 4, 8, 8]", "[5, 4, 3, 1]"],
        ),
        (
            "even kernel",
            Box::new(|| drop(even.forward(zeros([1, 4, 8, 8]), mode))),
            &["[1, 4, 8, 8]", "[5, 4, 2, 2]"],
        ),
        (
            "even kernel in the configuration",
            Box::new(|| drop(ConvConfig::new(4, 5, 2).init::<B>(&Default::default()))),
            &["kernel: 2"],
        ),
        (
            "no stride",
            Box::new(|| {
                let config = ConvConfig::new(4, 5, 3).with_stride(0);
                drop(config.init::<B>(&Default::default()));
            }),
            &["stride: 0"],
        ),
        (
            "no pixels",
            Box::new(|| drop(conv.forward(zeros([1, 4, 0, 8]), mode))),
            &["[1, 4, 0, 8]"],
        ),
        (
            "block",
            Box::new(|| drop(block.forward(zeros([1, 3, 8, 8]), mode))),
            &["[1, 3, 8, 8]", "[5, 4, 3, 3]"],
        ),
        (
            "a convolution with another one's norm",
            Box::new(|| drop(conv.forward_norm_relu(zeros([1, 4, 8, 8]), &norm, mode))),
            &["[1, 5, 8, 8]", "[4]"],
        ),
        (
            "norm, fewer channels",
            Box::new(|| drop(norm.forward(zeros([2, 3, 8, 8]), mode))),
            &["[2, 3, 8, 8]", "weight [4]"],
        ),
        (
            "norm, twice the channels",
            Box::new(|| drop(norm.forward_relu(zeros([2, 8, 8, 8]), mode))),
            &["[2, 8, 8, 8]", "weight [4]"],
        ),
        (
            "norm with a running variance for one channel",
            Box::new(|| drop(uneven.forward(zeros([2, 4, 8, 8]), mode))),
            &["[2, 4, 8, 8]", "running variance [1]"],
        ),
        (
            "residual block",
            Box::new(|| drop(residual.forward(zeros([2, 6, 8, 8]), mode))),
            &["[2, 6, 8, 8]", "[4]"],
        ),
        (
            "edges to landmarks",
            Box::new(|| drop(e2h.forward(zeros([2, 1, 8, 8])))),
            &["[2, 1, 8, 8]", "[3, 2, 1, 1]"],
        ),
        (
            "maps from other features",
            Box::new(|| drop(aam.maps(0, zeros([2, 5, 8, 8]), mode))),
            &["[2, 5, 8, 8]", "[3, 4, 1, 1]"],
        ),
        (
            "a mask of one point map",
            Box::new(|| drop(aam.mask(&maps([2, 1, 8, 8], [2, 2, 8, 8])))),
            &["[2, 1, 8, 8]", "[2, 2, 8, 8]"],
        ),
        (
            "a mask of two batches",
            Box::new(|| drop(aam.mask(&maps([2, 3, 8, 8], [1, 2, 8, 8])))),
            &["[2, 3, 8, 8]", "[1, 2, 8, 8]"],
        ),
        (
            "maps of two batches merged",
            Box::new(|| drop(aam.merge(0, maps([1, 3, 8, 8], [2, 2, 8, 8]), mode))),
            &["[1, 3, 8, 8]", "[2, 2, 8, 8]"],
        ),
        (
            "coordinates for heatmaps of another batch",
            Box::new(|| {
                drop(append_coords::<B>(
                    zeros([2, 4, 8, 8]),
                    Some(zeros([1, 3, 8, 8])),
                ))
            }),
            &["[2, 4, 8, 8]", "[1, 3, 8, 8]"],
        ),
        (
            "coordinates for heatmaps of another size",
            Box::new(|| {
                drop(append_coords::<B>(
                    zeros([2, 4, 8, 8]),
                    Some(zeros([2, 3, 1, 8])),
                ))
            }),
            &["[2, 4, 8, 8]", "[2, 3, 1, 8]"],
        ),
        (
            "coordinates for no heatmaps",
            Box::new(|| {
                drop(append_coords::<B>(
                    zeros([2, 4, 8, 8]),
                    Some(zeros([2, 0, 8, 8])),
                ))
            }),
            &["[2, 4, 8, 8]", "[2, 0, 8, 8]"],
        ),
        (
            "hourglass of a size that halving does not divide",
            Box::new(|| drop(plain.forward(zeros([2, 4, 8, 2]), None, mode))),
            &["[2, 4, 8, 2]", "[4]"],
        ),
        (
            "hourglass of other channels",
            Box::new(|| drop(plain.forward(zeros([2, 5, 8, 8]), None, mode))),
            &["[2, 8, 8, 8]", "[4, 7, 1, 1]"],
        ),
        (
            "hourglass without the previous heatmaps",
            Box::new(|| drop(boundary.forward(zeros([2, 4, 8, 8]), None, mode))),
            &["[2, 7, 8, 8]", "[4, 9, 1, 1]"],
        ),
        (
            "grey images for the stem",
            Box::new(|| drop(stem.forward(zeros([2, 1, 64, 64]), mode))),
            &["[2, 4, 64, 64]", "[2, 6, 7, 7]"],
        ),
        (
            "grey images for the network",
            Box::new(|| drop(net.forward_in(zeros([2, 1, 64, 64]), mode))),
            &["[2, 1, 64, 64]", "3 channels"],
        ),
        (
            "images of 96 pixels",
            Box::new(|| drop(net.forward_last(zeros([2, 3, 64, 96])))),
            &["[2, 3, 64, 96]", "[16, 24]"],
        ),
    ]);
}

#[test]
fn layers_name_the_shapes_on_flex() {
    layers::<Plain>(Mode::Eval);
}

#[test]
fn layers_name_the_shapes_with_gradients() {
    layers::<Diff>(Mode::Eval);
    layers::<Diff>(Mode::Train(Compute::F32));
    layers::<Diff>(Mode::Train(Compute::Bf16));
}

#[test]
fn layers_name_the_shapes_on_ndarray() {
    layers::<NdArray>(Mode::Eval);
}

/// A network's weights and statistics are moved towards those of the same kind of network only.
#[test]
fn networks_are_mixed_with_their_like_only() {
    let device = Default::default();
    let net = config().init::<Diff>(&device);
    let wider: StarNet<Diff> = config().with_channels(6).init(&device);
    let longer: StarNet<Diff> = config().with_stacks(3).init(&device);
    let of = |net: &StarNet<Diff>| Statistics::of(net, &device);
    assert_stopped(vec![
        (
            "average of a wider network",
            Box::new(|| drop(ema_update(net.valid(), &wider.valid(), 0.9))),
            &["channels: 4", "channels: 6"],
        ),
        (
            "average of a longer network",
            Box::new(|| drop(ema_update(net.valid(), &longer.valid(), 0.9))),
            &["stacks: 2", "stacks: 3"],
        ),
        (
            "statistics of a wider network",
            Box::new(|| drop(average_statistics(net.unshared(), vec![(1.0, of(&wider))]))),
            &["norm [2]", "pre.4.bn2.running_mean [3]"],
        ),
        (
            "statistics of a longer network",
            Box::new(|| drop(average_statistics(net.unshared(), vec![(1.0, of(&longer))]))),
            &["features.2.0.bn1.running_mean", "no such norm"],
        ),
        (
            "statistics of a shorter network",
            Box::new(|| drop(average_statistics(longer.unshared(), vec![(1.0, of(&net))]))),
            &["hgs.2.", "not among"],
        ),
    ]);
}
