//! First and second moments of heatmaps.

use burn::tensor::{Tensor, backend::Backend};

use crate::numeric::{away_from_zero, constant, within};
use crate::products::Products;

/// The published constant in the denominators (REFERENCE S3).
const EPS: f64 = 1e-5;
/// Maps are divided by their sum, but by no less than this.
const MIN_SUM: f64 = 1e-6;
/// Divisors that the published formula lets cross zero for maps with a sum below `MIN_SUM` are kept this far from it. Other maps have a denominator
/// of at least `EPS` and never come here.
const MIN_DIVISOR: f64 = 1e-6;
/// The mean of a non-negative map lies within 1, so within 2 of any place in the grid. Maps with cancelling signs could have it anywhere; this keeps
/// them in the range of f32.
const MAX_SHIFT: f64 = 2.0;
/// The variance of a non-negative map is at most 2. As `MAX_SHIFT`.
const MAX_COVARIANCE: f64 = 1e6;

/// Mean and covariance of each map, all `[maps, 1]`, in units of the grid that has -1 and 1 at the centres of the outermost pixels.
pub(crate) struct Moments<B: Backend> {
    pub mean_x: Mean<B>,
    pub mean_y: Mean<B>,
    pub xx: Tensor<B, 2>,
    pub xy: Tensor<B, 2>,
    pub yy: Tensor<B, 2>,
    /// (xx + yy) / 2.
    pub half_sum: Tensor<B, 2>,
    /// (xx - yy) / 2, not computed from these two: it turns the axes, and is small where that matters most.
    pub half_difference: Tensor<B, 2>,
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

/// A constant near the mean of `grid` `[1, side]` under constant weights `[maps, side]`, whose sum times `to_mass` `[maps, 1]` is about 1. Within the grid
/// for any map.
fn base<B: Backend>(
    weights: Tensor<B, 2>,
    grid: &Tensor<B, 2>,
    to_mass: &Tensor<B, 2>,
) -> Tensor<B, 2> {
    let mean = (weights * grid.clone()).sum_dim(1) * to_mass.clone();
    within(mean, -1.0, 1.0)
}

impl<B: Backend> Mean<B> {
    /// From the first moment about `base` of a map that sums to `mass`. Exact for any base.
    fn new(base: Tensor<B, 2>, first: Tensor<B, 2>, mass: &Tensor<B, 2>) -> Self {
        let rest = first + base.clone() * (mass.clone() - 1.0);
        Self {
            base,
            rest: within(rest, -MAX_SHIFT, MAX_SHIFT),
        }
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
/// The full maps are all the work, and writing a tensor of their size costs several times as much as reading one. So the maps enter the graph twice
/// only, both times in sums of [`Products`], which are thin matrix products where those are exact enough: with the powers 0, 1, 2 of x about the map's own mean (everything the mean and the
/// covariance need is in `[maps, height, 3]` then), and with themselves for the sum of squares. What is read besides is detached: the largest
/// magnitude, and the sums of the columns, for the x-mean to centre on and for the values of the x-moments, so that x and y are rounded alike and a
/// map that is its own transpose has equal variances to the last bit.
///
/// Why not one product with a constant `[pixels, 6]` matrix of (1, x, y, xx, xy, yy): raw second moments minus the squared mean lose the variance
/// of a sharp peak in f32 (relative 1e-4 for a peak of one pixel near a corner of a 64 x 64 map, where centred sums keep 1e-7).
pub(crate) fn moments<B: Backend>(maps: Tensor<B, 3>) -> Moments<B> {
    let [count, height, width] = maps.dims();
    let pixels = height * width;
    let fixed = maps.clone().detach();

    // Sums of up to `pixels` values of any finite size stay finite when each is first made this much smaller (a power of two: exact). Before sums are
    // divided or squared they are brought to units of the map's largest magnitude; not earlier, because each factor is a rounding.
    let shrink = 1.0 / 128.0 / pixels.next_power_of_two() as f64;

    // h / max(sum h, 1e-6). Signed maps may cancel to (nearly) nothing: a sum below a millionth of the largest value is noise in f32.
    let magnitude = magnitude(fixed.clone());
    let scale = magnitude.clone().recip() / shrink;
    let floor = (magnitude.clone().recip() * MIN_SUM).clamp_min(MIN_SUM);

    let products = Products::on::<B>(&maps.device());
    let columns = products.columns(fixed.clone(), shrink);
    let to_mass =
        scale.clone() / (columns.clone().sum_dim(1) * scale.clone()).max_pair(floor.clone());
    let xs = grid(width, &maps);
    let base_x = base(columns.clone(), &xs, &to_mass);
    let from_base_x = xs - base_x.clone();

    let powers = [
        from_base_x.ones_like(),
        from_base_x.clone(),
        from_base_x.clone() * from_base_x.clone(),
    ];
    let [sums, firsts, seconds] = products.rows(maps.clone(), powers.map(|power| power * shrink));

    let total = sums.clone().sum_dim(1);
    let scaled = total.clone() * scale.clone();
    let enough = scaled.clone().detach().greater_equal(floor.clone());
    let divisor = scaled.clone().max_pair(floor);
    // 1, without a gradient, unless the floor was used.
    let mass = (scaled / divisor.clone()).mask_fill(enough, 1.0);

    let first = with_value(
        firsts.clone().sum_dim(1),
        (columns.clone() * from_base_x.clone()).sum_dim(1),
    );
    let mean_x = Mean::new(
        base_x,
        first.clone() * scale.clone() / divisor.clone(),
        &mass,
    );
    let ys = grid(height, &maps);
    let base_y = base(sums.clone().detach(), &ys, &to_mass);
    let from_base_y = ys - base_y.clone();
    let mean_y = Mean::new(
        base_y,
        (sums.clone() * from_base_y.clone()).sum_dim(1) * scale.clone() / divisor.clone(),
        &mass,
    );

    let shift = mean_x.rest.clone();
    let from_x = from_base_x - shift.clone().detach();
    let from_y = from_base_y - mean_y.rest.clone();
    // Second moments. xx and yy are kept as `common` plus a remainder: their difference turns the axes, and for a nearly round map one rounding of
    // their full sums is a visible angle.
    let terms_x = columns * from_x.clone() * from_x;
    let terms_y = sums.clone() * from_y.clone() * from_y.clone();
    let common = terms_x.clone().sum_dim(1);
    let rest_x = with_value(
        seconds.sum_dim(1) - first * shift.clone() * 2.0 + shift.clone() * shift.clone() * total,
        (terms_x - common.clone() / width as f64).sum_dim(1),
    );
    let rest_y = (terms_y.clone() - common.clone() / height as f64).sum_dim(1);
    let xy = ((firsts - sums * shift) * from_y).sum_dim(1);

    // The sum of squares, in units of the largest magnitude. One factor is a constant for the graph, which halves the memory and the work backwards;
    // the gradient is doubled to make up.
    let flat = fixed.reshape([count, pixels]) * (magnitude.recip() * shrink);
    let squares = products.dot(maps.reshape([count, pixels]), flat);
    let squares = squares.clone() * 2.0 - squares.detach();
    let squares = squares * scale.clone() / divisor.clone() / divisor.clone();

    // D = V1 - V2 / V1 with V1 = mass + EPS, V2 = squares + EPS, written as (V1 V1 - V2) / V1 and expanded: for a peak of one pixel D is about 1e-5,
    // and the expansion subtracts 1 - 1 exactly where the published form rounds 1.00001 twice.
    let v1 = away_from_zero(mass.clone() + EPS, MIN_DIVISOR);
    let numerator = mass.clone() * mass.clone() - squares + (mass * 2.0 + (EPS - 1.0)) * EPS;
    let denominator = away_from_zero(numerator / v1, MIN_DIVISOR);

    let covariance = |sum: Tensor<B, 2>| {
        let moment = sum * scale.clone() / divisor.clone() / denominator.clone();
        within(moment, -MAX_COVARIANCE, MAX_COVARIANCE)
    };
    Moments {
        mean_x,
        mean_y,
        half_sum: covariance((rest_x.clone() + rest_y.clone()) * 0.5 + common.clone()),
        half_difference: covariance((rest_x.clone() - rest_y.clone()) * 0.5),
        xx: covariance(rest_x + common),
        yy: covariance(terms_y.sum_dim(1)),
        xy: covariance(xy),
    }
}

/// The gradient of `x` with the value of `value`.
fn with_value<B: Backend>(x: Tensor<B, 2>, value: Tensor<B, 2>) -> Tensor<B, 2> {
    value + (x.clone() - x.detach())
}

/// The largest absolute value of each map, at least `MIN_SUM`: `[maps, 1]`.
fn magnitude<B: Backend>(maps: Tensor<B, 3>) -> Tensor<B, 2> {
    let [count, height, width] = maps.dims();
    let flat = maps.reshape([count, height * width]);
    let max = flat.clone().max_dim(1);
    let min = flat.min_dim(1);
    max.max_pair(-min).clamp_min(MIN_SUM)
}
