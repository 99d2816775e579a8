//! What our weights files say beside the numbers. It is read from JSON inside JSON, so that its size is held against the file's
//! before it is taken apart.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde::de::{self, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::config::StarNetConfig;
use crate::error::shorten;

/// The most entries; there are four today.
const MAX_ENTRIES: usize = 64;

/// The entries of the metadata.
pub fn entries(json: &str) -> Result<BTreeMap<String, String>, String> {
    struct Entries(BTreeMap<String, String>);
    impl<'de> Deserialize<'de> for Entries {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            deserializer.deserialize_map(Read).map(Self)
        }
    }
    struct Read;
    impl<'de> Visitor<'de> for Read {
        type Value = BTreeMap<String, String>;

        fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
            write!(f, "at most {MAX_ENTRIES} texts by name")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut entries = BTreeMap::new();
            while let Some((name, text)) = map.next_entry()? {
                if entries.len() == MAX_ENTRIES {
                    return Err(de::Error::invalid_length(MAX_ENTRIES + 1, &self));
                }
                entries.insert(name, text);
            }
            Ok(entries)
        }
    }
    let entries = serde_json::from_str::<Entries>(json);
    let entries = entries.map_err(|e| shorten(&e.to_string()))?;
    Ok(entries.0)
}

/// The configuration of the network, from a file of `size` bytes.
pub fn config(json: &str, size: usize) -> Result<StarNetConfig, String> {
    // The network has numbers for each edge, more than its list takes.
    let Probe { edges } = serde_json::from_str(json).map_err(|e| shorten(&e.to_string()))?;
    let memory = edges.memory();
    if memory.is_none_or(|memory| memory > size) {
        return Err(format!(
            "its {} edges of {} points are more than a network in {size} bytes can have",
            edges.lists, edges.numbers
        ));
    }
    serde_json::from_str(json).map_err(|e| shorten(&e.to_string()))
}

#[derive(Deserialize)]
struct Probe {
    edges: Size,
}

/// How long lists of numbers are, without their memory.
#[derive(Default)]
struct Size {
    lists: usize,
    numbers: usize,
}

impl Size {
    /// Bytes of them as vectors.
    fn memory(&self) -> Option<usize> {
        let lists = self.lists.checked_mul(size_of::<Vec<usize>>())?;
        lists.checked_add(self.numbers.checked_mul(size_of::<usize>())?)
    }
}

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Read;
        impl<'de> Visitor<'de> for Read {
            type Value = Size;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("a list of edges")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Size, A::Error> {
                let mut size = Size::default();
                while let Some(Count(numbers)) = seq.next_element()? {
                    size.lists += 1;
                    size.numbers += numbers;
                }
                Ok(size)
            }
        }
        deserializer.deserialize_seq(Read)
    }
}

/// How long a list is.
struct Count(usize);

impl<'de> Deserialize<'de> for Count {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Read;
        impl<'de> Visitor<'de> for Read {
            type Value = Count;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("the points of an edge")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Count, A::Error> {
                let mut count = 0;
                while seq.next_element::<IgnoredAny>()?.is_some() {
                    count += 1;
                }
                Ok(Count(count))
            }
        }
        deserializer.deserialize_seq(Read)
    }
}
