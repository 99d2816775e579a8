//! A network as the published program stores it: with everything its `load_state_dict` asks for.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use burn::tensor::backend::Backend;
use burn::tensor::{DType, TensorData};

use super::named::named_tensors;
use super::published::Wrapping;
use super::safetensors::Stored;
use super::write_file;
use crate::config::StarNetConfig;
use crate::error::ModelError;
use crate::layers::Layers;
use crate::net::StarNet;

/// The tensors of a published state dictionary, by name, in PyTorch's layout.
///
/// Beside the network's own tensors these are the skip convolutions that are built for every block and computed for few
/// (REFERENCE N5), and the batch norms' counters `num_batches_tracked` (i64, no dimensions). The published program loads it
/// strictly.
#[derive(Debug, Clone, PartialEq)]
pub struct PublishedState {
    tensors: BTreeMap<String, TensorData>,
    wrapping: Wrapping,
}

impl PublishedState {
    /// The state of a network. What it does not have, because nothing is computed with it, is zero.
    pub fn of<B: Backend>(net: &StarNet<B>) -> Self {
        Self::complete(net.config(), named_tensors(net).into_iter().collect())
    }

    /// The tensors of a network of this configuration, with zeros for what only published files hold and these lack.
    pub(super) fn complete(config: &StarNetConfig, tensors: HashMap<String, TensorData>) -> Self {
        let mut tensors: BTreeMap<String, TensorData> = tensors.into_iter().collect();
        for (name, shape) in Layers::of(config).published_only() {
            tensors.entry(name).or_insert_with(|| {
                // Only counters have no dimensions.
                let dtype = if shape.is_empty() {
                    DType::I64
                } else {
                    DType::F32
                };
                let bytes = shape.iter().product::<usize>() * dtype.size();
                TensorData::from_bytes_vec(vec![0; bytes], shape, dtype)
            });
        }
        Self {
            tensors,
            wrapping: Wrapping::default(),
        }
    }

    pub(super) fn wrapped_in(self, wrapping: Wrapping) -> Self {
        Self { wrapping, ..self }
    }

    /// Where the file had it that it was read from.
    pub fn wrapping(&self) -> &Wrapping {
        &self.wrapping
    }

    /// By name.
    pub fn tensors(&self) -> &BTreeMap<String, TensorData> {
        &self.tensors
    }

    /// Writes it as safetensors of the form that PyTorch's `safetensors.torch.load_file` reads; whole or not at all.
    ///
    /// # Errors
    /// [`ModelError::Io`] if the file cannot be written, [`ModelError::Format`] for a tensor of a type that the format lacks.
    pub fn write_safetensors(&self, path: impl AsRef<Path>) -> Result<(), ModelError> {
        let path = path.as_ref();
        let format = |what: String| ModelError::Format {
            path: path.into(),
            what,
        };
        let mut views = Vec::with_capacity(self.tensors.len());
        for (name, data) in &self.tensors {
            let unknown = || format(format!("`{name}` is of type {:?}", data.dtype));
            views.push((name, Stored::new(data.clone()).ok_or_else(unknown)?));
        }
        // The entry by which Python programs tell whose tensors these are.
        let metadata = HashMap::from([("format".to_owned(), "pt".to_owned())]);
        let bytes =
            safetensors::serialize(views, Some(metadata)).map_err(|e| format(e.to_string()))?;
        write_file(path, &bytes)
    }
}
