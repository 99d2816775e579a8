//! First and second moments of heatmaps.

use burn::tensor::{Tensor, backend::Backend};

use crate::numeric::{away_from_zero, constant};

/// The published constant in the denominators (REFERENCE S3).
const EPS: f64 = 1e-5;
/// Maps are divided by their sum, but by no less than this.
const MIN_SUM: f64 = 1e-6;
/// Divisors that the published formula lets cross zero for maps with a sum below `MIN_SUM` are kept this far from it. Other maps have a denominator
/// of at least `EPS` and never come here.
const MIN_DIVISOR: f64 = 1e-6;
/// The mean of a non-negative map lies within 1. Maps with cancelling signs could have it anywhere; this keeps them in the range of f32.
const MAX_MEAN: f64 = 1e2;
/// The variance of a non-negative map is at most 2. As `MAX_MEAN`.
const MAX_COVARIANCE: f64 = 1e6;

/// Mean and covariance of each map, all `[maps, 1]`, in units of the grid that has -1 and 1 at the centres of the outermost pixels.
pub(crate) struct Moments<B: Backend> {
    pub mean_x: Mean<B>,
    pub mean_y: Mean<B>,
    pub xx: Tensor<B, 2>,
    pub xy: Tensor<B, 2>,
    pub yy: Tensor<B, 2>,
}

/// The pixel centres along one axis, `[1, side]`, from -1 to 1 (`align_corners = true`); a single pixel sits at -1.
///
/// `2 (i / (side - 1)) - 1` rounded to f32 in this order, as the published program has it, also for f64 maps: the rounding moves a pixel by up to 6e-8,
/// which is more than anything else in the error of a sharp peak.
fn grid<B: Backend>(side: usize, like: &Tensor<B, 3>) -> Tensor<B, 2> {
    let last = (side.max(2) - 1) as f32;
    let centres = (0..side).map(|i| f64::from(i as f32 / last * 2.0 - 1.0));
    constant(centres.collect(), [1, side], like)
}

/// A mean as a rounded constant and what is missing to it, both `[maps, 1]`.
///
/// One f32 holds a mean near 1 to 6e-8 at best, and a plain sum to several times that. Errors and deviations are differences of nearly equal numbers
/// for the sharp, accurate maps that training ends with, so they are taken from the two parts.
pub(crate) struct Mean<B: Backend> {
    /// The mean to f32 accuracy, for a map that has it inside the grid; no gradient. The split is exact for any value.
    base: Tensor<B, 2>,
    /// The rest, and the whole gradient.
    rest: Tensor<B, 2>,
}

impl<B: Backend> Mean<B> {
    /// The mean under `weights` `[maps, side]` that sum to `mass` `[maps, 1]`, and the grid seen from its base.
    fn of(weights: &Tensor<B, 2>, grid: Tensor<B, 2>, mass: &Tensor<B, 2>) -> (Self, Tensor<B, 2>) {
        let base = (weights.clone().detach() * grid.clone()).sum_dim(1);
        let base = base.clamp(-1.0, 1.0);
        let from_base = grid - base.clone();
        let deviation = (weights.clone() * from_base.clone()).sum_dim(1);
        let rest = deviation + base.clone() * (mass.clone() - 1.0);
        let rest = rest.clamp(-MAX_MEAN, MAX_MEAN);
        (Self { base, rest }, from_base)
    }

    /// The mean in one number.
    pub fn value(&self) -> Tensor<B, 2> {
        self.base.clone() + self.rest.clone()
    }

    /// `point - mean` for `point` `[maps, 1]`.
    pub fn to(&self, point: Tensor<B, 2>) -> Tensor<B, 2> {
        point - self.base.clone() - self.rest.clone()
    }
}

/// Moments of `maps` `[maps, height, width]`.
///
/// The full maps are touched as few times as possible, because they are all the work: for their magnitude, for the marginal over columns, for the
/// marginal over rows together with the first moment along each row, and for the sum of squares. The rest works on `[maps, side]`. Each of these is
/// linear in the map (the sum of squares with a doubled gradient), so the backward pass is two thin matrix products and one multiplication.
///
/// Why not one product with a constant `[pixels, 6]` matrix of (1, x, y, xx, xy, yy): raw second moments minus the squared mean lose the variance
/// of a sharp peak in f32 (relative 1e-4 for a peak of one pixel near a corner of a 64 x 64 map, where the centred sum keeps 1e-7). Marginals give
/// the centred sums for the price of two passes.
pub(crate) fn moments<B: Backend>(maps: Tensor<B, 3>) -> Moments<B> {
    let [count, height, width] = maps.dims();
    let pixels = height * width;
    let fixed = maps.clone().detach();

    // Sums of up to `pixels` values of any finite size stay finite when each is first made this much smaller (a power of two: exact), and everything
    // from there on works in units of the map's largest magnitude. Both factors are applied to small tensors only.
    let shrink = 0.25 / pixels.next_power_of_two() as f64;
    let magnitude = magnitude(fixed.clone());
    let scale = magnitude.clone().recip() / shrink; // [count, 1]
    let scale3 = scale.clone().reshape([count, 1, 1]);

    let ones = constant(vec![shrink; height], [1, 1, height], &maps);
    let column_sums = (ones.matmul(maps.clone()) * scale3.clone()).reshape([count, width]);

    // h / max(sum h, 1e-6). Signed maps may cancel to (nearly) nothing: a sum below a millionth of the largest value is noise in f32.
    let total = column_sums.clone().sum_dim(1);
    let floor = (magnitude.recip() * MIN_SUM).clamp_min(MIN_SUM);
    let enough = total.clone().detach().greater_equal(floor.clone());
    let divisor = total.clone().max_pair(floor);
    // 1, without a gradient, unless the floor was used.
    let mass = (total / divisor.clone()).mask_fill(enough, 1.0);

    let column_sums = column_sums / divisor.clone();
    let (mean_x, from_base_x) = Mean::of(&column_sums, grid(width, &maps), &mass);

    // (1, x - mean) for every map: the marginal over rows, and the first moment of every row about the map's own mean.
    let basis = Tensor::stack(vec![from_base_x.ones_like(), from_base_x.clone()], 2) * shrink; // [count, width, 2]
    let rows = maps.clone().matmul(basis) * scale3.clone() / divisor.clone().reshape([count, 1, 1]);
    let row_sums = rows.clone().narrow(2, 0, 1).reshape([count, height]);
    let row_firsts =
        rows.narrow(2, 1, 1).reshape([count, height]) - row_sums.clone() * mean_x.rest.clone();
    let (mean_y, from_base_y) = Mean::of(&row_sums, grid(height, &maps), &mass);

    // The sum of squares. One factor is a constant for the graph, which halves the memory and the work backwards; the gradient is doubled to make up.
    let scaled = fixed * (scale3 * (shrink * shrink));
    let squares = (maps * scaled).reshape([count, pixels]).sum_dim(1) * scale;
    let squares = squares.clone() * 2.0 - squares.detach();
    let squares = squares / divisor.clone() / divisor;

    let from_x = from_base_x - mean_x.rest.clone();
    let from_y = from_base_y - mean_y.rest.clone();
    let xx = (column_sums * from_x.clone() * from_x).sum_dim(1);
    let xy = (row_firsts * from_y.clone()).sum_dim(1);
    let yy = (row_sums * from_y.clone() * from_y).sum_dim(1);

    // D = V1 - V2 / V1 with V1 = mass + EPS, V2 = squares + EPS, written as (V1 V1 - V2) / V1 and expanded: for a peak of one pixel D is about 1e-5,
    // and the expansion subtracts 1 - 1 exactly where the published form rounds 1.00001 twice.
    let v1 = away_from_zero(mass.clone() + EPS, MIN_DIVISOR);
    let numerator = mass.clone() * mass.clone() - squares + (mass * 2.0 + (EPS - 1.0)) * EPS;
    let inverse = away_from_zero(numerator / v1, MIN_DIVISOR).recip();

    let bounded = |m: Tensor<B, 2>| (m * inverse.clone()).clamp(-MAX_COVARIANCE, MAX_COVARIANCE);
    Moments {
        xx: bounded(xx),
        xy: bounded(xy),
        yy: bounded(yy),
        mean_x,
        mean_y,
    }
}

/// The largest absolute value of each map, at least `MIN_SUM`: `[maps, 1]`.
fn magnitude<B: Backend>(maps: Tensor<B, 3>) -> Tensor<B, 2> {
    let [count, height, width] = maps.dims();
    let flat = maps.reshape([count, height * width]);
    let max = flat.clone().max_dim(1);
    let min = flat.min_dim(1);
    max.max_pair(-min).clamp_min(MIN_SUM)
}
