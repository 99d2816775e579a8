//! Wing loss between points (Feng et al., CVPR 2018).

use burn::tensor::{Tensor, backend::Backend};

use crate::shapes::assert_points;

pub(crate) const OMEGA: f64 = 0.01;
pub(crate) const EPSILON: f64 = 2.0;
/// Squared distances below this count as this (published; keeps the root's gradient finite). So below 1e-3 the loss is a constant.
const MIN_SQUARED: f64 = 1e-6;

/// Wing loss of the Euclidean distance d between points: `omega ln(1 + d / epsilon)` below `omega`, `d - C` above, continuous.
///
/// As published, distances below 1e-3 count as 1e-3 and have no gradient.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct WingLoss {
    /// Where the distance turns from logarithmic to linear, in normalised units.
    pub omega: f64,
    /// Curvature of the logarithmic part: smaller is more pointed.
    pub epsilon: f64,
}

impl Default for WingLoss {
    fn default() -> Self {
        Self {
            omega: OMEGA,
            epsilon: EPSILON,
        }
    }
}

impl WingLoss {
    /// The mean over all points of `output` and `target`, both `[.., 2]` (shapes broadcast): a scalar `[1]`.
    ///
    /// # Panics
    /// If the last dimension of one is not 2, or another one of both neither agrees nor is 1.
    pub fn forward<B: Backend, const D: usize>(
        &self,
        output: Tensor<B, D>,
        target: Tensor<B, D>,
    ) -> Tensor<B, 1> {
        self.pointwise(output, target).mean()
    }

    /// The loss of each point: `[.., 2]` -> `[.., 1]`.
    ///
    /// # Panics
    /// As [`forward`](Self::forward).
    pub fn pointwise<B: Backend, const D: usize>(
        &self,
        output: Tensor<B, D>,
        target: Tensor<B, D>,
    ) -> Tensor<B, D> {
        assert_points("Wing loss", &output, &target);
        let error = output - target;
        of_squared(
            (error.clone() * error).sum_dim(D - 1),
            self.omega,
            self.epsilon,
        )
    }
}

/// Wing loss of a distance given by its square.
pub(crate) fn of_squared<B: Backend, const D: usize>(
    squared: Tensor<B, D>,
    omega: f64,
    epsilon: f64,
) -> Tensor<B, D> {
    of_size(squared.clamp_min(MIN_SQUARED).sqrt(), omega, epsilon)
}

/// Wing loss of a signed error.
pub(crate) fn scalar<B: Backend, const D: usize>(
    error: Tensor<B, D>,
    omega: f64,
    epsilon: f64,
) -> Tensor<B, D> {
    of_size(error.abs().clamp_min(MIN_SQUARED.sqrt()), omega, epsilon)
}

fn of_size<B: Backend, const D: usize>(
    size: Tensor<B, D>,
    omega: f64,
    epsilon: f64,
) -> Tensor<B, D> {
    let near = size.clone().detach().lower_elem(omega);
    let offset = omega - omega * (omega / epsilon).ln_1p();
    let curved = (size.clone() / epsilon).log1p() * omega;
    (size - offset).mask_where(near, curved)
}
