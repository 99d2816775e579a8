//! The fast operations as steps of Burn's graph. Each gives `None` for tensors that are not this backend's with gradients, or not `f32`.

use burn::backend::Flex;
use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::NoCheckpointing};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::tensor::backend::Backend;
use burn::tensor::ops::{ConvOptions, ModuleOps};
use burn::tensor::{Shape, Tensor};
use star_flex::{Floats, Tracked, from_vec, gradient_of, graph, own, tensor, tracked};

use super::conv;
use super::conv_shape::ConvShape;
use super::norm::{self, Channel};
use super::tensors::{Normalised, conv_forward, conv_shape, max_pooled};
use super::{pool, strided, weight_gradient};

pub(super) fn convolve<B: Backend>(
    x: &Tensor<B, 4>,
    weight: &Tensor<B, 4>,
    bias: &Tensor<B, 1>,
) -> Option<Tensor<B, 4>> {
    let x = tracked(x)?.into_primitive().tensor();
    let weight = tracked(weight)?.into_primitive().tensor();
    let bias = tracked(bias)?.into_primitive().tensor();
    let (input, weights) = (Floats::of(&x.primitive)?, Floats::of(&weight.primitive)?);
    let shape = conv_shape(&input, &weights);
    let y = conv_forward(&input, &weights, &Floats::of(&bias.primitive)?, shape);
    let step = Convolution.prepare::<NoCheckpointing>([x.node, weight.node, bias.node]);
    let y = match step.compute_bound().stateful() {
        OpsKind::Tracked(step) => {
            let state = ConvolutionState {
                x: input,
                weight: weights,
                shape,
            };
            step.finish(state, y)
        }
        OpsKind::UnTracked(step) => step.finish(y),
    };
    own(graph::<4>(y))
}

#[derive(Debug)]
struct Convolution;

#[derive(Clone, Debug)]
struct ConvolutionState {
    x: Floats,
    weight: Floats,
    shape: ConvShape,
}

impl Backward<Flex, 3> for Convolution {
    type State = ConvolutionState;

    fn backward(self, ops: Ops<Self::State, 3>, grads: &mut Gradients, _: &mut Checkpointer) {
        let gradient = gradient_of(&ops, grads);
        let ConvolutionState { x, weight, shape } = ops.state;
        let [of_x, of_weight, of_bias] = ops.parents;
        if let Some(node) = of_x {
            let values = conv::input_gradient(&gradient, &weight, shape);
            grads.register::<Flex>(node.id, from_vec(values, x.shape()));
        }
        if of_weight.is_none() && of_bias.is_none() {
            return;
        }
        let (of_weights, of_biases) = weight_gradient::of_weights(&x, &gradient, shape);
        if let Some(node) = of_weight {
            grads.register::<Flex>(node.id, from_vec(of_weights, weight.shape()));
        }
        if let Some(node) = of_bias {
            let shape = Shape::new([of_biases.len()]);
            grads.register::<Flex>(node.id, from_vec(of_biases, shape));
        }
    }
}

/// The output, and mean and biased variance of the batch.
pub(super) fn norm_relu<B: Backend>(
    x: &Tensor<B, 4>,
    gamma: &Tensor<B, 1>,
    beta: &Tensor<B, 1>,
    epsilon: f64,
    relu: bool,
) -> Option<Normalised<B>> {
    let x = tracked(x)?.into_primitive().tensor();
    let gamma = tracked(gamma)?.into_primitive().tensor();
    let beta = tracked(beta)?.into_primitive().tensor();
    let input = Floats::of(&x.primitive)?;
    let (gammas, betas) = (Floats::of(&gamma.primitive)?, Floats::of(&beta.primitive)?);
    let [_, count, h, w] = input.shape().dims();

    let statistics = norm::statistics(&input, count, h * w);
    let inverse_std: Vec<f32> = statistics
        .iter()
        .map(|s| norm::inverse_std(s.1, epsilon))
        .collect();
    let parameters = gammas.iter().zip(betas.iter());
    let channels: Vec<Channel> = (statistics.iter().zip(&inverse_std).zip(parameters))
        .map(|((&(mean, _), inverse_std), (gamma, &shift))| Channel {
            mean,
            scale: gamma * inverse_std,
            shift,
        })
        .collect();
    let y = norm::forward(&input, &channels, relu, h * w);
    let y = from_vec(y, input.shape());

    let step = NormRelu.prepare::<NoCheckpointing>([x.node, gamma.node, beta.node]);
    let y = match step.compute_bound().stateful() {
        OpsKind::Tracked(step) => {
            let state = NormReluState {
                x: input,
                channels,
                inverse_std,
                relu,
            };
            step.finish(state, y)
        }
        OpsKind::UnTracked(step) => step.finish(y),
    };
    let (means, variances): (Vec<_>, Vec<_>) = statistics.into_iter().unzip();
    let untracked = |values| -> Tracked<1> {
        Tensor::from_inner(tensor(from_vec(values, Shape::new([count]))))
    };
    Some(Normalised {
        y: own(graph::<4>(y))?,
        mean: own(untracked(means))?,
        variance: own(untracked(variances))?,
    })
}

#[derive(Debug)]
struct NormRelu;

#[derive(Clone, Debug)]
struct NormReluState {
    x: Floats,
    channels: Vec<Channel>,
    inverse_std: Vec<f32>,
    relu: bool,
}

impl Backward<Flex, 3> for NormRelu {
    type State = NormReluState;

    fn backward(self, ops: Ops<Self::State, 3>, grads: &mut Gradients, _: &mut Checkpointer) {
        let gradient = gradient_of(&ops, grads);
        let NormReluState {
            x,
            channels,
            inverse_std,
            relu,
        } = ops.state;
        let [_, count, h, w] = x.shape().dims();
        let all = norm::backward(&x, &gradient, &channels, &inverse_std, relu, h * w);
        let one = || Shape::new([count]);
        let each = [
            (all.input, x.shape()),
            (all.gamma, one()),
            (all.beta, one()),
        ];
        for (parent, (values, shape)) in ops.parents.into_iter().zip(each) {
            if let Some(node) = parent {
                grads.register::<Flex>(node.id, from_vec(values, shape));
            }
        }
    }
}

pub(super) fn max_pool<B: Backend>(x: &Tensor<B, 4>) -> Option<Tensor<B, 4>> {
    let x = tracked(x)?.into_primitive().tensor();
    let input = Floats::of(&x.primitive)?;
    let y = max_pooled(&input);
    let step = MaxPool.prepare::<NoCheckpointing>([x.node]);
    let y = match step.compute_bound().stateful() {
        OpsKind::Tracked(step) => step.finish(input, y),
        OpsKind::UnTracked(step) => step.finish(y),
    };
    own(graph::<4>(y))
}

#[derive(Debug)]
struct MaxPool;

impl Backward<Flex, 1> for MaxPool {
    /// The input.
    type State = Floats;

    fn backward(self, ops: Ops<Self::State, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let gradient = gradient_of(&ops, grads);
        let x = ops.state;
        let [parent] = ops.parents;
        if let Some(node) = parent {
            let [_, _, h, w] = x.shape().dims();
            let values = pool::backward(&x, &gradient, [h, w]);
            grads.register::<Flex>(node.id, from_vec(values, x.shape()));
        }
    }
}

/// Burn's own convolution with a step, with another gradient of the weights.
pub(super) fn convolve_strided<B: Backend>(
    x: &Tensor<B, 4>,
    weight: &Tensor<B, 4>,
    bias: &Tensor<B, 1>,
    stride: usize,
) -> Option<Tensor<B, 4>> {
    let x = tracked(x)?.into_primitive().tensor();
    let weight = tracked(weight)?.into_primitive().tensor();
    let bias = tracked(bias)?.into_primitive().tensor();
    let (input, weights) = (Floats::of(&x.primitive)?, Floats::of(&weight.primitive)?);
    let [.., kernel] = weights.shape().dims::<4>();
    let options = ConvOptions::new([stride; 2], [kernel / 2; 2], [1, 1], 1);
    let y = Flex::conv2d(
        x.primitive,
        weight.primitive,
        Some(bias.primitive),
        options.clone(),
    );
    let step = Strided.prepare::<NoCheckpointing>([x.node, weight.node, bias.node]);
    let y = match step.compute_bound().stateful() {
        OpsKind::Tracked(step) => step.finish((input, weights, options), y),
        OpsKind::UnTracked(step) => step.finish(y),
    };
    own(graph::<4>(y))
}

#[derive(Debug)]
struct Strided;

impl Backward<Flex, 3> for Strided {
    /// Input, weights.
    type State = (Floats, Floats, ConvOptions<2>);

    fn backward(self, ops: Ops<Self::State, 3>, grads: &mut Gradients, _: &mut Checkpointer) {
        let gradient = gradient_of(&ops, grads);
        let (x, weight, options) = ops.state;
        let [of_x, of_weight, of_bias] = ops.parents;
        let [_, input, height, width] = x.shape().dims();
        let [_, output, h, w] = gradient.shape().dims();
        if let Some(node) = of_x {
            let (x, weight) = (x.clone().into_tensor(), weight.clone().into_tensor());
            let gradient = gradient.clone().into_tensor();
            let values = Flex::conv2d_x_backward(x, weight, gradient, options.clone());
            grads.register::<Flex>(node.id, values);
        }
        if let Some(node) = of_weight {
            let shape = strided::StridedShape {
                input,
                output,
                height,
                width,
                kernel: weight.shape().dims::<4>()[3],
                stride: options.stride[0],
                of_output: [h, w],
            };
            let values = strided::weight_gradient(&x, &gradient, &shape);
            grads.register::<Flex>(node.id, from_vec(values, weight.shape()));
        }
        if let Some(node) = of_bias {
            let sums = weight_gradient::channel_sums(&gradient, output, h * w);
            grads.register::<Flex>(node.id, from_vec(sums, Shape::new([output])));
        }
    }
}
