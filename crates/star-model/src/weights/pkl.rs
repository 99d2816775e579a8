//! PyTorch's checkpoint files: what [`super::published`] reads of them.

mod bytes;
mod checkpoint;
mod pickle;
mod places;
mod zip;

pub(super) use checkpoint::Checkpoint;
