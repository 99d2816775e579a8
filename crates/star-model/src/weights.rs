//! Weights in and out of files, by their published names.

mod budget;
mod ema;
mod malformed;
mod named;
mod names;
mod npz;
mod pkl;
mod published;
mod safetensors;
mod state;
mod statistics;

pub use ema::ema_update;
pub use named::{load_named, load_named_into, named_shapes, named_tensors, named_tensors_of};
pub use npz::write_npz;
pub use published::{PklWeights, Wrapping, import_pkl, import_pkl_as, pkl_state};
pub use safetensors::{
    CONFIG_KEY, LoadedWeights, Precision, load_weights, load_weights_bytes, replace_entry,
    save_weights, save_weights_as,
};
pub use state::PublishedState;
pub use statistics::{Statistics, average_statistics};

/// [`star_files::write_atomic`] with this crate's error.
fn write_file(path: &std::path::Path, bytes: &[u8]) -> Result<(), crate::ModelError> {
    star_files::write_atomic(path, bytes).map_err(|source| crate::ModelError::Io {
        path: path.into(),
        source,
    })
}
