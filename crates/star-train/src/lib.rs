//! The published STAR protocol on Burn: model, loss and data become a trained network and its figures.
//!
//! [`train`](train::train) is the loop; [`evaluate`] turns a network into NME, FR and AUC; [`predict`] takes one picture.
//! Everything is generic over the backend; nothing here prints.

#![forbid(unsafe_code)]

pub mod analysis;
pub mod bench;
pub mod bootstrap;
pub mod calibration;
pub mod checkpoint;
pub mod compare;
pub mod covariance;
pub mod criterion;
pub mod detect;
pub mod devices;
pub mod error;
pub mod eval_report;
pub mod evaluate;
pub mod faces;
mod host;
pub mod init;
pub mod mean_shape;
pub mod meter;
pub mod metrics;
pub mod observer;
pub mod one_euro;
pub mod passes;
pub mod precision;
pub mod predict;
mod quantile;
mod readout;
pub mod recipe;
pub mod report;
pub mod run_dir;
pub mod run_report;
pub mod schedule;
pub mod score_table;
pub mod track;
pub mod train;
pub mod weights_file;

pub use covariance::Covariance;
pub use error::TrainError;
pub use evaluate::{EvalOptions, EvalSet, Scores, predict_set, score};
pub use observer::{Observer, Silent, StepInfo};
pub use passes::predict_in_passes;
pub use precision::Precision;
pub use predict::{Prediction, Refined, View, predict, predict_passes};
pub use recipe::Recipe;
pub use run_dir::RunDir;
pub use score_table::score_table;
pub use train::{EpochRecord, Finished, Outcome, Start, Stop, train};
pub use weights_file::{TrainedNet, WeightsInfo, read_weights, write_weights};
