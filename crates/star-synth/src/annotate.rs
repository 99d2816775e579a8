//! The annotator: puts each landmark near its true place, less surely along a contour than across it.

use super::{
    config::SynthConfig,
    dice::Dice,
    head::Head,
    sites::{Curve, Site},
};
use star_data::Point;

/// The landmarks as an annotator would have them.
///
/// A contour point slides along its own curve, not along the tangent, so it stays on what is drawn. Neighbours on a curve slide together
/// (`noise_correlation`); every single point still has the deviation asked for.
pub(super) fn annotate(
    head: &Head,
    sites: &[Site],
    config: &SynthConfig,
    dice: &mut Dice,
) -> Vec<Point> {
    let rho = config.noise_correlation;
    let fresh = (1.0 - rho * rho).sqrt();
    let mut before: Option<(Curve, f64)> = None;
    sites
        .iter()
        .map(|&site| {
            let (a, b) = (dice.normal_uncut(1.0), dice.normal_uncut(1.0));
            match site {
                Site::Contour(curve, u) => {
                    let slide = match before {
                        Some((same, last)) if same == curve => rho * last + fresh * a,
                        _ => a,
                    };
                    before = Some((curve, slide));
                    let track = head.track(curve);
                    let along = config.noise_along * head.eye_distance * slide;
                    let (place, tangent) = track.at(track.arc_at(u) + along);
                    let across = config.noise_across * head.eye_distance * b;
                    Point::new(place.x - tangent.y * across, place.y + tangent.x * across)
                }
                Site::Corner(..) | Site::Pupil(_) => {
                    let place = head.place(site);
                    let reach = config.noise_corner * head.eye_distance;
                    Point::new(place.x + reach * a, place.y + reach * b)
                }
            }
        })
        .collect()
}
