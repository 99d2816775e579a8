//! The distances STAR can be used with.

use burn::tensor::{Tensor, backend::Backend};
use serde::{Deserialize, Serialize};

use crate::{smooth_l1, wing};

/// How far a prediction is from its target: along one axis (v2), or in the plane (v1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Distance {
    /// Quadratic below 0.01, linear above (the published choice).
    #[default]
    SmoothL1,
    /// Absolute value; in the plane the mean over the two axes.
    L1,
    /// Square; in the plane the mean over the two axes.
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
}
