//! Calibration of the ellipses: how often the annotated point lies inside the ellipse that is drawn around the predicted one.
//!
//! If errors were Gaussian with a heatmap's covariance, the squared Mahalanobis distance would follow the chi-squared
//! distribution of two degrees of freedom: mean 2, median 2 ln 2, and a fraction of 1 - exp(-k²/2) within k standard deviations.

use std::f64::consts::LN_2;

use serde::Serialize;
use star_data::Point;

use crate::error::EvalError;

use crate::{evaluate::PredictedFace, quantile::quantile};

/// The ellipses that are counted, in standard deviations.
pub const SIGMAS: [f64; 3] = [1.0, 2.0, 3.0];

/// The fraction inside each of [`SIGMAS`] if everything were Gaussian: 39.3, 86.5 and 98.9 %.
pub fn expected() -> [f64; 3] {
    SIGMAS.map(|k| 1.0 - (-k * k / 2.0).exp())
}

/// How one factor a point is found that its covariances are multiplied by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Rule {
    /// The mean squared distance becomes 2: the maximum of the Gaussian likelihood. A few gross errors decide it.
    Mean,
    /// The median squared distance becomes 2 ln 2: right for the bulk, whatever the tails do.
    Median,
}

/// How often annotated points are inside.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Coverage {
    /// Fractions inside one, two and three standard deviations.
    pub inside: [f64; 3],
    /// Mean squared Mahalanobis distance (2 for a Gaussian) of those that are finite.
    pub mean_squared: f64,
    /// Median squared Mahalanobis distance (1.386 for a Gaussian).
    pub median_squared: f64,
}

/// One landmark.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PointCalibration {
    /// Index of the point in the layout.
    pub point: usize,
    /// What its covariances are to be multiplied by; 1 where no face of the fit has an ellipse.
    pub scale: f64,
    /// On the test faces, as predicted.
    pub raw: Coverage,
    /// On the test faces, covariances multiplied.
    pub scaled: Coverage,
}

/// One fit, on all points together.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RuleFigures {
    /// How the factor was fitted.
    pub rule: Rule,
    /// Mean absolute distance of the three fractions from the expected ones, over the points, on the faces it was fitted on.
    pub fit_gap: f64,
    /// On the test faces.
    pub test: Coverage,
}

/// What [`calibrate`] finds.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Calibration {
    /// Faces that the factors were fitted on.
    pub fit_faces: usize,
    /// Faces that coverage was counted on.
    pub test_faces: usize,
    /// [`expected`].
    pub expected: [f64; 3],
    /// The rule of the points' scales: the one with the smaller gap on the faces of the fit.
    pub rule: Rule,
    /// All points together on the test faces, as predicted.
    pub raw: Coverage,
    /// And scaled, by either rule.
    pub rules: Vec<RuleFigures>,
    /// Test landmarks whose heatmap has no ellipse (one lit pixel, or none), or that are not finite; they count as outside.
    pub without_ellipse: usize,
    /// Point by point.
    pub points: Vec<PointCalibration>,
}

/// Counts annotated points inside ellipses on `test`, raw and with one scale a point fitted on `fit`.
///
/// All faces must be of one layout. The test faces decide nothing: the rule is chosen on `fit` too.
///
/// # Errors
/// When either list is empty, or faces lack covariances.
pub fn calibrate(fit: &[PredictedFace], test: &[PredictedFace]) -> Result<Calibration, EvalError> {
    let fit_distances = distances(fit, "fit")?;
    let test_distances = distances(test, "test")?;
    if fit_distances.len() != test_distances.len() {
        return Err(EvalError::Invalid(format!(
            "the faces to fit on have {} points, those to test on {}",
            fit_distances.len(),
            test_distances.len()
        )));
    }
    let mut fits: Vec<(Vec<f64>, RuleFigures)> = [Rule::Mean, Rule::Median]
        .into_iter()
        .map(|rule| {
            let scales: Vec<f64> = fit_distances.iter().map(|d| scale(rule, d)).collect();
            let fitted = scaled(&fit_distances, &scales);
            let gaps: f64 = fitted.iter().map(|d| gap(&coverage(d))).sum();
            let figures = RuleFigures {
                rule,
                fit_gap: gaps / fitted.len() as f64,
                test: coverage(&scaled(&test_distances, &scales).concat()),
            };
            (scales, figures)
        })
        .collect();
    let chosen = usize::from(fits[1].1.fit_gap < fits[0].1.fit_gap);
    let scales = std::mem::take(&mut fits[chosen].0);
    let after = scaled(&test_distances, &scales);
    let all = test_distances.concat();
    Ok(Calibration {
        fit_faces: fit.len(),
        test_faces: test.len(),
        expected: expected(),
        rule: fits[chosen].1.rule,
        raw: coverage(&all),
        without_ellipse: all.iter().filter(|d| d.is_infinite()).count(),
        points: test_distances
            .iter()
            .zip(&after)
            .zip(&scales)
            .enumerate()
            .map(|(point, ((raw, scaled), &scale))| PointCalibration {
                point,
                scale,
                raw: coverage(raw),
                scaled: coverage(scaled),
            })
            .collect(),
        rules: fits.into_iter().map(|(_, figures)| figures).collect(),
    })
}

/// Squared Mahalanobis distances by point and face; infinite where there is no ellipse, or no finite point.
fn distances(faces: &[PredictedFace], what: &str) -> Result<Vec<Vec<f64>>, EvalError> {
    let points = faces.first().map_or(0, |face| face.predicted.len());
    if points == 0 {
        return Err(EvalError::Invalid(format!("there are no faces to {what}")));
    }
    let mut all = vec![Vec::with_capacity(faces.len()); points];
    for face in faces {
        let lengths = [
            face.predicted.len(),
            face.annotated.len(),
            face.covariance.len(),
        ];
        if lengths != [points; 3] {
            return Err(EvalError::Invalid(format!(
                "{}: {lengths:?} predicted points, annotated points and covariances instead of {points} each",
                face.name
            )));
        }
        let pairs = face.predicted.iter().zip(&face.annotated);
        for (column, ((p, a), c)) in all.iter_mut().zip(pairs.zip(&face.covariance)) {
            let offset = Point::new(a.x - p.x, a.y - p.y);
            column.push(c.mahalanobis_squared(offset).unwrap_or(f64::INFINITY));
        }
    }
    Ok(all)
}

fn scale(rule: Rule, distances: &[f64]) -> f64 {
    let finite: Vec<f64> = distances
        .iter()
        .copied()
        .filter(|d| d.is_finite())
        .collect();
    let scale = match rule {
        Rule::Mean => mean(&finite) / 2.0,
        Rule::Median => median(&finite) / (2.0 * LN_2),
    };
    if scale.is_finite() && scale > 0.0 {
        scale
    } else {
        1.0
    }
}

fn scaled(distances: &[Vec<f64>], scales: &[f64]) -> Vec<Vec<f64>> {
    let pairs = distances.iter().zip(scales);
    pairs
        .map(|(distances, scale)| distances.iter().map(|d| d / scale).collect())
        .collect()
}

fn coverage(distances: &[f64]) -> Coverage {
    let n = distances.len() as f64;
    let finite: Vec<f64> = distances
        .iter()
        .copied()
        .filter(|d| d.is_finite())
        .collect();
    Coverage {
        inside: SIGMAS.map(|k| distances.iter().filter(|&&d| d <= k * k).count() as f64 / n),
        mean_squared: mean(&finite),
        median_squared: median(distances),
    }
}

fn gap(coverage: &Coverage) -> f64 {
    let pairs = coverage.inside.iter().zip(expected());
    pairs.map(|(found, e)| (found - e).abs()).sum::<f64>() / SIGMAS.len() as f64
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// NaN of nothing.
pub(crate) fn median(values: &[f64]) -> f64 {
    quantile(&mut values.to_vec(), 0.5)
}

impl Calibration {
    /// The table for a terminal: all points together, then point by point.
    pub fn table(&self) -> String {
        let percent = |c: &Coverage| {
            let [a, b, d] = c
                .inside
                .map(|fraction| format!("{:>6.1}", fraction * 100.0));
            format!("{a} {b} {d}")
        };
        let mut text = format!(
            "annotated points inside the ellipse of 1, 2, 3 standard deviations, in per cent ({} test faces)\n\n",
            self.test_faces
        );
        let [a, b, c] = self
            .expected
            .map(|fraction| format!("{:>6.1}", fraction * 100.0));
        let mut line = |name: &str, fractions: &str, mean: f64, median: f64| {
            text += &format!(
                "{name:<28} {fractions}   mean d² {mean:>8.2}   median d² {median:>6.2}\n"
            );
        };
        line("a Gaussian", &format!("{a} {b} {c}"), 2.0, 2.0 * LN_2);
        line(
            "all points, as predicted",
            &percent(&self.raw),
            self.raw.mean_squared,
            self.raw.median_squared,
        );
        for figures in &self.rules {
            let mark = if figures.rule == self.rule { " *" } else { "" };
            let name = match figures.rule {
                Rule::Mean => format!("scaled, by the mean{mark}"),
                Rule::Median => format!("scaled, by the median{mark}"),
            };
            let c = &figures.test;
            line(&name, &percent(c), c.mean_squared, c.median_squared);
        }
        text += &format!(
            "* nearer to the Gaussian on the {} faces that the scales were fitted on; used below\n\n",
            self.fit_faces
        );
        text += "point   scale          as predicted                scaled\n";
        for p in &self.points {
            text += &format!(
                "{:>5} {:>7.2}   {}   {}\n",
                p.point,
                p.scale,
                percent(&p.raw),
                percent(&p.scaled)
            );
        }
        if self.without_ellipse > 0 {
            text += &format!(
                "\n{} landmarks have no ellipse or are not finite, and count as outside\n",
                self.without_ellipse
            );
        }
        text
    }

    /// One line a point.
    pub fn csv(&self) -> String {
        let mut text = String::from(
            "point,scale,raw_1,raw_2,raw_3,raw_mean_d2,raw_median_d2,scaled_1,scaled_2,scaled_3,scaled_mean_d2,scaled_median_d2\n",
        );
        for p in &self.points {
            text += &format!("{},{:.6}", p.point, p.scale);
            for c in [&p.raw, &p.scaled] {
                let [a, b, d] = c.inside;
                text += &format!(
                    ",{a:.6},{b:.6},{d:.6},{:.6},{:.6}",
                    c.mean_squared, c.median_squared
                );
            }
            text.push('\n');
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use rand::{RngExt, SeedableRng};
    use rand_pcg::Pcg64Mcg;
    use star_data::Affine;

    use super::*;
    use star_data::Covariance;

    const FACES: usize = 4000;
    /// What point 0 to 2's true covariance is, over the one that is claimed.
    const FACTORS: [f64; 3] = [1.0, 4.0, 0.25];

    /// Faces whose errors are Gaussian: a turned 3:1 ellipse, claimed as 1 / FACTORS of what it is. `gross` of them are far off.
    fn faces(seed: u64, gross: f64) -> Vec<PredictedFace> {
        let mut rng = Pcg64Mcg::seed_from_u64(seed);
        let turn = Affine::rotation_about(Point::default(), 0.7, 1.0);
        let upright = Covariance {
            xx: 9.0,
            xy: 0.0,
            yy: 1.0,
        };
        (0..FACES)
            .map(|index| {
                let mut predicted = Vec::new();
                let mut annotated = Vec::new();
                let mut covariance = Vec::new();
                for factor in FACTORS {
                    let p = Point::new(10.0 * rng.random::<f64>(), 20.0);
                    // Box and Muller.
                    let r = (-2.0 * (1.0 - rng.random::<f64>()).ln()).sqrt();
                    let (sin, cos) = (std::f64::consts::TAU * rng.random::<f64>()).sin_cos();
                    let far = if rng.random::<f64>() < gross {
                        20.0
                    } else {
                        1.0
                    };
                    let e = turn.apply(Point::new(3.0 * r * cos * far, r * sin * far));
                    predicted.push(p);
                    annotated.push(Point::new(p.x + e.x, p.y + e.y));
                    covariance.push(upright.mapped(&turn).scaled(1.0 / factor));
                }
                PredictedFace {
                    index,
                    name: format!("face {index}"),
                    predicted,
                    covariance,
                    annotated,
                    truth: None,
                    matrix: Affine::IDENTITY,
                }
            })
            .collect()
    }

    /// Four standard errors of a fraction among the faces.
    fn error(fraction: f64) -> f64 {
        4.0 * (fraction * (1.0 - fraction) / FACES as f64).sqrt()
    }

    #[test]
    fn an_honest_gaussian_covers_what_theory_says() {
        let found = calibrate(&faces(1, 0.0), &faces(2, 0.0)).unwrap();
        let honest = &found.points[0];
        for (fraction, expected) in honest.raw.inside.iter().zip(expected()) {
            assert!((fraction - expected).abs() < error(expected), "{fraction}");
        }
        assert!((honest.raw.mean_squared - 2.0).abs() < 0.13);
        assert!((honest.raw.median_squared - 2.0 * LN_2).abs() < 0.13);
        // Too small an ellipse covers less, too large a one more.
        assert!(found.points[1].raw.inside[0] < 0.2 && found.points[2].raw.inside[0] > 0.8);
    }

    #[test]
    fn a_known_factor_is_found_and_mends_the_coverage() {
        let found = calibrate(&faces(3, 0.0), &faces(4, 0.0)).unwrap();
        for (point, factor) in found.points.iter().zip(FACTORS) {
            assert!((point.scale / factor - 1.0).abs() < 0.08, "{}", point.scale);
            for (fraction, expected) in point.scaled.inside.iter().zip(expected()) {
                assert!(
                    (fraction - expected).abs() < error(expected) + 0.02,
                    "{fraction}"
                );
            }
        }
    }

    #[test]
    fn gross_errors_leave_the_median_alone() {
        let found = calibrate(&faces(5, 0.05), &faces(6, 0.05)).unwrap();
        assert_eq!(found.rule, Rule::Median);
        for (point, factor) in found.points.iter().zip(FACTORS) {
            assert!((point.scale / factor - 1.0).abs() < 0.15, "{}", point.scale);
        }
        let mean = &found.rules[0];
        assert!(
            mean.test.inside[0] > 0.8,
            "a few gross errors widen all ellipses"
        );
    }

    #[test]
    fn heatmaps_without_an_ellipse_count_as_outside() {
        let mut test = faces(7, 0.0);
        for face in &mut test[..FACES / 2] {
            face.covariance[0] = Covariance::default();
        }
        let found = calibrate(&faces(8, 0.0), &test).unwrap();
        assert_eq!(found.without_ellipse, FACES / 2);
        assert!(found.points[0].raw.inside[2] < 0.51);
        assert!(found.table().contains("no ellipse"));
        // Landmarks that are not finite are outside too, and change nothing else.
        let others = calibrate(&faces(8, 0.0), &test[FACES / 2..]).unwrap();
        for face in &mut test[..FACES / 2] {
            face.predicted[1] = Point::new(f64::NAN, 0.0);
        }
        let lost = calibrate(&faces(8, 0.0), &test).unwrap();
        assert_eq!(lost.without_ellipse, FACES);
        let (lost, others) = (lost.points[1].raw, others.points[1].raw);
        for (lost, of_others) in lost.inside.iter().zip(others.inside) {
            assert!((lost - of_others / 2.0).abs() < 1e-12);
        }
        assert_eq!(lost.mean_squared, others.mean_squared);
        assert!(calibrate(&[], &test).is_err() && calibrate(&test, &[]).is_err());
    }
}
