//! Figures that are not finite, in JSON: `serde_json` writes them as null, and null is read back as NaN.

use serde::{Deserialize, Deserializer};

/// For `deserialize_with`: a number, or null for NaN.
pub(crate) fn read<'de, D: Deserializer<'de>>(from: D) -> Result<f64, D::Error> {
    Ok(Option::deserialize(from)?.unwrap_or(f64::NAN))
}

/// As [`read`], for a figure that is not always there (with `default`): null is a NaN that was there.
pub(crate) fn read_some<'de, D: Deserializer<'de>>(from: D) -> Result<Option<f64>, D::Error> {
    read(from).map(Some)
}
