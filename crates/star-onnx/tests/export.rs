//! Files that are written, read back by other code and computed by the operators' definitions: what the network says.

mod support;

use std::collections::{BTreeMap, HashMap, HashSet};

use burn::backend::Flex;
use burn::tensor::{Tensor, TensorData};
use star_loss::heatmap_stats;
use star_model::{StarNet, StarNetConfig, load_named, named_tensors};
use star_onnx::{IMAGE, OPSETS, OUTPUTS, OnnxError, Options, export};
use support::wire::{Border, Model};
use support::{Array, constant, evaluate};

/// Numbers in 0..1, the same in every run.
struct Draws(u64);

impl Draws {
    fn next(&mut self) -> f32 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 40) as f32 / (1u64 << 24) as f32
    }

    fn between(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * self.next()
    }
}

/// A network whose every number counts: norms that move and scale, weights of a trained size.
fn network(config: &StarNetConfig) -> StarNet<Flex> {
    let net = config.init::<Flex>(&Default::default());
    let mut draws = Draws(7);
    let tensors = named_tensors(&net).into_iter().map(|(name, data)| {
        if name.starts_with("e2h_transform") {
            return (name, data);
        }
        let shape = data.shape.clone();
        let fan_in: usize = shape[1..].iter().product();
        let (low, high) = match name.rsplit('.').next() {
            Some("running_mean") => (-0.3, 0.3),
            Some("running_var") => (0.5, 1.5),
            Some("weight") if shape.len() == 1 => (0.5, 1.5),
            Some("bias") => (-0.1, 0.1),
            _ => {
                let bound = (1.0 / fan_in as f32).sqrt();
                (-bound, bound)
            }
        };
        let values = (0..data.num_elements()).map(|_| draws.between(low, high));
        (name, TensorData::new(values.collect::<Vec<f32>>(), shape))
    });
    load_named(net, tensors.collect()).unwrap()
}

fn small(stacks: usize, coord: bool, aam: bool) -> StarNetConfig {
    StarNetConfig::new(5, vec![vec![0, 1, 2], vec![2, 3]])
        .with_stacks(stacks)
        .with_channels(6)
        .with_stem(4)
        .with_input_size(64)
        .with_coord(coord)
        .with_aam(aam)
}

fn images(batch: usize) -> Vec<f32> {
    let mut draws = Draws(3);
    (0..batch * 3 * 64 * 64)
        .map(|_| draws.between(-1.0, 1.0))
        .collect()
}

fn read(file: &[u8]) -> Model {
    Model::read(file)
}

/// Landmarks, heatmaps and covariances of our own library.
fn ours(net: &StarNet<Flex>, images: &[f32], batch: usize) -> [Vec<f64>; 3] {
    let data = TensorData::new(images.to_vec(), [batch, 3, 64, 64]);
    let output = net.forward_last(Tensor::from_data(data, &Default::default()));
    let stats = heatmap_stats(output.heatmaps.clone());
    let [xx, xy, yy] = [stats.cov_xx, stats.cov_xy, stats.cov_yy]
        .map(|t| t.into_data().iter::<f64>().collect::<Vec<_>>());
    let covariance = (0..xx.len()).flat_map(|i| [xx[i], xy[i], xy[i], yy[i]]);
    [
        output.landmarks.into_data().iter().collect(),
        output.heatmaps.into_data().iter().collect(),
        covariance.collect(),
    ]
}

fn theirs(model: &Model, images: &[f32], batch: usize) -> HashMap<String, Array> {
    let values = images.iter().map(|&v| f64::from(v)).collect();
    evaluate(
        &model.graph,
        (IMAGE, Array::new(&[batch, 3, 64, 64], values)),
    )
}

fn largest(a: &[f64], b: &[f64]) -> f64 {
    assert_eq!(a.len(), b.len());
    let off = a.iter().zip(b).map(|(a, b)| (a - b).abs());
    off.fold(0.0, |worst, off| {
        if off.is_nan() {
            f64::INFINITY
        } else {
            off.max(worst)
        }
    })
}

#[test]
fn the_graph_computes_what_the_network_computes() {
    for (stacks, coord, aam) in [
        (1, false, false),
        (1, true, true),
        (3, true, true),
        (2, true, false),
        (2, false, true),
    ] {
        let net = network(&small(stacks, coord, aam));
        let model = read(&export(&net, &Options::default(), &BTreeMap::new()).unwrap());
        for batch in [1, 2] {
            let images = images(batch);
            let found = theirs(&model, &images, batch);
            let side = 16;
            let dims = [
                vec![batch, 5, 2],
                vec![batch, 5, side, side],
                vec![batch, 5, 2, 2],
            ];
            let tolerance = [1e-5, 1e-4, 1e-5];
            for (i, wanted) in ours(&net, &images, batch).iter().enumerate() {
                let found = &found[OUTPUTS[i]];
                assert_eq!(found.dims, dims[i]);
                let off = largest(&found.values, wanted);
                let most = wanted.iter().fold(0.0f64, |m, v| m.max(v.abs()));
                assert!(most > 1e-2, "{} says nothing", OUTPUTS[i]);
                assert!(
                    off <= tolerance[i],
                    "{} of {stacks} stacks, coord {coord}, aam {aam}: off by {off:.1e}",
                    OUTPUTS[i]
                );
            }
        }
    }
}

/// What decides nothing in the networks above: maps that are empty, of one pixel, and nearly empty.
#[test]
fn extreme_heatmaps_are_read_off_as_ours() {
    let net = network(&small(1, false, false));
    let model = read(&export(&net, &Options::default(), &BTreeMap::new()).unwrap());
    // The last nodes only, on heatmaps of one's own.
    let mut graph = model.graph.clone();
    let from = graph
        .node
        .iter()
        .position(|node| node.name == OUTPUTS[1])
        .unwrap();
    graph.node.drain(..=from);
    let mut maps = vec![0f32; 5 * 256];
    maps[256 + 17] = 3.0;
    maps[2 * 256 + 255] = 1e-9;
    maps[3 * 256..4 * 256].fill(0.5);
    for (i, value) in maps[4 * 256..].iter_mut().enumerate() {
        *value = if i % 16 > 12 { 8.0 } else { 0.0 };
    }
    let values = maps.iter().map(|&v| f64::from(v)).collect();
    let found = evaluate(&graph, (OUTPUTS[1], Array::new(&[1, 5, 16, 16], values)));
    let tensor =
        Tensor::<Flex, 4>::from_data(TensorData::new(maps, [1, 5, 16, 16]), &Default::default());
    let landmarks: Vec<f64> = star_model::decode(tensor.clone())
        .into_data()
        .iter()
        .collect();
    assert!(largest(&found[OUTPUTS[0]].values, &landmarks) < 1e-6);
    let stats = heatmap_stats(tensor);
    for (part, at) in [
        (stats.cov_xx, 0),
        (stats.cov_xy.clone(), 1),
        (stats.cov_xy, 2),
        (stats.cov_yy, 3),
    ] {
        let wanted: Vec<f64> = part.into_data().iter().collect();
        let own: Vec<f64> = found[OUTPUTS[2]]
            .values
            .iter()
            .skip(at)
            .step_by(4)
            .copied()
            .collect();
        for (i, (a, b)) in own.iter().zip(&wanted).enumerate() {
            assert!((a - b).abs() <= 1e-5 * (1.0 + b.abs()), "map {i}: {a} {b}");
        }
    }
}

#[test]
fn a_file_says_what_is_in_it() {
    let net = network(&small(2, true, true));
    let metadata = BTreeMap::from([("star.layout".to_owned(), "five".to_owned())]);
    for opset in OPSETS {
        let options = Options { opset, half: false };
        let model = read(&export(&net, &options, &metadata).unwrap());
        assert_eq!(model.opset_import, [(String::new(), opset)]);
        assert!((7..=10).contains(&model.ir_version));
        assert_eq!(model.producer_name, "star");
        assert_eq!(model.metadata_props, metadata);
        let graph = &model.graph;
        let dims = |border: &Border| {
            assert_eq!(border.elem_type, 1, "{}", border.name);
            format!("{} {}", border.name, border.sides.join(" "))
        };
        assert!(graph.input.iter().map(dims).eq(["image batch 3 64 64"]));
        assert!(graph.output.iter().map(dims).eq([
            "landmarks batch 5 2",
            "heatmaps batch 5 16 16",
            "covariance batch 5 2 2"
        ]));
        // Nothing is stored or computed that nothing depends on.
        let used: HashSet<&str> = graph
            .node
            .iter()
            .flat_map(|node| node.input.iter().map(String::as_str))
            .collect();
        let outputs: HashSet<&str> = OUTPUTS.into();
        for name in graph
            .initializer
            .iter()
            .map(|t| t.name.as_str())
            .chain(graph.node.iter().map(|n| n.name.as_str()))
        {
            assert!(
                used.contains(name) || outputs.contains(name),
                "{name} is for nothing"
            );
        }
    }
}

#[test]
fn other_opsets_are_refused() {
    let net = network(&small(1, false, false));
    for opset in [OPSETS.start() - 1, OPSETS.end() + 1, -1] {
        let error = export(&net, &Options { opset, half: false }, &BTreeMap::new()).unwrap_err();
        assert!(matches!(error, OnnxError::Opset(found) if found == opset));
        let message = error.to_string();
        assert!(
            message.contains(&opset.to_string()) && message.contains("13 to 22"),
            "{message}"
        );
    }
}

#[test]
fn half_precision_is_half_the_size_and_nearly_the_same() {
    let net = network(&small(2, true, true));
    let file = |half| {
        export(
            &net,
            &Options {
                half,
                ..Options::default()
            },
            &BTreeMap::new(),
        )
        .unwrap()
    };
    let (full, half) = (file(false), file(true));
    let [full, half] = [full, half].map(|file| read(&file));
    let weights = |model: &Model| -> usize {
        model
            .graph
            .initializer
            .iter()
            .filter(|t| t.name.contains("conv") && t.name.ends_with(".weight"))
            .map(|t| t.raw_data.len())
            .sum()
    };
    assert_eq!(weights(&full), 2 * weights(&half));
    let full_tensors: HashMap<&str, Array> = full
        .graph
        .initializer
        .iter()
        .map(|t| (t.name.as_str(), constant(t)))
        .collect();
    for tensor in half
        .graph
        .initializer
        .iter()
        .filter(|t| t.name.contains("conv"))
    {
        assert_eq!(tensor.data_type, 10, "{}", tensor.name);
        let rounded = constant(tensor);
        for (a, b) in rounded
            .values
            .iter()
            .zip(&full_tensors[tensor.name.as_str()].values)
        {
            assert_eq!(*a, burn::tensor::f16::from_f64(*b).to_f64());
        }
    }
    let images = images(1);
    let (a, b) = (theirs(&full, &images, 1), theirs(&half, &images, 1));
    for (name, tolerance) in [(OUTPUTS[0], 0.02), (OUTPUTS[2], 0.02)] {
        let off = largest(&a[name].values, &b[name].values);
        assert!(off > 0.0 && off < tolerance, "{name} off by {off}");
    }
}

#[test]
fn weights_beyond_half_precision_are_refused_by_name() {
    let net = network(&small(1, false, false));
    let mut tensors: HashMap<String, TensorData> = named_tensors(&net).into_iter().collect();
    let name = "hgs.0.up1.conv3.conv.bias";
    let count = tensors[name].num_elements();
    tensors.insert(name.into(), TensorData::new(vec![1e5f32; count], [count]));
    let net = load_named(net, tensors).unwrap();
    let half = Options {
        half: true,
        ..Options::default()
    };
    let error = export(&net, &half, &BTreeMap::new())
        .unwrap_err()
        .to_string();
    assert!(
        error.contains(name) && error.contains("100000") && error.contains("65504"),
        "{error}"
    );
    assert!(export(&net, &Options::default(), &BTreeMap::new()).is_ok());
}
