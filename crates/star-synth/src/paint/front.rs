//! What hides parts of the face.

use super::{
    Subject,
    canvas::{Canvas, Rgb, ellipse},
};
use star_data::Point;

use crate::{camera::P3, dice::Dice, look::Front};

pub(super) fn draw(canvas: &mut Canvas, subject: &Subject, dice: &mut Dice) {
    let Some(front) = subject.look.front else {
        return;
    };
    let Subject { look, unit, .. } = *subject;
    let color = look.front_color;
    match front {
        Front::Glasses => glasses(canvas, subject, dice, 0.12),
        Front::DarkGlasses => glasses(canvas, subject, dice, 0.93),
        Front::Hand => hand(canvas, subject, dice),
        Front::Cap => cap(canvas, subject),
        Front::Bar => {
            let at = subject.at(dice.between(-0.6, 0.6), dice.between(-0.2, 1.1));
            let turn = dice.between(0.0, std::f64::consts::PI);
            let (s, c) = turn.sin_cos();
            let reach = 4.0 * unit;
            let bar = [
                Point::new(at.x - c * reach, at.y - s * reach),
                Point::new(at.x + c * reach, at.y + s * reach),
            ];
            let width = unit * dice.between(0.08, 0.25);
            canvas.line(&bar, false, width * 1.15, color.scale(0.5).solid(), None);
            canvas.line(&bar, false, width, color.solid(), None);
        }
        Front::Rectangle => {
            let at = subject.at(dice.between(-0.6, 0.6), dice.between(-0.2, 1.1));
            let (w, h) = (unit * dice.between(0.2, 0.5), unit * dice.between(0.2, 0.5));
            let block = [
                Point::new(at.x - w, at.y - h),
                Point::new(at.x + w, at.y - h),
                Point::new(at.x + w, at.y + h),
                Point::new(at.x - w, at.y + h),
            ];
            canvas.fill(&block, color.scale(0.25).solid(), None);
        }
        Front::Microphone => {
            let at = subject.at_jaw(dice.between(-0.25, 0.25), dice.between(0.95, 1.2));
            let foot = Point::new(at.x + unit * dice.between(-0.9, 0.9), at.y + 2.0 * unit);
            canvas.line(
                &[at, foot],
                false,
                0.14 * unit,
                Rgb::new(0.15, 0.15, 0.16).solid(),
                None,
            );
            let r = 0.2 * unit;
            canvas.fill(
                &ellipse(at, r, r, 0.0),
                Rgb::new(0.28, 0.28, 0.3).solid(),
                None,
            );
            let shine = Point::new(at.x + look.light.x * r * 0.5, at.y + look.light.y * r * 0.5);
            canvas.spot(shine, r * 0.7, 1.0, 0.0, Rgb::WHITE.alpha(0.5), None);
        }
    }
}

fn glasses(canvas: &mut Canvas, subject: &Subject, dice: &mut Dice, dark: f64) {
    let Subject { head, look, unit } = *subject;
    let frame = look.front_color.scale(0.5);
    let (rx, ry) = (dice.between(0.24, 0.29), dice.between(0.17, 0.26));
    // 2 = round, larger = boxy.
    let power = dice.between(2.0, 4.5);
    let width = unit * dice.between(0.022, 0.05);
    let lens = |side: f64| -> Vec<Point> {
        (0..36)
            .map(|i| {
                let (s, c) = (std::f64::consts::TAU * f64::from(i) / 36.0).sin_cos();
                let k = (c.abs().powf(power) + s.abs().powf(power)).powf(-1.0 / power);
                let mut p = P3::new(side * 0.345 + rx * c * k, 0.05 + ry * s * k, 0.0);
                // The lens bends round the face a little.
                p.z = 0.80 - 0.35 * p.x * p.x;
                head.camera.project(p)
            })
            .collect()
    };
    for side in [-1.0, 1.0] {
        let ring = lens(side);
        let tint = if dark > 0.5 {
            frame.scale(0.25)
        } else {
            Rgb::WHITE
        };
        canvas.fill(&ring, tint.alpha(dark), None);
        if let Some(clip) = canvas.mask(&ring) {
            let a = ring[24];
            let b = ring[10];
            let glare = [a, b];
            canvas.line(
                &glare,
                false,
                0.06 * unit,
                Rgb::WHITE.alpha(0.18),
                Some(&clip),
            );
        }
        canvas.line(&ring, true, width, frame.solid(), None);
        // The arm on the side that is turned away is behind the face.
        if side * head.camera.yaw.sin() > 0.3 {
            continue;
        }
        let hinge = P3::new(
            side * (0.345 + rx),
            0.0,
            0.80 - 0.35 * (0.345 + rx) * (0.345 + rx),
        );
        let ear = P3::new(side * 0.82, -0.02, -0.05);
        let arm = [head.camera.project(hinge), head.camera.project(ear)];
        canvas.line(&arm, false, width, frame.solid(), None);
    }
    let bridge: Vec<Point> = (0..=6)
        .map(|i| f64::from(i) / 3.0 - 1.0)
        .map(|t| {
            let x = t * (0.345 - rx);
            head.camera
                .project(P3::new(x, 0.0 - 0.03 * (1.0 - t * t), 0.80))
        })
        .collect();
    canvas.line(&bridge, false, width, frame.solid(), None);
}

fn cap(canvas: &mut Canvas, subject: &Subject) {
    let Subject { head, look, .. } = *subject;
    let color = look.front_color;
    let middle = head.camera.project(P3::new(0.0, -0.4, -0.1));
    let mut dome: Vec<Point> = head
        .forehead
        .iter()
        .map(|p| {
            Point::new(
                middle.x + (p.x - middle.x) * 1.14,
                middle.y + (p.y - middle.y) * 1.14,
            )
        })
        .collect();
    // Without the parts in front of the ears.
    let cut = dome.len() / 6;
    dome = dome[cut..dome.len() - cut].to_vec();
    let edge = |t: f64, y: f64, z: f64| {
        let mut p = head.shape.skin(t * 0.8, y);
        p.z += z;
        p
    };
    let steps = || (-10..=10).map(|i| f64::from(i) / 10.0);
    let mut crown = dome;
    crown.extend(
        steps()
            .rev()
            .map(|t| head.camera.project(edge(t, -0.62, 0.03))),
    );
    canvas.fill_gradient(
        &crown,
        (
            subject.at(-0.8, -0.8),
            color.scale(0.9 - 0.3 * look.light.x).solid(),
        ),
        (
            subject.at(0.8, -0.8),
            color.scale(0.9 + 0.3 * look.light.x).solid(),
        ),
        None,
    );
    let mut peak: Vec<Point> = steps()
        .map(|t| head.camera.project(edge(t, -0.62, 0.03)))
        .collect();
    peak.extend(steps().rev().map(|t| {
        let out = 0.55 * (1.0 - t * t).max(0.0).sqrt();
        head.camera
            .project(edge(t * 0.95, -0.56 + 0.05 * out, 0.05 + out))
    }));
    canvas.fill(&peak, color.scale(0.62).solid(), None);
}

fn hand(canvas: &mut Canvas, subject: &Subject, dice: &mut Dice) {
    let Subject { look, unit, .. } = *subject;
    let side = if dice.chance(0.5) { 1.0 } else { -1.0 };
    let at = subject.at_jaw(side * dice.between(0.15, 0.6), dice.between(0.6, 1.2));
    let turn = -std::f64::consts::FRAC_PI_2 - side * dice.between(-0.2, 0.9);
    let (s, c) = turn.sin_cos();
    let skin = look.skin.scale(0.92);
    let edge = skin.scale(0.55);
    let place = |along: f64, across: f64| {
        Point::new(
            at.x + unit * (c * along - s * across),
            at.y + unit * (s * along + c * across),
        )
    };
    let arm = [place(-2.5, -0.0), place(-0.3, 0.0)];
    canvas.line(&arm, false, 0.40 * unit, skin.scale(0.9).solid(), None);
    for finger in 0..4 {
        let across = (f64::from(finger) - 1.5) * 0.135;
        let length = 0.5 - 0.06 * (f64::from(finger) - 1.4).abs() * 1.3;
        let line = [place(0.0, across * 0.9), place(length, across * 1.15)];
        canvas.line(&line, false, 0.155 * unit, edge.solid(), None);
        canvas.line(&line, false, 0.135 * unit, skin.solid(), None);
    }
    let thumb = [place(-0.1, side * 0.22), place(0.25, side * 0.45)];
    canvas.line(&thumb, false, 0.14 * unit, skin.scale(0.95).solid(), None);
    let palm = ellipse(place(-0.1, 0.0), 0.30 * unit, 0.28 * unit, turn);
    canvas.fill(&palm, skin.solid(), None);
}
