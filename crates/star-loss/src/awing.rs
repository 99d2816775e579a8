//! Adaptive wing loss between heatmaps.

use burn::tensor::{Tensor, backend::Backend, module::max_pool2d};
use serde::{Deserialize, Serialize};

/// Weight of the pixels near a target's foreground, and what counts as foreground (published).
const FOREGROUND_WEIGHT: f64 = 10.0;
const FOREGROUND: f64 = 0.2;
/// Errors below this count as this inside the power function, whose logarithm is infinite at 0.
const TINY: f64 = 1e-30;

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
    pub fn forward<B: Backend>(
        &self,
        prediction: Tensor<B, 4>,
        target: Tensor<B, 4>,
    ) -> Tensor<B, 1> {
        self.per_sample(prediction, target).mean()
    }

    /// As [`AWingLoss::forward`], but the mean of each sample: `[batch]`.
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
        let target = target.detach();
        let fixed = prediction.clone().detach();

        let power = -target.clone() + alpha;
        // Both branches at once: the curve up to `near`, the tangent for the rest. ratio^p as exp(p ln ratio), finite for every error.
        let difference = fixed.clone() - target.clone();
        let error = difference.clone().abs();
        let near = error.clone().clamp_max(theta);
        let raised = (power.clone() * (near.clone() / epsilon).clamp_min(TINY).log()).exp();
        // omega p near^(p-1) / epsilon^p / (1 + (near / epsilon)^p): below theta the slope at the error itself, above it the tangent's.
        let slope =
            power * raised.clone() / (raised.clone() + 1.0) / near.clone().clamp_min(TINY) * omega;
        let value = raised.log1p() * omega + slope.clone() * (error - near);
        let gradient = slope * difference.sign();

        let (value, gradient) = if use_weight_map {
            let weight = weight_map(target);
            (value * weight.clone(), gradient * weight)
        } else {
            (value, gradient)
        };
        // Adds exactly 0 to the value, and `gradient` to the gradient.
        mean_of_samples(value) + mean_of_samples((prediction - fixed) * gradient)
    }
}

/// `[batch, ..]` -> `[batch]`
fn mean_of_samples<B: Backend>(x: Tensor<B, 4>) -> Tensor<B, 1> {
    x.flatten::<2>(1, 3).mean_dim(1).squeeze_dim(1)
}

/// 1 + 10 where the 3x3 maximum of the target reaches 0.2.
fn weight_map<B: Backend>(target: Tensor<B, 4>) -> Tensor<B, 4> {
    let ones = target.ones_like();
    let dilated = max_pool2d(target, [3, 3], [1, 1], [1, 1], [1, 1], false);
    let foreground = dilated.greater_equal_elem(FOREGROUND);
    ones.mask_fill(foreground, 1.0 + FOREGROUND_WEIGHT)
}
