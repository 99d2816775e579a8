//! One item of the list as JSON has it. What it holds beside what is asked for takes no memory, however much it is.

use std::{borrow::Cow, fmt};

use serde::{
    Deserialize,
    de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor},
};

use crate::layout::MAX_POINTS;

/// The keys that are asked for.
const KEYS: [&str; 6] = ["image", "points", "visibility", "split", "group", "box"];

#[derive(Deserialize)]
pub struct Item {
    pub image: String,
    pub points: Points,
    /// For each point 2, 1 or 0 as COCO has it.
    pub visibility: Option<Vec<u8>>,
    pub split: Option<String>,
    pub group: Option<String>,
    #[serde(rename = "box")]
    pub face_box: Option<[f64; 4]>,
}

/// Points as they are written.
pub struct Points {
    /// Not more than a layout can have; `null` is a point that is not labelled.
    pub first: Vec<Option<[f64; 2]>>,
    pub count: usize,
}

impl<'de> Deserialize<'de> for Points {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Read;
        impl<'de> Visitor<'de> for Read {
            type Value = Points;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("a sequence")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Points, A::Error> {
                let (mut first, mut count) = (Vec::new(), 0);
                while let Some(point) = seq.next_element()? {
                    count += 1;
                    if first.len() < MAX_POINTS {
                        first.push(point);
                    }
                }
                Ok(Points { first, count })
            }
        }
        deserializer.deserialize_seq(Read)
    }
}

/// The first few keys that are not asked for.
pub struct OtherKeys<'a>(pub Vec<Cow<'a, str>>);

impl<'de> Deserialize<'de> for OtherKeys<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Read;
        impl<'de> Visitor<'de> for Read {
            type Value = OtherKeys<'de>;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("a map")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<OtherKeys<'de>, A::Error> {
                let mut names = Vec::new();
                while let Some(name) = map.next_key::<Cow<'de, str>>()? {
                    map.next_value::<IgnoredAny>()?;
                    if names.len() < super::MAX_UNUSED && !KEYS.contains(&&*name) {
                        names.push(name);
                    }
                }
                Ok(OtherKeys(names))
            }
        }
        deserializer.deserialize_map(Read)
    }
}
