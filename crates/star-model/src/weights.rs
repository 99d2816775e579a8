//! Weights in and out of files, by their published names.

mod ema;
mod named;
mod names;
mod pkl;
mod safetensors;

pub use ema::ema_update;
pub use named::{load_named, load_named_into, named_shapes, named_tensors, named_tensors_of};
pub use pkl::{PklWeights, import_pkl, import_pkl_as};
pub use safetensors::{CONFIG_KEY, LoadedWeights, load_weights, save_weights};
