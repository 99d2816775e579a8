//! The weights a network starts with, drawn on the host.
//!
//! Backends draw differently from the same seed; drawn here, a run starts from the same weights on each of them.

use std::collections::HashMap;

use burn::tensor::{TensorData, backend::Backend};
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;
use star_model::{StarNet, load_named, named_tensors};

use crate::error::TrainError;

/// Draws the convolutions' weights and biases from U(-1/sqrt(fan_in), 1/sqrt(fan_in)), PyTorch's default, which
/// the published program leaves as it is. Norms keep gamma 1 and beta 0.
///
/// # Errors
/// None for a network that `StarNetConfig::init` made.
pub fn init_weights<B: Backend>(net: StarNet<B>, seed: u64) -> Result<StarNet<B>, TrainError> {
    let tensors = named_tensors(&net);
    let fan_in: HashMap<String, usize> = tensors
        .iter()
        .filter(|(name, data)| {
            name.ends_with(".weight") && data.shape.len() == 4 && !is_buffer(name)
        })
        .map(|(name, data)| {
            let prefix = name.trim_end_matches(".weight").to_owned();
            (prefix, data.shape.iter().skip(1).product())
        })
        .collect();

    let mut rng = Pcg64Mcg::seed_from_u64(seed);
    let drawn = tensors
        .into_iter()
        .map(|(name, data)| {
            let prefix = name.rsplit_once('.').map_or("", |(prefix, _)| prefix);
            let data = match fan_in.get(prefix) {
                Some(&fan_in) => {
                    let bound = 1.0 / (fan_in as f32).sqrt();
                    let values: Vec<f32> = (0..data.num_elements())
                        .map(|_| rng.random_range(-bound..bound))
                        .collect();
                    TensorData::new(values, data.shape)
                }
                None => data,
            };
            (name, data)
        })
        .collect();
    Ok(load_named(net, drawn)?)
}

/// The edge-to-heatmap transform is a constant of the layout.
fn is_buffer(name: &str) -> bool {
    name.starts_with("e2h_transform")
}
