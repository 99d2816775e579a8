//! Lips, teeth and the dark between them.

use tiny_skia::Mask;

use super::{
    Subject,
    canvas::{Canvas, Rgb},
};
use star_data::Point;

use crate::look::Beard;

pub(super) fn draw(canvas: &mut Canvas, subject: &Subject, clip: Option<&Mask>) {
    let Subject { head, look, unit } = *subject;
    let outer = head.lip_outer.points();
    let inner = head.lip_inner.points();
    let on = |track: &crate::track::Track, u: f64| track.at(track.arc_at(u)).0;
    let (top, bottom) = (on(&head.lip_outer, 1.0), on(&head.lip_outer, 3.0));
    let (mouth_top, mouth_bottom) = (on(&head.lip_inner, 1.0), on(&head.lip_inner, 3.0));
    let (left, right) = (on(&head.lip_inner, 0.0), on(&head.lip_inner, 2.0));

    if look.beard != Beard::None {
        beard(canvas, subject, clip);
    }
    let below = subject.at_jaw(0.0, 1.06);
    canvas.spot(
        below,
        0.16 * unit,
        0.4,
        0.0,
        look.skin.scale(0.4).alpha(0.25),
        clip,
    );

    let lit = 0.82 + 0.18 * look.ambient;
    canvas.fill_gradient(
        outer,
        (top, look.lips.scale(lit * 0.88).solid()),
        (bottom, look.lips.scale(lit * 1.08).solid()),
        None,
    );
    // Shine on the lower lip.
    let full = Point::new(
        (mouth_bottom.x + bottom.x) / 2.0,
        (mouth_bottom.y + bottom.y) / 2.0,
    );
    let turn = (right.y - left.y).atan2(right.x - left.x);
    let gloss = 0.2 + 0.5 * look.shine + 0.2 * look.make_up;
    let lips = canvas.mask(outer);
    canvas.spot(
        full,
        0.11 * unit,
        0.35,
        turn,
        Rgb::WHITE.alpha(gloss),
        lips.as_ref(),
    );

    let gap = mouth_top.distance(mouth_bottom);
    let dark = Rgb::new(0.16, 0.04, 0.05);
    canvas.fill(inner, dark.solid(), None);
    if gap > 0.045 * unit
        && let Some(inside) = canvas.mask(inner)
    {
        let inside = Some(&inside);
        let (down_x, down_y) = (
            (mouth_bottom.x - mouth_top.x) / gap,
            (mouth_bottom.y - mouth_top.y) / gap,
        );
        let row = |from: Point, depth: f64| -> Vec<Point> {
            let half = 0.46;
            let across = Point::new((right.x - left.x) * half, (right.y - left.y) * half);
            [(-1.0, 0.0), (1.0, 0.0), (0.85, depth), (-0.85, depth)]
                .iter()
                .map(|&(t, d)| {
                    Point::new(
                        from.x + across.x * t + down_x * d,
                        from.y + across.y * t + down_y * d,
                    )
                })
                .collect()
        };
        // The tongue, then the upper teeth over it.
        if gap > 0.15 * unit {
            let tongue = Point::new(
                mouth_bottom.x - down_x * 0.02 * unit,
                mouth_bottom.y - down_y * 0.02 * unit,
            );
            canvas.spot(
                tongue,
                0.17 * unit,
                0.5,
                turn,
                Rgb::new(0.72, 0.30, 0.30).alpha(0.9),
                inside,
            );
        }
        let lift = Point::new(
            mouth_top.x - down_x * 0.05 * unit,
            mouth_top.y - down_y * 0.05 * unit,
        );
        let teeth = row(lift, 0.05 * unit + (0.6 * gap).min(0.085 * unit));
        canvas.fill(
            &teeth,
            Rgb::new(0.93, 0.90, 0.84).scale(lit).alpha(0.96),
            inside,
        );
    }
    canvas.line(inner, true, 0.012 * unit, dark.alpha(0.65), None);
    canvas.line(
        outer,
        true,
        0.012 * unit,
        look.lips.scale(0.62).alpha(0.45),
        None,
    );
}

fn beard(canvas: &mut Canvas, subject: &Subject, clip: Option<&Mask>) {
    let Subject { look, unit, .. } = *subject;
    let color = look.brows;
    if look.beard == Beard::Stubble {
        for (x, y, r) in [
            (0.0, 1.12, 0.42),
            (-0.4, 0.95, 0.36),
            (0.4, 0.95, 0.36),
            (0.0, 0.7, 0.26),
        ] {
            canvas.spot(
                subject.at_jaw(x, y),
                r * unit,
                0.7,
                0.0,
                color.alpha(0.38),
                clip,
            );
        }
        return;
    }
    let edge = |t: f64, y: f64| subject.at(t * 0.27, y + 0.09 * t * t);
    let steps = || (-6..=6).map(|i| f64::from(i) / 6.0);
    let mut patch: Vec<Point> = steps().map(|t| edge(t, 0.66)).collect();
    patch.extend(steps().rev().map(|t| edge(t, 0.745 + 0.02 * (1.0 - t * t))));
    canvas.fill(&patch, color.alpha(0.85), clip);
}
