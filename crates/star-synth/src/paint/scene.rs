//! What is behind the head, and the shoulders.

use super::{
    Subject,
    canvas::{Canvas, Rgb, ellipse},
};
use star_data::Point;

use crate::{
    camera::P3,
    dice::Dice,
    look::{Backdrop, Look},
};

fn rectangle(x: f64, y: f64, w: f64, h: f64) -> Vec<Point> {
    vec![
        Point::new(x, y),
        Point::new(x + w, y),
        Point::new(x + w, y + h),
        Point::new(x, y + h),
    ]
}

pub(super) fn backdrop(canvas: &mut Canvas, look: &Look, dice: &mut Dice) {
    let (w, h) = (f64::from(canvas.width()), f64::from(canvas.height()));
    let all = rectangle(-1.0, -1.0, w + 2.0, h + 2.0);
    let [a, b, c] = look.back;
    let turn = dice.between(0.0, std::f64::consts::TAU);
    let (s, co) = turn.sin_cos();
    let from = Point::new(w / 2.0 - co * w / 2.0, h / 2.0 - s * h / 2.0);
    let to = Point::new(w / 2.0 + co * w / 2.0, h / 2.0 + s * h / 2.0);
    canvas.fill_gradient(&all, (from, a.solid()), (to, b.solid()), None);
    match look.backdrop {
        Backdrop::Gradient => {}
        Backdrop::Blobs => {
            for _ in 0..10 {
                let center = Point::new(dice.between(0.0, w), dice.between(0.0, h));
                let color = [a, b, c][dice.pick(3)].scale(dice.between(0.7, 1.3));
                let radius = w * dice.between(0.06, 0.3);
                canvas.spot(
                    center,
                    radius,
                    dice.between(0.5, 1.0),
                    turn,
                    color.alpha(0.8),
                    None,
                );
            }
        }
        Backdrop::Stripes => {
            let step = w * dice.between(0.06, 0.2);
            let normal = Point::new(-s, co);
            let count = (1.5 * w / step) as i32;
            for i in -count..=count {
                let o = f64::from(i) * step;
                let m = Point::new(w / 2.0 + normal.x * o, h / 2.0 + normal.y * o);
                let line = [
                    Point::new(m.x - co * 1.5 * w, m.y - s * 1.5 * w),
                    Point::new(m.x + co * 1.5 * w, m.y + s * 1.5 * w),
                ];
                canvas.line(&line, false, step * 0.45, c.alpha(0.7), None);
            }
        }
        Backdrop::Blocks => {
            for _ in 0..14 {
                let color = [a, b, c][dice.pick(3)].scale(dice.between(0.6, 1.4));
                let (x, y) = (dice.between(-0.2 * w, w), dice.between(-0.2 * h, h));
                let block = rectangle(
                    x,
                    y,
                    w * dice.between(0.05, 0.4),
                    h * dice.between(0.05, 0.4),
                );
                canvas.fill(&block, color.alpha(0.75), None);
            }
        }
        Backdrop::Room => {
            let horizon = h * dice.between(0.5, 0.8);
            let floor = rectangle(-1.0, horizon, w + 2.0, h);
            canvas.fill(&floor, c.scale(0.6).solid(), None);
            let (x, y) = (dice.between(0.0, 0.6 * w), dice.between(0.0, 0.2 * h));
            let window = rectangle(x, y, w * 0.35, h * 0.4);
            canvas.fill(&window, Rgb::WHITE.mix(c, 0.3).alpha(0.8), None);
            canvas.line(&window, true, w * 0.012, b.scale(0.5).solid(), None);
            for _ in 0..3 {
                let center = Point::new(dice.between(0.0, w), dice.between(0.2 * h, h));
                let r = w * dice.between(0.03, 0.12);
                let color = [a, b, c][dice.pick(3)].scale(dice.between(0.5, 1.5));
                canvas.fill(&ellipse(center, r, r * 1.2, 0.0), color.solid(), None);
            }
        }
    }
}

/// Neck and shoulders.
pub(super) fn body(canvas: &mut Canvas, subject: &Subject) {
    let (u, look) = (subject.unit, subject.look);
    let camera = &subject.head.camera;
    let neck = |x: f64, y: f64| camera.project(P3::new(x, y, -0.25));
    // The body stays upright when the head tilts: shoulders hang below the neck's foot in the image.
    let foot = neck(0.0, 1.65);
    let shoulders = [
        Point::new(foot.x - 1.9 * u, foot.y + 1.6 * u),
        Point::new(foot.x - 1.65 * u, foot.y + 0.45 * u),
        Point::new(foot.x - 1.15 * u, foot.y + 0.18 * u),
        Point::new(foot.x - 0.45 * u, foot.y - 0.02 * u),
        Point::new(foot.x, foot.y + 0.12 * u),
        Point::new(foot.x + 0.45 * u, foot.y - 0.02 * u),
        Point::new(foot.x + 1.15 * u, foot.y + 0.18 * u),
        Point::new(foot.x + 1.65 * u, foot.y + 0.45 * u),
        Point::new(foot.x + 1.9 * u, foot.y + 1.6 * u),
    ];
    let throat = [
        neck(-0.48, 0.5),
        neck(-0.46, 1.2),
        Point::new(foot.x - 0.50 * u, foot.y + 0.02 * u),
        Point::new(foot.x - 0.30 * u, foot.y + 0.28 * u),
        Point::new(foot.x + 0.30 * u, foot.y + 0.28 * u),
        Point::new(foot.x + 0.50 * u, foot.y + 0.02 * u),
        neck(0.46, 1.2),
        neck(0.48, 0.5),
    ];
    let left = Point::new(foot.x - u, foot.y);
    let right = Point::new(foot.x + u, foot.y);
    let lit = |k: f64| look.cloth.scale(0.8 + 0.45 * k * look.light.x).solid();
    canvas.fill_gradient(&shoulders, (left, lit(-1.0)), (right, lit(1.0)), None);
    // The chin's shadow: dark under the jaw, lighter towards the collar.
    let under = look.skin.mix(look.blood, 0.1);
    let top = neck(0.0, 1.0);
    canvas.fill_gradient(
        &throat,
        (top, under.scale(0.42 + 0.2 * look.ambient).solid()),
        (foot, under.scale(0.72 + 0.15 * look.ambient).solid()),
        None,
    );
}
