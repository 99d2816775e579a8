//! Hair and scarves.

use super::{
    Subject,
    canvas::{Canvas, Rgb, ellipse},
};
use star_data::Point;

use crate::{camera::P3, dice::Dice, head::Head, look::Hair};

/// The silhouette of an ellipsoid fixed to the head.
fn ellipsoid(head: &Head, center: P3, radii: P3) -> Vec<Point> {
    (0..40)
        .map(|i| {
            let (s, c) = (std::f64::consts::TAU * f64::from(i) / 40.0).sin_cos();
            let n = head.camera.unturn(P3::new(c, s, 0.0));
            let scaled = P3::new(radii.x * n.x, radii.y * n.y, radii.z * n.z);
            let size = scaled.dot(scaled).sqrt().max(1e-9);
            let support = P3::new(
                radii.x * scaled.x / size,
                radii.y * scaled.y / size,
                radii.z * scaled.z / size,
            );
            head.camera.project(center + support)
        })
        .collect()
}

fn skull(head: &Head, grow: f64) -> Vec<Point> {
    let radii = P3::new(0.80 * grow, 0.92 * grow, 0.88 * grow);
    ellipsoid(head, P3::new(0.0, -0.36, -0.32), radii)
}

pub(super) fn behind(canvas: &mut Canvas, subject: &Subject, dice: &mut Dice) {
    let Subject { head, look, unit } = *subject;
    let dark = look.hair.scale(0.72);
    match look.hair_style {
        Hair::Bald => canvas.fill(&skull(head, 1.0), look.skin.scale(0.7).solid(), None),
        Hair::Short | Hair::Fringe => canvas.fill(&skull(head, 1.08), dark.solid(), None),
        Hair::Curly => {
            let mass = skull(head, 1.22);
            canvas.fill(&mass, dark.solid(), None);
            for p in mass.iter().step_by(2) {
                let r = unit * dice.between(0.12, 0.2);
                canvas.fill(
                    &ellipse(*p, r, r, 0.0),
                    dark.scale(dice.between(0.9, 1.2)).solid(),
                    None,
                );
            }
        }
        Hair::Long => {
            canvas.fill(&skull(head, 1.1), dark.solid(), None);
            let length = dice.between(1.3, 2.0);
            let fall = |x: f64, y: f64, z: f64| head.camera.project(P3::new(x, y, z));
            let curtain = [
                fall(-0.86, -0.4, -0.3),
                fall(-1.0, 0.5, -0.3),
                fall(-1.05, length, -0.3),
                fall(0.0, length + 0.15, -0.4),
                fall(1.05, length, -0.3),
                fall(1.0, 0.5, -0.3),
                fall(0.86, -0.4, -0.3),
            ];
            canvas.fill(&curtain, dark.solid(), None);
        }
        Hair::Scarf => {
            canvas.fill(
                &skull(head, 1.16),
                look.front_color.scale(0.8).solid(),
                None,
            );
            let wrap = ellipsoid(head, P3::new(0.0, 0.45, -0.3), P3::new(0.98, 1.25, 0.75));
            canvas.fill(&wrap, look.front_color.scale(0.7).solid(), None);
        }
    }
}

/// The outline of the forehead pushed away from the head's middle.
fn crown(head: &Head, grow: f64) -> Vec<Point> {
    let middle = head.camera.project(P3::new(0.0, -0.1, 0.0));
    head.forehead
        .iter()
        .map(|p| {
            Point::new(
                middle.x + (p.x - middle.x) * grow,
                middle.y + (p.y - middle.y) * grow,
            )
        })
        .collect()
}

pub(super) fn before(canvas: &mut Canvas, subject: &Subject, dice: &mut Dice) {
    let Subject { head, look, unit } = *subject;
    let (grow, top, parting, color) = match look.hair_style {
        Hair::Bald => return,
        Hair::Short => (
            1.06,
            dice.between(-0.95, -0.78),
            dice.normal(0.3),
            look.hair,
        ),
        Hair::Fringe => (
            1.08,
            dice.between(-0.62, -0.42),
            dice.normal(0.1),
            look.hair,
        ),
        Hair::Long => (
            1.07,
            dice.between(-0.98, -0.8),
            dice.normal(0.25),
            look.hair,
        ),
        Hair::Curly => (1.14, dice.between(-0.9, -0.7), 0.0, look.hair),
        Hair::Scarf => (1.12, dice.between(-0.85, -0.7), 0.0, look.front_color),
    };
    let fringe = look.hair_style == Hair::Fringe;
    let wave = dice.between(0.0, 0.05);
    let phase = dice.between(0.0, 6.0);
    // The hair line, from the left temple over the forehead to the right one.
    let line: Vec<Point> = (0..=24)
        .map(|i| f64::from(i) / 12.0 - 1.0)
        .map(|t| {
            let arch = if fringe { 0.18 } else { 0.62 };
            let side = (t.abs().powi(if fringe { 4 } else { 3 })) * arch;
            let part = 0.12 * (-((t - parting) / 0.2).powi(2)).exp();
            let y = top + side - part + wave * (t * 9.0 + phase).sin();
            let x = t * if t.abs() > 0.95 { 0.80 } else { 0.79 };
            subject.at(x, y)
        })
        .collect();
    let mut cap = crown(head, grow);
    cap.extend(line.iter().rev());
    let (from, to) = (subject.at(-0.6, -0.9), subject.at(0.6, -0.9));
    let lit = |k: f64| color.scale(0.85 + 0.35 * k * look.light.x).solid();
    canvas.line(
        &line,
        false,
        0.05 * unit,
        look.skin.scale(0.35).alpha(0.25),
        None,
    );
    canvas.fill_gradient(&cap, (from, lit(-1.0)), (to, lit(1.0)), None);
    if look.hair_style == Hair::Scarf {
        return;
    }
    let Some(clip) = canvas.mask(&cap) else {
        return;
    };
    let clip = Some(&clip);
    for i in 0..20 {
        let t = f64::from(i) / 19.0;
        // From the parting's neighbourhood on the crown to the hair line.
        let end = line[(t * 24.0) as usize];
        let over = parting * 0.4 + (2.0 * t - 1.0) * 0.45;
        let root = head.camera.project(P3::new(over, -1.28, 0.1));
        let bend = Point::new(
            (root.x + end.x) / 2.0 + unit * dice.normal(0.05) + (end.x - root.x) * 0.3,
            (root.y + end.y) / 2.0 + unit * dice.normal(0.05) - 0.08 * unit,
        );
        let shade = if dice.chance(0.5) {
            color.scale(0.6)
        } else {
            color.mix(Rgb::WHITE, 0.18)
        };
        let strand: Vec<Point> = (0..=5)
            .map(|k| f64::from(k) / 5.0)
            .map(|s| {
                let (a, b, c) = ((1.0 - s) * (1.0 - s), 2.0 * s * (1.0 - s), s * s);
                Point::new(
                    a * root.x + b * bend.x + c * end.x,
                    a * root.y + b * bend.y + c * end.y,
                )
            })
            .collect();
        canvas.line(&strand, false, 0.022 * unit, shade.alpha(0.28), clip);
    }
}
