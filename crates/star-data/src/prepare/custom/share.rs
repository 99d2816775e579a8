//! A seeded share of the pictures as the test list, for files that name no splits.

use std::collections::HashMap;

use super::{TRAIN, lists::Found};
use crate::{
    error::DataError,
    subset::{HoldOut, split_held_out},
};

const TEST: &str = "test";
const DEFAULT_SHARE: f64 = 0.1;

/// What came of it.
pub(super) struct Share {
    pub names: Vec<String>,
    /// What the report says about each list.
    pub folders: Vec<String>,
    pub note: String,
}

/// Moves a share of the pictures to the test list. Faces of one picture stay together, also when it is there under two names.
///
/// # Errors
/// When nothing would be left to train on, or the share is not in [0, 1).
pub(super) fn assign(
    found: &mut [Found],
    test_share: Option<f64>,
    seed: Option<u64>,
) -> Result<Share, DataError> {
    let (share, seed) = (test_share.unwrap_or(DEFAULT_SHARE), seed.unwrap_or(0));
    // Numbered in the order of the file, which, unlike the hashes, is the same with every compiler.
    let mut numbers: HashMap<u64, usize> = HashMap::new();
    let pictures: Vec<usize> = found
        .iter()
        .map(|face| {
            let next = numbers.len();
            *numbers.entry(face.picture).or_insert(next)
        })
        .collect();
    let count = numbers.len();
    let (_, test) = split_held_out(count, HoldOut::Fraction(share), seed).map_err(|e| {
        DataError::Invalid(format!(
            "a test share of {share} of {count} pictures: {e}. Give --test-share 0 for no test list."
        ))
    })?;
    for (face, picture) in found.iter_mut().zip(pictures) {
        face.folder = usize::from(test.binary_search(&picture).is_ok());
    }
    Ok(Share {
        names: vec![TRAIN.into(), TEST.into()],
        folders: vec!["the other pictures".into(), format!("a share of {share}")],
        note: format!(
            "no splits in the file: {} of {count} pictures, chosen with seed {seed}, are the {TEST} list",
            test.len()
        ),
    })
}
