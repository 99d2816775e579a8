//! A network and annotated faces to figures: NME, FR, AUC, calibration of covariances, comparisons with intervals, report pages.
//!
//! ```
//! use star_data::Layout;
//! use star_eval::metrics::{fr_auc_plain, nme};
//!
//! let layout = Layout::builtin("ibug68")?;
//! let annotated: Vec<_> = (0..68).map(|i| star_data::Point::new(f64::from(i), 0.0)).collect();
//! // Every point three pixels off, by the distance of the outer eye corners: points 36 and 45.
//! let predicted: Vec<_> = annotated.iter().map(|p| star_data::Point::new(p.x, 3.0)).collect();
//! let error = nme(&predicted, &annotated, layout.norm(None)?);
//! assert!((error - 3.0 / 9.0).abs() < 1e-12);
//! assert_eq!(fr_auc_plain(&[error, 0.02], 0.08).fr, 0.5);
//! # Ok::<(), star_data::DataError>(())
//! ```
//!
//! [`predict_set`] runs a network over a [`FaceSource`](star_data::FaceSource), [`score`] makes [`Scores`] of what it gives,
//! [`eval_page`] a page of those.

#![forbid(unsafe_code)]
#![warn(missing_docs)]

pub mod analysis;
pub mod bootstrap;
pub mod calibration;
pub mod compare;
pub mod detected_faces;
mod error;
pub mod eval_page;
pub mod evaluate;
pub mod mean_shape;
pub mod metrics;
mod nan;
pub mod passes;
pub mod protocol;
pub mod quantile;
pub mod score_table;
pub mod stress;
pub mod visibility;

pub use error::EvalError;
pub use evaluate::{EvalOptions, EvalSet, Progress, Scores, predict_set, score};
pub use passes::predict_in_passes;
pub use protocol::{BoxNoise, BoxSource, Protocol};
pub use score_table::score_table;
