//! The stacked hourglass network of ADNet and STAR: image tensor in, heatmaps and landmarks out.
//!
//! Knows Burn and nothing else of this project. Start at [`StarNetConfig`]: `StarNetConfig::new(points, edges).init(&device)`
//! gives a [`StarNet`]; [`StarNet::forward`] gives a [`StackOutput`] a stack. Blocks are public so that they can be tested and
//! reused one by one.

pub mod batch_norm;
mod compute;
mod config;
pub mod conv;
pub mod conv_block;
mod convolve;
pub mod coord;
mod decoder;
mod error;
#[cfg(feature = "flex")]
mod flex;
pub mod heads;
pub mod hourglass;
mod info;
mod layers;
mod mode;
mod net;
pub mod residual;
mod shapes;
mod stem;
pub mod weights;

pub use compute::{Bf16Support, Compute};
pub use config::{DEPTH, FEATURE_STRIDE, INNERMOST_STRIDE, StarNetConfig};
pub use decoder::decode;
pub use error::{Mismatch, ModelError};
#[cfg(feature = "flex")]
#[doc(hidden)]
pub use flex::{Kernel, kernel_calls};
pub use info::{LayerInfo, ModelInfo, info};
pub use mode::Mode;
pub use net::{Features, StackOutput, StarNet};
pub use stem::Stem;
pub use weights::{
    LoadedWeights, PklWeights, Precision, PublishedState, Statistics, average_statistics,
    ema_update, import_pkl, import_pkl_as, load_named, load_weights, load_weights_bytes,
    named_tensors, pkl_state, save_weights, save_weights_as, write_npz,
};
