//! Eyes and brows.

use super::{
    Subject,
    canvas::{Canvas, Rgb, ellipse},
};
use star_data::Point;

use crate::dice::Dice;

pub(super) fn draw(canvas: &mut Canvas, subject: &Subject, side: usize, dice: &mut Dice) {
    eye(canvas, subject, side);
    brow(canvas, subject, side, dice);
}

fn eye(canvas: &mut Canvas, subject: &Subject, side: usize) {
    let Subject { head, look, unit } = *subject;
    let track = &head.eye[side];
    let outline = track.points();
    let on = |u: f64| track.at(track.arc_at(u)).0;
    let upper: Vec<Point> = (0..=20).map(|i| on(f64::from(i) / 20.0)).collect();
    let lower: Vec<Point> = (0..=20).map(|i| on(1.0 + f64::from(i) / 20.0)).collect();
    let (outer, inner) = (on(0.0), on(1.0));
    let (top, bottom) = (on(0.5), on(1.5));
    let turn = (inner.y - outer.y).atan2(inner.x - outer.x);
    let lit = 0.75 + 0.25 * look.ambient;

    if look.make_up > 0.0 {
        let lid = Point::new(
            top.x + (top.x - bottom.x) * 0.3,
            top.y + (top.y - bottom.y) * 0.3,
        );
        canvas.spot(
            lid,
            0.2 * unit,
            0.5,
            turn,
            look.front_color.alpha(0.35 * look.make_up),
            None,
        );
    }
    canvas.fill(outline, Rgb::new(0.93, 0.91, 0.89).scale(lit).solid(), None);
    if let Some(clip) = canvas.mask(outline) {
        let clip = Some(&clip);
        let pupil = head.pupil[side];
        // The ball turns away with the face: the iris becomes an upright ellipse.
        let narrow = head.camera.yaw.cos().max(0.55);
        let r = head.iris * unit;
        let tilt = head.camera.turn(crate::camera::P3::new(1.0, 0.0, 0.0));
        let roll = tilt.y.atan2(tilt.x);
        let disc = |k: f64| ellipse(pupil, r * k * narrow, r * k, roll);
        canvas.fill(&disc(1.0), look.iris.scale(0.45).solid(), clip);
        canvas.fill(&disc(0.88), look.iris.scale(lit).solid(), clip);
        canvas.fill(&disc(0.45), Rgb::new(0.03, 0.03, 0.04).solid(), clip);
        // The light's reflection, always off the pupil's middle.
        let reach = 0.55 * r / look.light.x.hypot(look.light.y).max(1e-6);
        let glint = Point::new(
            pupil.x + look.light.x * reach,
            pupil.y + look.light.y * reach,
        );
        canvas.fill(
            &ellipse(glint, r * 0.2, r * 0.2, 0.0),
            Rgb::WHITE.alpha(0.9),
            clip,
        );
        // The lid's shadow on the ball, and the red of the inner corner.
        canvas.line(&upper, false, 0.035 * unit, Rgb::BLACK.alpha(0.28), clip);
        canvas.spot(inner, 0.035 * unit, 1.0, 0.0, look.blood.alpha(0.8), clip);
    }
    // Crease above, lash lines.
    let shadow = look.skin.scale(0.4);
    let crease: Vec<Point> = upper
        .iter()
        .enumerate()
        .map(|(i, p)| {
            let lift = 0.045 * unit * (std::f64::consts::PI * i as f64 / 20.0).sin() + 0.012 * unit;
            let (s, c) = head.camera_up();
            Point::new(p.x + c * lift, p.y + s * lift)
        })
        .collect();
    canvas.line(&crease, false, 0.012 * unit, shadow.alpha(0.5), None);
    let lash = look.brows.mix(Rgb::BLACK, 0.5);
    let lash_width = 0.018 + 0.016 * look.make_up;
    canvas.line(&upper, false, lash_width * unit, lash.alpha(0.9), None);
    canvas.line(&lower, false, 0.010 * unit, shadow.alpha(0.55), None);
}

fn brow(canvas: &mut Canvas, subject: &Subject, side: usize, dice: &mut Dice) {
    let Subject { head, look, unit } = *subject;
    let track = &head.brow[side];
    canvas.fill(track.points(), look.brows.alpha(0.82), None);
    // A few hairs, inside.
    if let Some(clip) = canvas.mask(track.points()) {
        for i in 0..9 {
            let t = f64::from(i) / 9.0 + 0.05;
            let from = track.at(track.arc_at(3.0 - t)).0;
            let to = track.at(track.arc_at((t - 0.12).max(0.0))).0;
            let color = look.brows.scale(dice.between(0.5, 1.2)).alpha(0.5);
            canvas.line(&[from, to], false, 0.008 * unit, color, Some(&clip));
        }
    }
}
