//! The published STAR protocol on Burn: model, loss and data become a trained network and its figures.
//!
//! ```
//! use burn::backend::{Autodiff, Flex};
//! use star_train::{Launch, Outcome, Recipe, Silent, Start, Stop, train};
//!
//! let folder = tempfile::tempdir()?;
//! // The default recipe, made so small that it learns nothing in a second.
//! let small = [
//!     "data.synth.faces=8", "data.held_out=0.5", "data.synth_test_faces=4", "model.channels=8", "model.stem=4", "model.input_size=64",
//!     "train.epochs=1", "train.batch_size=4", "train.milestones=[]",
//! ];
//! let recipe = Recipe::read("synth".as_ref(), &small.map(String::from))?;
//! let start = Start {
//!     folder: folder.path().join("run"),
//!     resume: false,
//!     launch: Launch { backend: "flex".into(), devices: Vec::new() },
//! };
//! let never = std::sync::atomic::AtomicBool::new(false);
//! let stop = Stop { flag: &never, after: None };
//! let outcome = train::<Autodiff<Flex>>(&recipe, &start, &[Default::default()], stop, &mut Silent)?;
//! assert!(matches!(outcome, Outcome::Finished(_)));
//! assert!(folder.path().join("run/weights/best.safetensors").is_file());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! [`train`](train::train) is the loop.
//! Everything is generic over the backend; nothing here prints.

#![forbid(unsafe_code)]
#![warn(missing_docs)]

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
mod transfer;

pub use epoch_record::EpochRecord;
pub use error::TrainError;
pub use launch::Launch;
pub use observer::{Observer, Silent, StepInfo};
pub use precision::Precision;
pub use recipe::{Recipe, Selection};
pub use run_dir::RunDir;
pub use train::{Finished, Outcome, Start, Stop, train};
