//! Published weights: PyTorch checkpoints (`.pkl`) of the published program.
//!
//! Read by a small parser of our own rather than by a general one: a file that is cut off or damaged is an error here, where
//! general readers fill in zeros, and reading takes less than eight times the file's size in memory, whatever the file says
//! (`tests/hostile_files.rs`, `tests/mutations.rs`).

mod budget;
mod bytes;
mod checkpoint;
mod pickle;
mod zip;

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use burn::tensor::TensorData;
use burn::tensor::backend::Backend;

use self::budget::Budget;
use self::bytes::Malformed;
use self::checkpoint::{Checkpoint, Tensors};
use self::pickle::Value;
use super::named::{check_finite, fit, load_fitting};
use super::safetensors::LoadedWeights;
use super::state::PublishedState;
use crate::config::{DEPTH, MAX_COUNT, StarNetConfig};
use crate::error::ModelError;
use crate::layers::COUNTER;
use crate::net::StarNet;
use crate::stem::image_channels;

/// Which of a published checkpoint's two networks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PklWeights {
    /// The trained one, key `net`: the published evaluation uses it.
    #[default]
    Net,
    /// Its moving average, key `net_ema`.
    NetEma,
}

impl PklWeights {
    fn key(self) -> &'static str {
        match self {
            Self::Net => "net",
            Self::NetEma => "net_ema",
        }
    }
}

/// Reads a published checkpoint, of PyTorch's current (zip) or older file format.
///
/// The configuration follows from the tensors' shapes; edges hold their points in ascending order. The input size is in no
/// file (the network is fully convolutional): it is the default one, change it as needed. Counters and the skip
/// convolutions that no network uses are left out. Nothing in the file is executed.
///
/// # Errors
/// [`ModelError::Io`] if the file cannot be read, [`ModelError::Format`] if it is no such checkpoint, is damaged, or holds
/// numbers that are not finite, [`ModelError::Mismatch`] if its tensors are not quite a network of this kind.
pub fn import_pkl<B: Backend>(
    path: impl AsRef<Path>,
    which: PklWeights,
    device: &B::Device,
) -> Result<LoadedWeights<B>, ModelError> {
    let (config, tensors) = read(path.as_ref(), which, None, Keep::Used)?;
    let net = load_fitting(StarNet::new(&config, device), DEPTH, tensors);
    Ok(LoadedWeights {
        config,
        net,
        extra: BTreeMap::new(),
    })
}

/// [`import_pkl`] for a network that is known: the file's must be the same, but for the input size.
///
/// # Errors
/// As there; [`ModelError::Mismatch`] lists all tensors that do not fit `config`.
pub fn import_pkl_as<B: Backend>(
    config: &StarNetConfig,
    path: impl AsRef<Path>,
    which: PklWeights,
    device: &B::Device,
) -> Result<StarNet<B>, ModelError> {
    config.validate()?;
    let (_, tensors) = read(path.as_ref(), which, Some(config), Keep::Used)?;
    Ok(load_fitting(StarNet::new(config, device), DEPTH, tensors))
}

/// All of a published checkpoint's network as it is stored, bit for bit: with the skip convolutions that no network uses and
/// the counters, which [`import_pkl`] leaves out. What of these a file does not hold is zero.
///
/// # Errors
/// As [`import_pkl`].
pub fn pkl_state(path: impl AsRef<Path>, which: PklWeights) -> Result<PublishedState, ModelError> {
    let (config, tensors) = read(path.as_ref(), which, None, Keep::All)?;
    Ok(PublishedState::complete(&config, tensors))
}

/// Which tensors of a checkpoint to read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Keep {
    /// Those that the network computes with.
    Used,
    /// The others too.
    All,
}

fn read(
    path: &Path,
    which: PklWeights,
    config: Option<&StarNetConfig>,
    keep: Keep,
) -> Result<(StarNetConfig, HashMap<String, TensorData>), ModelError> {
    let file = star_files::read_file(path, star_files::LARGE).map_err(|source| ModelError::Io {
        path: path.into(),
        source,
    })?;
    let format = |Malformed(what)| ModelError::Format {
        path: path.into(),
        what: format!("not a published checkpoint: {what}"),
    };
    let mut budget = Budget::of_file(file.len());
    let checkpoint = Checkpoint::read(&file, &mut budget).map_err(format)?;
    let mut tensors = checkpoint
        .tensors(which.key(), &mut budget)
        .map_err(format)?;
    let config = match config {
        Some(config) => config.clone(),
        None => deduce(&checkpoint, &tensors, &mut budget).map_err(format)?,
    };

    let describe = |&tensor: &Value| checkpoint.describe(tensor);
    let used = fit(path, &config, &tensors, describe, |name, tensor| {
        is_unused(name, &tensor.shape)
    })?;
    if keep == Keep::Used {
        tensors = tensors
            .iter()
            .filter(|(name, _)| used.contains(*name))
            .map(|(&name, &tensor)| (name, tensor))
            .collect();
    }
    let tensors = checkpoint.load(&tensors, &mut budget).map_err(format)?;
    check_finite(path, &tensors)?;
    Ok((config, tensors))
}

/// Tensors of the published program that do nothing: counters of batches, and the skip convolutions of blocks that have as
/// many channels in as out.
fn is_unused(name: &str, shape: &[usize]) -> bool {
    if name.rsplit('.').next() == Some(COUNTER) {
        return shape.is_empty();
    }
    let skip = |part: &str| name.ends_with(&format!(".skip_layer.conv.{part}"));
    match *shape {
        [output, input, 1, 1] => skip("weight") && output == input,
        [_] => skip("bias"),
        _ => false,
    }
}

/// The configuration of the network that has these tensors, checked: every number is one that a network can have, and the edges
/// are no more than the file's numbers.
fn deduce(
    checkpoint: &Checkpoint,
    tensors: &Tensors,
    budget: &mut Budget,
) -> Result<StarNetConfig, Malformed> {
    let shape = |name: &str| match tensors.get(name) {
        Some(&tensor) => match checkpoint.describe(tensor).shape[..] {
            [output, input, _, _] => Ok((output, input)),
            _ => Err(Malformed(format!("`{name}` is no convolution's weight"))),
        },
        None => Err(Malformed(format!(
            "it has no `{name}`, so it is another network's"
        ))),
    };
    let (points, channels) = shape("out_heatmaps.0.conv.weight")?;
    let (stem, image) = shape("pre.0.conv.weight")?;
    let coord = match image {
        with if with == image_channels(true) => true,
        without if without == image_channels(false) => false,
        other => {
            return Err(Malformed(format!(
                "its first convolution sees {other} channels"
            )));
        }
    };
    let stack = |name: &&str| {
        name.strip_prefix("out_heatmaps.")?
            .split('.')
            .next()?
            .parse::<usize>()
            .ok()
    };
    let last = tensors.keys().filter_map(stack).max().unwrap_or(0);
    let aam = tensors.contains_key(E2H);
    let config = StarNetConfig::new(points, Vec::new())
        .with_stacks(last.saturating_add(1))
        .with_channels(channels)
        .with_stem(stem)
        .with_coord(coord)
        .with_aam(false);
    let sensible = |config: &StarNetConfig| {
        config
            .validate()
            .map_err(|error| Malformed(format!("its tensors make no network ({error})")))
    };
    sensible(&config)?;
    if !aam {
        return Ok(config);
    }

    const MAPS: &str = "out_edgemaps.0.conv.weight";
    let (e2h_points, edges) = shape(E2H)?;
    let (maps, _) = shape(MAPS)?;
    if !(1..=MAX_COUNT).contains(&edges) {
        return Err(Malformed(format!(
            "`{E2H}` is of {edges} edges; a network has 1 to {MAX_COUNT}"
        )));
    }
    if e2h_points != points || edges != maps {
        return Err(Malformed(format!(
            "`{E2H}` is of {e2h_points} points and {edges} edges, `{MAPS}` of {maps} edges, and the heatmaps are of {points} points"
        )));
    }
    let e2h = [points, edges, 1, 1];
    if let Some(found) = tensors
        .get(E2H)
        .map(|&weight| checkpoint.describe(weight).shape)
        && found != e2h
    {
        return Err(Malformed(format!(
            "`{E2H}` is of shape {found:?} instead of {e2h:?}"
        )));
    }
    let edges = edges_of(checkpoint, tensors, edges, budget)?;
    let config = StarNetConfig { edges, ..config }.with_aam(true);
    sensible(&config)?;
    Ok(config)
}

const E2H: &str = "e2h_transform.weight";

/// The points on each edge, from the weight `[points, edges, 1, 1]`.
fn edges_of(
    checkpoint: &Checkpoint,
    tensors: &Tensors,
    edges: usize,
    budget: &mut Budget,
) -> Result<Vec<Vec<usize>>, Malformed> {
    let Some(&weight) = tensors.get(E2H) else {
        return Ok(Vec::new());
    };
    let weight = checkpoint.numbers_of(E2H, weight, budget)?;
    let nonzero = || {
        let numbers = weight.iter::<f32>().enumerate();
        let numbers = numbers.filter(|(_, value)| *value != 0.0);
        numbers.map(|(at, _)| (at / edges, at % edges))
    };
    budget.charge(edges, size_of::<Vec<usize>>() + size_of::<usize>())?;
    let mut counts = vec![0; edges];
    for (_, edge) in nonzero() {
        counts[edge] += 1;
    }
    budget.charge(counts.iter().sum(), size_of::<usize>())?;
    let mut points: Vec<Vec<usize>> = counts.into_iter().map(Vec::with_capacity).collect();
    for (point, edge) in nonzero() {
        points[edge].push(point);
    }
    Ok(points)
}
