//! The published STAR protocol on Burn: model, loss and data become a trained network and its figures.
//!
//! [`train`](train::train) is the loop.
//! Everything is generic over the backend; nothing here prints.

#![forbid(unsafe_code)]

mod begin;
pub mod bench;
pub mod checkpoint;
#[cfg(test)]
mod crash_tests;
pub mod criterion;
pub mod devices;
mod disk;
pub mod epoch_record;
pub mod error;
pub mod faces;
mod finish;
pub mod init;
pub mod launch;
pub mod meter;
pub mod observer;
pub mod precision;
pub mod recipe;
pub mod run_dir;
pub mod run_report;
pub mod schedule;
mod selection;
mod setup;
mod speed;
pub mod state;
pub mod train;

pub use epoch_record::EpochRecord;
pub use error::TrainError;
pub use launch::Launch;
pub use observer::{Observer, Silent, StepInfo};
pub use precision::Precision;
pub use recipe::{Recipe, Selection};
pub use run_dir::RunDir;
pub use train::{Finished, Outcome, Start, Stop, train};
