//! Published weights, in the files that people have them in: PyTorch checkpoints (`.pkl`, `.pt`, `.pth`) and safetensors with PyTorch's
//! names.
//!
//! All of them are read by small parsers of our own rather than by general ones: a file that is cut off or damaged is an error
//! here, where general readers fill in zeros, and reading takes less than eight times the file's size in memory, whatever the
//! file says (`tests/hostile_files.rs`, `tests/mutations.rs`).

mod deduce;
mod wrapping;

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use burn::tensor::TensorData;
use burn::tensor::backend::Backend;

use self::deduce::deduce;
pub use self::wrapping::Wrapping;
pub(super) use self::wrapping::{MAX_PLACES, Place, beside, choose, owner, prefix_of};
use super::budget::Budget;
use super::malformed::Malformed;
use super::named::{Described, check_finite, fit, load_fitting};
use super::pkl::Checkpoint;
use super::safetensors::{Foreign, LoadedWeights, looks_like_safetensors};
use super::state::PublishedState;
use crate::config::{DEPTH, StarNetConfig};
use crate::error::ModelError;
use crate::layers::COUNTER;
use crate::net::StarNet;

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
    const ALL: [Self; 2] = [Self::Net, Self::NetEma];

    pub(super) fn key(self) -> &'static str {
        match self {
            Self::Net => "net",
            Self::NetEma => "net_ema",
        }
    }

    fn of_key(key: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|which| which.key() == key)
    }
}

/// A file with tensors in it, of which only what it says of them has been read.
pub(super) trait Source<'a> {
    /// One of them.
    type Tensor: Copy;

    /// The tensors of its one state dictionary that `which` can mean, by their names without a common prefix, and where it was.
    fn state(
        &self,
        which: PklWeights,
        budget: &mut Budget,
    ) -> Result<State<'a, Self::Tensor>, Malformed>;

    /// What it says of a tensor.
    fn describe(&self, tensor: Self::Tensor) -> Described;

    /// A tensor's numbers, as they are stored.
    fn numbers(
        &self,
        name: &str,
        tensor: Self::Tensor,
        budget: &mut Budget,
    ) -> Result<TensorData, Malformed>;
}

/// A state dictionary.
pub(super) struct State<'a, T> {
    pub tensors: HashMap<&'a str, T>,
    pub wrapping: Wrapping,
}

/// Reads a published checkpoint, of PyTorch's current (zip) or older file format, or safetensors with the same names.
///
/// The state dictionary is under `net` and `net_ema`, as published, or in any other wrapping that leaves no doubt: by itself,
/// under up to three keys of any name, all its names with a prefix such as `module.`; [`LoadedWeights::wrapping`] says where it
/// was. Numbers may be f64, f32, f16 or bf16.
///
/// The configuration follows from the tensors' shapes; edges hold their points in ascending order. The input size is in no
/// file (the network is fully convolutional): it is the default one, change it as needed. Counters and the skip
/// convolutions that no network uses are left out. Nothing in the file is executed.
///
/// # Errors
/// [`ModelError::Io`] if the file cannot be read, [`ModelError::Format`] if it is no such checkpoint, holds several whole state
/// dictionaries of which none is called `which`, is damaged, or holds numbers that are not finite, [`ModelError::Mismatch`] if its tensors are not quite a network of this kind.
pub fn import_pkl<B: Backend>(
    path: impl AsRef<Path>,
    which: PklWeights,
    device: &B::Device,
) -> Result<LoadedWeights<B>, ModelError> {
    let found = read(path.as_ref(), which, None, Keep::Used)?;
    let net = load_fitting(StarNet::new(&found.config, device), DEPTH, found.tensors);
    Ok(LoadedWeights {
        config: found.config,
        net,
        extra: BTreeMap::new(),
        wrapping: found.wrapping,
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
    let found = read(path.as_ref(), which, Some(config), Keep::Used)?;
    Ok(load_fitting(
        StarNet::new(config, device),
        DEPTH,
        found.tensors,
    ))
}

/// All of a published checkpoint's network as it is stored, bit for bit: with the skip convolutions that no network uses and
/// the counters, which [`import_pkl`] leaves out. What of these a file does not hold is zero.
///
/// # Errors
/// As [`import_pkl`].
pub fn pkl_state(path: impl AsRef<Path>, which: PklWeights) -> Result<PublishedState, ModelError> {
    let found = read(path.as_ref(), which, None, Keep::All)?;
    Ok(PublishedState::complete(&found.config, found.tensors).wrapped_in(found.wrapping))
}

/// Which tensors of a checkpoint to read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Keep {
    /// Those that the network computes with.
    Used,
    /// The others too.
    All,
}

/// What is read of a file.
struct Found {
    config: StarNetConfig,
    tensors: HashMap<String, TensorData>,
    wrapping: Wrapping,
}

fn read(
    path: &Path,
    which: PklWeights,
    config: Option<&StarNetConfig>,
    keep: Keep,
) -> Result<Found, ModelError> {
    let file = star_files::read_file(path, star_files::LARGE).map_err(|source| ModelError::Io {
        path: path.into(),
        source,
    })?;
    let format = |malformed| not_published(path, malformed);
    let mut budget = Budget::of_file(file.len());
    if looks_like_safetensors(&file) {
        let source = Foreign::read(&file).map_err(format)?;
        read_source(path, &source, which, config, keep, &mut budget)
    } else {
        let source = Checkpoint::read(&file, &mut budget).map_err(format)?;
        read_source(path, &source, which, config, keep, &mut budget)
    }
}

fn not_published(path: &Path, Malformed(what): Malformed) -> ModelError {
    ModelError::Format {
        path: path.into(),
        what: format!("not a published checkpoint: {what}"),
    }
}

fn read_source<'a, S: Source<'a>>(
    path: &Path,
    source: &S,
    which: PklWeights,
    config: Option<&StarNetConfig>,
    keep: Keep,
    budget: &mut Budget,
) -> Result<Found, ModelError> {
    let format = |malformed| not_published(path, malformed);
    let State { tensors, wrapping } = source.state(which, budget).map_err(format)?;
    let config = match config {
        Some(config) => config.clone(),
        None => deduce(source, &tensors, budget).map_err(format)?,
    };
    let describe = |&tensor: &S::Tensor| source.describe(tensor);
    let used = fit(path, &config, &tensors, describe, |name, tensor| {
        is_unused(name, &tensor.shape)
    })?;
    let mut numbers = HashMap::new();
    for (&name, &tensor) in &tensors {
        if keep == Keep::All || used.contains(name) {
            let data = source.numbers(name, tensor, budget).map_err(format)?;
            numbers.insert(name.to_owned(), data);
        }
    }
    check_finite(path, &numbers)?;
    Ok(Found {
        config,
        tensors: numbers,
        wrapping,
    })
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
