//! The spread of a point: a symmetric 2x2 matrix and what is read off it.

use serde::Serialize;

use crate::{affine::Affine, point::Point};

/// A symmetric 2x2 matrix; of a predicted point, in image pixels squared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Covariance {
    /// Variance along x.
    pub xx: f64,
    /// Covariance of x and y.
    pub xy: f64,
    /// Variance along y.
    pub yy: f64,
}

/// The principal axes of a covariance.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Axes {
    /// Variance along the major axis.
    pub large: f64,
    /// Variance along the minor axis; rounding may leave it a little below 0.
    pub small: f64,
    /// Unit vector of the major axis; its sign means nothing. The minor axis is (-y, x).
    pub major: Point,
}

impl Covariance {
    /// The covariance after the linear part of `map`.
    #[must_use]
    pub fn mapped(&self, map: &Affine) -> Self {
        let [[a, b, _], [d, e, _]] = map.rows;
        let Self { xx, xy, yy } = *self;
        Self {
            xx: a * a * xx + 2.0 * a * b * xy + b * b * yy,
            xy: a * d * xx + (a * e + b * d) * xy + b * e * yy,
            yy: d * d * xx + 2.0 * d * e * xy + e * e * yy,
        }
    }

    /// All entries times `factor`.
    #[must_use]
    pub fn scaled(&self, factor: f64) -> Self {
        Self {
            xx: factor * self.xx,
            xy: factor * self.xy,
            yy: factor * self.yy,
        }
    }

    /// Eigenvalues and the major axis; (1, 0) for an isotropic spread.
    pub fn axes(&self) -> Axes {
        let Self { xx, xy, yy } = *self;
        let (mean, half) = ((xx + yy) / 2.0, ((xx - yy) / 2.0).hypot(xy));
        let angle = (2.0 * xy).atan2(xx - yy) / 2.0;
        Axes {
            large: mean + half,
            small: mean - half,
            major: Point::new(angle.cos(), angle.sin()),
        }
    }

    /// Long over short half axis, at least 1: how much surer the point is across its ellipse than along it. None if it is no covariance.
    pub fn anisotropy(&self) -> Option<f64> {
        let (long, short) = self.half_axes(1.0)?;
        let (long, short) = (long.x.hypot(long.y), short.x.hypot(short.y));
        Some(if short > 0.0 {
            long / short
        } else {
            f64::INFINITY
        })
    }

    /// The half axes, long and short, of the ellipse at `sigmas` standard deviations; None if it is no covariance.
    pub fn half_axes(&self, sigmas: f64) -> Option<(Point, Point)> {
        let Self { xx, xy, yy } = *self;
        if ![xx, xy, yy].iter().all(|v| v.is_finite()) {
            return None;
        }
        let (mean, half) = ((xx + yy) / 2.0, ((xx - yy) / 2.0).hypot(xy));
        if mean + half < 0.0 {
            return None;
        }
        let angle = (2.0 * xy).atan2(xx - yy) / 2.0;
        let (sin, cos) = angle.sin_cos();
        let long = sigmas * (mean + half).sqrt();
        let short = sigmas * (mean - half).max(0.0).sqrt();
        Some((
            Point::new(long * cos, long * sin),
            Point::new(-short * sin, short * cos),
        ))
    }

    /// The squared Mahalanobis distance of an offset; `None` where this is not positive definite, so that no ellipse has it.
    pub fn mahalanobis_squared(&self, offset: Point) -> Option<f64> {
        let Self { xx, xy, yy } = *self;
        let Point { x, y } = offset;
        let determinant = xx * yy - xy * xy;
        let squared = (yy * x * x - 2.0 * xy * x * y + xx * y * y) / determinant;
        (xx > 0.0 && determinant > 0.0 && squared.is_finite()).then_some(squared)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_turned_ellipse_has_its_axes_and_distances() {
        // 4 along (1, 0) and 1 along (0, 1), turned by 30 degrees.
        let turn = Affine::rotation_about(Point::default(), std::f64::consts::FRAC_PI_6, 1.0);
        let upright = Covariance {
            xx: 4.0,
            xy: 0.0,
            yy: 1.0,
        };
        let turned = upright.mapped(&turn);
        let Axes {
            large,
            small,
            major,
        } = turned.axes();
        assert!((large - 4.0).abs() < 1e-12 && (small - 1.0).abs() < 1e-12);
        let along = turn.apply(Point::new(1.0, 0.0));
        assert!((major.x * along.y - major.y * along.x).abs() < 1e-12);
        for offset in [
            Point::new(2.0, 0.0),
            Point::new(0.3, -1.7),
            Point::new(0.0, 0.0),
        ] {
            let before = upright.mahalanobis_squared(offset).unwrap();
            let after = turned.mahalanobis_squared(turn.apply(offset)).unwrap();
            assert!((before - after).abs() < 1e-12, "{before} {after}");
        }
        assert_eq!(upright.mahalanobis_squared(Point::new(2.0, 1.0)), Some(2.0));
    }

    #[test]
    fn what_is_no_ellipse_has_no_distance() {
        let offset = Point::new(1.0, 1.0);
        for (xx, xy, yy) in [
            (0.0, 0.0, 0.0),
            (1.0, 1.0, 1.0),
            (-1.0, 0.0, -1.0),
            (f64::NAN, 0.0, 1.0),
        ] {
            assert_eq!(Covariance { xx, xy, yy }.mahalanobis_squared(offset), None);
        }
    }
}
