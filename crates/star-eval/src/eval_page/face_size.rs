//! Errors against the size of the face in its image.

use super::{
    chart::{Axis, Chart},
    drawing::Drawing,
};
use crate::quantile::quantile;

/// Faces in each group that the running median is taken over.
const GROUP: usize = 24;
/// And no more groups than this.
const MOST_GROUPS: usize = 12;

/// One dot.
pub(super) struct Dot<'a> {
    pub name: &'a str,
    /// Pixels.
    pub size: f64,
    /// A fraction.
    pub nme: f64,
}

/// The scatter plot, with medians of groups of about as many faces each.
pub(super) fn drawing(dots: &[Dot], threshold: f64, norm: &str) -> Drawing {
    let mut dots: Vec<&Dot> = dots
        .iter()
        .filter(|d| d.size > 0.0 && d.size.is_finite() && d.nme > 0.0 && d.nme.is_finite())
        .collect();
    dots.sort_by(|a, b| a.size.total_cmp(&b.size));
    let mut chart = Chart::new(
        Axis::log_around("size of the face, pixels", dots.iter().map(|d| d.size)),
        Axis::log_around(
            format!("NME, % of the {norm} distance"),
            dots.iter()
                .map(|d| d.nme * 100.0)
                .chain([threshold * 100.0]),
        ),
        420.0,
    );
    for d in &dots {
        let title = format!(
            "{}: {:.0} pixels, NME {:.2} %",
            d.name,
            d.size,
            d.nme * 100.0
        );
        chart.dot(d.size, d.nme * 100.0, 0, &title);
    }
    chart.mark_y(
        threshold * 100.0,
        &format!(
            "threshold {} %",
            star_draw::ticks::compact(threshold * 100.0)
        ),
    );
    let groups = (dots.len() / GROUP).min(MOST_GROUPS);
    let mut medians = Vec::new();
    for i in 0..groups {
        let group = &dots[i * dots.len() / groups..(i + 1) * dots.len() / groups];
        let median = |of: fn(&Dot) -> f64| {
            let mut values: Vec<f64> = group.iter().map(|d| of(d)).collect();
            quantile(&mut values, 0.5)
        };
        medians.push((median(|d| d.size), median(|d| d.nme) * 100.0));
    }
    let mut description = "Each dot is a face.".to_owned();
    if let [first, .., last] = medians[..] {
        chart.line(&medians, 1);
        description += &format!(
            " The line runs through medians of groups of faces, from {:.2} % at {:.0} pixels to {:.2} % at {:.0} pixels.",
            first.1, first.0, last.1, last.0
        );
    }
    chart.finish(
        "size",
        "Error against the size of the face".into(),
        description,
    )
}
