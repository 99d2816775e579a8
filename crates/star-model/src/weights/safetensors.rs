//! Our own weight files: safetensors with published names and the network's configuration inside.

mod foreign;
mod header;
mod metadata;

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use burn::tensor::backend::Backend;
use burn::tensor::{DType, TensorData, f16};
use safetensors::tensor::{Dtype, View};

pub(super) use self::foreign::{Foreign, looks_like_safetensors};
use self::header::{Header, Tensor};
use super::named::{Described, check_finite, fit, is_float, load_fitting, named_tensors};
use super::published::Wrapping;
use super::write_file;
use crate::config::{DEPTH, StarNetConfig};
use crate::error::ModelError;
use crate::net::StarNet;

/// The file's one metadata entry, a JSON object of all others: with several entries the format leaves their order to chance,
/// and the same weights would not make the same file.
const METADATA_KEY: &str = "star";

/// The metadata key of the configuration, as JSON.
pub const CONFIG_KEY: &str = "star.config";

/// What [`load_weights`] finds in a file.
#[derive(Debug)]
pub struct LoadedWeights<B: Backend> {
    /// What the network was built from.
    pub config: StarNetConfig,
    /// The network, ready to run.
    pub net: StarNet<B>,
    /// The metadata the saver added.
    pub extra: BTreeMap<String, String>,
    /// Where the file had the tensors; our own files have them as they are.
    pub wrapping: Wrapping,
}

/// How the numbers of a weights file are stored. [`load_weights`] reads both; the network computes in f32 either way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Precision {
    /// f32: the weights as they are.
    #[default]
    Full,
    /// f16: half the size, 11 significant bits.
    Half,
}

/// Writes all parameters and buffers of `net` to `path`, f32, with the published names and layout.
///
/// The file appears whole or not at all: it is written beside `path` and then renamed. `extra` goes into the file's metadata
/// beside the configuration (a key of [`CONFIG_KEY`] in it is overruled).
///
/// # Errors
/// [`ModelError::Io`] if the file cannot be written, [`ModelError::Config`] if `config` is not the one `net` was built from.
pub fn save_weights<B: Backend>(
    net: &StarNet<B>,
    config: &StarNetConfig,
    extra: &BTreeMap<String, String>,
    path: impl AsRef<Path>,
) -> Result<(), ModelError> {
    save_weights_as(net, config, extra, Precision::Full, path)
}

/// [`save_weights`] in a given precision.
///
/// # Errors
/// As there; [`ModelError::Format`] naming a tensor whose numbers are beyond half precision, if that is asked for.
pub fn save_weights_as<B: Backend>(
    net: &StarNet<B>,
    config: &StarNetConfig,
    extra: &BTreeMap<String, String>,
    precision: Precision,
    path: impl AsRef<Path>,
) -> Result<(), ModelError> {
    let path = path.as_ref();
    // The input size may differ: weights do not depend on it.
    if (StarNetConfig {
        input_size: net.config().input_size,
        ..config.clone()
    }) != *net.config()
    {
        return Err(ModelError::Config(
            "weights are to be saved with another configuration than the network's own".into(),
        ));
    }
    let json = serde_json::to_string(config).map_err(|e| ModelError::Config(e.to_string()))?;
    let mut contents = extra.clone();
    contents.insert(CONFIG_KEY.into(), json);

    let format = |what: String| ModelError::Format {
        path: path.into(),
        what,
    };
    let mut views = Vec::new();
    for (name, data) in named_tensors(net) {
        let data = match precision {
            Precision::Full => data,
            Precision::Half => half(&data).map_err(|value| {
                format(format!(
                    "`{name}` holds {value}, and half precision ends at {}: write these weights in full precision",
                    f16::MAX
                ))
            })?,
        };
        let unknown = || ModelError::Config(format!("`{name}` is no tensor of floats"));
        let view = Stored::new(data).ok_or_else(unknown)?;
        views.push((name, view));
    }
    write_file(path, &serialize(views, &contents, path)?)
}

/// The nearest half-precision numbers, or the first finite one that has none.
fn half(data: &TensorData) -> Result<TensorData, f32> {
    let mut values = Vec::with_capacity(data.num_elements());
    for value in data.iter::<f32>() {
        let half = f16::from_f32(value);
        if half.is_infinite() && value.is_finite() {
            return Err(value);
        }
        values.push(half);
    }
    Ok(TensorData::new(values, data.shape.clone()))
}

/// Reads a file written by [`save_weights`].
///
/// # Errors
/// [`ModelError::Io`] if the file cannot be read, [`ModelError::Format`] if it is no such file, is damaged, the configuration
/// in it makes no network, or its numbers are not finite, [`ModelError::Mismatch`] listing the tensors that do not fit it.
pub fn load_weights<B: Backend>(
    path: impl AsRef<Path>,
    device: &B::Device,
) -> Result<LoadedWeights<B>, ModelError> {
    let path = path.as_ref();
    let bytes =
        star_files::read_file(path, star_files::LARGE).map_err(|source| ModelError::Io {
            path: path.into(),
            source,
        })?;
    load_weights_bytes(&bytes, path, device)
}

/// As [`load_weights`], of a file that is in memory; `name` stands for it in messages.
///
/// # Errors
/// As [`load_weights`], except for [`ModelError::Io`].
pub fn load_weights_bytes<B: Backend>(
    bytes: &[u8],
    name: &Path,
    device: &B::Device,
) -> Result<LoadedWeights<B>, ModelError> {
    let (config, tensors, extra) = read_weights(bytes, name)?;
    check_finite(name, &tensors)?;
    let net = load_fitting(StarNet::new(&config, device), DEPTH, tensors);
    Ok(LoadedWeights {
        config,
        net,
        extra,
        wrapping: Wrapping::default(),
    })
}

type Contents = (
    StarNetConfig,
    HashMap<String, TensorData>,
    BTreeMap<String, String>,
);

/// A file of ours with one entry of its metadata replaced, or without it where `text` is None. Tensors keep their bits and their
/// precision. `name` stands for the file in messages.
///
/// # Errors
/// [`ModelError::Format`] if the bytes are no file of [`save_weights`]; [`ModelError::Config`] for [`CONFIG_KEY`], which the tensors have
/// to fit.
pub fn replace_entry(
    file: &[u8],
    name: &Path,
    key: &str,
    text: Option<String>,
) -> Result<Vec<u8>, ModelError> {
    if key == CONFIG_KEY {
        return Err(ModelError::Config(format!(
            "`{CONFIG_KEY}` says which network the tensors are of, and is not replaced without them"
        )));
    }
    let (header, mut entries) = open(file, name)?;
    match text {
        Some(text) => entries.insert(key.to_owned(), text),
        None => entries.remove(key),
    };
    let views = header.tensors.iter().map(|(name, tensor)| (*name, tensor));
    serialize(views, &entries, name)
}

/// The header of a file of ours, and the entries of its metadata.
fn open<'a>(
    bytes: &'a [u8],
    path: &Path,
) -> Result<(Header<'a>, BTreeMap<String, String>), ModelError> {
    let format = |what: String| ModelError::Format {
        path: path.into(),
        what,
    };
    let header = Header::read(bytes, METADATA_KEY).map_err(|e| {
        format(format!(
            "not a safetensors file ({e}); published .pkl files become one by `star model import X.pkl`"
        ))
    })?;
    let contents = header.metadata.as_deref().ok_or_else(|| {
        format(format!(
            "was not written by this program (it has no metadata key `{METADATA_KEY}`); weights with PyTorch's names become a file of \
             ours by `star model import`"
        ))
    })?;
    let entries = metadata::entries(contents)
        .map_err(|e| format(format!("its metadata cannot be read: {e}")))?;
    Ok((header, entries))
}

/// A whole file. The order of the tensors is the format's own, so the same tensors and entries make the same bytes.
fn serialize<N: AsRef<str> + Ord + std::fmt::Display, V: View>(
    tensors: impl IntoIterator<Item = (N, V)>,
    entries: &BTreeMap<String, String>,
    path: &Path,
) -> Result<Vec<u8>, ModelError> {
    let entries = serde_json::to_string(entries).map_err(|e| ModelError::Config(e.to_string()))?;
    let metadata = HashMap::from([(METADATA_KEY.to_owned(), entries)]);
    safetensors::serialize(tensors, Some(metadata)).map_err(|e| ModelError::Format {
        path: path.into(),
        what: e.to_string(),
    })
}

fn read_weights(bytes: &[u8], path: &Path) -> Result<Contents, ModelError> {
    let format = |what: String| ModelError::Format {
        path: path.into(),
        what,
    };
    let (header, mut extra) = open(bytes, path)?;
    let json = extra.remove(CONFIG_KEY).ok_or_else(|| {
        format(format!(
            "holds no network configuration (metadata key `{CONFIG_KEY}`)"
        ))
    })?;
    let config = metadata::config(&json, bytes.len())
        .map_err(|e| format(format!("its network configuration cannot be read: {e}")))?;
    config
        .validate()
        .map_err(|error| format(error.to_string()))?;

    // Before a tensor is read and before the network is built: a damaged configuration may describe one that fits no memory.
    fit(path, &config, &header.tensors, describe, |_, _| false)?;
    let mut tensors = HashMap::with_capacity(header.tensors.len());
    for (name, tensor) in &header.tensors {
        if let Some(data) = numbers(tensor) {
            tensors.insert((*name).to_string(), data);
        }
    }
    Ok((config, tensors, extra))
}

/// What the header says of a tensor.
fn describe(tensor: &Tensor) -> Described {
    Described {
        shape: tensor.shape().to_vec(),
        dtype: stored_type(tensor.dtype).filter(|&dtype| is_float(dtype)),
    }
}

/// Its numbers, if it is of a type that a network or its counters have.
fn numbers(tensor: &Tensor) -> Option<TensorData> {
    let dtype = stored_type(tensor.dtype)?;
    let (bytes, shape) = (tensor.bytes.to_vec(), tensor.shape().to_vec());
    Some(TensorData::from_bytes_vec(bytes, shape, dtype))
}

fn stored_type(dtype: Dtype) -> Option<DType> {
    match dtype {
        Dtype::F64 => Some(DType::F64),
        Dtype::F32 => Some(DType::F32),
        Dtype::F16 => Some(DType::F16),
        Dtype::BF16 => Some(DType::BF16),
        Dtype::I64 => Some(DType::I64),
        _ => None,
    }
}

/// A tensor where it lies in another file.
impl View for &Tensor<'_> {
    fn dtype(&self) -> Dtype {
        self.dtype
    }
    fn shape(&self) -> &[usize] {
        Tensor::shape(self)
    }
    fn data(&self) -> Cow<'_, [u8]> {
        Cow::Borrowed(self.bytes)
    }
    fn data_len(&self) -> usize {
        self.bytes.len()
    }
}

/// A tensor as safetensors wants to see it.
pub(super) struct Stored(TensorData, Dtype);

impl Stored {
    /// `None` for a type that no tensor here has.
    pub fn new(data: TensorData) -> Option<Self> {
        let dtype = match data.dtype {
            DType::F64 => Dtype::F64,
            DType::F32 => Dtype::F32,
            DType::F16 => Dtype::F16,
            DType::BF16 => Dtype::BF16,
            DType::I64 => Dtype::I64,
            _ => return None,
        };
        Some(Self(data, dtype))
    }
}

impl View for Stored {
    fn dtype(&self) -> Dtype {
        self.1
    }
    fn shape(&self) -> &[usize] {
        self.0.shape.as_slice()
    }
    fn data(&self) -> Cow<'_, [u8]> {
        Cow::Borrowed(self.0.as_bytes())
    }
    fn data_len(&self) -> usize {
        self.0.as_bytes().len()
    }
}
