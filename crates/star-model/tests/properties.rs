//! What must hold for any network.

mod support;

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use burn::backend::{Autodiff, NdArray};
use burn::module::{AutodiffModule, Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::backend::Backend;
use burn::tensor::module::conv2d;
use burn::tensor::ops::ConvOptions;
use burn::tensor::{Distribution, Tensor, TensorData};
use star_model::batch_norm::{BatchNorm, EPSILON, MOMENTUM};
use star_model::conv::ConvConfig;
use star_model::weights::{CONFIG_KEY, named_shapes};
use star_model::{
    Compute, DEPTH, Mode, ModelError, StarNet, StarNetConfig, decode, ema_update, info, load_named,
    load_weights, named_tensors, save_weights,
};
use support::{Diff, Plain, assert_close, floats, relative};

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
    Tensor::random(
        [batch, 3, size, size],
        Distribution::Uniform(-1.0, 1.0),
        &Default::default(),
    )
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
                assert_eq!(output.points.is_some(), config.aam);
                assert_eq!(output.edges.is_some(), config.aam);
                if let (Some(points), Some(edges)) = (&output.points, &output.edges) {
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
        let net = config.init::<Diff>(&Default::default());
        let images = images::<Diff>(2, config.input_size);
        let with = net.forward_in(images.clone(), Mode::Eval);
        let without = net.valid().forward(images.inner());
        for (with, without) in with.into_iter().zip(without) {
            // Without autodiff, norms are multiplied into the weights of convolutions.
            let (with, without) = (floats(with.landmarks), floats(without.landmarks));
            assert_close("landmarks", &without, &with, 1e-5);
        }
    }
}

#[test]
fn the_seed_decides_the_weights() {
    let config = &configs()[0];
    let device = Default::default();
    let draw = |seed| {
        Plain::seed(&device, seed);
        let net = config.init::<Plain>(&device);
        // What is drawn afterwards must not matter.
        let _: Tensor<Plain, 1> = Tensor::random([9], Distribution::Default, &device);
        named(&net)
    };
    // Other tests draw from the same generator at the same time, so that only the spread can be tested here.
    for (name, data) in draw(1) {
        let values: Vec<f64> = data.iter::<f64>().collect();
        let largest = values.iter().fold(0.0f64, |m, v| m.max(v.abs()));
        if name.ends_with("conv.weight") {
            let fan_in: usize = data.shape.iter().skip(1).product();
            let bound = 1.0 / (fan_in as f64).sqrt();
            assert!(largest <= bound * 1.000_001, "{name}: {largest} > {bound}");
            // Uniform in ±bound: a standard deviation of bound / sqrt 3.
            let std = (values.iter().map(|v| v * v).sum::<f64>() / values.len() as f64).sqrt();
            if values.len() > 200 {
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
    for (offset, batch, side) in [(0.0, 4, 6), (300.0, 3, 5), (-20.0, 2, 1)] {
        let norm = BatchNorm::<Diff>::new(3, &device);
        let x: Tensor<Diff, 4> = Tensor::random(
            [batch, 3, side, side],
            Distribution::Normal(offset, 2.0),
            &device,
        );
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
            // A mean far from zero is rounded to its own size, and two values that happen to be near each other are stretched far.
            let rounding = offset.abs() * 3e-7 / (v + EPSILON).sqrt();
            assert_close("normalised", &y, &expected, 1e-5 + rounding);
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
        let x: Tensor<Diff, 4> = Tensor::random([1, 3, 2, 2], Distribution::Default, &device);
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

/// Whatever way a convolution is computed: values and all gradients as Burn's own.
#[test]
fn convolutions_equal_burns() {
    let device = Default::default();
    let random = Distribution::Uniform(-1.0, 1.0);
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
        let x: Tensor<Diff, 4> =
            Tensor::random([batch, input, h, w], random, &device).require_grad();
        let pad = (kernel - 1) / 2;
        let ours = conv.forward(x.clone(), Mode::Eval);
        let up: Tensor<Diff, 4> = Tensor::random(ours.dims(), random, &device);
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

/// Gradients of the whole network against differences, in f64.
///
/// A large step may cross a kink (ReLU, maximum), a small one drowns in rounding, so the best of a few steps counts. One stack without point
/// and edge maps: between stacks there is a threshold, and Burn computes sigmoids in f32; the golden gradients cover both.
#[test]
fn gradients_are_slopes() {
    type Exact = Autodiff<NdArray<f64>>;
    let device = Default::default();
    let config = configs().swap_remove(1).with_aam(false);
    let net = config.init::<Exact>(&device);
    let images = images::<Exact>(4, config.input_size);
    let random = Distribution::Uniform(-1.0, 1.0);
    let weights: Tensor<Exact, 3> = Tensor::random([4, config.points, 2], random, &device);
    let loss = |net: &StarNet<Exact>| {
        let outputs = net.forward(images.clone()).into_iter();
        let terms = outputs.map(|output| (output.landmarks * weights.clone()).sum());
        terms.reduce(|a, b| a + b).unwrap()
    };
    let grads = loss(&net).backward();
    let mut collect = Gradients {
        grads: &grads,
        found: Vec::new(),
    };
    net.visit(&mut collect);

    let (near, share) = (1e-4, 2e-3);
    let (mut checked, mut worst) = (0, 0.0f64);
    // Weights all over the network: the first of every seventeenth tensor.
    for (index, gradient) in collect.found.iter().enumerate().step_by(17) {
        let Some(gradient) = *gradient else {
            continue;
        };
        let off = [1e-4, 1e-5, 1e-6, 1e-7].map(|step| {
            let nudged = |by: f64| {
                let net = net.unshared().map(&mut Nudge { index, by, at: 0 });
                floats(loss(&net))[0]
            };
            ((nudged(step) - nudged(-step)) / (2.0 * step) - gradient).abs()
        });
        let off = off.into_iter().fold(f64::INFINITY, f64::min) / (near + share * gradient.abs());
        assert!(
            off < 1.0,
            "tensor {index}: gradient {gradient:.9e}, {off} times the tolerance"
        );
        worst = worst.max(off);
        checked += 1;
    }
    assert!(checked > 10, "only {checked} weights had gradients");
    println!(
        "{checked} gradients agree with slopes, at worst {:.0} % of the tolerance",
        100.0 * worst
    );
}

struct Gradients<'a, G> {
    grads: &'a G,
    found: Vec<Option<f64>>,
}

impl<B: burn::tensor::backend::AutodiffBackend> ModuleVisitor<B> for Gradients<'_, B::Gradients> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<B, D>>) {
        let first = param.val().grad(self.grads).map(|grad| floats(grad)[0]);
        self.found.push(first);
    }
}

/// Adds something to the first element of one tensor.
struct Nudge {
    index: usize,
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
            values[0] += self.by;
            let data = TensorData::new(values, tensor.shape());
            Tensor::from_data(data, &tensor.device()).require_grad()
        })
    }
}
