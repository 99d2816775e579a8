//! The network that comes with the program, for those who name none.

use std::path::PathBuf;

use burn::tensor::backend::Backend;
use star_infer::{PreparedNet, Pretrained, read_weights};

use crate::error::CliError;

/// The network of the file asked for, or the one that ships inside the program; and what to call it.
///
/// # Errors
/// A file that cannot be read.
pub fn read_weights_or_shipped<B: Backend>(
    asked: Option<&PathBuf>,
    device: &B::Device,
) -> Result<(PreparedNet<B>, PathBuf), CliError> {
    if let Some(path) = asked {
        return Ok((read_weights(path, device)?.prepare(), path.clone()));
    }
    let shipped = Pretrained::Ibug68Small;
    Ok((shipped.read(device)?.prepare(), shipped.name().into()))
}
