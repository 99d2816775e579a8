//! What is read off a stack's features, and what goes on to the next stack.

mod aam;
mod instance_norm;

pub use aam::{Aam, AamMaps, E2h};
pub use instance_norm::instance_norm_relu;
