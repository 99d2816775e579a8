//! The two file formats of PyTorch checkpoints, and the tensors in them.

use std::collections::HashMap;

use burn::tensor::TensorData;

use super::bytes::{Bytes, Malformed};
use super::pickle::{Id, Pickle, TensorRef, Value};
use super::zip;

/// The first pickle of the older format, as its bytes.
const LEGACY_MAGIC: &[u8] = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.";

/// A checkpoint: what its pickle says, and where its numbers are.
pub struct Checkpoint<'a> {
    pickle: Pickle,
    storages: HashMap<String, &'a [u8]>,
    size: usize,
}

impl<'a> Checkpoint<'a> {
    /// Reads either format.
    pub fn read(file: &'a [u8]) -> Result<Self, Malformed> {
        let (pickle, storages) = if file.starts_with(LEGACY_MAGIC) {
            read_legacy(file)?
        } else if let Some(entries) = zip::entries(file) {
            read_zip(&entries?)?
        } else {
            return Err(Malformed(
                "it is neither of PyTorch's two file formats, or is cut off".into(),
            ));
        };
        Ok(Self {
            pickle,
            storages,
            size: file.len(),
        })
    }

    /// The tensors of the state dictionary under a top-level key.
    pub fn tensors(&self, key: &str) -> Result<HashMap<String, &TensorRef>, Malformed> {
        let Some(entries) = self.pickle.entries(self.pickle.root) else {
            return Err(Malformed("it holds no dictionary".into()));
        };
        let state = self.pickle.entry(self.pickle.root, key).ok_or_else(|| {
            const SHOWN: usize = 8;
            let keys: Vec<&str> = entries.iter().map(|(key, _)| *key).take(SHOWN).collect();
            Malformed(format!("it holds no `{key}`, only {keys:?}"))
        })?;
        let tensor = |(name, id): (&str, Id)| match self.pickle.get(id) {
            Value::Tensor(tensor) => Ok((name.to_string(), tensor)),
            _ => Err(Malformed(format!(
                "`{key}` holds `{name}`, which is no tensor"
            ))),
        };
        match self.pickle.entries(state) {
            Some(entries) => entries.into_iter().map(tensor).collect(),
            None => Err(Malformed(format!("`{key}` is no dictionary"))),
        }
    }

    /// The numbers of some tensors, as they are stored.
    pub fn load(
        &self,
        tensors: &HashMap<String, &TensorRef>,
    ) -> Result<HashMap<String, TensorData>, Malformed> {
        // Tensors may share storages; the sum of all of them is limited so that a small file cannot ask for much memory.
        let mut budget = self.size;
        tensors
            .iter()
            .map(|(name, tensor)| {
                let data = self.numbers(tensor, &mut budget);
                let data =
                    data.map_err(|Malformed(what)| Malformed(format!("`{name}`: {what}")))?;
                Ok((name.clone(), data))
            })
            .collect()
    }

    fn numbers(&self, tensor: &TensorRef, budget: &mut usize) -> Result<TensorData, Malformed> {
        let wrong = |what: &str| Malformed(what.into());
        let storage = &tensor.storage;
        let dtype = storage
            .dtype
            .ok_or_else(|| wrong("is of a type that no tensor of this network has"))?;
        let bytes = self.storages.get(&storage.key);
        let bytes = bytes.ok_or_else(|| wrong("its numbers are missing"))?;
        if storage.numel.checked_mul(dtype.size()) != Some(bytes.len()) {
            return Err(wrong("its numbers are of another count than announced"));
        }
        let outside = || wrong("reaches outside its numbers");
        let count = tensor
            .shape
            .iter()
            .try_fold(1usize, |n, &d| n.checked_mul(d));
        let size = count
            .and_then(|n| n.checked_mul(dtype.size()))
            .ok_or_else(outside)?;
        *budget = budget
            .checked_sub(size)
            .ok_or_else(|| wrong("there are more numbers than the file holds"))?;

        if is_contiguous(tensor) {
            let from = tensor
                .offset
                .checked_mul(dtype.size())
                .ok_or_else(outside)?;
            let to = from.checked_add(size).ok_or_else(outside)?;
            let values = bytes.get(from..to).ok_or_else(outside)?.to_vec();
            return Ok(TensorData::from_bytes_vec(
                values,
                tensor.shape.clone(),
                dtype,
            ));
        }
        let mut values = Vec::with_capacity(size);
        for index in positions(tensor) {
            let from = index
                .and_then(|i| i.checked_mul(dtype.size()))
                .ok_or_else(outside)?;
            let to = from.checked_add(dtype.size()).ok_or_else(outside)?;
            values.extend_from_slice(bytes.get(from..to).ok_or_else(outside)?);
        }
        Ok(TensorData::from_bytes_vec(
            values,
            tensor.shape.clone(),
            dtype,
        ))
    }
}

fn is_contiguous(tensor: &TensorRef) -> bool {
    let mut step = 1usize;
    tensor
        .shape
        .iter()
        .zip(&tensor.strides)
        .rev()
        .all(|(&dim, &stride)| {
            let expected = step;
            step = step.saturating_mul(dim);
            dim == 1 || stride == expected
        })
}

/// The positions of a tensor's elements in its storage, in row-major order; `None` where one is beyond all numbers.
fn positions(tensor: &TensorRef) -> impl Iterator<Item = Option<usize>> {
    let count: usize = tensor.shape.iter().product();
    (0..count).map(|element| {
        let mut rest = element;
        let mut position = Some(tensor.offset);
        for (&dim, &stride) in tensor.shape.iter().zip(&tensor.strides).rev() {
            let step = (rest % dim).checked_mul(stride);
            position = position
                .zip(step)
                .and_then(|(position, step)| position.checked_add(step));
            rest /= dim;
        }
        position
    })
}

type Parts<'a> = (Pickle, HashMap<String, &'a [u8]>);

/// `<folder>/data.pkl`, `<folder>/data/<key>`, perhaps `<folder>/byteorder`.
fn read_zip<'a>(entries: &[zip::Entry<'a>]) -> Result<Parts<'a>, Malformed> {
    let pickles = entries
        .iter()
        .filter_map(|entry| Some((entry, entry.name.strip_suffix("data.pkl")?)));
    let (pickle, folder) = pickles
        .into_iter()
        .find(|(_, folder)| folder.is_empty() || folder.ends_with('/'))
        .ok_or_else(|| {
            Malformed("it is a zip archive, but no PyTorch checkpoint (no data.pkl)".into())
        })?;
    let pickle = Pickle::read(&mut Bytes::new(pickle.content()?))?;

    let mut storages = HashMap::new();
    for entry in entries {
        let Some(name) = entry.name.strip_prefix(folder) else {
            continue;
        };
        if name == "byteorder" && entry.content()?.trim_ascii() != b"little" {
            return Err(Malformed("its numbers are big-endian".into()));
        }
        if let Some(key) = name.strip_prefix("data/") {
            storages.insert(key.to_string(), entry.content()?);
        }
    }
    Ok((pickle, storages))
}

/// Pickles one after another (magic number, protocol, system, checkpoint, storage keys), then each storage with its count.
fn read_legacy(file: &[u8]) -> Result<Parts<'_>, Malformed> {
    let mut bytes = Bytes::new(file);
    Pickle::read(&mut bytes)?;
    Pickle::read(&mut bytes)?;
    let system = Pickle::read(&mut bytes)?;
    let little = system
        .entry(system.root, "little_endian")
        .map(|id| system.get(id));
    if !matches!(little, Some(Value::Bool(true))) {
        return Err(Malformed("its numbers are not little-endian".into()));
    }
    let pickle = Pickle::read(&mut bytes)?;
    let keys = Pickle::read(&mut bytes)?;
    let Value::List(items) = keys.get(keys.root) else {
        return Err(Malformed("its list of storages is damaged".into()));
    };

    // The sizes of numbers are only in the checkpoint itself.
    let sizes: HashMap<&str, usize> = pickle
        .storages()
        .map(|storage| (storage.key.as_str(), storage.width))
        .collect();
    let mut storages = HashMap::new();
    for &item in items {
        let Value::Text(key) = keys.get(item) else {
            return Err(Malformed("its list of storages is damaged".into()));
        };
        let damaged = || Malformed(format!("storage `{key}` is damaged"));
        let count = usize::try_from(bytes.u64()?).map_err(|_| damaged())?;
        let width = sizes.get(key.as_str()).ok_or_else(damaged)?;
        let data = bytes.take(count.checked_mul(*width).ok_or_else(damaged)?)?;
        storages.insert(key.clone(), data);
    }
    Ok((pickle, storages))
}
