//! The stacked hourglass network of ADNet and STAR: image tensor in, heatmaps and landmarks out.
//!
//! ```
//! use burn::{backend::Flex, tensor::Tensor};
//! use star_model::StarNetConfig;
//!
//! let device = Default::default();
//! // Three points, the first two on an edge; a small network with two hourglasses for images of 64 x 64 pixels.
//! let config = StarNetConfig::new(3, vec![vec![0, 1]])
//!     .with_stacks(2)
//!     .with_channels(8)
//!     .with_stem(4)
//!     .with_input_size(64);
//! config.validate()?;
//! let net = config.init::<Flex>(&device);
//! // Blue, green, red, each (value - 127.5) / 127.5.
//! let stacks = net.forward(Tensor::zeros([1, 3, 64, 64], &device));
//! assert_eq!(stacks.len(), 2);
//! assert_eq!(stacks[1].landmarks.dims(), [1, 3, 2]);
//! assert_eq!(stacks[1].heatmaps.dims(), [1, 3, 16, 16]);
//! # Ok::<(), star_model::ModelError>(())
//! ```
//!
//! Knows Burn and nothing else of this project. Start at [`StarNetConfig`]: `StarNetConfig::new(points, edges).init(&device)`
//! gives a [`StarNet`]; [`StarNet::forward`] gives a [`StackOutput`] a stack. Blocks are public so that they can be tested and
//! reused one by one.

#![warn(missing_docs)]

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
// Half of the kernels are gradients.
#[cfg_attr(not(feature = "autodiff"), allow(dead_code))]
mod flex;
pub mod heads;
pub mod hourglass;
mod info;
mod layers;
mod mode;
mod net;
mod prepared;
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
pub use prepared::Prepared;
pub use stem::Stem;
pub use weights::{
    LoadedWeights, PklWeights, Precision, PublishedState, Statistics, Wrapping, average_statistics,
    ema_update, import_pkl, import_pkl_as, load_named, load_weights, load_weights_bytes,
    named_tensors, pkl_state, save_weights, save_weights_as, write_npz,
};
