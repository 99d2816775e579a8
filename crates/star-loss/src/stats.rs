//! Mean, covariance and principal axes of heatmaps.

use burn::tensor::{Tensor, backend::Backend};

use crate::{
    moments::{Moments, moments},
    shapes::assert_shapes,
};

/// A large eigenvalue below this is no divisor.
const TINY: f64 = 1e-9;

/// What [`heatmap_stats`] finds in heatmaps `[batch, points, height, width]`.
///
/// Units: the grid with -1 and 1 at the centres of the outermost pixels (`align_corners = true`), so one pixel is `2 / (side - 1)`.
#[derive(Clone, Debug)]
pub struct HeatmapStats<B: Backend> {
    /// Centre of mass (x, y), `[batch, points, 2]`. This is the soft-argmax.
    pub mean: Tensor<B, 3>,
    /// Variance along x, `[batch, points]`.
    pub cov_xx: Tensor<B, 2>,
    /// Covariance of x and y, `[batch, points]`.
    pub cov_xy: Tensor<B, 2>,
    /// Variance along y, `[batch, points]`.
    pub cov_yy: Tensor<B, 2>,
    /// Variance along the narrow axis, `[batch, points]`.
    pub small: Tensor<B, 2>,
    /// Variance along the wide axis, `[batch, points]`.
    pub large: Tensor<B, 2>,
    /// Unit vector (x, y) of the wide axis, `[batch, points, 2]`; its sign means nothing. (1, 0) for an isotropic map.
    pub axis: Tensor<B, 3>,
}

/// Treats each heatmap as a distribution and measures it (STAR, section 3.2; unbiased weighted covariance as published).
///
/// Differentiable in the heatmaps. Finite in value and gradient for any finite map; isotropic maps have no rotation gradient.
///
/// # Panics
/// If heatmaps have no pixels.
pub fn heatmap_stats<B: Backend>(heatmaps: Tensor<B, 4>) -> HeatmapStats<B> {
    let shape = heatmaps.dims();
    let [batch, points, height, width] = shape;
    assert_shapes(
        height * width > 0,
        "heatmap statistics",
        "heatmaps must have pixels",
        &[("heatmaps", &shape)],
    );
    let moments = moments(heatmaps.reshape([batch * points, height, width]));
    let axes = PrincipalAxes::of(&moments);
    let shape = |t: Tensor<B, 2>| t.reshape([batch, points]);
    let pairs =
        |x: Tensor<B, 2>, y: Tensor<B, 2>| Tensor::cat(vec![x, y], 1).reshape([batch, points, 2]);
    HeatmapStats {
        mean: pairs(moments.mean_x.value(), moments.mean_y.value()),
        cov_xx: shape(moments.xx),
        cov_xy: shape(moments.xy),
        cov_yy: shape(moments.yy),
        small: shape(axes.small),
        large: shape(axes.large),
        axis: pairs(axes.cos, axes.sin),
    }
}

/// Eigenvalues of a 2x2 covariance and the unit vector (cos, sin) of the large one, all `[maps, 1]`.
pub(crate) struct PrincipalAxes<B: Backend> {
    pub small: Tensor<B, 2>,
    pub large: Tensor<B, 2>,
    /// `large - small`, not computed from these two.
    pub gap: Tensor<B, 2>,
    pub cos: Tensor<B, 2>,
    pub sin: Tensor<B, 2>,
}

impl<B: Backend> PrincipalAxes<B> {
    /// The eigenproblem in closed form.
    ///
    /// With d = (xx - yy) / 2 and r = sqrt(d d + xy xy) the eigenvalues are (xx + yy) / 2 -+ r, and the large one's vector is (r + d, xy) or, the same
    /// direction, (xy, r - d). Taking the one whose first sum does not cancel gives (s, xy) with s = r + |d|, of length at least |d| + r: no angle, no
    /// division by something small. When the eigenvalues meet, the direction is undefined and its gradient infinite; there the map counts as isotropic
    /// and the direction is a constant. All roots see a harmless value in the unselected branch, so that no 0 * inf enters the gradient.
    pub fn of(m: &Moments<B>) -> Self {
        let half_sum = m.half_sum.clone();
        let d = m.half_difference.clone();
        let b = m.xy.clone();

        let squared = d.clone() * d.clone() + b.clone() * b.clone();
        let radius = squared.clone().detach().sqrt();
        let limit = (half_sum.clone().detach() + radius.clone()).abs() * 1e-6 + 1e-12;
        let isotropic = (radius * 2.0).lower(limit);

        let r = squared.mask_fill(isotropic.clone(), 1.0).sqrt();
        let half_gap = r.clone().mask_fill(isotropic.clone(), 0.0);

        let s = r + d.clone().abs();
        let length = (s.clone() * s.clone() + b.clone() * b.clone()).sqrt();
        let major = (s / length.clone()).mask_fill(isotropic.clone(), 1.0);
        let minor = (b.clone() / length).mask_fill(isotropic.clone(), 0.0);
        let upright = d.detach().lower_elem(0.0);

        // The difference has the rounding of the large one, which for a narrow map is more than the small one itself, and is different where a
        // backend sums in another order. Its value is therefore that of the determinant, its gradient its own.
        let large = half_sum.clone() + half_gap.clone();
        let small = half_sum - half_gap.clone();
        let fixed = large.clone().detach();
        let tiny = fixed.clone().lower_elem(TINY).bool_or(isotropic);
        let determinant = m.xx.clone() * m.yy.clone() - b.clone() * b;
        let value = determinant.detach() / fixed.mask_fill(tiny.clone(), 1.0);
        let value = value.mask_where(tiny, small.clone().detach());
        Self {
            small: value + (small.clone() - small.detach()),
            large,
            gap: half_gap * 2.0,
            cos: major.clone().mask_where(upright.clone(), minor.clone()),
            sin: minor.mask_where(upright, major),
        }
    }
}
