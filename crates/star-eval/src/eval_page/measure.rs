//! What a page shows of each point and each face, measured.

use star_data::{Covariance, Norm, Point};

use super::align::{MeanFace, mean_face};

use crate::{evaluate::PredictedFace, quantile::quantile};

/// One landmark over all faces. Errors are fractions of the norm's distance.
pub(super) struct PointFigures {
    pub mean: f64,
    pub median: f64,
    /// Nine of ten faces have a smaller error at this point.
    pub p90: f64,
    /// Mean predicted minus annotated, on the mean face.
    pub bias: Point,
    /// Covariance of predicted minus annotated, on the mean face.
    pub observed: Covariance,
    /// Mean covariance of the point's heatmap, on the mean face; None where the predictions came without.
    pub predicted: Option<Covariance>,
}

/// The standard deviations along the long and the short axis of a spread, and the angle of the long one, radians.
#[derive(Clone, Copy)]
pub(super) struct Axes {
    pub long: f64,
    pub short: f64,
    pub angle: f64,
}

impl Axes {
    /// None for what is no covariance.
    pub fn of(spread: Covariance) -> Option<Self> {
        let (long, short) = spread.half_axes(1.0)?;
        Some(Self {
            long: long.x.hypot(long.y),
            short: short.x.hypot(short.y),
            angle: long.y.atan2(long.x),
        })
    }

    /// The angle between two long axes, degrees, 0 to 90.
    pub fn angle_to(self, other: Self) -> f64 {
        let apart = (self.angle - other.angle).to_degrees().rem_euclid(180.0);
        apart.min(180.0 - apart)
    }
}

/// The mean face and each of its points.
pub(super) struct Measured {
    pub mean_face: Vec<Point>,
    pub points: Vec<PointFigures>,
}

/// Measures the faces, leaving out those whose normaliser is zero, and points that are not labelled or whose prediction is not finite. None if no face has a
/// normaliser.
pub(super) fn measure(faces: &[PredictedFace], norm: &Norm) -> Option<Measured> {
    let annotated: Vec<&[Point]> = faces.iter().map(|f| &f.annotated[..]).collect();
    let mean = mean_face(&annotated, norm)?;
    let points = (0..mean.points.len())
        .map(|i| point_figures(i, faces, &mean, norm))
        .collect();
    Some(Measured {
        mean_face: mean.points,
        points,
    })
}

fn point_figures(i: usize, faces: &[PredictedFace], mean: &MeanFace, norm: &Norm) -> PointFigures {
    let mut errors = Vec::with_capacity(faces.len());
    let mut residuals = Vec::with_capacity(faces.len());
    let mut spreads = Vec::new();
    for (face, from_image) in faces.iter().zip(&mean.from_image) {
        let Some(from_image) = from_image else {
            continue;
        };
        let (p, a) = (face.predicted[i], face.annotated[i]);
        if !(p.is_labelled() && a.is_labelled()) {
            continue;
        }
        errors.push(p.distance(a) / norm.distance(&face.annotated));
        residuals.push(from_image.apply_vector(Point::new(p.x - a.x, p.y - a.y)));
        if let Some(covariance) = face.covariance.get(i) {
            spreads.push(from_image.apply_spread(*covariance));
        }
    }
    let (bias, observed) = covariance(&residuals);
    let mean_spread = |of: fn(&Covariance) -> f64| average(spreads.iter().map(of), spreads.len());
    PointFigures {
        mean: average(errors.iter().copied(), errors.len()),
        median: quantile(&mut errors, 0.5),
        p90: quantile(&mut errors, 0.9),
        bias,
        observed,
        predicted: (!spreads.is_empty() && spreads.len() == residuals.len()).then(|| Covariance {
            xx: mean_spread(|s| s.xx),
            xy: mean_spread(|s| s.xy),
            yy: mean_spread(|s| s.yy),
        }),
    }
}

/// Mean and covariance (divided by the count) of vectors.
fn covariance(vectors: &[Point]) -> (Point, Covariance) {
    let mean_of = |of: &dyn Fn(&Point) -> f64| average(vectors.iter().map(of), vectors.len());
    let (x, y) = (mean_of(&|v| v.x), mean_of(&|v| v.y));
    let spread = Covariance {
        xx: mean_of(&|v| (v.x - x) * (v.x - x)),
        xy: mean_of(&|v| (v.x - x) * (v.y - y)),
        yy: mean_of(&|v| (v.y - y) * (v.y - y)),
    };
    (Point::new(x, y), spread)
}

fn average(values: impl Iterator<Item = f64>, count: usize) -> f64 {
    values.sum::<f64>() / count as f64
}

/// How large a face is: the root of the area of its landmarks' box, pixels.
pub(crate) fn face_size(points: &[Point]) -> f64 {
    let span = |of: fn(&Point) -> f64| {
        let (low, high) = points
            .iter()
            .map(of)
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), v| {
                (l.min(v), h.max(v))
            });
        high - low
    };
    (span(|p| p.x) * span(|p| p.y)).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_have_lengths_and_an_angle_that_ignores_the_sign() {
        let flat = Axes::of(Covariance {
            xx: 9.0,
            xy: 0.0,
            yy: 4.0,
        })
        .expect("a covariance");
        assert!((flat.long - 3.0).abs() < 1e-12 && (flat.short - 2.0).abs() < 1e-12);
        let upright = Axes::of(Covariance {
            xx: 4.0,
            xy: 0.0,
            yy: 9.0,
        })
        .expect("a covariance");
        assert!((flat.angle_to(upright) - 90.0).abs() < 1e-9);
        let turned = Axes {
            angle: flat.angle + std::f64::consts::PI,
            ..flat
        };
        assert!(flat.angle_to(turned) < 1e-9);
    }
}
