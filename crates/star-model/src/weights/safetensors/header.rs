//! The header of a safetensors file: which tensors it holds, and where.
//!
//! Read here and not by the `safetensors` crate, which takes tens of times a header's size in memory to read it.

use std::collections::HashMap;
use std::fmt;

use safetensors::Dtype;
use serde::Deserialize;
use serde::de::{self, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::error::shorten;

/// Bytes of the header's length, in front of it.
const LENGTH: usize = 8;
/// The most dimensions of a tensor of a network.
const MAX_DIMS: usize = 4;
/// The header's one key that is no tensor.
const METADATA: &str = "__metadata__";

/// What a file says it holds, found to be so.
pub struct Header<'a> {
    /// The metadata entry that was asked for.
    pub metadata: Option<String>,
    /// By name.
    pub tensors: HashMap<&'a str, Tensor<'a>>,
}

/// A tensor where it lies in the file.
pub struct Tensor<'a> {
    pub dtype: Dtype,
    pub bytes: &'a [u8],
    shape: Sides,
}

impl Tensor<'_> {
    pub fn shape(&self) -> &[usize] {
        self.shape.get()
    }
}

impl<'a> Header<'a> {
    /// Reads the header of a whole file, with the metadata entry `key`.
    ///
    /// # Errors
    /// What is wrong: with the header, or with how it fits the rest of the file.
    pub fn read(file: &'a [u8], key: &str) -> Result<Self, String> {
        let (length, rest) = file
            .split_first_chunk::<LENGTH>()
            .ok_or("it is shorter than a header")?;
        let (header, numbers) = usize::try_from(u64::from_le_bytes(*length))
            .ok()
            .and_then(|length| rest.split_at_checked(length))
            .ok_or("its header is longer than the file")?;
        let header = std::str::from_utf8(header).map_err(|_| "its header is not text")?;
        let mut json = serde_json::Deserializer::from_str(header);
        let Listed { metadata, tensors } = Listing { key }
            .deserialize(&mut json)
            .and_then(|listed| json.end().map(|()| listed))
            .map_err(|e| format!("its header is damaged: {}", shorten(&e.to_string())))?;

        let mut places: Vec<(usize, usize)> = Vec::with_capacity(tensors.len());
        places.extend(tensors.iter().map(|(_, info)| info.data_offsets));
        places.sort_unstable();
        let mut end = 0;
        for (from, to) in places {
            if from != end || to < from {
                return Err("its tensors do not lie one after another".into());
            }
            end = to;
        }
        if end != numbers.len() {
            return Err(format!(
                "its header is of {end} bytes of numbers, and there are {}",
                numbers.len()
            ));
        }

        let mut by_name = HashMap::with_capacity(tensors.len());
        for (name, info) in tensors {
            let (from, to) = info.data_offsets;
            let bytes = numbers.get(from..to).unwrap_or_default();
            let bits = info
                .shape
                .get()
                .iter()
                .try_fold(1usize, |n, &side| n.checked_mul(side));
            let bits = bits.and_then(|count| count.checked_mul(info.dtype.bitsize()));
            if bits != bytes.len().checked_mul(8) {
                return Err(format!(
                    "`{}` is {:?} of {:?}, which is not the {} bytes that it has",
                    shorten(name),
                    info.shape.get(),
                    info.dtype,
                    bytes.len()
                ));
            }
            let tensor = Tensor {
                dtype: info.dtype,
                bytes,
                shape: info.shape,
            };
            if by_name.insert(name, tensor).is_some() {
                return Err(format!("it holds two tensors `{}`", shorten(name)));
            }
        }
        Ok(Self {
            metadata,
            tensors: by_name,
        })
    }
}

/// A tensor as the header has it.
#[derive(Deserialize)]
struct Info {
    dtype: Dtype,
    shape: Sides,
    data_offsets: (usize, usize),
}

/// A shape, without memory of its own: a header may hold any number of them, of any length.
#[derive(Default)]
struct Sides {
    sides: [usize; MAX_DIMS],
    count: usize,
}

impl Sides {
    fn get(&self) -> &[usize] {
        self.sides.get(..self.count).unwrap_or_default()
    }
}

impl<'de> Deserialize<'de> for Sides {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Read;
        impl<'de> Visitor<'de> for Read {
            type Value = Sides;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                write!(f, "a shape of at most {MAX_DIMS} dimensions")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Sides, A::Error> {
                let mut sides = Sides::default();
                while let Some(side) = seq.next_element()? {
                    let place = sides.sides.get_mut(sides.count);
                    *place.ok_or_else(|| de::Error::invalid_length(MAX_DIMS + 1, &self))? = side;
                    sides.count += 1;
                }
                Ok(sides)
            }
        }
        deserializer.deserialize_seq(Read)
    }
}

/// What the header lists.
struct Listed<'a> {
    metadata: Option<String>,
    tensors: Vec<(&'a str, Info)>,
}

/// Reads a [`Listed`], and of the metadata one entry.
struct Listing<'k> {
    key: &'k str,
}

impl<'de> DeserializeSeed<'de> for Listing<'_> {
    type Value = Listed<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Listed<'de>, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Listing<'_> {
    type Value = Listed<'de>;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a map of tensors")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Listed<'de>, A::Error> {
        let mut listed = Listed {
            metadata: None,
            tensors: Vec::new(),
        };
        while let Some(name) = map.next_key::<&str>()? {
            if name == METADATA {
                listed.metadata = map.next_value_seed(OneEntry { key: self.key })?;
            } else {
                let tensor = (name, map.next_value()?);
                let tensors = &mut listed.tensors;
                // By halves: while it is copied, a list that doubles takes three times what is in it.
                if tensors.len() == tensors.capacity() {
                    tensors.reserve_exact((tensors.len() / 2).max(4));
                }
                tensors.push(tensor);
            }
        }
        Ok(listed)
    }
}

/// One entry of a map of texts.
struct OneEntry<'k> {
    key: &'k str,
}

impl<'de> DeserializeSeed<'de> for OneEntry<'_> {
    type Value = Option<String>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for OneEntry<'_> {
    type Value = Option<String>;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a map of texts")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut found = None;
        while let Some(key) = map.next_key::<&str>()? {
            if key == self.key {
                found = Some(map.next_value()?);
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(found)
    }
}
