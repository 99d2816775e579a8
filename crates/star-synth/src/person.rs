//! Who is in the image and what they do: the numbers that decide a face's geometry.

use super::{config::SynthConfig, dice::Dice};

/// Left and right are the image's, for a face that looks at the camera; index 0 is left.
#[derive(Clone, Debug)]
pub(super) struct Person {
    // Identity, as factors around 1 or offsets in head units.
    pub face_width: f64,
    pub jaw_width: f64,
    pub chin_width: f64,
    pub chin_length: f64,
    pub depth: f64,
    pub eye_apart: f64,
    pub eye_width: f64,
    pub eye_height: f64,
    pub eye_slant: f64,
    pub iris: f64,
    pub brow_height: f64,
    pub brow_thick: f64,
    pub brow_arch: f64,
    pub brow_tilt: f64,
    pub brow_length: f64,
    pub nose_length: f64,
    pub nose_width: f64,
    pub nose_out: f64,
    pub mouth_y: f64,
    pub mouth_width: f64,
    pub lip_upper: f64,
    pub lip_lower: f64,
    pub forehead: f64,
    // Expression.
    /// How far the jaw drops, head units.
    pub jaw_drop: f64,
    /// Gap between the lips without the jaw's, head units.
    pub lips_apart: f64,
    /// -0.6 (sad) to 1.
    pub smile: f64,
    /// -0.6 (pout) to 1 (stretched).
    pub stretch: f64,
    pub brow_raise: [f64; 2],
    /// 0 = closed, 1 = usual, 1.4 = wide.
    pub eye_open: [f64; 2],
    /// Direction of gaze, -1 to 1.
    pub gaze: [f64; 2],
    /// Sideways pull of the mouth.
    pub skew: f64,
    // Pose, radians, and place.
    pub yaw: f64,
    pub pitch: f64,
    pub roll: f64,
    /// Pixels per head unit as a fraction of the image's width.
    pub zoom: f64,
    /// Offset of the head from the image's middle, as a fraction of its width.
    pub shift: [f64; 2],
    /// Width and height of the image.
    pub size: u32,
}

impl Person {
    pub fn roll_dice(config: &SynthConfig, dice: &mut Dice) -> Self {
        let span = f64::from(config.image_max - config.image_min) + 1.0;
        let size = config.image_min
            + (dice.between(0.0, span) as u32).min(config.image_max - config.image_min);
        let e = config.expression;
        let mut turn = |limit: f64| dice.normal(limit * 0.45).clamp(-limit, limit).to_radians();
        let (yaw, pitch, roll) = (turn(config.yaw), turn(config.pitch), turn(config.roll));
        // A drawn mouth is closed in half of the faces, a little open in some and wide open in a few.
        let (jaw_drop, lips_apart) = match dice.pick(8) {
            0..=3 => (0.0, 0.0),
            4 | 5 => (e * dice.between(0.0, 0.06), e * dice.between(0.0, 0.07)),
            6 => (e * dice.between(0.05, 0.2), e * dice.between(0.0, 0.08)),
            _ => (e * dice.between(0.15, 0.38), e * dice.between(0.0, 0.06)),
        };
        let lids = if dice.chance(0.1 * e) {
            dice.between(0.0, 0.25)
        } else {
            1.0 + e * dice.normal(0.16)
        };
        let wink = if dice.chance(0.04 * e) {
            dice.pick(2)
        } else {
            2
        };
        let raise = e * dice.normal(0.05);
        let mut either = |center: f64, deviation: f64| {
            [
                center + e * dice.normal(deviation),
                center + e * dice.normal(deviation),
            ]
        };
        let brow_raise = either(raise, 0.015);
        let mut eye_open = either(lids, 0.04).map(|v| v.clamp(0.0, 1.45));
        if let Some(open) = eye_open.get_mut(wink) {
            *open = 0.05;
        }
        Self {
            face_width: 1.0 + dice.normal(0.05),
            jaw_width: 1.0 + dice.normal(0.07),
            chin_width: 1.0 + dice.normal(0.15),
            chin_length: 1.0 + dice.normal(0.07),
            depth: 1.0 + dice.normal(0.06),
            eye_apart: dice.normal(0.022),
            eye_width: 1.0 + dice.normal(0.07),
            eye_height: 1.0 + dice.normal(0.16),
            eye_slant: dice.normal(0.022),
            iris: 1.0 + dice.normal(0.07),
            brow_height: dice.normal(0.028),
            brow_thick: 1.0 + dice.normal(0.25),
            brow_arch: 1.0 + dice.normal(0.45),
            brow_tilt: dice.normal(0.03),
            brow_length: 1.0 + dice.normal(0.06),
            nose_length: 1.0 + dice.normal(0.08),
            nose_width: 1.0 + dice.normal(0.13),
            nose_out: 1.0 + dice.normal(0.15),
            mouth_y: dice.normal(0.035),
            mouth_width: 1.0 + dice.normal(0.08),
            lip_upper: 1.0 + dice.normal(0.25),
            lip_lower: 1.0 + dice.normal(0.22),
            forehead: 1.0 + dice.normal(0.05),
            jaw_drop,
            lips_apart,
            smile: if dice.chance(0.4) {
                e * dice.between(0.3, 1.0)
            } else {
                e * dice.normal(0.22)
            },
            stretch: e * dice.normal(0.28),
            brow_raise,
            eye_open,
            gaze: [e * dice.normal(0.4), e * dice.normal(0.3)],
            skew: e * dice.normal(0.02),
            yaw,
            pitch,
            roll,
            zoom: 0.315 * (1.0 + dice.normal(0.07)),
            shift: [dice.normal(0.025), dice.normal(0.025)],
            size,
        }
    }
}
