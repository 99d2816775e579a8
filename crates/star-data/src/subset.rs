//! A part of a source, and the rule that holds a part out fairly.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use rand::SeedableRng;
use rand_pcg::Pcg64Mcg;
use serde::{Deserialize, Serialize};

use crate::{
    crop::CropRule,
    error::DataError,
    face::{Face, FaceSource},
    layout::Layout,
    point::Point,
    rng::{mix, permutation},
};

/// Some faces of a source, numbered anew from 0.
#[derive(Clone)]
pub struct Subset {
    source: Arc<dyn FaceSource>,
    indices: Vec<usize>,
}

impl Subset {
    /// The faces `indices` of `source`, in this order.
    ///
    /// # Errors
    /// When an index is not in the source.
    pub fn new(source: Arc<dyn FaceSource>, indices: Vec<usize>) -> Result<Self, DataError> {
        let len = source.len();
        if let Some(bad) = indices.iter().find(|&&i| i >= len) {
            return Err(DataError::Invalid(format!(
                "a subset asks for face {bad} of a source of {len}"
            )));
        }
        Ok(Self { source, indices })
    }

    /// Which faces of the source these are.
    pub fn indices(&self) -> &[usize] {
        &self.indices
    }
}

impl FaceSource for Subset {
    fn layout(&self) -> &Layout {
        self.source.layout()
    }

    fn len(&self) -> usize {
        self.indices.len()
    }

    fn name(&self, index: usize) -> String {
        self.indices
            .get(index)
            .map_or_else(|| format!("face {index}"), |&i| self.source.name(i))
    }

    fn face(&self, index: usize) -> Result<Face, DataError> {
        let Some(&of_source) = self.indices.get(index) else {
            return Err(DataError::Invalid(format!(
                "there is no face {index} in a subset of {}",
                self.indices.len()
            )));
        };
        self.source.face(of_source)
    }

    fn hidden(&self, index: usize) -> Option<Vec<bool>> {
        self.source.hidden(*self.indices.get(index)?)
    }

    fn tangents(&self, index: usize) -> Option<Vec<Option<Point>>> {
        self.source.tangents(*self.indices.get(index)?)
    }

    fn subsets(&self) -> Vec<(String, Vec<usize>)> {
        let mut subsets = self.source.subsets();
        for (_, faces) in &mut subsets {
            let of_source: BTreeSet<usize> = faces.iter().copied().collect();
            *faces = (0..self.indices.len())
                .filter(|&i| of_source.contains(&self.indices[i]))
                .collect();
        }
        subsets.retain(|(_, faces)| !faces.is_empty());
        subsets
    }

    fn groups(&self) -> Result<Vec<usize>, DataError> {
        let of_source = self.source.groups()?;
        (self.indices.iter())
            .map(|&i| {
                of_source.get(i).copied().ok_or_else(|| {
                    DataError::Invalid(format!(
                        "a source of {} faces has {} numbers of groups",
                        self.source.len(),
                        of_source.len()
                    ))
                })
            })
            .collect()
    }

    fn crop_rule(&self) -> CropRule {
        self.source.crop_rule()
    }
}

/// How much of a training set is held out for choosing the best model (REFERENCE D5).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HoldOut {
    /// A fraction of the groups, below 1, rounded to a whole number and at least one group.
    Fraction(f64),
    /// This many groups.
    Count(usize),
}

/// Divides faces into training and held-out ones: their indices, both ascending. `groups[i]` is the number of the group that face i is in
/// ([`FaceSource::groups`]): those of one image, or of one person or video, are too much alike for one to select weights that were trained
/// on another, so that a group is held out as a whole. What is drawn are groups, each with the same chance whatever its size.
///
/// The same seed always holds out the same faces. It is the groups' order that counts, not their numbers, and where every face is alone
/// in its group, only their number.
///
/// # Errors
/// When the fraction is not in [0, 1), or nothing would be left to train on.
pub fn split_held_out(
    groups: &[usize],
    hold_out: HoldOut,
    seed: u64,
) -> Result<(Vec<usize>, Vec<usize>), DataError> {
    let mut places: HashMap<usize, usize> = HashMap::new();
    // Numbered anew in the order in which they appear.
    let groups: Vec<usize> = (groups.iter())
        .map(|group| {
            let next = places.len();
            *places.entry(*group).or_insert(next)
        })
        .collect();
    let len = places.len();
    let count = match hold_out {
        HoldOut::Count(count) => count,
        HoldOut::Fraction(0.0) => 0,
        HoldOut::Fraction(fraction) if fraction > 0.0 && fraction < 1.0 => {
            ((len as f64 * fraction).round() as usize).max(1)
        }
        HoldOut::Fraction(fraction) => {
            return Err(DataError::Invalid(format!(
                "the held-out fraction is {fraction}; it must be at least 0 and below 1"
            )));
        }
    };
    if count >= len {
        return Err(DataError::Invalid(format!(
            "holding out {count} of {len} images or groups of images leaves none of {} faces to train on",
            groups.len()
        )));
    }
    // A stream of its own, so that the split has nothing to do with the order of any epoch.
    let mut rng = Pcg64Mcg::seed_from_u64(mix(&[seed, u64::from_be_bytes(*b"held out")]));
    let mut is_held_out = vec![false; len];
    for group in permutation(len, &mut rng).into_iter().take(count) {
        is_held_out[group] = true;
    }
    let (held_out, train) = (0..groups.len()).partition(|&face| is_held_out[groups[face]]);
    Ok((train, held_out))
}
