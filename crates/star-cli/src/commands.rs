//! One file a command.

pub mod bench;
pub mod eval;
pub mod model;
pub mod predict;
pub mod prepare;
pub mod train;
