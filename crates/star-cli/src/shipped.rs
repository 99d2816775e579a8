//! The network that comes with the program, for those who name none.

use std::path::{Path, PathBuf};

use crate::error::CliError;

/// Where it is, from the project's root.
const SHIPPED: &str = "models/ibug68-small.safetensors";

/// The weights asked for, or those that come with the program.
///
/// # Errors
/// When none were asked for and none are there.
pub fn weights_or_shipped(asked: Option<PathBuf>) -> Result<PathBuf, CliError> {
    if let Some(asked) = asked {
        return Ok(asked);
    }
    let project = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let places = [PathBuf::from(SHIPPED), project.join(SHIPPED)];
    places
        .iter()
        .find(|place| place.is_file())
        .cloned()
        .ok_or_else(|| {
            CliError::Usage(format!(
                "no weights: {SHIPPED} is neither in this folder nor in the project's. Name a network with --weights FILE, such as \
                 runs/RUN/weights/best.safetensors of a training run."
            ))
        })
}
