//! Errors under stress: for each kind of change a curve of the NME and one of the failures.

use super::{
    chart::{Axis, Chart},
    csv::{Csv, number},
    drawing::Drawing,
    page::{Cell, Column, table},
};
use star_draw::ticks::compact;

use crate::stress::{Change, Stress, StressCurve, StressLevel};

const HEIGHT: f64 = 300.0;

/// A figure of a level, and what to say of it.
pub(super) struct Measure {
    pub id: &'static str,
    pub axis: String,
    pub title: &'static str,
    pub of: fn(&StressLevel) -> f64,
    /// Of the faces as they are.
    pub unchanged: f64,
}

/// The curves of one kind of change; None for one that has a single level.
pub(super) fn drawing(curve: &StressCurve, measure: &Measure) -> Option<Drawing> {
    let points: Vec<(f64, f64)> = (curve.levels.iter())
        .map(|l| (curve.change.shown(l.level), (measure.of)(l) * 100.0))
        .filter(|(_, value)| value.is_finite())
        .collect();
    let xs = || points.iter().map(|p| p.0);
    if curve.change == Change::Grey || points.len() < 2 {
        return None;
    }
    let unchanged = measure.unchanged * 100.0;
    let most = points.iter().map(|p| p.1).fold(unchanged, f64::max);
    let name = curve.change.name();
    let x = match curve.change {
        Change::FaceSize => Axis::log_around(name, xs()),
        _ => Axis::linear(
            name,
            xs().fold(f64::MAX, f64::min),
            xs().fold(f64::MIN, f64::max),
        ),
    };
    // Room above, but no failures beyond all faces.
    let high = (most * 1.1).max(1.0);
    let high = if most <= 100.0 { high.min(100.0) } else { high };
    let y = Axis::linear(measure.axis.clone(), 0.0, high);
    let mut chart = Chart::new(x, y, HEIGHT);
    if unchanged.is_finite() {
        chart.mark_y(unchanged, "as they are");
    }
    chart.line(&points, 0);
    for &(x, y) in &points {
        chart.dot(x, y, 0, &format!("{name} {}: {y:.2} %", compact(x)));
    }
    let said: Vec<String> = (points.iter())
        .map(|(x, y)| format!("{y:.2} % at {}", compact(*x)))
        .collect();
    Some(chart.finish(
        &format!("stress_{}_{}", curve.change.id(), measure.id),
        format!("{}: {name}", measure.title),
        format!("{}.", said.join(", ")),
    ))
}

/// Every level with its figures.
pub(super) fn html_table(stress: &Stress, threshold: &str) -> String {
    let mut rows = Vec::new();
    for curve in &stress.curves {
        for level in &curve.levels {
            let shown = compact(curve.change.shown(level.level));
            rows.push(vec![
                Cell::new(curve.change.name()),
                Cell::new(shown),
                Cell::percent(level.nme),
                Cell::percent(level.fr),
            ]);
        }
    }
    let columns = [
        Column::text("change"),
        Column::number("level"),
        Column::number("NME, %"),
        Column::number(&format!("FR at {threshold} %, %")),
    ];
    table("Figures of the faces made harder", &columns, &rows, true)
}

/// The same for programs: fractions.
pub(super) fn csv(stress: &Stress) -> String {
    let mut csv = Csv::new(&["change", "level", "nme", "fr", "non_finite"]);
    for curve in &stress.curves {
        for level in &curve.levels {
            csv.row([
                curve.change.id().to_owned(),
                number(level.level),
                number(level.nme),
                number(level.fr),
                level.non_finite.to_string(),
            ]);
        }
    }
    csv.finish()
}
