//! Published weights: PyTorch checkpoints (`.pkl`) of the published program.
//!
//! Read by a small parser of our own rather than by a general one: a file that is cut off or damaged is an error here, where
//! general readers fill in zeros, and no file can ask for more memory than its own size.

mod bytes;
mod checkpoint;
mod pickle;
mod zip;

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use burn::tensor::TensorData;
use burn::tensor::backend::Backend;

use self::bytes::Malformed;
use self::checkpoint::Checkpoint;
use self::pickle::TensorRef;
use super::named::{compare_shapes, is_float, load_named};
use super::safetensors::LoadedWeights;
use super::state::PublishedState;
use crate::config::StarNetConfig;
use crate::error::ModelError;
use crate::layers::{COUNTER, Layers};
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
/// [`ModelError::Io`] if the file cannot be read, [`ModelError::Format`] if it is no such checkpoint or is damaged,
/// [`ModelError::Config`] or [`ModelError::Mismatch`] if its tensors make no network of this kind.
pub fn import_pkl<B: Backend>(
    path: impl AsRef<Path>,
    which: PklWeights,
    device: &B::Device,
) -> Result<LoadedWeights<B>, ModelError> {
    let (config, tensors) = read(path.as_ref(), which, None, Keep::Used)?;
    let net = load_named(StarNet::new(&config, device), tensors)?;
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
    load_named(StarNet::new(config, device), tensors)
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
    let file = std::fs::read(path).map_err(|source| ModelError::Io {
        path: path.into(),
        source,
    })?;
    let format = |Malformed(what)| ModelError::Format {
        path: path.into(),
        what: format!("not a published checkpoint: {what}"),
    };
    let checkpoint = Checkpoint::read(&file).map_err(format)?;
    let tensors = checkpoint.tensors(which.key()).map_err(format)?;
    let config = match config {
        Some(config) => config.clone(),
        None => {
            let config = deduce(&checkpoint, &tensors).map_err(format)?;
            config.validate()?;
            config
        }
    };

    let expected = Layers::of(&config).shapes();
    let (mut tensors, unused): (HashMap<String, &TensorRef>, HashMap<_, _>) = tensors
        .into_iter()
        .partition(|(name, tensor)| expected.contains_key(name) || !is_unused(name, &tensor.shape));
    let found = tensors.iter().map(|(name, tensor)| {
        let dtype = tensor.storage.dtype.filter(|&dtype| is_float(dtype));
        (name.as_str(), tensor.shape.as_slice(), dtype)
    });
    let mismatch = compare_shapes(&expected, found);
    if !mismatch.is_empty() {
        return Err(ModelError::Mismatch(mismatch));
    }
    if keep == Keep::All {
        tensors.extend(unused);
    }
    let tensors = checkpoint.load(&tensors).map_err(format)?;
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

/// The configuration of the network that has these tensors.
fn deduce(
    checkpoint: &Checkpoint,
    tensors: &HashMap<String, &TensorRef>,
) -> Result<StarNetConfig, Malformed> {
    let shape = |name: &str| match tensors.get(name).map(|tensor| tensor.shape.as_slice()) {
        Some(&[output, input, _, _]) => Ok((output, input)),
        Some(_) => Err(Malformed(format!("`{name}` is no convolution's weight"))),
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
    let stack = |name: &String| {
        name.strip_prefix("out_heatmaps.")?
            .split('.')
            .next()?
            .parse::<usize>()
            .ok()
    };
    let last = tensors.keys().filter_map(stack).max().unwrap_or(0);

    const E2H: &str = "e2h_transform.weight";
    let aam = tensors.contains_key(E2H);
    let edges = if aam {
        let (_, edges) = shape(E2H)?;
        let weight = tensors.iter().filter(|(name, _)| *name == E2H);
        let weight = checkpoint.load(
            &weight
                .map(|(name, tensor)| (name.clone(), *tensor))
                .collect(),
        )?;
        let weight = weight.into_values().next();
        edges_of(weight, edges)
    } else {
        Vec::new()
    };
    Ok(StarNetConfig::new(points, edges)
        .with_stacks(last.saturating_add(1))
        .with_channels(channels)
        .with_stem(stem)
        .with_coord(coord)
        .with_aam(aam))
}

/// The points on each edge, from the weight `[points, edges, 1, 1]`.
fn edges_of(weight: Option<TensorData>, edges: usize) -> Vec<Vec<usize>> {
    let mut points = vec![Vec::new(); edges];
    for (i, value) in weight
        .iter()
        .flat_map(|weight| weight.iter::<f32>())
        .enumerate()
    {
        if value != 0.0 {
            points[i % edges].push(i / edges);
        }
    }
    points
}
