//! What kernels for Burn's CPU backend `flex` stand on.
//!
//! A generic function asks whether the tensor that it was given is one of this backend's, takes its own path if so, and Burn's operations
//! otherwise:
//!
//! ```
//! use burn::{backend::Flex, tensor::{Tensor, backend::Backend}};
//! use star_flex::{as_ref, floats, from_vec, own, tensor};
//!
//! fn halved<B: Backend>(x: Tensor<B, 1>) -> Tensor<B, 1> {
//!     let fast = || {
//!         let x = floats(as_ref::<_, Tensor<Flex, 1>>(&x)?)?;
//!         let y = x.iter().map(|x| 0.5 * x).collect();
//!         own(tensor::<1>(from_vec(y, x.shape())))
//!     };
//!     fast().unwrap_or_else(|| x.clone() / 2.0)
//! }
//!
//! let y = halved(Tensor::<Flex, 1>::from_data([1.0, 4.0], &Default::default()));
//! assert_eq!(y.into_data().to_vec::<f32>().unwrap(), [0.5, 2.0]);
//! ```

#![forbid(unsafe_code)]
#![warn(missing_docs)]

#[cfg(feature = "autodiff")]
mod gradients;
mod math;
mod tensors;

#[cfg(feature = "autodiff")]
pub use gradients::{Tracked, gradient_of, graph, tracked};
pub use math::{exp, ln, ln_1p};
pub use tensors::{Floats, as_ref, floats, from_vec, own, tensor};
