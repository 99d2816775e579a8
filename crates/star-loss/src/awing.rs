//! Adaptive wing loss between heatmaps.

use burn::tensor::{Tensor, backend::Backend};
use serde::{Deserialize, Serialize};

use crate::{numeric::constant, products::Products, shapes::assert_shapes};

/// Weight of the pixels near a target's foreground, and what counts as foreground (published).
pub(crate) const FOREGROUND_WEIGHT: f64 = 10.0;
pub(crate) const FOREGROUND: f64 = 0.2;
/// Errors below this count as this inside the power function, whose logarithm is infinite at 0.
pub(crate) const TINY: f64 = 1e-30;

/// Configuration of [`AWingLoss`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AWingLossConfig {
    /// Height of the curved part. 14 by default.
    pub omega: f64,
    /// Error at which the loss turns linear. 0.5 by default.
    pub theta: f64,
    /// Width of the curved part. 1 by default.
    pub epsilon: f64,
    /// The curved part's exponent is `alpha - target`. 2.1 by default: pointed like |x| on the foreground, smooth like x x on the background.
    pub alpha: f64,
    /// Whether pixels near the foreground weigh 11 instead of 1. On by default.
    pub use_weight_map: bool,
}

impl Default for AWingLossConfig {
    fn default() -> Self {
        Self {
            omega: 14.0,
            theta: 0.5,
            epsilon: 1.0,
            alpha: 2.1,
            use_weight_map: true,
        }
    }
}

impl AWingLossConfig {
    /// The loss. It has no parameters and no device.
    pub fn init(&self) -> AWingLoss {
        AWingLoss { config: *self }
    }
}

/// Adaptive wing loss (Wang et al., ICCV 2019) between heatmaps.
///
/// With e = |prediction - target| and p = alpha - target, per pixel: `omega ln(1 + (e / epsilon)^p)` below `theta`, above it the tangent of slope A
/// `= omega p (theta / epsilon)^(p - 1) / epsilon / (1 + (theta / epsilon)^p)`. Pixels whose 3x3 neighbourhood in the target reaches 0.2 weigh 11.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct AWingLoss {
    config: AWingLossConfig,
}

impl AWingLoss {
    /// What the loss was made from.
    pub fn config(&self) -> &AWingLossConfig {
        &self.config
    }

    /// The mean over all pixels of `prediction` and `target`, both `[batch, channels, height, width]`: a scalar `[1]`.
    ///
    /// The target is a constant: no gradient flows into it. The gradient is computed along with the value, in closed form, so that the graph keeps one
    /// tensor instead of ten of the maps' size; second derivatives are not available.
    ///
    /// # Panics
    /// If the two shapes differ.
    pub fn forward<B: Backend>(
        &self,
        prediction: Tensor<B, 4>,
        target: Tensor<B, 4>,
    ) -> Tensor<B, 1> {
        self.per_sample(prediction, target).mean()
    }

    /// As [`AWingLoss::forward`], but the mean of each sample: `[batch]`.
    ///
    /// # Panics
    /// As there.
    pub fn per_sample<B: Backend>(
        &self,
        prediction: Tensor<B, 4>,
        target: Tensor<B, 4>,
    ) -> Tensor<B, 1> {
        let AWingLossConfig {
            omega,
            theta,
            epsilon,
            alpha,
            use_weight_map,
        } = self.config;
        let shape = prediction.dims();
        let [batch, channels, height, width] = shape;
        assert_shapes(
            shape == target.dims(),
            "AWing loss",
            "prediction and target must be of one shape",
            &[("prediction", &shape), ("target", &target.dims())],
        );
        let products = Products::on::<B>(&prediction.device());
        #[cfg(feature = "flex")]
        if let Some(losses) =
            products.if_fused(|| crate::flex::awing(&prediction, &target, &self.config))
        {
            return losses;
        }
        let (maps, pixels) = (batch * channels, height * width);
        let count = (channels * pixels) as f64;
        let target = target.detach().reshape([maps, height, width]);
        let prediction = prediction.reshape([maps, height, width]);

        // Both branches at once: the curve up to `near`, the tangent for the rest. (near / epsilon)^p is exp(p ln ..), finite for every error.
        let difference = prediction.clone().detach() - target.clone();
        let error = difference.clone().abs();
        let near = error.clone().clamp(TINY, theta);
        let power = -target.clone() + alpha;
        let raised = (((near.clone() / epsilon).log()) * power.clone()).exp();
        // omega p near^(p-1) / epsilon^p / (1 + (near / epsilon)^p): below theta the slope at the error itself, above it the tangent's.
        let slope = power * omega * raised.clone() / (raised.clone() + 1.0) / near.clone();
        let value = raised.log1p() * omega + (error - near) * slope.clone();
        let gradient = slope * difference.sign();

        let (value, gradient) = if use_weight_map {
            let weight = weight_map(target);
            (value * weight.clone(), gradient * weight)
        } else {
            (value, gradient)
        };
        // Adds exactly 0 to the value, and `gradient` to the gradient.
        let linear = products
            .dot(
                prediction.reshape([maps, pixels]),
                gradient.reshape([maps, pixels]) / count,
            )
            .reshape([batch, channels])
            .sum_dim(1);
        let value = value.reshape([batch, channels * pixels]).mean_dim(1);
        (value + (linear.clone() - linear.detach())).reshape([batch])
    }
}

/// 1 + 10 where the 3x3 maximum of the target `[maps, height, width]` reaches 0.2.
///
/// Counting the foreground pixels of each 3x3 neighbourhood with two banded matrices answers the same question as a maximum filter; it is a fraction
/// of the work on CPUs, and exact, also where matrix products round: the factors are 0 and 1, the counts at most 9.
fn weight_map<B: Backend>(target: Tensor<B, 3>) -> Tensor<B, 3> {
    let [_, height, width] = target.dims();
    let foreground = target
        .clone()
        .greater_equal_elem(FOREGROUND)
        .float()
        .cast(target.dtype());
    let counts = band(height, &target)
        .matmul(foreground)
        .matmul(band(width, &target));
    counts.clamp_max(1.0) * FOREGROUND_WEIGHT + 1.0
}

/// The `[1, side, side]` matrix that adds each element's two neighbours to it.
fn band<B: Backend>(side: usize, like: &Tensor<B, 3>) -> Tensor<B, 3> {
    let values = (0..side * side).map(|i| f64::from((i / side).abs_diff(i % side) <= 1));
    constant(values.collect(), [1, side, side], like)
}
