//! First and second moments of heatmaps.

use burn::tensor::{Tensor, backend::Backend};

use crate::numeric::{away_from_zero, constant, within};
use crate::products::{Overview, Products};

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
    let [_, height, width] = maps.dims();
    let (xs, ys) = (grid(width, &maps), grid(height, &maps));
    let products = Products::on::<B>(&maps.device());

    // Sums of up to `pixels` values of any finite size stay finite when each is first made this much smaller (a power of two: exact).
    let shrink = 1.0 / 128.0 / (height * width).next_power_of_two() as f64;
    let Overview { magnitude, columns } = products.overview(maps.clone().detach(), shrink);
    let unit = Unit::new(shrink, magnitude.clamp_min(MIN_SUM));
    let to_mass = unit.to_mass(columns.clone());
    let base_x = base(columns.clone(), &xs, &to_mass);
    let from_base_x = xs - base_x.clone();
    let powers = [
        from_base_x.ones_like(),
        from_base_x.clone(),
        from_base_x.clone() * from_base_x.clone(),
    ];
    let powers = powers.map(|power| power * unit.shrink);
    // In units of the largest magnitude. One factor of the squares is a constant for the graph, which halves the memory and the work
    // backwards; the gradient is doubled to make up.
    let scale = unit.magnitude.clone().recip() * shrink;
    let ([sums, firsts, seconds], squares) = products.sums(maps, powers, scale);
    let squares = squares.clone() * 2.0 - squares.detach();
    let total = sums.clone().sum_dim(1);
    let mass = Mass::new(total.clone(), &unit);

    let first = with_value(
        firsts.clone().sum_dim(1),
        (columns.clone() * from_base_x.clone()).sum_dim(1),
    );
    let mean_x = Mean::new(base_x, mass.per_mass(first.clone()), &mass.value);
    let base_y = base(sums.clone().detach(), &ys, &to_mass);
    let from_base_y = ys - base_y.clone();
    let first_y = (sums.clone() * from_base_y.clone()).sum_dim(1);
    let mean_y = Mean::new(base_y, mass.per_mass(first_y), &mass.value);

    let shift = mean_x.rest.clone();
    let from_x = from_base_x - shift.clone().detach();
    let from_y = from_base_y - mean_y.rest.clone();
    let xx =
        seconds.sum_dim(1) - first * shift.clone() * 2.0 + shift.clone() * shift.clone() * total;
    let xy = ((firsts - sums.clone() * shift) * from_y.clone()).sum_dim(1);
    let spread = Spread::new(
        columns * from_x.clone() * from_x,
        xx,
        sums * from_y.clone() * from_y,
    );

    let denominator = denominator(
        mass.per_mass(squares) / mass.divisor.clone(),
        mass.value.clone(),
    );
    let covariance = |sum: Tensor<B, 2>| {
        let moment = mass.per_mass(sum) / denominator.clone();
        within(moment, -MAX_COVARIANCE, MAX_COVARIANCE)
    };
    Moments {
        mean_x,
        mean_y,
        half_sum: covariance(spread.half_sum()),
        half_difference: covariance(spread.half_difference()),
        xx: covariance(spread.xx()),
        yy: covariance(spread.yy),
        xy: covariance(xy),
    }
}

/// The units that sums over a map are taken in, so that they stay finite and their squares too.
struct Unit<B: Backend> {
    shrink: f64,
    /// The largest absolute value of each map, at least `MIN_SUM`: `[maps, 1]`.
    magnitude: Tensor<B, 2>,
    /// From shrunken sums to units of the magnitude. Applied before sums are divided or squared; not earlier, because each factor is a
    /// rounding.
    scale: Tensor<B, 2>,
    /// The least sum that a map is divided by. Signed maps may cancel to (nearly) nothing: a sum below a millionth of the largest value is
    /// noise in f32.
    floor: Tensor<B, 2>,
}

impl<B: Backend> Unit<B> {
    fn new(shrink: f64, magnitude: Tensor<B, 2>) -> Self {
        let recip = magnitude.clone().recip();
        Self {
            shrink,
            scale: recip.clone() / shrink,
            floor: (recip * MIN_SUM).clamp_min(MIN_SUM),
            magnitude,
        }
    }

    /// What makes shrunken sums (`columns` `[maps, width]` of one map) parts of a whole.
    fn to_mass(&self, columns: Tensor<B, 2>) -> Tensor<B, 2> {
        let scaled = columns.sum_dim(1) * self.scale.clone();
        self.scale.clone() / scaled.max_pair(self.floor.clone())
    }
}

/// h / max(sum h, 1e-6): what a map sums to, and its divisor.
struct Mass<B: Backend> {
    /// 1, without a gradient, unless the floor was used.
    value: Tensor<B, 2>,
    scale: Tensor<B, 2>,
    divisor: Tensor<B, 2>,
}

impl<B: Backend> Mass<B> {
    /// `total` is the shrunken sum of each map.
    fn new(total: Tensor<B, 2>, unit: &Unit<B>) -> Self {
        let scaled = total * unit.scale.clone();
        let enough = scaled.clone().detach().greater_equal(unit.floor.clone());
        let divisor = scaled.clone().max_pair(unit.floor.clone());
        Self {
            value: (scaled / divisor.clone()).mask_fill(enough, 1.0),
            scale: unit.scale.clone(),
            divisor,
        }
    }

    /// A shrunken sum over the map as one over the normalised map.
    fn per_mass(&self, sum: Tensor<B, 2>) -> Tensor<B, 2> {
        sum * self.scale.clone() / self.divisor.clone()
    }
}

/// D = V1 - V2 / V1 with V1 = mass + EPS, V2 = squares + EPS, written as (V1 V1 - V2) / V1 and expanded: for a peak of one pixel D is about
/// 1e-5, and the expansion subtracts 1 - 1 exactly where the published form rounds 1.00001 twice.
fn denominator<B: Backend>(squares: Tensor<B, 2>, mass: Tensor<B, 2>) -> Tensor<B, 2> {
    let v1 = away_from_zero(mass.clone() + EPS, MIN_DIVISOR);
    let numerator = mass.clone() * mass.clone() - squares + (mass * 2.0 + (EPS - 1.0)) * EPS;
    away_from_zero(numerator / v1, MIN_DIVISOR)
}

/// Shrunken second moments along the axes. xx and yy are kept as `common` plus a remainder: their difference turns the axes, and for a nearly
/// round map one rounding of their full sums is a visible angle.
struct Spread<B: Backend> {
    common: Tensor<B, 2>,
    rest_x: Tensor<B, 2>,
    rest_y: Tensor<B, 2>,
    yy: Tensor<B, 2>,
}

impl<B: Backend> Spread<B> {
    /// `terms_x` `[maps, width]` and `terms_y` `[maps, height]` add up to the moments; the gradient of the x-moment is that of `xx`.
    fn new(terms_x: Tensor<B, 2>, xx: Tensor<B, 2>, terms_y: Tensor<B, 2>) -> Self {
        let ([_, width], [_, height]) = (terms_x.dims(), terms_y.dims());
        let common = terms_x.clone().sum_dim(1);
        Self {
            rest_x: with_value(xx, (terms_x - common.clone() / width as f64).sum_dim(1)),
            rest_y: (terms_y.clone() - common.clone() / height as f64).sum_dim(1),
            yy: terms_y.sum_dim(1),
            common,
        }
    }

    fn xx(&self) -> Tensor<B, 2> {
        self.rest_x.clone() + self.common.clone()
    }

    fn half_sum(&self) -> Tensor<B, 2> {
        (self.rest_x.clone() + self.rest_y.clone()) * 0.5 + self.common.clone()
    }

    fn half_difference(&self) -> Tensor<B, 2> {
        (self.rest_x.clone() - self.rest_y.clone()) * 0.5
    }
}

/// The gradient of `x` with the value of `value`.
fn with_value<B: Backend>(x: Tensor<B, 2>, value: Tensor<B, 2>) -> Tensor<B, 2> {
    value + (x.clone() - x.detach())
}
