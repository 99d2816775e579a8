//! One file a command.

pub mod analyze;
pub mod annotations;
pub mod bench;
pub mod calibrate;
pub mod compare;
pub mod completions;
pub mod data;
pub mod eval;
pub mod man;
pub mod model;
pub mod predict;
pub mod prepare;
pub mod serve;
pub mod train;
