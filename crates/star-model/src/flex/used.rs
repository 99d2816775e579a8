//! Which kernels were used. Results do not tell: Burn's operations, which take over where a tensor is not recognised, give the same.

use std::cell::Cell;

/// One of the fast kernels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kernel {
    /// Of stride 1.
    Convolution,
    /// With gradients.
    StridedConvolution,
    /// With a norm by running statistics multiplied into the weights; without gradients.
    ConvolutionNormRelu,
    /// A norm by the batch's statistics; with gradients.
    NormRelu,
    /// A norm by running statistics; without gradients.
    ScaleRelu,
    /// Of 2x2 pixels.
    MaxPool,
}

thread_local! {
    static CALLS: [Cell<usize>; 6] = const { [const { Cell::new(0) }; 6] };
}

/// How often this thread used a kernel, forward.
pub fn kernel_calls(kernel: Kernel) -> usize {
    CALLS.with(|calls| calls[kernel as usize].get())
}

/// Counts a call that gave something.
pub(super) fn count<T>(kernel: Kernel, given: Option<T>) -> Option<T> {
    if given.is_some() {
        CALLS.with(|calls| calls[kernel as usize].update(|calls| calls + 1));
    }
    given
}
