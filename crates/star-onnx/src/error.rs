//! What can go wrong with an export.

use crate::{DEFAULT_OPSET, OPSETS};

/// Everything that can go wrong in this crate.
#[derive(Debug, thiserror::Error)]
pub enum OnnxError {
    /// A version of the operators that no file is written for.
    #[error(
        "opset {0} is not one that files are written for: take one from {first} to {last}; {DEFAULT_OPSET} is read by every ONNX \
         Runtime since 1.12",
        first = OPSETS.start(),
        last = OPSETS.end()
    )]
    Opset(i64),
    /// A weight, with the norm behind it multiplied in, that f16 does not hold.
    #[error("`{name}` holds {value}, and half precision ends at 65504: export in full precision")]
    BeyondHalf {
        /// Of the tensor.
        name: String,
        /// The first such number.
        value: f32,
    },
    /// A network without one of its tensors, or with one of another shape.
    #[error("the network has no tensor `{0}` of the expected shape")]
    Tensor(String),
    /// More than a file of ONNX can hold in one piece.
    #[error("the network would be a file of {0} bytes, and ONNX files end at 2 GiB")]
    TooLarge(usize),
}
