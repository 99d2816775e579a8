//! A prepared network gives what the network gives, which golden sets and Burn's own operations hold (golden.rs, flex.rs).
#![cfg(feature = "flex")]

mod support;

use burn::{
    backend::{Flex, NdArray},
    tensor::{Tensor, TensorData, backend::Backend},
};
use star_model::StarNetConfig;
use support::{Draws, distance, floats, formula};

/// Normalised. Sums run in another order; 1e-6 was seen.
const LANDMARKS: f64 = 3e-6;

/// Of the weights: with it no pixel of a heatmap lies where coordinates are just lit, or just not. That is a step in the network itself.
const SEED: u64 = 9;

fn config(points: usize, edges: usize) -> StarNetConfig {
    let edge = |e: usize| (0..points).filter(|p| p % edges.max(1) == e).collect();
    // The first point is on no edge.
    let mut edges: Vec<Vec<usize>> = (0..edges).map(edge).collect();
    edges.iter_mut().for_each(|edge| edge.retain(|p| *p != 0));
    StarNetConfig::new(points, edges)
}

fn images<B: Backend>(data: &TensorData) -> Tensor<B, 4> {
    Tensor::from_data(data.clone(), &Default::default())
}

#[test]
fn prepared_networks_say_the_same() {
    let mut draws = Draws::new(5);
    let large = config(5, 2).with_channels(64).with_stem(32);
    for (config, size, batch) in [
        // Odd numbers of channels in half of them, small maps, one stack.
        (
            config(3, 2).with_stacks(1).with_channels(6).with_stem(2),
            [64, 64],
            3,
        ),
        (
            config(7, 3)
                .with_stacks(3)
                .with_channels(18)
                .with_stem(10)
                .with_input_size(128),
            [128, 128],
            1,
        ),
        (
            config(98, 9).with_stacks(2).with_channels(16).with_stem(8),
            [64, 192],
            2,
        ),
        (
            config(4, 1)
                .with_stacks(2)
                .with_channels(10)
                .with_stem(4)
                .with_coord(false),
            [64, 64],
            1,
        ),
        (
            config(4, 0)
                .with_stacks(2)
                .with_channels(10)
                .with_stem(4)
                .with_aam(false),
            [64, 64],
            2,
        ),
        // Whose large maps are transformed, at the size that it is made for and at others, odd halves among them.
        (
            large.clone().with_stacks(1).with_input_size(128),
            [128, 128],
            2,
        ),
        (large.with_stacks(2).with_input_size(192), [320, 64], 1),
    ] {
        config.validate().unwrap();
        let data = draws.numbers(&[batch, 3, size[0], size[1]]);
        let plain = formula::net::<Flex>(&config, SEED).forward_last(images(&data));
        let prepared = formula::net::<Flex>(&config, SEED).prepare();
        let given = prepared.forward(images(&data));
        let said = format!("{config} {size:?}");
        let off = distance(&floats(given.landmarks), &floats(plain.landmarks));
        assert!(off < LANDMARKS, "{off} {said}");
        assert_eq!(given.heatmaps.dims(), plain.heatmaps.dims());
        let off = distance(&floats(given.heatmaps), &floats(plain.heatmaps));
        assert!(off < 1e-4, "heatmaps {off} {said}");
        assert_eq!(given.point_maps.is_some(), config.aam);
        for (given, plain) in [
            (given.point_maps, plain.point_maps),
            (given.edge_maps, plain.edge_maps),
        ] {
            if let (Some(given), Some(plain)) = (given, plain) {
                assert_eq!(given.dims(), plain.dims());
                let off = distance(&floats(given), &floats(plain));
                assert!(off < 1e-5, "maps {off} {said}");
            }
        }
    }
}

/// A face alone, among others and again: the same bits.
#[test]
fn a_face_is_computed_alike_in_any_batch() {
    let config = config(5, 2).with_stacks(2).with_channels(32).with_stem(16);
    let net = formula::net::<Flex>(&config.with_input_size(128), 3).prepare();
    let data = Draws::new(2).numbers(&[33, 3, 128, 128]);
    let all = floats(net.forward(images(&data)).heatmaps);
    let faces = images::<Flex>(&data);
    let length = all.len() / 33;
    for face in [0, 7, 32] {
        let alone = net.forward(faces.clone().narrow(0, face, 1)).heatmaps;
        assert_eq!(floats(alone), all[face * length..][..length]);
    }
}

#[test]
fn other_backends_keep_their_network() {
    let config = config(3, 2).with_stacks(1).with_channels(6).with_stem(2);
    let data = Draws::new(1).numbers(&[1, 3, 64, 64]);
    let net = formula::net::<NdArray>(&config.with_input_size(64), 1);
    let (a, b) = (
        net.forward_last(images(&data)),
        net.prepare().forward(images(&data)),
    );
    assert_eq!(floats(a.heatmaps), floats(b.heatmaps));
}
