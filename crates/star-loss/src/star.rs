//! STAR: self-adaptive ambiguity reduction.

use burn::tensor::{Tensor, backend::Backend};
use serde::{Deserialize, Serialize};

use crate::{
    Distance, moments::moments, shapes::assert_shapes, smooth_l1, stats::PrincipalAxes, wing,
};

/// Added to the eigenvalues under the root (published).
const EPS: f64 = 1e-5;
/// Floor under that root. Eigenvalues of a distribution are not negative; rounding and signed maps make them so.
const MIN_VARIANCE: f64 = 1e-6;
/// What f32 can make of a small eigenvalue that is 0, as a fraction of the large one.
const ROUNDING: f64 = 1e-6;

/// Which of the two published forms of the loss.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StarVersion {
    /// The distance of the whitened error: `d(z1, z2)`, `z_i = v_i . e / sqrt(l_i)`.
    V1,
    /// The whitened distance of the error along each axis: `sum d(v_i . e) / sqrt(l_i)`.
    #[default]
    V2,
}

/// Configuration of [`StarLoss`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StarLossConfig {
    /// Published form, `v2` by default.
    pub version: StarVersion,
    /// Distance of the error along the axes, `smoothl1` by default.
    pub distance: Distance,
    /// Weight of the eigenvalues, which keeps the heatmaps narrow. 1 by default.
    pub weight: f64,
}

impl Default for StarLossConfig {
    fn default() -> Self {
        Self {
            version: StarVersion::default(),
            distance: Distance::default(),
            weight: 1.0,
        }
    }
}

impl StarLossConfig {
    /// The loss. It has no parameters and no device.
    pub fn init(&self) -> StarLoss {
        StarLoss { config: *self }
    }
}

/// STAR loss (Zhou et al., CVPR 2023, section 3): the error of the soft-argmax, measured in the heatmap's own principal axes and divided by its spread
/// along each, so that an error along the direction the annotators disagree on counts less; plus the spread itself.
///
/// With mean m, covariance eigenvalues l1 <= l2 and unit axes v1, v2 of a heatmap, and e = target - m:
///
/// * v2: `sum_i d(v_i . e) / sqrt(l_i + 1e-5) + weight (|l1| + |l2|)`
/// * v1: `d(z) + weight (|l1| + |l2|)`, `z_i = v_i . e / sqrt(l_i + 1e-5)`; L1 and L2 average over the two components.
///
/// The published v2 rejects the wing distance. Here it is the wing function of the scalar error along each axis, treated as the other distances are.
///
/// Gradients flow through mean, eigenvalues and axes. They are finite for every finite map: maps whose eigenvalues agree to a millionth count as
/// isotropic, without a rotation gradient, where the published program fails.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StarLoss {
    config: StarLossConfig,
}

impl StarLoss {
    /// What the loss was made from.
    pub fn config(&self) -> &StarLossConfig {
        &self.config
    }

    /// The mean loss, a scalar `[1]`.
    ///
    /// `heatmaps` `[batch, points, height, width]` need not be normalised; `targets` `[batch, points, 2]` are (x, y) in [-1, 1].
    ///
    /// # Panics
    /// If there is not one target for each heatmap, or heatmaps have no pixels.
    pub fn forward<B: Backend>(
        &self,
        heatmaps: Tensor<B, 4>,
        targets: Tensor<B, 3>,
    ) -> Tensor<B, 1> {
        self.pointwise(heatmaps, targets).mean()
    }

    /// The loss of each sample, `[batch]`; its mean is [`Self::forward`]. Says which sample went wrong.
    ///
    /// # Panics
    /// As there.
    pub fn per_sample<B: Backend>(
        &self,
        heatmaps: Tensor<B, 4>,
        targets: Tensor<B, 3>,
    ) -> Tensor<B, 1> {
        let [batch, ..] = heatmaps.dims();
        self.pointwise(heatmaps, targets)
            .mean_dim(1)
            .reshape([batch])
    }

    /// The loss of each point, `[batch, points]`.
    ///
    /// # Panics
    /// As [`Self::forward`].
    pub fn pointwise<B: Backend>(
        &self,
        heatmaps: Tensor<B, 4>,
        targets: Tensor<B, 3>,
    ) -> Tensor<B, 2> {
        let shape = heatmaps.dims();
        let [batch, points, height, width] = shape;
        assert_shapes(
            targets.dims() == [batch, points, 2] && height * width > 0,
            "STAR loss",
            "there must be one target (x, y) for each heatmap",
            &[("heatmaps", &shape), ("targets", &targets.dims())],
        );
        let maps = batch * points;
        let moments = moments(heatmaps.reshape([maps, height, width]));
        let axes = PrincipalAxes::of(&moments);

        let targets = targets.reshape([maps, 2]);
        let x = moments.mean_x.to(targets.clone().narrow(1, 0, 1));
        let y = moments.mean_y.to(targets.narrow(1, 1, 1));
        let (cos, sin) = (axes.cos, axes.sin);
        let squared = x.clone() * x.clone() + y.clone() * y.clone();
        let along = cos.clone() * x.clone() + sin.clone() * y.clone();
        let across = cos * y - sin * x;
        let wide = spread(axes.large.clone());
        let narrow = spread(axes.small.clone());

        // Where squares are summed over the axes, all error is first divided by the wide axis's spread, and the error across once more by what is
        // missing to the narrow one's: `a a / w w + c c / n n = (a a + c c) / w w + c c gap / (n n w w)`. The sum does not depend on the axes when
        // the gap closes; this way its gradient does not either, where the plain form has differences of large numbers.
        let StarLossConfig {
            version,
            distance,
            weight,
        } = self.config;
        let error = match (version, distance) {
            (StarVersion::V1, Distance::L1) => (across.abs() / narrow + along.abs() / wide) * 0.5,
            (StarVersion::V1, _) => {
                let whitened = across / narrow / wide.clone();
                let squared =
                    squared / wide.clone() / wide + whitened.clone() * whitened * axes.gap;
                match distance {
                    Distance::SmoothL1 => smooth_l1::of_squared(squared, smooth_l1::SCALE),
                    Distance::Wing => wing::of_squared(squared, wing::OMEGA, wing::EPSILON),
                    Distance::L1 | Distance::L2 => squared * 0.5,
                }
            }
            (StarVersion::V2, Distance::L2) => {
                let both = narrow.clone() * wide.clone() * (narrow + wide.clone());
                squared / wide + across.clone() * across * axes.gap / both
            }
            (StarVersion::V2, _) => {
                distance.scalar(across) / narrow + distance.scalar(along) / wide
            }
        };
        let small = magnitude(axes.small, &axes.large);
        let loss = error + (small + axes.large.abs()) * weight;
        loss.reshape([batch, points])
    }
}

/// `|small|`. What rounding may have made of 0 counts as 0, where the absolute value has its minimum: no gradient.
fn magnitude<B: Backend>(small: Tensor<B, 2>, large: &Tensor<B, 2>) -> Tensor<B, 2> {
    let magnitude = small.abs();
    let fixed = magnitude.clone().detach();
    let zero = (fixed.clone()).lower_equal(large.clone().detach().abs() * ROUNDING);
    magnitude.mask_where(zero, fixed)
}

/// `sqrt(l + 1e-5)`.
fn spread<B: Backend>(variance: Tensor<B, 2>) -> Tensor<B, 2> {
    (variance + EPS).clamp_min(MIN_VARIANCE).sqrt()
}
