//! Cumulative error distributions.

use super::{
    chart::{Axis, Chart},
    csv::{Csv, number},
    drawing::Drawing,
};
use crate::{metrics::ced, quantile::quantile};

/// Below this the axis of errors never ends, in units of the threshold.
const LEAST_REACH: f64 = 1.2;
/// The axis goes on until this fraction of the faces of every set is in sight.
const FRACTION_IN_SIGHT: f64 = 0.95;
/// But not further than this, in units of the threshold: a curve of failures alone says nothing.
const MOST_REACH: f64 = 4.0;

/// One curve: a name and the NME of each face; those that are no number count as never reached.
pub(super) struct Curve {
    pub name: String,
    pub nmes: Vec<f64>,
}

/// The curves on top of each other.
pub(super) fn drawing(curves: &[Curve], threshold: f64, norm: &str) -> Drawing {
    let reach = reach(curves, threshold);
    let mut chart = Chart::new(
        Axis::linear(format!("NME, % of the {norm} distance"), 0.0, reach * 100.0),
        Axis::linear("fraction of faces, %", 0.0, 100.0),
        420.0,
    );
    chart.mark_x(
        threshold * 100.0,
        &format!(
            "threshold {} %",
            star_draw::ticks::compact(threshold * 100.0)
        ),
    );
    for (i, curve) in curves.iter().enumerate() {
        chart.line(&steps(&curve.nmes, reach), i);
    }
    let names: Vec<String> = curves.iter().map(|c| c.name.clone()).collect();
    chart.legend(&names);
    let within: Vec<String> = curves
        .iter()
        .map(|c| {
            let fraction =
                c.nmes.iter().filter(|e| **e <= threshold).count() as f64 / c.nmes.len() as f64;
            format!(
                "{}: {:.1} % of faces within the threshold",
                c.name,
                fraction * 100.0
            )
        })
        .collect();
    chart.finish(
        "ced",
        "Cumulative error distribution".into(),
        format!(
            "Fraction of faces with an NME up to each value. {}.",
            within.join("; ")
        ),
    )
}

fn reach(curves: &[Curve], threshold: f64) -> f64 {
    let far = curves
        .iter()
        .map(|c| {
            let mut finite: Vec<f64> = c.nmes.iter().copied().filter(|e| e.is_finite()).collect();
            quantile(&mut finite, FRACTION_IN_SIGHT)
        })
        .fold(0.0, f64::max);
    far.clamp(threshold * LEAST_REACH, threshold * MOST_REACH)
}

/// The curve in per cent: a step up at each face's error.
fn steps(nmes: &[f64], reach: f64) -> Vec<(f64, f64)> {
    let mut sorted: Vec<f64> = nmes.iter().copied().filter(|e| *e <= reach).collect();
    sorted.sort_by(f64::total_cmp);
    let fraction = |count: usize| count as f64 * 100.0 / nmes.len().max(1) as f64;
    let mut points = vec![(0.0, 0.0)];
    for (i, e) in sorted.iter().enumerate() {
        points.push((e * 100.0, fraction(i)));
        points.push((e * 100.0, fraction(i + 1)));
    }
    points.push((reach * 100.0, fraction(sorted.len())));
    points
}

/// The curves as a table: one line for each hundredth of a per cent up to where the plot ends.
pub(super) fn table(curves: &[Curve], threshold: f64) -> String {
    let bins = (reach(curves, threshold) / 1e-4).round() as usize + 1;
    let names: Vec<&str> = curves.iter().map(|c| c.name.as_str()).collect();
    let mut csv = Csv::new(&[&["nme"], &names[..]].concat());
    let columns: Vec<Vec<f64>> = curves.iter().map(|c| ced(&c.nmes, bins)).collect();
    for bin in 0..bins {
        let fractions = columns.iter().map(|c| number(c[bin]));
        csv.row(std::iter::once(format!("{:.4}", bin as f64 * 1e-4)).chain(fractions));
    }
    csv.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_curve_steps_at_each_error_and_ends_at_the_share_in_reach() {
        let points = steps(&[0.03, 0.01, f64::NAN, 0.9], 0.05);
        assert_eq!(
            points,
            [
                (0.0, 0.0),
                (1.0, 0.0),
                (1.0, 25.0),
                (3.0, 25.0),
                (3.0, 50.0),
                (5.0, 50.0)
            ]
        );
    }
}
