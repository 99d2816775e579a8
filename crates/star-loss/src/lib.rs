//! STAR loss (Zhou et al., CVPR 2023) and its companions for heatmap-based facial landmarks, generic over Burn backends.
//!
//! ```
//! use burn::{backend::{Autodiff, Flex}, tensor::{Distribution, Tensor}};
//! use star_loss::{StarLossConfig, heatmap_stats};
//! type B = Autodiff<Flex>;
//!
//! let device = Default::default();
//! // Two faces of five points: heatmaps, not negative, and where the points are, (x, y) in -1..1.
//! let heatmaps = Tensor::<B, 4>::random([2, 5, 16, 16], Distribution::Uniform(0.0, 1.0), &device).require_grad();
//! let points = Tensor::<B, 3>::zeros([2, 5, 2], &device);
//!
//! let loss = StarLossConfig::default().init().forward(heatmaps.clone(), points);
//! let gradient = heatmaps.grad(&loss.backward()).expect("heatmaps decide the loss");
//! assert_eq!(gradient.dims(), [2, 5, 16, 16]);
//! assert_eq!(heatmap_stats(heatmaps).mean.dims(), [2, 5, 2]);
//! ```
//!
//! * [`StarLoss`]: the self-adaptive ambiguity reduction loss, both published versions, four distances.
//! * [`AWingLoss`]: adaptive wing loss between heatmaps (Wang et al., ICCV 2019).
//! * [`SmoothL1Loss`], [`WingLoss`]: distances between points.
//! * [`heatmap_stats`]: mean, covariance and principal axes of heatmaps, the "2x2 PCA" that STAR is built on.
//!
//! Everything stays on the tensor's device: no value is read back in a forward or a backward pass. Heatmaps are expected in f32 or f64; the
//! constants of the published formulas (1e-5, 1e-6) do not survive half precision.

#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod awing;
mod distance;
#[cfg(feature = "flex")]
mod flex;
mod moments;
mod numeric;
mod products;
mod shapes;
mod smooth_l1;
mod star;
mod stats;
mod wing;

pub use awing::{AWingLoss, AWingLossConfig};
pub use distance::Distance;
pub use smooth_l1::SmoothL1Loss;
pub use star::{StarLoss, StarLossConfig, StarVersion};
pub use stats::{HeatmapStats, heatmap_stats};
pub use wing::WingLoss;
