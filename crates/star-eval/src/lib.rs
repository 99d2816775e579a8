//! A network and annotated faces to figures: NME, FR, AUC, calibration of covariances, comparisons with intervals, report pages.

#![forbid(unsafe_code)]

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

pub use error::EvalError;
pub use evaluate::{EvalOptions, EvalSet, Progress, Scores, predict_set, score};
pub use passes::predict_in_passes;
pub use protocol::{BoxNoise, BoxSource, Protocol};
pub use score_table::score_table;
