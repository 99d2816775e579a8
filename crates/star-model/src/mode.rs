//! Training or evaluation: what batch norms do.

use burn::tensor::backend::Backend;

/// How batch norms behave.
///
/// Burn's habit is to tell the two apart by the backend (`Module::valid()` leaves the autodiff backend); the networks'
/// `forward` does the same through [`Mode::of`]. The mode is still passed on explicitly inside, because gradients of a
/// network in evaluation mode are wanted too: for tests, and for tuning with frozen statistics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Normalise with the batch's own statistics and move the running ones.
    Train,
    /// Normalise with the running statistics.
    Eval,
}

impl Mode {
    /// [`Mode::Train`] on an autodiff backend, [`Mode::Eval`] elsewhere.
    pub fn of<B: Backend>(device: &B::Device) -> Self {
        if B::ad_enabled(device) {
            Self::Train
        } else {
            Self::Eval
        }
    }
}
