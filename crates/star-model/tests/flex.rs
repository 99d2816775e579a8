//! The fast kernels on Burn's CPU backend, values and gradients, against Burn's own operations.
#![cfg(feature = "flex")]

mod support;

use burn::backend::{Autodiff, Flex, NdArray};
use burn::module::{AutodiffModule, RunningState};
use burn::tensor::backend::Backend;
use burn::tensor::module::{conv2d, max_pool2d};
use burn::tensor::ops::ConvOptions;
use burn::tensor::{Tensor, TensorData};
use star_model::batch_norm::{BatchNorm, EPSILON, MOMENTUM};
use star_model::conv::{Conv, ConvConfig};
use star_model::hourglass::max_pool;
use star_model::{Compute, DEPTH, Kernel, Mode, StarNetConfig, info, kernel_calls};
use support::formula;
use support::{Draws, distance, floats};

type Fast = Autodiff<Flex>;

/// Sums run in another order than Burn's.
const TOLERANCE: f64 = 2e-5;

/// kernel, channels in, channels out, height, width, batch: each runs over the borders of some block that the fast kernel works in.
const SHAPES: [[usize; 6]; 15] = [
    [1, 3, 5, 7, 3, 1],
    [1, 64, 64, 1, 1, 6],
    [1, 256, 98, 16, 16, 2],
    [1, 70, 130, 33, 5, 5],
    [3, 1, 1, 1, 1, 1],
    [3, 2, 3, 1, 9, 2],
    [3, 16, 65, 9, 2, 3],
    [3, 33, 17, 37, 41, 5],
    [3, 128, 128, 16, 16, 2],
    [3, 40, 72, 64, 64, 1],
    [3, 64, 48, 33, 39, 2],
    [3, 32, 130, 41, 64, 1],
    [3, 70, 32, 128, 130, 1],
    [5, 4, 6, 12, 7, 2],
    [7, 6, 8, 20, 18, 3],
];

fn tensor<B: Backend, const D: usize>(data: &TensorData) -> Tensor<B, D> {
    Tensor::from_data(data.clone(), &Default::default())
}

fn tracked<const D: usize>(data: &TensorData) -> Tensor<Fast, D> {
    tensor::<Fast, D>(data).require_grad()
}

/// Weights and biases within the bounds of the initial ones.
fn conv<B: Backend>(config: ConvConfig, draws: &mut Draws) -> Conv<B> {
    let mut conv: Conv<B> = config.init(&Default::default());
    let fan_in = config.input * config.kernel * config.kernel;
    let bound = 1.0 / (fan_in as f64).sqrt();
    let (weight, bias) = (conv.weight.dims(), conv.bias.dims());
    let (weight, bias) = (draws.numbers(&weight), draws.numbers(&bias));
    conv.weight = (conv.weight).map(|_| (tensor::<B, 4>(&weight) * bound).require_grad());
    conv.bias = (conv.bias).map(|_| (tensor::<B, 1>(&bias) * bound).require_grad());
    conv
}

/// What `run` gives; fails unless it used `kernel` just so many times.
#[track_caller]
fn using<T>(kernel: Kernel, times: usize, run: impl FnOnce() -> T) -> T {
    let before = kernel_calls(kernel);
    let given = run();
    assert_eq!(kernel_calls(kernel) - before, times, "uses of {kernel:?}");
    given
}

/// The largest difference, as a fraction of the largest value where that is above 1.
fn relative(found: &[f64], expected: &[f64]) -> f64 {
    let largest = expected.iter().fold(1.0, |m: f64, v| m.max(v.abs()));
    distance(found, expected) / largest
}

/// Values and all gradients of a convolution.
fn hold_to_burns(config: ConvConfig, batch: usize, [h, w]: [usize; 2], draws: &mut Draws) {
    let conv: Conv<Fast> = conv(config, draws);
    let x = draws.numbers(&[batch, config.input, h, w]);
    let (here, there) = (tracked(&x), tracked(&x));
    let (padding, stride) = ([config.kernel / 2; 2], [config.stride; 2]);
    let options = ConvOptions::new(stride, padding, [1, 1], 1);
    let (weight, bias) = (conv.weight.val(), Some(conv.bias.val()));
    let plain = conv2d(there.clone(), weight, bias, options);
    let kernel = match config.stride {
        1 => Kernel::Convolution,
        _ => Kernel::StridedConvolution,
    };
    let fast = using(kernel, 1, || conv.forward(here.clone(), Mode::Eval));
    assert_eq!(fast.dims(), plain.dims());
    let up = tensor::<Fast, 4>(&draws.numbers(&fast.dims()));
    let of = |y: Tensor<Fast, 4>, x: &Tensor<Fast, 4>| {
        let gradients = (y.clone() * up.clone()).sum().backward();
        [
            floats(y),
            floats(x.grad(&gradients).expect("of the input")),
            floats(conv.weight.grad(&gradients).expect("of the weights")),
            floats(conv.bias.grad(&gradients).expect("of the bias")),
        ]
    };
    let (fast, plain) = (of(fast, &here), of(plain, &there));
    for (what, (fast, plain)) in ["y", "dx", "dw", "db"].iter().zip(fast.iter().zip(&plain)) {
        let off = relative(fast, plain);
        assert!(
            off < TOLERANCE,
            "{config:?} {batch} x {h} x {w}, {what}: {off:e}"
        );
    }
    // The same without gradients, where a stride is left to Burn.
    let inference = using(kernel, usize::from(config.stride == 1), || {
        conv.valid().forward(tensor::<Flex, 4>(&x), Mode::Eval)
    });
    assert_eq!(floats(inference), fast[0], "{config:?} {batch} x {h} x {w}");
}

#[test]
fn a_convolution_is_burns() {
    let mut draws = Draws::new(1);
    for [kernel, input, output, h, w, batch] in SHAPES {
        let config = ConvConfig::new(input, output, kernel);
        hold_to_burns(config, batch, [h, w], &mut draws);
    }
}

#[test]
fn a_convolution_with_a_step_is_burns() {
    let mut draws = Draws::new(2);
    for [kernel, input, output, h, w, batch] in SHAPES {
        for stride in [2, 3] {
            let config = ConvConfig::new(input, output, kernel).with_stride(stride);
            hold_to_burns(config, batch, [h, w], &mut draws);
        }
    }
}

/// The same numbers as `x`, laid out otherwise: turned round, a part of more, mirrored, spread over the batch.
fn other_layouts<B: Backend>(x: &Tensor<B, 4>) -> Vec<(&'static str, Tensor<B, 4>)> {
    let [batch, channels, h, w] = x.dims();
    let copied = |x: Tensor<B, 4>| tensor::<B, 4>(&x.into_data());
    let turned = copied(x.clone().permute([3, 1, 0, 2])).permute([2, 1, 3, 0]);
    let more = Tensor::cat(vec![x.clone(), x.clone() * 2.0, x.clone()], 3);
    let part = copied(more).slice([0..batch, 0..channels, 0..h, 2 * w..3 * w]);
    let rows = Tensor::cat(vec![x.clone() * 3.0, x.clone()], 0);
    let later = copied(rows).slice([batch..2 * batch, 0..channels, 0..h, 0..w]);
    let mirrored = copied(x.clone().flip([2, 3])).flip([2, 3]);
    vec![
        ("turned", turned),
        ("part", part),
        ("later", later),
        ("mirrored", mirrored),
    ]
}

/// Layout must not matter: not that of the input, and not that of the gradient that comes back.
#[test]
fn what_is_not_laid_out_in_order_is_computed_all_the_same() {
    let mut draws = Draws::new(3);
    let x = tensor::<Flex, 4>(&draws.numbers(&[2, 6, 8, 10]));
    let wide = conv::<Fast>(ConvConfig::new(6, 4, 3), &mut draws);
    let strided = conv::<Fast>(ConvConfig::new(6, 4, 3).with_stride(2), &mut draws);
    let norm = stirred_norm::<Fast>(6, &mut draws);
    let after = stirred_norm::<Flex>(4, &mut draws);
    let train = Mode::Train(Compute::F32);
    type Layer<'a, B> = (&'a str, Box<dyn Fn(Tensor<B, 4>) -> Tensor<B, 4> + 'a>);
    let inference: Vec<Layer<Flex>> = vec![
        ("convolution", {
            let wide = wide.valid();
            Box::new(move |x| wide.forward(x, Mode::Eval))
        }),
        ("folded", {
            let (wide, after) = (wide.valid(), &after);
            Box::new(move |x| wide.forward_norm_relu(x, after, Mode::Eval))
        }),
        ("norm", {
            let norm = norm.valid();
            Box::new(move |x| norm.forward_relu(x, Mode::Eval))
        }),
        ("pooling", Box::new(max_pool)),
    ];
    for (layer, forward) in inference {
        let expected = floats(forward(x.clone()));
        for (layout, x) in other_layouts(&x) {
            assert_eq!(floats(forward(x)), expected, "{layer}, {layout}");
        }
    }
    let tracked: Vec<Layer<Fast>> = vec![
        ("convolution", Box::new(|x| wide.forward(x, Mode::Eval))),
        (
            "with a stride",
            Box::new(|x| strided.forward(x, Mode::Eval)),
        ),
        ("norm", Box::new(|x| norm.forward_relu(x, train))),
        ("pooling", Box::new(max_pool)),
    ];
    for (layer, forward) in tracked {
        let gradient = |x: Tensor<Flex, 4>, up: Tensor<Flex, 4>| {
            let x = Tensor::<Fast, 4>::from_inner(x).require_grad();
            let y = forward(x.clone());
            let gradients = (y.clone() * Tensor::from_inner(up)).sum().backward();
            (floats(y), floats(x.grad(&gradients).expect("of the input")))
        };
        let of = forward(Tensor::from_inner(x.clone())).dims();
        let up = tensor::<Flex, 4>(&draws.numbers(&of));
        let expected = gradient(x.clone(), up.clone());
        for ((layout, x), (_, up)) in other_layouts(&x).into_iter().zip(other_layouts(&up)) {
            assert_eq!(gradient(x, up), expected, "{layer}, {layout}");
        }
    }
}

/// Scales and shifts of both signs.
fn norm<B: Backend>(channels: usize, scale: &TensorData, shift: &TensorData) -> BatchNorm<B> {
    let mut norm = BatchNorm::new(channels, &Default::default());
    norm.weight = norm.weight.map(|_| tensor(scale).require_grad());
    norm.bias = norm.bias.map(|_| tensor(shift).require_grad());
    norm
}

/// With running statistics of all kinds, so that folding them into weights changes the weights.
fn stirred_norm<B: Backend>(channels: usize, draws: &mut Draws) -> BatchNorm<B> {
    let [scale, shift, mean, spread] = [(); 4].map(|()| draws.numbers(&[channels]));
    let mut norm = norm::<B>(channels, &scale, &shift);
    let variance = tensor::<B, 1>(&spread) * 0.5 + 1.0;
    norm.running_mean = RunningState::new(tensor(&mean));
    norm.running_var = RunningState::new(variance.clone());
    // They are what the norm computes with: an update of Burn's running state would stay pending.
    assert_eq!(
        floats(norm.running_mean.value()),
        mean.iter::<f64>().collect::<Vec<_>>()
    );
    assert_eq!(floats(norm.running_var.value()), floats(variance));
    assert!(floats(norm.running_mean.value()).iter().all(|m| *m != 0.0));
    assert!(floats(norm.running_var.value()).iter().all(|v| *v != 1.0));
    norm
}

/// What a batch norm in training gives, written out in double precision: Burn's own, summed in single precision, is
/// too far off to be held against.
struct Truth {
    /// `[batch, channels, pixels]`, as is `input`.
    y: Vec<f64>,
    input: Vec<f64>,
    /// `[channels]`, as are the others.
    scale: Vec<f64>,
    shift: Vec<f64>,
    mean: Vec<f64>,
    variance: Vec<f64>,
}

impl Truth {
    fn new(x: &[f64], up: &[f64], scale: &[f64], shift: &[f64], pixels: usize, relu: bool) -> Self {
        let channels = scale.len();
        let count = (x.len() / channels) as f64;
        let channel = |i: usize| i / pixels % channels;
        let sums = |of: &dyn Fn(usize) -> f64| {
            let mut sums = vec![0.0; channels];
            (0..x.len()).for_each(|i| sums[channel(i)] += of(i));
            sums
        };
        let mean: Vec<f64> = sums(&|i| x[i] / count);
        let variance = sums(&|i| (x[i] - mean[channel(i)]).powi(2) / count);
        let std = |i: usize| (variance[channel(i)] + EPSILON).sqrt();
        let normal = |i: usize| (x[i] - mean[channel(i)]) / std(i);
        let y = |i: usize| normal(i) * scale[channel(i)] + shift[channel(i)];
        let passed = |i: usize| if relu && y(i) <= 0.0 { 0.0 } else { up[i] };
        let of_shift = sums(&passed);
        let of_scale = sums(&|i| passed(i) * normal(i));
        let input = |i: usize| {
            let c = channel(i);
            scale[c] / std(i) * (passed(i) - (of_shift[c] + normal(i) * of_scale[c]) / count)
        };
        Self {
            y: (0..x.len())
                .map(|i| if relu { y(i).max(0.0) } else { y(i) })
                .collect(),
            input: (0..x.len()).map(input).collect(),
            scale: of_scale,
            shift: of_shift,
            mean,
            variance,
        }
    }
}

#[test]
fn a_batch_norm_and_its_gradients_are_exact() {
    let mut draws = Draws::new(4);
    for [batch, channels, h, w] in [[1, 3, 5, 7], [5, 33, 9, 4], [3, 64, 32, 32], [4, 2, 61, 3]] {
        let (scale, shift) = (draws.numbers(&[channels]), draws.numbers(&[channels]));
        let shape = [batch, channels, h, w];
        let (data, up) = (draws.numbers(&shape), draws.numbers(&shape));
        let all = |data: &TensorData| data.iter::<f64>().collect::<Vec<_>>();
        for relu in [false, true] {
            let norm = norm::<Fast>(channels, &scale, &shift);
            let x = tracked::<4>(&data);
            let mode = Mode::Train(Compute::F32);
            let y = using(Kernel::NormRelu, 1, || match relu {
                true => norm.forward_relu(x.clone(), mode),
                false => norm.forward(x.clone(), mode),
            });
            let gradients = (y.clone() * tensor(&up)).sum().backward();
            let truth = Truth::new(
                &all(&data),
                &all(&up),
                &all(&scale),
                &all(&shift),
                h * w,
                relu,
            );
            let count = (batch * h * w) as f64;
            let moved = |start: f64, to: &[f64], factor: f64| {
                (to.iter()
                    .map(|to| start * (1.0 - MOMENTUM) + to * factor * MOMENTUM))
                .collect()
            };
            let mean: Vec<f64> = moved(0.0, &truth.mean, 1.0);
            let variance: Vec<f64> = moved(1.0, &truth.variance, count / (count - 1.0));
            let of_x = x.grad(&gradients).expect("of the input");
            let of_scale = norm.weight.grad(&gradients).expect("of the scale");
            let of_shift = norm.bias.grad(&gradients).expect("of the shift");
            for (what, found, expected) in [
                ("y", floats(y), truth.y),
                ("dx", floats(of_x), truth.input),
                ("dscale", floats(of_scale), truth.scale),
                ("dshift", floats(of_shift), truth.shift),
                ("mean", floats(norm.running_mean.value_sync()), mean),
                ("variance", floats(norm.running_var.value_sync()), variance),
            ] {
                let off = relative(&found, &expected);
                assert!(off < 2e-6, "{shape:?}, relu {relu}, {what}: {off:e}");
            }
        }
    }
}

#[test]
fn an_inference_norm_is_burns() {
    let mut draws = Draws::new(5);
    let x = draws.numbers(&[2, 9, 6, 5]);
    let (here, there) = (draws.clone(), draws);
    let fast = stirred_norm::<Flex>(9, &mut { here });
    let plain = stirred_norm::<NdArray>(9, &mut { there });
    let fast = using(Kernel::ScaleRelu, 1, || {
        fast.forward_relu(tensor(&x), Mode::Eval)
    });
    let plain = using(Kernel::ScaleRelu, 0, || {
        plain.forward_relu(tensor(&x), Mode::Eval)
    });
    assert!(relative(&floats(fast), &floats(plain)) < 1e-6);
}

#[test]
fn pooling_is_burns() {
    let mut draws = Draws::new(6);
    for shape in [[1, 1, 2, 2], [2, 3, 8, 6], [3, 2, 7, 9], [1, 5, 1, 4]] {
        // Few different values, so that the largest one is there more than once.
        let x = (tensor::<Flex, 4>(&draws.numbers(&shape)) * 2.0)
            .round()
            .into_data();
        let (here, there) = (tracked::<4>(&x), tracked::<4>(&x));
        let fast = using(Kernel::MaxPool, 1, || max_pool(here.clone()));
        let plain = max_pool2d(there.clone(), [2, 2], [2, 2], [0, 0], [1, 1], false);
        assert_eq!(fast.dims(), plain.dims());
        assert_eq!(floats(fast.clone()), floats(plain.clone()));
        let inference = using(Kernel::MaxPool, 1, || max_pool(tensor::<Flex, 4>(&x)));
        assert_eq!(floats(inference), floats(plain.clone()));
        if fast.shape().num_elements() == 0 {
            continue;
        }
        let up = tensor::<Fast, 4>(&draws.numbers(&fast.dims()));
        let gradient = |y: Tensor<Fast, 4>, x: &Tensor<Fast, 4>| {
            let gradients = (y * up.clone()).sum().backward();
            floats(x.grad(&gradients).expect("of the input"))
        };
        assert_eq!(gradient(fast, &here), gradient(plain, &there), "{shape:?}");
    }
}

#[test]
fn a_norm_folded_into_a_convolution_is_the_two_of_them() {
    let mut draws = Draws::new(7);
    for [kernel, input, output, h, w, batch] in SHAPES {
        let x = tensor::<Flex, 4>(&draws.numbers(&[batch, input, h, w]));
        let conv = conv::<Flex>(ConvConfig::new(input, output, kernel), &mut draws);
        let norm = stirred_norm::<Flex>(output, &mut draws);
        let folded = using(Kernel::ConvolutionNormRelu, 1, || {
            conv.forward_norm_relu(x.clone(), &norm, Mode::Eval)
        });
        let folded = floats(folded);
        let apart = using(Kernel::ConvolutionNormRelu, 0, || {
            norm.forward_relu(conv.forward(x, Mode::Eval), Mode::Eval)
        });
        let apart = floats(apart);
        assert!(apart.iter().any(|y| *y > 0.0) && apart.contains(&0.0) || apart.len() < 20);
        let off = relative(&folded, &apart);
        println!("{kernel}x{kernel} {input} -> {output}: {off:.1e}");
        assert!(
            off < 2e-6,
            "{kernel}x{kernel} {input} -> {output} at {batch} x {h} x {w}: {off:e}"
        );
    }
}

/// Burn's operations would give the same figures, only later: the whole network has to go through the kernels, but for the stem's
/// first convolution at inference.
#[test]
fn a_network_leaves_nothing_to_burns_operations() {
    let config = StarNetConfig::new(7, vec![vec![0, 1, 2], vec![2, 3, 4], vec![5]])
        .with_stacks(2)
        .with_channels(8)
        .with_stem(8)
        .with_input_size(64);
    let net = formula::net::<Fast>(&config, 1);
    let images = tensor::<Fast, 4>(&Draws::new(8).numbers(&[2, 3, 64, 64]));
    let calls = |run: &dyn Fn()| {
        let all = [
            Kernel::Convolution,
            Kernel::StridedConvolution,
            Kernel::ConvolutionNormRelu,
            Kernel::NormRelu,
            Kernel::ScaleRelu,
            Kernel::MaxPool,
        ];
        let before = all.map(kernel_calls);
        run();
        let after = all.map(kernel_calls);
        std::array::from_fn::<usize, 6, _>(|i| after[i] - before[i])
    };
    let layers = info(&config).layers;
    let norms = (layers.iter().filter(|layer| layer.kind == "batch norm")).count();
    // Every stack's edges go through the one layer that sums them for the landmarks.
    let strided = 1;
    let convolutions = layers.len() - norms - strided + config.stacks - 1;
    let poolings = 1 + config.stacks * DEPTH;

    let training = calls(&|| drop(net.forward(images.clone())));
    assert_eq!(training, [convolutions, strided, 0, norms, 0, poolings]);
    let inference = calls(&|| drop(net.valid().forward(images.clone().inner())));
    // A block's first norm has no convolution in front of it, the stem's has the one with a stride.
    let first = |name: &str| name.ends_with(".bn1") || name == "pre.0.bn";
    let alone = layers.iter().filter(|layer| first(&layer.name)).count();
    let folded = norms - alone;
    assert_eq!(
        inference,
        [convolutions - folded, 0, folded, 0, alone, poolings]
    );
}

#[test]
fn what_is_not_a_number_stays_none() {
    let mut draws = Draws::new(9);
    let norm = norm::<Fast>(1, &draws.numbers(&[1]), &draws.numbers(&[1]));
    let data = TensorData::new(vec![1.0, f32::NAN, 2.0, 3.0], [1, 1, 2, 2]);
    let y = norm.forward_relu(tensor(&data), Mode::Train(Compute::F32));
    assert!(floats(y).iter().all(|y| y.is_nan()));
}
