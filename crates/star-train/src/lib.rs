//! The published STAR protocol on Burn: model, loss and data become a trained network and its figures.
//!
//! [`train`](train::train) is the loop; [`evaluate`] turns a network into NME, FR and AUC; [`predict`] takes one picture.
//! Everything is generic over the backend; nothing here prints.

#![forbid(unsafe_code)]

pub mod analysis;
mod begin;
pub mod bench;
pub mod bootstrap;
pub mod calibration;
pub mod checkpoint;
pub mod compare;
pub mod covariance;
#[cfg(test)]
mod crash_tests;
pub mod criterion;
pub mod detect;
pub mod devices;
mod disk;
pub mod epoch_record;
pub mod error;
pub mod eval_report;
pub mod evaluate;
pub mod faces;
mod finish;
mod host;
pub mod init;
pub mod launch;
pub mod mean_shape;
pub mod meter;
pub mod metrics;
mod nan;
pub mod observer;
pub mod one_euro;
pub mod passes;
pub mod precision;
pub mod predict;
pub mod protocol;
mod quantile;
mod readout;
pub mod recipe;
pub mod report;
pub mod run_dir;
pub mod run_report;
pub mod schedule;
pub mod score_table;
mod selection;
mod setup;
mod speed;
pub mod track;
pub mod train;
pub mod weights_file;

pub use covariance::Covariance;
pub use epoch_record::EpochRecord;
pub use error::TrainError;
pub use evaluate::{EvalOptions, EvalSet, Scores, predict_set, score};
pub use launch::Launch;
pub use observer::{Observer, Silent, StepInfo};
pub use passes::predict_in_passes;
pub use precision::Precision;
pub use predict::{Prediction, Refined, View, predict, predict_passes};
pub use protocol::{BoxNoise, BoxSource, Protocol};
pub use recipe::{Recipe, Selection};
pub use run_dir::RunDir;
pub use score_table::score_table;
pub use train::{Finished, Outcome, Start, Stop, train};
pub use weights_file::{TrainedNet, WeightsInfo, read_weights, write_weights};
