//! Training or evaluation: what batch norms do, and what convolutions compute in.

use burn::tensor::backend::Backend;

use crate::compute::Compute;

/// What a pass through the network is for.
///
/// Burn's habit is to tell the two apart by the backend (`Module::valid()` leaves the autodiff backend); the networks'
/// `forward` does the same through [`Mode::of`]. The mode is still passed on explicitly inside, because gradients of a
/// network in evaluation mode are wanted too: for tests, and for tuning with frozen statistics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Batch norms use the batch's own statistics and move the running ones; convolutions multiply what is said here.
    Train(Compute),
    /// Batch norms use the running statistics; convolutions multiply `f32`.
    Eval,
}

impl Mode {
    /// [`Mode::Train`] on an autodiff backend, [`Mode::Eval`] elsewhere.
    pub fn of<B: Backend>(device: &B::Device, training: Compute) -> Self {
        if B::ad_enabled(device) {
            Self::Train(training)
        } else {
            Self::Eval
        }
    }
}
