//! A seeded fraction of the images, or of groups of them, as the test set, for files that name no splits.

use super::{TRAIN, found::Found};
use crate::{
    error::DataError,
    subset::{HoldOut, split_held_out},
    together::together,
};

const TEST: &str = "test";
const DEFAULT_FRACTION: f64 = 0.1;

/// What came of it.
pub(super) struct Chosen {
    pub names: Vec<String>,
    /// What the report says about each annotation file.
    pub folders: Vec<String>,
    pub note: String,
}

/// What faces that belong together have in common.
#[derive(PartialEq, Eq, Hash)]
enum Shared<'a> {
    /// The hash of the image's bytes: it may be there under two names.
    Image(u64),
    Group(&'a str),
}

/// Moves a fraction of the images to the test set, and where the file has groups, a fraction of the groups. Faces of one image stay together,
/// also when it is there under two names, and so do those of one group.
///
/// # Errors
/// When nothing would be left to train on, or the fraction is not in [0, 1).
pub(super) fn assign(
    found: &mut [Found],
    test_fraction: Option<f64>,
    seed: Option<u64>,
) -> Result<Chosen, DataError> {
    let (fraction, seed) = (test_fraction.unwrap_or(DEFAULT_FRACTION), seed.unwrap_or(0));
    let what = if found.iter().any(|face| face.row.group.is_some()) {
        "groups"
    } else {
        "images"
    };
    // Numbered in the order of the file, which, unlike the hashes, is the same with every compiler.
    let groups = together(found.iter().map(|face| {
        let group = face.row.group.as_deref().map(Shared::Group);
        [Some(Shared::Image(face.image)), group]
            .into_iter()
            .flatten()
    }));
    let count = groups.iter().max().map_or(0, |last| last + 1);
    let (train, test) = split_held_out(&groups, HoldOut::Fraction(fraction), seed).map_err(|e| {
        DataError::Invalid(format!(
            "a test fraction of {fraction} of {count} {what}: {e}. Give --test-fraction 0 for no test.tsv."
        ))
    })?;
    for &face in &train {
        found[face].folder = 0;
    }
    for &face in &test {
        found[face].folder = 1;
    }
    let mut tested: Vec<usize> = test.iter().map(|&face| groups[face]).collect();
    tested.sort_unstable();
    tested.dedup();
    Ok(Chosen {
        names: vec![TRAIN.into(), TEST.into()],
        folders: vec![
            format!("the other {what}"),
            format!("a fraction of {fraction}"),
        ],
        note: format!(
            "no splits in the file: {} of {count} {what}, chosen with seed {seed}, are the {TEST} list",
            tested.len()
        ),
    })
}
