//! What must hold for any network.

mod support;

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use burn::backend::{Autodiff, NdArray};
use burn::module::{AutodiffModule, Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::backend::{AutodiffBackend, Backend};
use burn::tensor::module::conv2d;
use burn::tensor::ops::ConvOptions;
use burn::tensor::{DType, Tensor, TensorData};
use star_model::batch_norm::{BatchNorm, EPSILON, MOMENTUM};
use star_model::conv::ConvConfig;
use star_model::weights::{CONFIG_KEY, named_shapes};
use star_model::{
    Compute, DEPTH, Mode, ModelError, StarNet, StarNetConfig, decode, ema_update, info, load_named,
    load_weights, named_tensors, save_weights,
};
use support::{Diff, Draws, Plain, assert_close, floats, formula, relative};

type Named = HashMap<String, TensorData>;

/// Small networks of all kinds.
fn configs() -> Vec<StarNetConfig> {
    let base = StarNetConfig::new(7, vec![vec![0, 1, 2], vec![2, 3, 4], vec![5]])
        .with_stacks(2)
        .with_channels(8)
        .with_stem(8)
        .with_input_size(64);
    vec![
        base.clone(),
        base.clone().with_stacks(1),
        base.clone().with_stacks(3).with_coord(false),
        base.clone().with_aam(false),
        base.clone()
            .with_channels(12)
            .with_stem(6)
            .with_input_size(128),
        // As many channels as the stem ends with: one block more whose skip convolution is unused.
        base.with_channels(16),
    ]
}

fn images<B: Backend>(batch: usize, size: usize) -> Tensor<B, 4> {
    Draws::new(10).tensor([batch, 3, size, size])
}

fn named<B: Backend>(net: &StarNet<B>) -> Named {
    named_tensors(net).into_iter().collect()
}

fn temporary(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(name)
}

#[test]
fn every_kind_runs_and_gives_the_promised_shapes() {
    for config in configs() {
        config.validate().unwrap();
        let net = config.init::<Plain>(&Default::default());
        // Twice the configured size works as well: the network is fully convolutional.
        for size in [config.input_size, 2 * config.input_size] {
            let outputs = net.forward(images(2, size));
            assert_eq!(outputs.len(), config.stacks);
            let side = size / 4;
            for output in &outputs {
                assert_eq!(output.landmarks.dims(), [2, config.points, 2]);
                assert_eq!(output.heatmaps.dims(), [2, config.points, side, side]);
                assert_eq!(output.point_maps.is_some(), config.aam);
                assert_eq!(output.edge_maps.is_some(), config.aam);
                if let (Some(points), Some(edges)) = (&output.point_maps, &output.edge_maps) {
                    assert_eq!(points.dims(), [2, config.points, side, side]);
                    assert_eq!(edges.dims(), [2, config.edges.len(), side, side]);
                }
                assert!(
                    floats(output.landmarks.clone())
                        .iter()
                        .all(|v| v.abs() <= 1.0)
                );
                assert!(floats(output.heatmaps.clone()).iter().all(|v| *v >= 0.0));
            }
        }
    }
}

#[test]
fn the_last_stack_alone_is_the_last_of_all() {
    for config in configs() {
        let net = config.init::<Plain>(&Default::default());
        let images = images(2, config.input_size);
        let all = net.forward(images.clone());
        let last = net.forward_last(images);
        assert_eq!(
            last.landmarks.into_data(),
            all.last().unwrap().landmarks.to_data()
        );
        assert_eq!(
            last.heatmaps.into_data(),
            all.last().unwrap().heatmaps.to_data()
        );
    }
}

#[test]
fn evaluation_is_the_same_with_and_without_autodiff() {
    for config in configs() {
        // Norms with running statistics of all kinds, which are multiplied into the weights of convolutions without autodiff.
        let net = formula::net::<Diff>(&config, 3);
        let images = images::<Diff>(2, config.input_size);
        let with = net.forward_in(images.clone(), Mode::Eval);
        let without = net.valid().forward(images.inner());
        assert_eq!(with.len(), without.len());
        for (with, without) in with.into_iter().zip(without) {
            let (with, without) = (floats(with.landmarks), floats(without.landmarks));
            assert_close("landmarks", &without, &with, 1e-5);
        }
    }
}

#[test]
fn weights_start_within_their_bounds() {
    let net = configs()[0].init::<Plain>(&Default::default());
    // Whatever is drawn; that the seed decides it is tested in seed.rs.
    let mut spreads = 0;
    for (name, data) in named(&net) {
        let values: Vec<f64> = data.iter::<f64>().collect();
        let largest = values.iter().fold(0.0f64, |m, v| m.max(v.abs()));
        if name.ends_with("conv.weight") {
            let fan_in: usize = data.shape.iter().skip(1).product();
            let bound = 1.0 / (fan_in as f64).sqrt();
            assert!(largest <= bound * 1.000_001, "{name}: {largest} > {bound}");
            // Uniform in ±bound: a standard deviation of bound / sqrt 3.
            let std = (values.iter().map(|v| v * v).sum::<f64>() / values.len() as f64).sqrt();
            if values.len() > 200 {
                spreads += 1;
                assert!(
                    (std / bound * 3f64.sqrt() - 1.0).abs() < 0.25,
                    "{name}: {std}"
                );
            }
        } else if name.ends_with("running_mean") || name.contains("bn") && name.ends_with("bias") {
            assert!(largest == 0.0, "{name}");
        } else if name.contains("bn") {
            assert!(values.iter().all(|v| *v == 1.0), "{name}");
        }
    }
    assert!(spreads > 0, "no convolution was large enough");
}

#[test]
fn the_list_of_layers_is_what_is_built() {
    for config in configs() {
        let net = config.init::<Plain>(&Default::default());
        let built = named_shapes::<Plain, _>(&net, DEPTH);
        let info = info(&config);
        let trained = |name: &&String| !name.contains("running") && !name.starts_with("e2h");
        let count: usize = built
            .iter()
            .filter(|(name, _)| trained(name))
            .map(|(_, shape)| shape.iter().product::<usize>())
            .sum();
        assert_eq!(info.used_parameters, count);
        let mut layers: Vec<&str> = info
            .layers
            .iter()
            .map(|layer| layer.name.as_str())
            .collect();
        let mut tensors: Vec<&str> = built
            .keys()
            .filter_map(|name| Some(name.rsplit_once('.')?.0))
            .collect();
        tensors.dedup();
        layers.sort_unstable();
        tensors.sort_unstable();
        assert_eq!(layers, tensors);
        // Loading compares the shapes of both one by one.
        let path = temporary("layers.safetensors");
        save_weights(&net, &config, &BTreeMap::new(), &path).unwrap();
        load_weights::<Plain>(&path, &Default::default()).unwrap();
    }
}

/// The figures that were published, and the 57 convolutions of 3,700,864 parameters that no network uses.
#[test]
fn published_numbers_of_parameters() {
    let millions = |count: usize| format!("{:.2}", count as f64 / 1e6);
    let of = |points: usize| info(&StarNetConfig::new(points, vec![Vec::new(); 9]));
    let (ibug, wflw) = (of(68), of(98));
    // The figure for 300-W counts what is trained, the one for WFLW the running statistics too.
    assert_eq!(millions(ibug.used_parameters), "13.37");
    assert_eq!(
        millions(wflw.used_parameters + wflw.running_statistics),
        "13.54"
    );
    for info in [ibug, wflw] {
        assert_eq!(info.stored_parameters - info.used_parameters, 3_700_864);
        assert_eq!(info.unused_convolutions, 57);
        assert!(info.to_string().contains(&millions(info.used_parameters)));
    }
}

#[test]
fn weights_survive_a_file_bit_for_bit() {
    for (i, config) in configs().into_iter().enumerate() {
        let net = config.init::<Plain>(&Default::default());
        let extra = BTreeMap::from([
            ("epoch".to_string(), "12".to_string()),
            (CONFIG_KEY.into(), "overruled".into()),
        ]);
        let folder = temporary(&format!("round-trip-{i}"));
        std::fs::create_dir_all(&folder).unwrap();
        let path = folder.join("net.safetensors");
        for _overwriting in 0..2 {
            save_weights(&net, &config, &extra, &path).unwrap();
        }
        let files: Vec<_> = std::fs::read_dir(&folder)
            .unwrap()
            .map(|e| e.unwrap().file_name())
            .collect();
        assert_eq!(files, ["net.safetensors"], "something is left over");

        let loaded = load_weights::<Plain>(&path, &Default::default()).unwrap();
        assert_eq!(loaded.config, config);
        assert_eq!(
            loaded.extra,
            BTreeMap::from([("epoch".to_string(), "12".to_string())])
        );
        assert_eq!(named(&loaded.net), named(&net));
        assert_eq!(loaded.net.config(), &config);
    }
}

#[test]
fn weights_are_not_saved_with_another_networks_configuration() {
    let config = &configs()[0];
    let net = config.init::<Plain>(&Default::default());
    let path = temporary("other.safetensors");
    let other = config.clone().with_channels(10);
    assert!(matches!(
        save_weights(&net, &other, &BTreeMap::new(), &path),
        Err(ModelError::Config(_))
    ));
    let larger = config.clone().with_input_size(256);
    save_weights(&net, &larger, &BTreeMap::new(), &path).unwrap();
    assert_eq!(
        load_weights::<Plain>(&path, &Default::default())
            .unwrap()
            .config
            .input_size,
        256
    );
}

#[test]
fn half_precision_weights_are_converted() {
    let config = &configs()[0];
    let net = config.init::<Plain>(&Default::default());
    let full = named(&net);
    let half: Named = full
        .iter()
        .map(|(name, data)| (name.clone(), data.clone().convert::<burn::tensor::f16>()))
        .collect();
    let loaded = named(&load_named(net, half).unwrap());
    for (name, data) in full {
        let values: Vec<f64> = data.iter::<f64>().collect();
        let found: Vec<f64> = loaded[&name].iter::<f64>().collect();
        assert_close(&name, &found, &values, 1e-3);
    }
}

#[test]
fn what_does_not_fit_is_named() {
    let net = || configs()[0].init::<Plain>(&Default::default());
    let mut tensors = named(&net());
    tensors.remove("pre.0.bn.running_var").unwrap();
    tensors.insert("pre.0.bn.nonsense".into(), TensorData::from([1f32]));
    tensors.insert("hgs.0.low1.bn2.bias".into(), TensorData::from([1f32, 2.0]));
    tensors.insert("e2h_transform.bias".into(), TensorData::from([1i32; 7]));
    let Err(ModelError::Mismatch(mismatch)) = load_named(net(), tensors) else {
        panic!("loaded");
    };
    assert_eq!(mismatch.missing, ["pre.0.bn.running_var"]);
    assert_eq!(mismatch.unknown, ["pre.0.bn.nonsense"]);
    assert_eq!(mismatch.misshapen.len(), 2);
    let text = ModelError::Mismatch(mismatch).to_string();
    for name in [
        "pre.0.bn.running_var",
        "pre.0.bn.nonsense",
        "hgs.0.low1.bn2.bias: [2] instead of [4]",
        "e2h_transform.bias",
    ] {
        assert!(text.contains(name), "{text}");
    }
    // Long lists are cut.
    let Err(error) = load_named(net(), Named::new()) else {
        panic!("loaded");
    };
    let text = error.to_string();
    assert!(text.contains("...") && text.len() < 1500, "{text}");
}

/// Running statistics are shared between clones, so that the copy for the moving average must be another one.
#[test]
fn an_unshared_copy_does_not_follow() {
    let config = &configs()[0];
    let net = config.init::<Diff>(&Default::default());
    let before = named(&net);
    let (clone, unshared, valid) = (net.clone(), net.unshared(), net.valid());
    assert_eq!(named(&unshared), before);
    net.forward(images(2, config.input_size));
    let after = named(&net);
    assert_ne!(after, before, "training moved nothing");
    assert_eq!(
        named(&clone),
        after,
        "a clone that is not shared is good news: simplify `unshared`"
    );
    assert_eq!(named(&unshared), before);
    assert_eq!(named(&valid), before);
    // Loading leaves the network it started from alone as well.
    load_named(net.clone(), before).unwrap();
    assert_eq!(named(&net), after);
}

#[test]
fn moving_average() {
    let config = &configs()[0];
    let device = Default::default();
    let net = config.init::<Diff>(&device);
    let ema = net.valid();
    let start = named(&ema);
    let other = config.init::<Diff>(&device);
    other.forward(images(2, config.input_size));
    let target = named(&other.valid());
    let decay = 0.9;
    let moved = named(&ema_update(ema, &other.valid(), decay));
    assert_eq!(moved.len(), start.len());
    for (name, moved) in &moved {
        let pairs = start[name].iter::<f64>().zip(target[name].iter::<f64>());
        let expected: Vec<f64> = pairs.map(|(a, b)| decay * a + (1.0 - decay) * b).collect();
        let found: Vec<f64> = moved.iter::<f64>().collect();
        assert_close(
            name,
            &found,
            &expected,
            2e-7 * expected.iter().fold(1.0, |m, v| v.abs().max(m)),
        );
    }
    let changed = |part: &str| {
        moved
            .iter()
            .any(|(name, data)| name.ends_with(part) && *data != start[name])
    };
    assert!(changed("running_mean") && changed("running_var") && changed("conv.weight"));
    // What is constant stays so, to the last bit.
    assert_eq!(moved["e2h_transform.weight"], start["e2h_transform.weight"]);
    assert_eq!(moved["e2h_transform.bias"], start["e2h_transform.bias"]);
    // Nothing of the average reached the trained network.
    assert_eq!(named(&other.valid()), target);
}

/// Against two passes in f64, with a mean far from zero.
#[test]
fn batch_norm_is_exact() {
    let device = Default::default();
    let mut draws = Draws::new(12);
    for (offset, batch, side) in [(0.0f64, 4, 6), (300.0, 3, 5), (-20.0, 2, 1)] {
        let norm = BatchNorm::<Diff>::new(3, &device);
        let x: Tensor<Diff, 4> = draws.tensor([batch, 3, side, side]) * 4.0 + offset;
        let values = floats(x.clone());
        let y = floats(norm.forward(x, Mode::Train(Compute::F32)));
        let (mean, var) = (
            floats(norm.running_mean.value()),
            floats(norm.running_var.value()),
        );
        let area = side * side;
        for channel in 0..3 {
            let of = |values: &[f64]| -> Vec<f64> {
                let maps = values.chunks(area).skip(channel).step_by(3);
                maps.flatten().copied().collect()
            };
            let (x, y) = (of(&values), of(&y));
            let n = x.len() as f64;
            let m = x.iter().sum::<f64>() / n;
            let v = x.iter().map(|x| (x - m).powi(2)).sum::<f64>() / n;
            let expected: Vec<f64> = x.iter().map(|x| (x - m) / (v + EPSILON).sqrt()).collect();
            // A mean far from zero is rounded to its own size.
            let rounding = offset.abs() * f64::from(f32::EPSILON) / (v + EPSILON).sqrt();
            assert_close("normalised", &y, &expected, 1e-6 + rounding);
            assert_close(
                "running mean",
                &[mean[channel]],
                &[MOMENTUM * m],
                1e-6 * (1.0 + offset.abs()),
            );
            let unbiased = v * n / (n - 1.0);
            let moved = 1.0 - MOMENTUM + MOMENTUM * unbiased;
            assert_close(
                "running variance",
                &[var[channel]],
                &[moved],
                1e-5 * moved + offset.abs() * 1e-6,
            );
        }
        // Evaluation uses just these.
        let x: Tensor<Diff, 4> = draws.tensor([1, 3, 2, 2]);
        let values = floats(x.clone());
        let y = floats(norm.forward(x, Mode::Eval));
        let expected: Vec<f64> = (0..12)
            .map(|i| (values[i] - mean[i / 4]) / (var[i / 4] + EPSILON).sqrt())
            .collect();
        assert_close("evaluation", &y, &expected, 1e-5 + offset.abs() * 1e-6);
        assert_eq!(
            floats(norm.running_mean.value()),
            mean,
            "evaluation moved the statistics"
        );
    }
}

/// Whatever kernel computes a convolution: values and all gradients as Burn's own.
#[test]
fn convolutions_equal_burns() {
    let device = Default::default();
    let mut draws = Draws::new(13);
    for (batch, input, output, kernel, stride, h, w) in [
        (2, 5, 7, 1, 1, 6, 9),
        (1, 3, 4, 1, 1, 1, 1),
        (3, 4, 4, 3, 1, 8, 8),
        (2, 3, 5, 3, 1, 33, 40),
        (2, 6, 4, 3, 1, 32, 32),
        (1, 2, 3, 3, 1, 1, 2),
        (2, 3, 4, 7, 2, 17, 18),
        (2, 3, 4, 1, 2, 6, 6),
    ] {
        let conv = ConvConfig::new(input, output, kernel)
            .with_stride(stride)
            .init::<Diff>(&device);
        let x = draws.tensor::<Diff, 4>([batch, input, h, w]).require_grad();
        let pad = (kernel - 1) / 2;
        let ours = conv.forward(x.clone(), Mode::Eval);
        let up: Tensor<Diff, 4> = draws.tensor(ours.dims());
        let options = ConvOptions::new([stride, stride], [pad, pad], [1, 1], 1);
        let burns = conv2d(x.clone(), conv.weight.val(), Some(conv.bias.val()), options);
        let what = format!("{kernel}x{kernel} stride {stride} at {h}x{w}");
        let close = |part: &str, a: Vec<f64>, b: Vec<f64>| {
            assert_close(&format!("{what}: {part}"), &a, &b, relative(&b, 20.0));
        };
        close("output", floats(ours.clone()), floats(burns.clone()));
        let ours = (ours * up.clone()).sum().backward();
        let burns = (burns * up).sum().backward();
        close(
            "input's gradient",
            floats(x.grad(&ours).unwrap()),
            floats(x.grad(&burns).unwrap()),
        );
        let (weight, bias) = (conv.weight.val(), conv.bias.val());
        close(
            "weight's gradient",
            floats(weight.grad(&ours).unwrap()),
            floats(weight.grad(&burns).unwrap()),
        );
        close(
            "bias's gradient",
            floats(bias.grad(&ours).unwrap()),
            floats(bias.grad(&burns).unwrap()),
        );
    }
}

#[test]
fn the_decoder_finds_a_spot() {
    // One lit pixel: its own coordinates, on a grid that ends at pixel centres.
    let (h, w) = (5, 9);
    for (row, column) in [(0, 0), (4, 8), (2, 4), (3, 1)] {
        let mut map = vec![0f32; h * w];
        map[row * w + column] = 3.0;
        let map: Tensor<Plain, 4> =
            Tensor::from_data(TensorData::new(map, [1, 1, h, w]), &Default::default());
        let expected = [column as f64 / 4.0 - 1.0, row as f64 / 2.0 - 1.0];
        assert_close("spot", &floats(decode(map)), &expected, 1e-6);
    }
    let empty: Tensor<Plain, 4> = Tensor::zeros([1, 1, h, w], &Default::default());
    assert_eq!(floats(decode(empty)), [0.0, 0.0]);
}

#[test]
fn configurations_are_checked() {
    let good = configs().remove(0);
    let broken = [
        (
            "points",
            good.clone().with_input_size(64),
            StarNetConfig {
                points: 0,
                ..good.clone()
            },
        ),
        ("stacks", good.clone(), good.clone().with_stacks(0)),
        ("stacks", good.clone(), good.clone().with_stacks(100_000)),
        ("channels", good.clone(), good.clone().with_channels(9)),
        ("stem", good.clone(), good.clone().with_stem(0)),
        (
            "input_size",
            good.clone(),
            good.clone().with_input_size(100),
        ),
        ("input_size", good.clone(), good.clone().with_input_size(0)),
        (
            "edges",
            good.clone(),
            StarNetConfig {
                edges: Vec::new(),
                ..good.clone()
            },
        ),
        (
            "point 7",
            good.clone(),
            StarNetConfig {
                edges: vec![vec![7]],
                ..good.clone()
            },
        ),
    ];
    for (name, good, broken) in broken {
        good.validate().unwrap();
        let text = broken.validate().unwrap_err().to_string();
        assert!(text.contains(name), "{text}");
    }
    assert!(matches!(
        good.check_batch(1),
        Err(ModelError::BatchTooSmall { input_size: 64 })
    ));
    good.check_batch(2).unwrap();
    good.with_input_size(128).check_batch(1).unwrap();
}

/// One stack without point and edge maps: between stacks there is a threshold, and Burn computes sigmoids in f32; the golden gradients
/// cover both.
fn smooth_config() -> StarNetConfig {
    configs().swap_remove(1).with_aam(false)
}

/// A sum over the landmarks of a training pass, the same numbers on every backend; images off by a fraction of up to `off`.
fn loss<B: Backend>(net: &StarNet<B>, off: f64) -> Tensor<B, 1> {
    let config = net.config();
    let mut draws = Draws::new(11);
    let size = [4, 3, config.input_size, config.input_size];
    let images = draws.tensor::<B, 4>(size) * (Draws::new(14).tensor(size) * off + 1.0);
    let weights = draws.tensor([4, config.points, 2]);
    let outputs = net
        .forward_in(images, Mode::Train(Compute::F32))
        .into_iter();
    let terms = outputs.map(|output| (output.landmarks * weights.clone()).sum());
    terms.reduce(|a, b| a + b).unwrap()
}

/// The gradient of every tensor, in the order of visits.
fn gradients<B: AutodiffBackend>(net: &StarNet<B>, off: f64) -> Vec<Option<Vec<f64>>> {
    let grads = loss(net, off).backward();
    let mut collect = Gradients {
        grads: &grads,
        found: Vec::new(),
    };
    net.visit(&mut collect);
    collect.found
}

fn length(values: &[f64]) -> f64 {
    values.iter().map(|v| v * v).sum::<f64>().sqrt()
}

type Exact = Autodiff<NdArray<f64>>;

/// The network whose gradients are tested, the same on every backend.
fn smooth_net<B: Backend>() -> StarNet<B> {
    formula::net(&smooth_config(), 5)
}

/// Biases in front of a norm, which takes them out again: their gradient is 0, and what is found of it is rounding.
fn without_effect(gradients: &[Option<Vec<f64>>]) -> Vec<bool> {
    let lengths = || gradients.iter().flatten().map(|g| length(g));
    let largest = lengths().fold(0.0, f64::max);
    let small = |g: &Option<Vec<f64>>| g.as_ref().is_some_and(|g| length(g) < 1e-9 * largest);
    gradients.iter().map(small).collect()
}

/// Gradients of the whole network against differences, in f64: of each tensor the element with the largest one.
///
/// A large step may cross a kink (ReLU, maximum), a small one drowns in rounding, so the best of a few steps counts.
#[test]
fn gradients_are_slopes() {
    let net = smooth_net::<Exact>();
    assert_eq!(loss(&net, 0.0).dtype(), DType::F64);
    let gradients = gradients(&net, 0.0);
    let without_effect = without_effect(&gradients);
    let (mut checked, mut worst) = (0, 0.0f64);
    for (index, gradient) in gradients.iter().enumerate().step_by(9) {
        let Some(gradient) = gradient else {
            continue;
        };
        let size = |i: &usize| gradient[*i].abs();
        let element = (0..gradient.len()).max_by(|a, b| size(a).total_cmp(&size(b)));
        let element = element.expect("not empty");
        let slopes = [1e-4, 1e-5, 1e-6].map(|step| {
            let nudged = |by: f64| {
                let net = net.unshared().map(&mut Nudge {
                    index,
                    element,
                    by,
                    at: 0,
                });
                floats(loss(&net, 0.0))[0]
            };
            (nudged(step) - nudged(-step)) / (2.0 * step)
        });
        if without_effect[index] {
            // The largest step has the least rounding.
            assert!(slopes[0].abs() < 1e-9, "tensor {index}: slope {slopes:?}");
            continue;
        }
        let gradient = gradient[element];
        let off = slopes.map(|slope| (slope - gradient).abs() / gradient.abs());
        let off = off.into_iter().fold(f64::INFINITY, f64::min);
        assert!(
            off < 1e-7,
            "tensor {index}: gradient {gradient:e}, slopes {slopes:?}"
        );
        worst = worst.max(off);
        checked += 1;
    }
    assert!(checked > 15, "only {checked} gradients were compared");
    println!("{checked} gradients agree with slopes, at worst to {worst:.1e}");
}

/// The default backend's kernels, in f32, against the gradients that slopes were held to.
///
/// How much rounding there is in f32 says the exact gradient itself: it moves when every weight and every pixel is off by as much as f32
/// rounds them. Ten times as much is allowed.
#[test]
fn the_default_backends_gradients_are_the_exact_ones() {
    let net = smooth_net::<Exact>();
    let exact = gradients(&net, 0.0);
    let without_effect = without_effect(&exact);
    let moved = |net: &StarNet<Exact>, seed| {
        let mut jitter = Jitter(Draws::new(seed));
        gradients(&net.unshared().map(&mut jitter), f64::from(f32::EPSILON))
    };
    let found = gradients(&smooth_net::<Diff>(), 0.0);
    let off = |found: &[Option<Vec<f64>>]| -> Vec<f64> {
        assert_eq!(exact.len(), found.len());
        let tensors = exact.iter().zip(found).zip(&without_effect);
        let tensors = tensors.filter(|(_, without_effect)| !**without_effect);
        tensors
            .filter_map(|((exact, found), _)| {
                assert_eq!(exact.is_some(), found.is_some());
                let (exact, found) = (exact.as_ref()?, found.as_ref()?);
                let apart: Vec<f64> = exact.iter().zip(found).map(|(a, b)| a - b).collect();
                Some(length(&apart) / length(exact))
            })
            .collect()
    };
    let largest = |off: &[f64]| off.iter().fold(0.0f64, |m, off| m.max(*off));
    let noise = (20..23).map(|seed| largest(&off(&moved(&net, seed))));
    let noise = noise.fold(0.0, f64::max);
    let found = off(&found);
    let worst = largest(&found);
    println!(
        "{} tensors, at worst off by {worst:.1e}; noise {noise:.1e}",
        found.len()
    );
    assert!(found.len() > 100, "only {} tensors", found.len());
    assert!(found.iter().all(|off| *off <= 10.0 * noise + 1e-6));
}

/// Moves every number by as much as f32 may round it.
struct Jitter(Draws);

impl<B: Backend> ModuleMapper<B> for Jitter {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<B, D>>) -> Param<Tensor<B, D>> {
        param.map(|tensor| {
            let by = self.0.numbers(&tensor.dims());
            let by = by
                .iter::<f64>()
                .map(|by| 1.0 + by * f64::from(f32::EPSILON));
            let values = floats(tensor.clone()).into_iter().zip(by);
            let values: Vec<f64> = values.map(|(value, by)| value * by).collect();
            let data = TensorData::new(values, tensor.shape());
            Tensor::from_data(data, &tensor.device()).require_grad()
        })
    }
}

struct Gradients<'a, G> {
    grads: &'a G,
    found: Vec<Option<Vec<f64>>>,
}

impl<B: AutodiffBackend> ModuleVisitor<B> for Gradients<'_, B::Gradients> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<B, D>>) {
        self.found.push(param.val().grad(self.grads).map(floats));
    }
}

/// Adds something to one element of one tensor.
struct Nudge {
    index: usize,
    element: usize,
    by: f64,
    at: usize,
}

impl<B: Backend> ModuleMapper<B> for Nudge {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<B, D>>) -> Param<Tensor<B, D>> {
        self.at += 1;
        if self.at != self.index + 1 {
            return param;
        }
        param.map(|tensor| {
            let mut values = floats(tensor.clone());
            values[self.element] += self.by;
            let data = TensorData::new(values, tensor.shape());
            Tensor::from_data(data, &tensor.device()).require_grad()
        })
    }
}
