//! Calibration of the ellipses: how often the annotated point lies inside the ellipse that is drawn around the predicted one.
//!
//! If errors were Gaussian with a heatmap's covariance, the squared Mahalanobis distance would follow the chi-squared
//! distribution of two degrees of freedom: mean 2, median 2 ln 2, and a fraction of 1 - exp(-k²/2) within k standard deviations.

use std::f64::consts::LN_2;

use serde::Serialize;
use star_data::Point;
use star_infer::CovarianceScales;

use crate::{error::EvalError, evaluate::PredictedFace, quantile::quantile};

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
    /// Between what the ellipses of one and of two standard deviations ask for (the geometric mean): a little too large for the bulk, a little
    /// too small for the tails. An eighth of the faces may be anywhere.
    Quantiles,
}

/// All of them.
const RULES: [Rule; 3] = [Rule::Mean, Rule::Median, Rule::Quantiles];

/// Faces' worth of the overall scale in each point's own: of few faces a point's scale is mostly chance. docs/ambiguity.md has how it was
/// chosen.
const SHRINK_FACES: f64 = 8.0;
/// Digits of a scale; there is no more in a few hundred faces.
const DIGITS: i32 = 4;

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
    /// What its covariances are to be multiplied by; the overall scale where no face of the fit has an ellipse.
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
    /// Fitted on one half of the faces of the fit and counted on the other, and the other way round: mean absolute distance of the three
    /// fractions from the expected ones, over the points. NaN of a single face.
    pub half_gap: f64,
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
    /// The rule of the points' scales: the one with the smallest gap on the halves of the fit.
    pub rule: Rule,
    /// All points together on the test faces, as predicted.
    pub raw: Coverage,
    /// And scaled, by each rule.
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
    let fit_scales = Fit::of(&fit_distances, fit.len())?;
    let rules = fit_scales.half_gaps.map(|(rule, half_gap)| RuleFigures {
        rule,
        half_gap,
        test: coverage(&scaled(&test_distances, &scales(rule, &fit_distances)).concat()),
    });
    let Fit { rule, scales, .. } = fit_scales;
    let after = scaled(&test_distances, &scales);
    let all = test_distances.concat();
    Ok(Calibration {
        fit_faces: fit.len(),
        test_faces: test.len(),
        expected: expected(),
        rule,
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
        rules: rules.into(),
    })
}

/// One scale a point, found on annotated faces.
#[derive(Clone, Debug, PartialEq)]
pub struct Fit {
    /// How.
    pub rule: Rule,
    /// What each point's covariances are to be multiplied by.
    pub scales: Vec<f64>,
    /// How many faces.
    pub faces: usize,
    /// [`RuleFigures::half_gap`] of every rule.
    half_gaps: [(Rule, f64); RULES.len()],
}

/// The part of an annotation file that a training left aside.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HeldOutPart {
    /// `data.held_out` of the recipe.
    pub fraction: f64,
    /// Its seed.
    pub seed: u64,
}

impl Fit {
    /// By the rule that does best from one half of the faces to the other.
    ///
    /// # Errors
    /// When there are no faces, or none of their heatmaps has an ellipse; when faces lack covariances.
    pub fn new(faces: &[PredictedFace]) -> Result<Self, EvalError> {
        Self::of(&distances(faces, "fit")?, faces.len())
    }

    fn of(distances: &[Vec<f64>], faces: usize) -> Result<Self, EvalError> {
        if distances.iter().flatten().all(|d| d.is_infinite()) {
            return Err(EvalError::Invalid(
                "none of the heatmaps has an ellipse, so there is nothing to scale: the network has hardly been trained, or its weights \
                 are damaged"
                    .into(),
            ));
        }
        // Every second face, so that each half has some of every part of an annotation file.
        let half = |first: usize| -> Vec<Vec<f64>> {
            let every_second = |d: &Vec<f64>| d.iter().skip(first).step_by(2).copied().collect();
            distances.iter().map(every_second).collect()
        };
        let halves = [half(0), half(1)];
        let half_gaps = RULES.map(|rule| {
            let from = |fitted: usize, counted: usize| {
                let after = scaled(&halves[counted], &scales(rule, &halves[fitted]));
                mean(&after.iter().map(|d| gap(&coverage(d))).collect::<Vec<_>>())
            };
            (rule, (from(0, 1) + from(1, 0)) / 2.0)
        });
        let best = half_gaps
            .iter()
            .filter(|(_, gap)| gap.is_finite())
            .min_by(|a, b| a.1.total_cmp(&b.1));
        let rule = best.map_or(Rule::Quantiles, |(rule, _)| *rule);
        Ok(Self {
            rule,
            scales: scales(rule, distances),
            faces,
            half_gaps,
        })
    }

    /// For a weights file. `annotations` is the name of the file that the faces are of.
    ///
    /// # Errors
    /// Scales that are no measurement.
    pub fn covariance_scales(
        &self,
        annotations: &str,
        part: Option<HeldOutPart>,
    ) -> Result<CovarianceScales, EvalError> {
        let part = match part {
            Some(HeldOutPart { fraction, seed }) => {
                format!("those held out of training (fraction {fraction}, seed {seed})")
            }
            None => "all of them".into(),
        };
        let rule = match self.rule {
            Rule::Mean => "mean",
            Rule::Median => "median",
            Rule::Quantiles => "quantiles",
        };
        let protocol = format!("{part}, the annotation file's crops, one pass, rule {rule}");
        CovarianceScales::new(self.scales.clone(), annotations, self.faces, &protocol)
            .map_err(EvalError::Invalid)
    }
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
            if !a.is_labelled() {
                continue;
            }
            let offset = Point::new(a.x - p.x, a.y - p.y);
            column.push(c.mahalanobis_squared(offset).unwrap_or(f64::INFINITY));
        }
    }
    Ok(all)
}

/// One scale a point, each shrunk to that of all points together.
fn scales(rule: Rule, distances: &[Vec<f64>]) -> Vec<f64> {
    let overall = scale(rule, &distances.concat()).unwrap_or(1.0);
    let own = |d: &Vec<f64>| {
        let faces = d.iter().filter(|d| d.is_finite()).count() as f64;
        let Some(own) = scale(rule, d) else {
            return overall;
        };
        let log = (faces * own.ln() + SHRINK_FACES * overall.ln()) / (faces + SHRINK_FACES);
        round(log.exp())
    };
    distances.iter().map(own).collect()
}

/// None where there is no distance to go by.
fn scale(rule: Rule, distances: &[f64]) -> Option<f64> {
    let mut finite: Vec<f64> = distances
        .iter()
        .copied()
        .filter(|d| d.is_finite())
        .collect();
    let scale = match rule {
        Rule::Mean => mean(&finite) / 2.0,
        Rule::Median => median(&finite) / (2.0 * LN_2),
        Rule::Quantiles => {
            let [one, two, _] = expected();
            (quantile(&mut finite, one) * quantile(&mut finite, two) / 4.0).sqrt()
        }
    };
    (scale.is_finite() && scale > 0.0).then_some(scale)
}

/// To [`DIGITS`] digits.
fn round(scale: f64) -> f64 {
    let unit = 10_f64.powi(DIGITS - 1 - scale.log10().floor() as i32);
    (scale * unit).round() / unit
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
                Rule::Quantiles => format!("scaled, by two quantiles{mark}"),
            };
            let c = &figures.test;
            line(&name, &percent(c), c.mean_squared, c.median_squared);
        }
        let gaps: Vec<String> = (self.rules.iter())
            .map(|figures| format!("{:.1}", figures.half_gap * 100.0))
            .collect();
        text += &format!(
            "* used below: nearest to the Gaussian from one half of the {} faces of the fit to the other (off by {} points)\n\n",
            self.fit_faces,
            gaps.join(", ")
        );
        text += "point   scale          as predicted                scaled\n";
        for p in &self.points {
            text += &format!(
                "{:>5} {:>7.4}   {}   {}\n",
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
        assert_ne!(found.rule, Rule::Mean);
        for (point, factor) in found.points.iter().zip(FACTORS) {
            assert!((point.scale / factor - 1.0).abs() < 0.15, "{}", point.scale);
        }
        let mean = &found.rules[0];
        assert!(
            mean.test.inside[0] > 0.8,
            "a few gross errors widen all ellipses"
        );
    }

    /// A point of few faces has mostly the scale of all; one of many its own.
    #[test]
    fn few_faces_take_their_scale_from_all_points() {
        let fit = |faces: &[PredictedFace]| Fit::new(faces).expect("a fit").scales;
        let all = faces(9, 0.0);
        let spread = |scales: &[f64]| (scales[1] / scales[2]).ln();
        // FACTORS are 16 apart.
        let whole = spread(&fit(&all));
        assert!((whole / 16_f64.ln() - 1.0).abs() < 0.05, "{whole}");
        let mean = |count: usize| {
            let some: Vec<f64> = all
                .chunks(count)
                .take(200)
                .map(|f| spread(&fit(f)))
                .collect();
            some.iter().sum::<f64>() / some.len() as f64
        };
        // n / (n + 8) of it, and chance.
        for (count, expected) in [(2, 0.2), (8, 0.5), (24, 0.75)] {
            let found = mean(count) / 16_f64.ln();
            assert!((found - expected).abs() < 0.06, "{count} faces: {found}");
        }
    }

    #[test]
    fn scales_say_what_they_were_measured_on() {
        let fit = Fit::new(&faces(10, 0.0)[..50]).expect("a fit");
        let part = HeldOutPart {
            fraction: 0.1,
            seed: 7,
        };
        let scales = fit
            .covariance_scales("train.tsv", Some(part))
            .expect("scales");
        assert_eq!(scales.scales(), fit.scales);
        let about = scales.about();
        for says in ["50 faces of train.tsv", "fraction 0.1, seed 7", "one pass"] {
            assert!(about.contains(says), "{about}");
        }
        // Nothing to go by.
        let mut flat = faces(10, 0.0);
        flat.truncate(4);
        for face in &mut flat {
            face.covariance.fill(Covariance::default());
        }
        let error = Fit::new(&flat).expect_err("no ellipse").to_string();
        assert!(error.contains("none of the heatmaps"), "{error}");
    }

    #[test]
    fn scales_have_four_digits() {
        for (scale, rounded) in [(0.0138762, 0.01388), (1.0, 1.0), (12345.6, 12350.0)] {
            assert!((round(scale) / rounded - 1.0).abs() < 1e-12, "{scale}");
        }
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
