//! Weights by formula, for networks that no weight file comes with (`golden/README.md`, "Formula weights").

use std::collections::HashMap;

use burn::tensor::TensorData;
use burn::tensor::backend::Backend;
use star_model::{DEPTH, StarNet, StarNetConfig, load_named, weights};

fn splitmix64(x: u64) -> u64 {
    let mut z = x.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

pub fn fnv1a64(name: &str) -> u64 {
    name.bytes().fold(0xCBF2_9CE4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3)
    })
}

/// The `i`-th number in 0..1 of a name.
pub fn uniform(name: &str, seed: u64, i: u64) -> f64 {
    let x = (fnv1a64(name) ^ seed).wrapping_add(i.wrapping_mul(0x9E37_79B9_7F4A_7C15));
    (splitmix64(x) >> 40) as f64 / f64::from(1u32 << 24)
}

/// The values of one tensor.
pub fn values(name: &str, shape: &[usize], seed: u64) -> Vec<f32> {
    let fan_in: usize = shape.iter().skip(1).product();
    let is_bn = shape.len() == 1 && !name.ends_with("conv.bias");
    let around_one = name.ends_with("running_var") || is_bn && name.ends_with("weight");
    let (low, high) = if around_one {
        (0.5, 1.5)
    } else if is_bn {
        (-0.3, 0.3)
    } else if name.ends_with("weight") {
        let louder = name.starts_with("out_pointmaps") || name.starts_with("out_edgemaps");
        let bound = (1.0 / fan_in as f64).sqrt() * if louder { 4.0 } else { 1.0 };
        (-bound, bound)
    } else {
        (-0.1, 0.1)
    };
    let count = shape.iter().product::<usize>() as u64;
    (0..count)
        .map(|i| (low + (high - low) * uniform(name, seed, i)) as f32)
        .collect()
}

/// The network with formula weights; its edge-to-landmark buffers stay as built.
pub fn net<B: Backend>(config: &StarNetConfig, seed: u64) -> StarNet<B> {
    let net = config.init::<B>(&Default::default());
    let mut tensors: HashMap<_, _> = star_model::named_tensors(&net).into_iter().collect();
    for (name, shape) in weights::named_shapes::<B, _>(&net, DEPTH) {
        if !name.starts_with("e2h_transform") {
            let data = TensorData::new(values(&name, &shape, seed), shape);
            tensors.insert(name, data);
        }
    }
    load_named(net, tensors).unwrap()
}
