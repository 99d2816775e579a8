//! NME, failure rate and AUC of the cumulative error distribution, as published and, where the published
//! rule is odd, the plain one beside it.

use serde::{Deserialize, Serialize};
use star_data::{Norm, Point};

use crate::nan;

/// Width of a bin of the cumulative error distribution (CED).
const STEP: f64 = 1e-4;

/// Mean distance between predicted and true points of one face over the norm's distance (a fraction, not per cent). Points that are not
/// labelled do not count.
///
/// Infinite or NaN where there is no [`normaliser`]: the caller excludes such faces and says so. NaN or infinite too where a predicted
/// point is: such a face is a failure (REFERENCE M4).
pub fn nme(predicted: &[Point], truth: &[Point], norm: &Norm) -> f64 {
    let labelled = || predicted.iter().zip(truth).filter(|(_, t)| t.is_labelled());
    let sum: f64 = labelled().map(|(p, t)| p.distance(*t)).sum();
    sum / labelled().count() as f64 / norm.distance(truth)
}

/// What a face's errors are divided by, in pixels; None where that is zero (REFERENCE M5), or its points are not labelled.
pub fn normaliser(annotated: &[Point], norm: &Norm) -> Option<f64> {
    let distance = norm.distance(annotated);
    (distance > 0.0 && distance.is_finite()).then_some(distance)
}

/// Failure rate and area under the CED at one threshold; NaN for no faces.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct FailureAndAuc {
    /// Fraction of faces with an NME above the last bin, or with none that is finite.
    #[serde(deserialize_with = "nan::read")]
    pub fr: f64,
    /// Area under the CED from 0 to the threshold, divided by the threshold.
    #[serde(deserialize_with = "nan::read")]
    pub auc: f64,
}

/// The published rule (REFERENCE M3): bins `0, 1e-4, ..` from NumPy's `arange(0, t + 1e-4, 1e-4)`.
///
/// Rounding gives 1001 bins up to 0.1, but 502 up to 0.0501 for t = 0.05, so there FR is taken at 0.0501 and
/// a perfect AUC is 1.002. Kept, because published 300-W figures were made so. NaN for an empty list.
pub fn fr_auc_published(nmes: &[f64], threshold: f64) -> FailureAndAuc {
    integrate(nmes, threshold, published_bins(threshold))
}

/// How many bins NumPy's `arange(0, threshold + 1e-4, 1e-4)` has.
pub fn published_bins(threshold: f64) -> usize {
    ((threshold + STEP) / STEP).ceil() as usize
}

/// The plain rule: bins end at the threshold, FR is the fraction above it, a perfect AUC is 1.
pub fn fr_auc_plain(nmes: &[f64], threshold: f64) -> FailureAndAuc {
    let bins = (threshold / STEP).round() as usize + 1;
    integrate(nmes, threshold, bins)
}

/// Fraction of faces with an NME at or below each of the bins `0, 1e-4, ..`. NaN counts as a failure.
pub fn ced(nmes: &[f64], bins: usize) -> Vec<f64> {
    let n = nmes.len() as f64;
    let mut sorted: Vec<f64> = nmes.iter().copied().filter(|e| !e.is_nan()).collect();
    sorted.sort_by(f64::total_cmp);
    (0..bins)
        .map(|k| sorted.partition_point(|e| *e <= k as f64 * STEP) as f64 / n)
        .collect()
}

fn integrate(nmes: &[f64], threshold: f64, bins: usize) -> FailureAndAuc {
    let curve = ced(nmes, bins);
    FailureAndAuc {
        fr: 1.0 - curve.last().copied().unwrap_or(f64::NAN),
        auc: simpson(&curve, STEP) / threshold,
    }
}

/// Simpson's rule; with an even number of samples the last interval is closed by the parabola through the last
/// three (what SciPy does since 1.11).
fn simpson(y: &[f64], h: f64) -> f64 {
    let n = y.len();
    match n {
        0 | 1 => 0.0,
        2 => h * (y[0] + y[1]) / 2.0,
        _ if n.is_multiple_of(2) => {
            let last = 5.0 / 12.0 * y[n - 1] + 2.0 / 3.0 * y[n - 2] - 1.0 / 12.0 * y[n - 3];
            simpson(&y[..n - 1], h) + h * last
        }
        _ => {
            let odd: f64 = y[1..n - 1].iter().step_by(2).sum();
            let even: f64 = y[2..n - 1].iter().step_by(2).sum();
            h / 3.0 * (y[0] + 4.0 * odd + 2.0 * even + y[n - 1])
        }
    }
}

/// Whether a number can be the threshold of FR and AUC: a fraction above 0 and up to 1.
///
/// # Errors
/// Names the number, and the fraction that was perhaps meant.
pub fn check_threshold(threshold: f64) -> Result<(), String> {
    if threshold > 0.0 && threshold <= 1.0 {
        return Ok(());
    }
    let meant = if threshold > 1.0 && threshold <= 100.0 {
        format!("; did you mean {} ({threshold} %)?", threshold / 100.0)
    } else {
        ", such as 0.08 for 8 %".into()
    };
    Err(format!(
        "{threshold}: the threshold is a fraction above 0 and up to 1{meant}"
    ))
}
