//! Adam, the learning rate, the moving average, and five steps of a small network.

use std::collections::HashMap;

use burn::{
    backend::{Autodiff, Flex},
    module::{AutodiffModule, Module, Param},
    optim::{AdamConfig, GradientsParams, Optimizer},
    tensor::{Tensor, backend::Backend},
};
use star_model::{
    Compute, DEPTH, Mode,
    conv::{Conv, ConvConfig},
    conv_block::ConvBlock,
    load_named,
    residual::ResBlock,
    weights::{load_named_into, named_tensors_of},
};
use star_train::{
    recipe::TrainRecipe,
    schedule::{ema_decay, learning_rate},
};

use crate::support::{Golden, assert_close, number};

type B = Autodiff<Flex>;

#[derive(Module, Debug)]
struct Numbers<B: Backend> {
    values: Param<Tensor<B, 1>>,
}

#[test]
fn adam_step_by_step() {
    let golden = Golden::open("optim");
    let rate = number(&golden.json["adam"]["lr"]);
    let epsilon = number(&golden.json["adam"]["eps"]);
    let mut net = Numbers::<B> {
        values: Param::from_tensor(golden.tensor("adam/param0")),
    };
    let mut adam = AdamConfig::new()
        .with_epsilon(epsilon as f32)
        .init::<B, Numbers<B>>();
    let gradients = golden.tensor::<B, 2>("adam/grads");
    let [steps, count] = gradients.dims();
    let exact = golden.values("adam/param_after_each_step_f64");
    let single = golden.values("adam/param_after_each_step_f32");
    for step in 0..steps {
        let gradient = gradients.clone().narrow(0, step, 1).reshape([count]);
        let loss = (net.values.val() * gradient).sum();
        let gradients = GradientsParams::from_grads(loss.backward(), &net);
        net = adam.step(rate, net, gradients);
        let found: Vec<f64> = net.values.val().into_data().iter::<f64>().collect();
        for (i, found) in found.into_iter().enumerate() {
            let at = step * count + i;
            let noise = (single[at] - exact[at]).abs();
            assert_close(
                &format!("step {step} value {i}"),
                found,
                exact[at],
                10.0 * noise + 1e-6,
            );
        }
    }
}

#[test]
fn rate_and_decay() {
    let golden = Golden::open("optim");
    let json = &golden.json;
    let milestones: Vec<usize> = json["milestones"]
        .as_array()
        .expect("array")
        .iter()
        .map(|m| m.as_u64().expect("epoch") as usize)
        .collect();
    let train = TrainRecipe {
        learning_rate: number(&json["adam"]["lr"]),
        gamma: number(&json["gamma"]),
        milestones,
        ..TrainRecipe::default()
    };
    for (epoch, rate) in json["lr_used_while_training_epoch"]
        .as_object()
        .expect("object")
    {
        let found = learning_rate(&train, epoch.parse().expect("epoch"), 0, 1);
        assert_close(&format!("epoch {epoch}"), found, number(rate), 1e-15);
    }
    for (batch, decay) in json["ema_decay_by_batch_size"].as_object().expect("object") {
        let found = ema_decay(batch.parse().expect("size"), 10_000.0);
        assert_close(&format!("batch {batch}"), found, number(decay), 1e-12);
    }
}

#[derive(Module, Debug)]
struct Toy<B: Backend> {
    a: ConvBlock<B>,
    b: ResBlock<B>,
    c: ResBlock<B>,
    o: Conv<B>,
}

impl<B: Backend> Toy<B> {
    fn new(device: &B::Device) -> Self {
        Self {
            a: ConvBlock::normalised(ConvConfig::new(3, 6, 3), device),
            b: ResBlock::new(6, 6, device),
            c: ResBlock::new(6, 4, device),
            o: ConvConfig::new(4, 2, 1).init(device),
        }
    }

    fn forward(&self, x: Tensor<B, 4>, mode: Mode) -> Tensor<B, 4> {
        let x = self.a.forward(x, mode);
        let x = self.b.forward(x, mode);
        let x = self.c.forward(x, mode);
        self.o.forward(x, mode)
    }
}

#[test]
fn five_steps_of_a_small_network() {
    let golden = Golden::open("optim");
    let toy = &golden.json["toy"];
    let device = Default::default();
    let fresh = Toy::<B>::new(&device);
    // The published block has a skip convolution even where it uses none.
    let ours: HashMap<String, _> = named_tensors_of(&fresh, DEPTH).into_iter().collect();
    let state = golden
        .under("toy/state0/")
        .into_iter()
        .filter(|name| ours.contains_key(name))
        .map(|name| {
            let data = golden.data(&format!("toy/state0/{name}")).convert::<f32>();
            (name, data)
        })
        .collect();
    let mut net = load_named_into(fresh, DEPTH, state).expect("the state fits");
    let mut adam = AdamConfig::new().with_epsilon(1e-8).init::<B, Toy<B>>();
    let input = golden.tensor::<B, 4>("toy/input");
    let target = golden.tensor::<B, 4>("toy/target");
    let exact = toy["losses_f64"].as_array().expect("array");
    let single = toy["losses_f32"].as_array().expect("array");
    let noisy: Vec<&str> = toy["noise_only_params"]
        .as_array()
        .expect("array")
        .iter()
        .map(|n| n.as_str().expect("name"))
        .collect();
    // Behind a convolution whose bias is noise, the running mean follows it.
    let follows_noise = |name: &str| name.ends_with("running_mean");

    let (mut losses, mut states) = (0, 0);
    for (step, (exact, single)) in exact.iter().zip(single).enumerate() {
        let difference = net.forward(input.clone(), Mode::Train(Compute::F32)) - target.clone();
        let loss = (difference.clone() * difference).mean();
        let value = f64::from(loss.clone().into_scalar());
        let noise = (number(exact) - number(single)).abs();
        assert_close(
            &format!("loss of step {step}"),
            value,
            number(exact),
            10.0 * noise + 1e-6,
        );
        losses += 1;
        let gradients = GradientsParams::from_grads(loss.backward(), &net);
        net = adam.step(1e-3, net, gradients);

        let after = format!("toy/state_after{}/", step + 1);
        let noise = &toy["max_abs_state_diff_f32_vs_f64_excl_noise"][(step + 1).to_string()];
        if noise.is_null() {
            continue;
        }
        for (name, data) in named_tensors_of(&net.valid(), DEPTH) {
            if noisy.contains(&name.as_str()) || follows_noise(&name) {
                continue;
            }
            let expected = golden.values(&format!("{after}{name}"));
            for (found, expected) in data.iter::<f64>().zip(expected) {
                assert_close(
                    &format!("{after}{name}"),
                    found,
                    expected,
                    10.0 * number(noise) + 1e-6,
                );
            }
            states += 1;
        }
    }
    assert!(
        losses > 1 && states > 20,
        "{losses} losses, {states} tensors compared"
    );
}

/// The moving average's arithmetic, on the numbers of the published one, poured into a network of ours.
#[test]
fn moving_average() {
    let golden = Golden::open("optim");
    let decay = number(&golden.json["ema"]["decay"]);
    let names: Vec<String> = golden
        .under("ema/model1/")
        .into_iter()
        .filter(|n| !n.ends_with("num_batches_tracked"))
        .collect();
    let numbers = |model: &str| -> Vec<f32> {
        names
            .iter()
            .flat_map(|n| golden.values(&format!("ema/{model}/{n}")))
            .map(|v| v as f32)
            .collect()
    };
    // Every tensor of the small network takes the published numbers in turn, so all kinds of parameters and buffers are averaged.
    let device = Default::default();
    let config = star_model::StarNetConfig::new(3, vec![vec![0, 1, 2]])
        .with_stacks(1)
        .with_channels(2)
        .with_stem(2)
        .with_input_size(64);
    let net = |model: &str| {
        let numbers = numbers(model);
        let net = config.init::<Flex>(&device);
        let filled = star_model::named_tensors(&net)
            .into_iter()
            .map(|(name, data)| {
                let values: Vec<f32> = numbers
                    .iter()
                    .copied()
                    .cycle()
                    .take(data.num_elements())
                    .collect();
                (name, burn::tensor::TensorData::new(values, data.shape))
            })
            .collect();
        load_named(net, filled).expect("the shapes are the network's own")
    };
    assert!(!numbers("result").is_empty());
    let averaged = star_model::ema_update(net("model1"), &net("model2"), decay);
    let expected = numbers("result");
    for (name, data) in star_model::named_tensors(&averaged) {
        for (found, expected) in data.iter::<f64>().zip(expected.iter().cycle()) {
            assert_close(&name, found, f64::from(*expected), 1e-6);
        }
    }
}
