//! SmoothL1 between points.

use burn::tensor::{Tensor, backend::Backend};

use crate::shapes::assert_points;

/// Where the distance turns from quadratic to linear, in normalised units.
pub(crate) const SCALE: f64 = 0.01;

/// SmoothL1 of the Euclidean distance between points: `d d / (2 scale)` below `scale`, `d - scale / 2` above.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SmoothL1Loss {
    /// Where the distance turns from quadratic to linear.
    pub scale: f64,
}

impl Default for SmoothL1Loss {
    fn default() -> Self {
        Self { scale: SCALE }
    }
}

impl SmoothL1Loss {
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
        assert_points("SmoothL1 loss", &output, &target);
        let error = output - target;
        of_squared((error.clone() * error).sum_dim(D - 1), self.scale)
    }
}

/// SmoothL1 of a distance given by its square.
pub(crate) fn of_squared<B: Backend, const D: usize>(
    squared: Tensor<B, D>,
    scale: f64,
) -> Tensor<B, D> {
    let near = squared.clone().detach().lower_elem(scale * scale);
    // The root's gradient is infinite at 0: the far branch never sees the near values.
    let far = squared.clone().mask_fill(near.clone(), 1.0).sqrt() - scale / 2.0;
    far.mask_where(near, squared / (2.0 * scale))
}

/// SmoothL1 of a signed error.
pub(crate) fn scalar<B: Backend, const D: usize>(error: Tensor<B, D>, scale: f64) -> Tensor<B, D> {
    // With m = min(|x|, scale) both branches are m m / (2 scale) + (|x| - m): no root, no selection.
    let size = error.abs();
    let near = size.clone().clamp_max(scale);
    near.clone() * near.clone() / (2.0 * scale) + (size - near)
}
