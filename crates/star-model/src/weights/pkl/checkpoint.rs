//! The two file formats of PyTorch checkpoints, and the tensors in them.

use std::collections::HashMap;

use burn::tensor::TensorData;

use super::bytes::Bytes;
use super::pickle::{MAX_DIMS, Pickle, TensorRef, Value};
use super::places::{Found, find};
use super::zip;
use crate::error::shorten;
use crate::weights::budget::Budget;
use crate::weights::malformed::Malformed;
use crate::weights::named::{Described, is_float};
use crate::weights::published::{PklWeights, Source, State, beside, owner};

/// The first pickle of the older format, as its bytes.
const LEGACY_MAGIC: &[u8] = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.";

/// A checkpoint: what its pickle says, and where its numbers are.
pub struct Checkpoint<'a> {
    pickle: Pickle<'a>,
    root: Value,
    storages: Storages<'a>,
}

impl<'a> Checkpoint<'a> {
    /// Reads either format.
    pub fn read(file: &'a [u8], budget: &mut Budget) -> Result<Self, Malformed> {
        if file.starts_with(LEGACY_MAGIC) {
            read_legacy(file, budget)
        } else if let Some(entries) = zip::entries(file, budget) {
            read_zip(&entries?, budget)
        } else {
            Err(Malformed(
                "it is neither of PyTorch's two file formats, or is cut off".into(),
            ))
        }
    }

    fn read_tensor(
        &self,
        tensor: &TensorRef,
        budget: &mut Budget,
    ) -> Result<TensorData, Malformed> {
        let wrong = |what: &str| Malformed(what.into());
        let storage = &tensor.storage;
        let dtype = storage
            .dtype
            .ok_or_else(|| wrong("is of a type that no tensor of this network has"))?;
        let bytes = self.storages.get(storage.key);
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
        budget.charge(size, 1)?;

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

impl<'a> Source<'a> for Checkpoint<'a> {
    /// A value of the checkpoint's pickle.
    type Tensor = Value;

    fn state(&self, which: PklWeights, budget: &mut Budget) -> Result<State<'a, Value>, Malformed> {
        let Found {
            dictionary,
            place,
            prefixes,
        } = find(&self.pickle, self.root, which, budget)?;
        let entries = || self.pickle.entries(dictionary).into_iter().flatten();
        // With what it takes to say that one does not fit.
        const ENTRY: usize = 128;
        let count = entries().count();
        budget.charge(count, ENTRY)?;
        let mut tensors = HashMap::with_capacity(count);
        for (whole, value) in entries() {
            let name = match owner(whole, &prefixes) {
                Some((prefix, name)) if prefix == place.prefix => name,
                // Another network's.
                Some(_) => continue,
                None => return Err(beside(&place, whole)),
            };
            if self.pickle.tensor(value).is_none() {
                return Err(Malformed(format!(
                    "{place} holds `{}`, which is no tensor of up to {MAX_DIMS} dimensions",
                    shorten(name)
                )));
            }
            tensors.insert(name, value);
        }
        Ok(State {
            tensors,
            wrapping: place.wrapping(),
        })
    }

    fn describe(&self, tensor: Value) -> Described {
        match self.pickle.tensor(tensor) {
            Some(tensor) => Described {
                shape: tensor.shape,
                dtype: tensor.storage.dtype.filter(|&dtype| is_float(dtype)),
            },
            None => Described {
                shape: Vec::new(),
                dtype: None,
            },
        }
    }

    /// Tensors may share storages; each pays for its own numbers.
    fn numbers(
        &self,
        name: &str,
        tensor: Value,
        budget: &mut Budget,
    ) -> Result<TensorData, Malformed> {
        let tensor = self.pickle.tensor(tensor);
        let data = tensor
            .ok_or_else(|| Malformed("is no tensor".into()))
            .and_then(|tensor| self.read_tensor(&tensor, budget));
        data.map_err(|Malformed(what)| Malformed(format!("`{}`: {what}", shorten(name))))
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

/// Where each storage's numbers are, sorted by key.
struct Storages<'a>(Vec<(&'a str, &'a [u8])>);

impl<'a> Storages<'a> {
    fn new(mut storages: Vec<(&'a str, &'a [u8])>) -> Result<Self, Malformed> {
        storages.sort_unstable_by_key(|(key, _)| *key);
        let twice = storages.windows(2).find(|pair| pair[0].0 == pair[1].0);
        match twice {
            Some(pair) => Err(Malformed(format!(
                "storage `{}` is there twice",
                shorten(pair[0].0)
            ))),
            None => Ok(Self(storages)),
        }
    }

    fn get(&self, key: &str) -> Option<&'a [u8]> {
        let at = self.0.binary_search_by_key(&key, |(key, _)| key).ok()?;
        self.0.get(at).map(|(_, bytes)| *bytes)
    }
}

/// `<folder>/data.pkl`, `<folder>/data/<key>`, perhaps `<folder>/byteorder`.
fn read_zip<'a>(
    entries: &[zip::Entry<'a>],
    budget: &mut Budget,
) -> Result<Checkpoint<'a>, Malformed> {
    let pickles = entries
        .iter()
        .filter_map(|entry| Some((entry, entry.name.strip_suffix("data.pkl")?)));
    let (pickle, folder) = pickles
        .into_iter()
        .find(|(_, folder)| folder.is_empty() || folder.ends_with('/'))
        .ok_or_else(|| {
            Malformed("it is a zip archive, but no PyTorch checkpoint (no data.pkl)".into())
        })?;
    let (pickle, root) = Pickle::read(&mut Bytes::new(pickle.content()?), budget)?;

    let mut storages = Vec::new();
    for entry in entries {
        let Some(name) = entry.name.strip_prefix(folder) else {
            continue;
        };
        if name == "byteorder" && entry.content()?.trim_ascii() != b"little" {
            return Err(Malformed("its numbers are big-endian".into()));
        }
        if let Some(key) = name.strip_prefix("data/") {
            budget.push(&mut storages, (key, entry.content()?))?;
        }
    }
    Ok(Checkpoint {
        pickle,
        root,
        storages: Storages::new(storages)?,
    })
}

/// Pickles one after another (magic number, protocol, system, checkpoint, storage keys), then each storage with its count.
fn read_legacy<'a>(file: &'a [u8], budget: &mut Budget) -> Result<Checkpoint<'a>, Malformed> {
    let mut bytes = Bytes::new(file);
    Pickle::read(&mut bytes, budget)?;
    Pickle::read(&mut bytes, budget)?;
    let (system, about) = Pickle::read(&mut bytes, budget)?;
    if !matches!(
        system.entry(about, "little_endian"),
        Some(Value::Bool(true))
    ) {
        return Err(Malformed("its numbers are not little-endian".into()));
    }
    let (pickle, root) = Pickle::read(&mut bytes, budget)?;
    let (keys, list) = Pickle::read(&mut bytes, budget)?;
    let list_is_damaged = || Malformed("its list of storages is damaged".into());
    let items = keys.list(list).ok_or_else(list_is_damaged)?;

    // The sizes of numbers are only in the checkpoint itself.
    let known = pickle.storages();
    budget.charge(known.len(), size_of::<u32>())?;
    let mut by_key: Vec<u32> = (0..).take(known.len()).collect();
    let key_of = |at: &u32| known.get(*at as usize).map(|storage| storage.key);
    by_key.sort_unstable_by_key(key_of);
    let mut storages = Vec::new();
    for &item in items {
        let key = keys.text(item).ok_or_else(list_is_damaged)?;
        let damaged = || Malformed(format!("storage `{}` is damaged", shorten(key)));
        let count = usize::try_from(bytes.u64()?).map_err(|_| damaged())?;
        let at = by_key.binary_search_by_key(&Some(key), key_of);
        let at = at.ok().and_then(|at| by_key.get(at));
        let storage = at.and_then(|&at| known.get(at as usize));
        let width = storage.ok_or_else(damaged)?.width;
        let data = bytes.take(count.checked_mul(width).ok_or_else(damaged)?)?;
        budget.push(&mut storages, (key, data))?;
    }
    Ok(Checkpoint {
        pickle,
        root,
        storages: Storages::new(storages)?,
    })
}
