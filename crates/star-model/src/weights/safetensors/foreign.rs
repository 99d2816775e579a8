//! Safetensors that another program wrote, with PyTorch's names: tensors only, so their shapes say what network it is.

use std::collections::HashMap;

use burn::tensor::TensorData;

use super::header::{Header, Tensor};
use super::{METADATA_KEY, describe, numbers};
use crate::error::shorten;
use crate::weights::budget::Budget;
use crate::weights::malformed::Malformed;
use crate::weights::named::Described;
use crate::weights::published::{
    MAX_PLACES, PklWeights, Place, Source, State, beside, choose, owner, prefix_of,
};

/// Whether a file begins like safetensors, with the length of a JSON object and its first brace. PyTorch's files do not.
pub fn looks_like_safetensors(file: &[u8]) -> bool {
    file.get(8) == Some(&b'{')
}

/// Such a file.
pub struct Foreign<'a> {
    tensors: HashMap<&'a str, Tensor<'a>>,
}

impl<'a> Foreign<'a> {
    /// Reads the header.
    ///
    /// # Errors
    /// What is wrong with it; also for a file of ours, which says more than its tensors.
    pub fn read(file: &'a [u8]) -> Result<Self, Malformed> {
        let header = Header::read(file, METADATA_KEY);
        let header = header.map_err(|what| Malformed(format!("a safetensors file, but {what}")))?;
        if header.metadata.is_some() {
            return Err(Malformed(
                "it is a weights file of this program, which needs no import: give it as it is"
                    .into(),
            ));
        }
        Ok(Self {
            tensors: header.tensors,
        })
    }
}

impl<'a> Source<'a> for Foreign<'a> {
    /// Its whole name, by which it is found again.
    type Tensor = &'a str;

    fn state(
        &self,
        which: PklWeights,
        budget: &mut Budget,
    ) -> Result<State<'a, &'a str>, Malformed> {
        let mut places = Vec::new();
        for prefix in self.tensors.keys().filter_map(|name| prefix_of(name)) {
            if places.len() == MAX_PLACES {
                return Err(Malformed(format!(
                    "it holds more than {MAX_PLACES} state dictionaries: save the wanted one alone"
                )));
            }
            let keys = Vec::new();
            places.push(Place { keys, prefix });
        }
        if places.is_empty() {
            return Err(Malformed("its tensors are not this network's".into()));
        }
        // The names are in no order; messages are.
        places.sort_unstable_by_key(|place| place.prefix);
        let place = choose(&places, which)?;
        let prefixes: Vec<&str> = places.iter().map(|place| place.prefix).collect();

        // With what it takes to say that one does not fit.
        const ENTRY: usize = 128;
        budget.charge(self.tensors.len(), ENTRY)?;
        let mut tensors = HashMap::with_capacity(self.tensors.len());
        for &whole in self.tensors.keys() {
            match owner(whole, &prefixes) {
                Some((prefix, name)) if prefix == place.prefix => {
                    tensors.insert(name, whole);
                }
                Some(_) => {}
                None => return Err(beside(place, whole)),
            }
        }
        Ok(State {
            tensors,
            wrapping: place.wrapping(),
        })
    }

    fn describe(&self, tensor: &'a str) -> Described {
        match self.tensors.get(tensor) {
            Some(tensor) => describe(tensor),
            None => Described {
                shape: Vec::new(),
                dtype: None,
            },
        }
    }

    fn numbers(
        &self,
        name: &str,
        tensor: &'a str,
        budget: &mut Budget,
    ) -> Result<TensorData, Malformed> {
        let of_another = || {
            Malformed(format!(
                "`{}` is of a type that no tensor of this network has",
                shorten(name)
            ))
        };
        let tensor = self.tensors.get(tensor).ok_or_else(of_another)?;
        budget.charge(tensor.bytes.len(), 1)?;
        numbers(tensor).ok_or_else(of_another)
    }
}
