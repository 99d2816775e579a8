//! The distances STAR can be used with.

use burn::tensor::{Tensor, backend::Backend};
use serde::{Deserialize, Serialize};

use crate::{smooth_l1, wing};

/// How far a prediction is from its target, along one axis or as the length of a vector.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Distance {
    /// Quadratic below 0.01, linear above (the published choice).
    #[default]
    SmoothL1,
    /// Absolute value.
    L1,
    /// Square.
    L2,
    /// Logarithmic below 0.01, linear above.
    Wing,
}

impl Distance {
    /// Every distance.
    pub const ALL: [Self; 4] = [Self::SmoothL1, Self::L1, Self::L2, Self::Wing];

    /// The distance of a scalar error, element by element.
    pub(crate) fn scalar<B: Backend, const D: usize>(self, error: Tensor<B, D>) -> Tensor<B, D> {
        match self {
            Self::SmoothL1 => smooth_l1::scalar(error, smooth_l1::SCALE),
            Self::L1 => error.abs(),
            Self::L2 => error.clone() * error,
            Self::Wing => wing::scalar(error, wing::OMEGA, wing::EPSILON),
        }
    }

    /// The distance of a vector error (x, y). L1 and L2 average over the two components, the others take the length of the vector.
    pub(crate) fn vector<B: Backend, const D: usize>(
        self,
        x: Tensor<B, D>,
        y: Tensor<B, D>,
    ) -> Tensor<B, D> {
        let squared = |x: Tensor<B, D>, y: Tensor<B, D>| x.clone() * x + y.clone() * y;
        match self {
            Self::SmoothL1 => smooth_l1::of_squared(squared(x, y), smooth_l1::SCALE),
            Self::L1 => (x.abs() + y.abs()) * 0.5,
            Self::L2 => squared(x, y) * 0.5,
            Self::Wing => wing::of_squared(squared(x, y), wing::OMEGA, wing::EPSILON),
        }
    }
}
