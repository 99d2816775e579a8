//! The fast ways on Burn's CPU backend, values and gradients, against Burn's own operations.
#![cfg(feature = "flex")]

mod support;

use burn::backend::{Autodiff, Flex, NdArray};
use burn::module::AutodiffModule;
use burn::tensor::backend::Backend;
use burn::tensor::module::{conv2d, max_pool2d};
use burn::tensor::ops::ConvOptions;
use burn::tensor::{Distribution, Tensor, TensorData};
use star_model::batch_norm::{BatchNorm, EPSILON, MOMENTUM};
use star_model::conv::{Conv, ConvConfig};
use star_model::hourglass::halve;
use star_model::{Compute, Mode};
use support::{distance, floats};

type Fast = Autodiff<Flex>;

/// Sums run in another order than Burn's.
const TOLERANCE: f64 = 2e-5;

/// kernel, channels in, channels out, height, width, batch: each runs over the borders of some block that the fast way works in.
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

fn numbers(shape: &[usize]) -> TensorData {
    let length: usize = shape.iter().product();
    let uniform = Distribution::Uniform(-1.0, 1.0);
    let random: Tensor<NdArray, 1> = Tensor::random([length], uniform, &Default::default());
    let mut data = random.into_data();
    data.shape = shape.to_vec().into();
    data
}

fn tensor<B: Backend, const D: usize>(data: &TensorData) -> Tensor<B, D> {
    Tensor::from_data(data.clone(), &Default::default())
}

fn tracked<const D: usize>(data: &TensorData) -> Tensor<Fast, D> {
    tensor::<Fast, D>(data).require_grad()
}

/// The largest difference, as a share of the largest value where that is above 1.
fn relative(found: &[f64], expected: &[f64]) -> f64 {
    let largest = expected.iter().fold(1.0, |m: f64, v| m.max(v.abs()));
    distance(found, expected) / largest
}

/// Values and all gradients of a convolution.
fn hold_to_burns(config: ConvConfig, batch: usize, [h, w]: [usize; 2]) {
    let conv: Conv<Fast> = config.init(&Default::default());
    let x = numbers(&[batch, config.input, h, w]);
    let (here, there) = (tracked(&x), tracked(&x));
    let (padding, stride) = ([config.kernel / 2; 2], [config.stride; 2]);
    let options = ConvOptions::new(stride, padding, [1, 1], 1);
    let (weight, bias) = (conv.weight.val(), Some(conv.bias.val()));
    let plain = conv2d(there.clone(), weight, bias, options);
    let fast = conv.forward(here.clone(), Mode::Eval);
    assert_eq!(fast.dims(), plain.dims());
    let up = tensor::<Fast, 4>(&numbers(&fast.dims()));
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
    // The same without gradients.
    let inference = floats(conv.valid().forward(tensor::<Flex, 4>(&x), Mode::Eval));
    assert_eq!(inference, fast[0], "{config:?} {batch} x {h} x {w}");
}

#[test]
fn a_convolution_is_burns() {
    for [kernel, input, output, h, w, batch] in SHAPES {
        hold_to_burns(ConvConfig::new(input, output, kernel), batch, [h, w]);
    }
}

#[test]
fn a_convolution_with_a_step_is_burns() {
    for [kernel, input, output, h, w, batch] in SHAPES {
        for stride in [2, 3] {
            let config = ConvConfig::new(input, output, kernel).with_stride(stride);
            hold_to_burns(config, batch, [h, w]);
        }
    }
}

#[test]
fn what_is_not_laid_out_in_order_is_convolved_all_the_same() {
    let (x, conv) = (
        numbers(&[2, 6, 5, 9]),
        ConvConfig::new(9, 4, 3).init::<Flex>(&Default::default()),
    );
    let turned = tensor::<Flex, 4>(&x).permute([0, 3, 1, 2]);
    let copied = tensor::<Flex, 4>(&turned.clone().into_data());
    assert_eq!(
        floats(conv.forward(turned, Mode::Eval)),
        floats(conv.forward(copied, Mode::Eval))
    );
}

/// Scales and shifts of both signs.
fn norm<B: Backend>(channels: usize, scale: &TensorData, shift: &TensorData) -> BatchNorm<B> {
    let mut norm = BatchNorm::new(channels, &Default::default());
    norm.weight = norm.weight.map(|_| tensor(scale).require_grad());
    norm.bias = norm.bias.map(|_| tensor(shift).require_grad());
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
    for [batch, channels, h, w] in [[1, 3, 5, 7], [5, 33, 9, 4], [3, 64, 32, 32], [4, 2, 61, 3]] {
        let (scale, shift) = (numbers(&[channels]), numbers(&[channels]));
        let shape = [batch, channels, h, w];
        let (data, up) = (numbers(&shape), numbers(&shape));
        let all = |data: &TensorData| data.iter::<f64>().collect::<Vec<_>>();
        for relu in [false, true] {
            let norm = norm::<Fast>(channels, &scale, &shift);
            let x = tracked::<4>(&data);
            let y = if relu {
                norm.forward_relu(x.clone(), Mode::Train(Compute::F32))
            } else {
                norm.forward(x.clone(), Mode::Train(Compute::F32))
            };
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
                assert!(off < 1e-5, "{shape:?}, relu {relu}, {what}: {off:e}");
            }
        }
    }
}

#[test]
fn an_inference_norm_is_burns() {
    let (scale, shift, x) = (numbers(&[9]), numbers(&[9]), numbers(&[2, 9, 6, 5]));
    let fast = norm::<Flex>(9, &scale, &shift).forward_relu(tensor(&x), Mode::Eval);
    let plain = norm::<NdArray>(9, &scale, &shift).forward_relu(tensor(&x), Mode::Eval);
    assert!(relative(&floats(fast), &floats(plain)) < 1e-6);
}

#[test]
fn pooling_is_burns() {
    for shape in [[1, 1, 2, 2], [2, 3, 8, 6], [3, 2, 7, 9], [1, 5, 1, 4]] {
        // Few different values, so that the largest one is there more than once.
        let x = (tensor::<Flex, 4>(&numbers(&shape)) * 2.0)
            .round()
            .into_data();
        let (here, there) = (tracked::<4>(&x), tracked::<4>(&x));
        let fast = halve(here.clone());
        let plain = max_pool2d(there.clone(), [2, 2], [2, 2], [0, 0], [1, 1], false);
        assert_eq!(fast.dims(), plain.dims());
        assert_eq!(floats(fast.clone()), floats(plain.clone()));
        assert_eq!(floats(halve(tensor::<Flex, 4>(&x))), floats(plain.clone()));
        if fast.shape().num_elements() == 0 {
            continue;
        }
        let up = tensor::<Fast, 4>(&numbers(&fast.dims()));
        let gradient = |y: Tensor<Fast, 4>, x: &Tensor<Fast, 4>| {
            let gradients = (y * up.clone()).sum().backward();
            floats(x.grad(&gradients).expect("of the input"))
        };
        assert_eq!(gradient(fast, &here), gradient(plain, &there), "{shape:?}");
    }
}

/// Running statistics of all kinds, so that folding them into weights changes the weights.
fn stir<B: Backend>(norm: &mut BatchNorm<B>) {
    let [channels] = norm.weight.dims();
    norm.running_mean.update(tensor(&numbers(&[channels])));
    let variance = tensor::<B, 1>(&numbers(&[channels])) * 0.5 + 1.0;
    norm.running_var.update(variance);
}

#[test]
fn a_norm_folded_into_a_convolution_is_the_two_of_them() {
    for [kernel, input, output, h, w, batch] in SHAPES {
        let x = tensor::<Flex, 4>(&numbers(&[batch, input, h, w]));
        let conv = ConvConfig::new(input, output, kernel).init::<Flex>(&Default::default());
        let mut norm = norm::<Flex>(output, &numbers(&[output]), &numbers(&[output]));
        stir(&mut norm);
        let folded = floats(conv.forward_norm_relu(x.clone(), &norm, Mode::Eval));
        let apart = floats(norm.forward_relu(conv.forward(x, Mode::Eval), Mode::Eval));
        assert!(relative(&folded, &apart) < TOLERANCE);
    }
}

#[test]
fn what_is_not_a_number_stays_none() {
    let norm = norm::<Fast>(1, &numbers(&[1]), &numbers(&[1]));
    let data = TensorData::new(vec![1.0, f32::NAN, 2.0, 3.0], [1, 1, 2, 2]);
    let y = norm.forward_relu(tensor(&data), Mode::Train(Compute::F32));
    assert!(floats(y).iter().all(|y| y.is_nan()));
}
