//! Shadow, nostrils and wings of the nose. The light on its bridge comes with the skin.

use tiny_skia::Mask;

use super::{
    Subject,
    canvas::{Canvas, Rgb, ellipse},
};
use star_data::Point;

fn between(a: Point, b: Point, t: f64) -> Point {
    Point::new(a.x + (b.x - a.x) * t, a.y + (b.y - a.y) * t)
}

pub(super) fn draw(canvas: &mut Canvas, subject: &Subject, clip: Option<&Mask>) {
    let Subject { head, look, unit } = *subject;
    let base = &head.nose_base;
    let on_base = |u: f64| base.at(base.arc_at(u)).0;
    let (left, below, right) = (on_base(0.0), on_base(1.0), on_base(2.0));
    let bridge = head.nose_bridge.points();
    let Some(&tip) = bridge.last() else { return };
    let dark = look.skin.scale(0.42);

    // Ridge: a faint light line along the bridge, brightest at the tip.
    let ridge = look.skin.mix(Rgb::WHITE, 0.55);
    canvas.line(
        bridge,
        false,
        0.05 * unit,
        ridge.alpha(0.12 + 0.3 * look.shine),
        clip,
    );
    canvas.spot(tip, 0.15 * unit, 0.9, 0.0, look.blood.alpha(0.12), clip);
    canvas.spot(
        tip,
        0.07 * unit,
        0.9,
        0.0,
        ridge.alpha(0.35 + look.shine),
        clip,
    );

    // Shadow under the nose, between the wings.
    let under: Vec<Point> = base
        .points()
        .iter()
        .copied()
        .chain([between(right, tip, 0.45), between(left, tip, 0.45)])
        .collect();
    canvas.fill(&under, dark.alpha(0.22), clip);
    for (wing, u) in [(left, 0.62), (right, 1.38)] {
        // The wing's fold: from the base's end up and towards the bridge.
        let up = between(wing, tip, 0.12);
        let lift = Point::new(tip.x - below.x, tip.y - below.y);
        let fold = [
            wing,
            Point::new(wing.x + lift.x * 0.45, wing.y + lift.y * 0.45),
            Point::new(up.x + lift.x * 0.85, up.y + lift.y * 0.85),
        ];
        canvas.line(&fold, false, 0.02 * unit, dark.alpha(0.4), clip);
        let hole = between(on_base(u), tip, 0.14);
        let turn = (wing.y - below.y).atan2(wing.x - below.x);
        let nostril = ellipse(hole, 0.045 * unit, 0.022 * unit, turn);
        canvas.fill(&nostril, dark.scale(0.4).alpha(0.85), clip);
    }
    canvas.line(base.points(), false, 0.014 * unit, dark.alpha(0.6), clip);
}
