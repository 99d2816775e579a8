//! Colours, hair, light and everything else that changes the image but not the landmarks.

use super::{camera::P3, config::SynthConfig, dice::Dice, paint::canvas::Rgb};

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Hair {
    Bald,
    Short,
    Fringe,
    Long,
    Curly,
    Scarf,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Beard {
    None,
    Stubble,
    Moustache,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Backdrop {
    Gradient,
    Blobs,
    Stripes,
    Blocks,
    Room,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Front {
    Glasses,
    DarkGlasses,
    Hand,
    Bar,
    Cap,
    Rectangle,
    Microphone,
}

#[derive(Clone, Debug)]
pub(super) struct Look {
    pub skin: Rgb,
    /// What the skin turns to where blood shows: lips, cheeks, nose tip.
    pub blood: Rgb,
    pub lips: Rgb,
    pub hair: Rgb,
    pub brows: Rgb,
    pub iris: Rgb,
    pub cloth: Rgb,
    pub hair_style: Hair,
    pub beard: Beard,
    pub make_up: f64,
    pub freckles: bool,
    pub wrinkles: f64,
    /// Unit vector towards the light, as the viewer sees it (z towards the viewer).
    pub light: P3,
    pub ambient: f64,
    pub shine: f64,
    pub backdrop: Backdrop,
    pub back: [Rgb; 3],
    pub front: Option<Front>,
    pub front_color: Rgb,
    // Camera faults.
    pub blur: f64,
    pub noise: f64,
    pub contrast: f64,
    pub brightness: f64,
    pub cast: [f64; 3],
    pub gray: bool,
}

const SKINS: [[f32; 3]; 8] = [
    [0.95, 0.82, 0.73],
    [0.93, 0.77, 0.66],
    [0.91, 0.73, 0.60],
    [0.85, 0.65, 0.50],
    [0.75, 0.55, 0.41],
    [0.62, 0.43, 0.31],
    [0.48, 0.32, 0.23],
    [0.36, 0.24, 0.18],
];

const HAIRS: [[f32; 3]; 9] = [
    [0.08, 0.07, 0.07],
    [0.16, 0.11, 0.08],
    [0.27, 0.17, 0.10],
    [0.40, 0.26, 0.15],
    [0.60, 0.43, 0.24],
    [0.82, 0.68, 0.42],
    [0.55, 0.23, 0.10],
    [0.62, 0.61, 0.60],
    [0.86, 0.85, 0.83],
];

const IRISES: [[f32; 3]; 6] = [
    [0.25, 0.14, 0.07],
    [0.38, 0.23, 0.10],
    [0.25, 0.38, 0.50],
    [0.35, 0.48, 0.58],
    [0.30, 0.42, 0.25],
    [0.40, 0.38, 0.22],
];

fn any_color(dice: &mut Dice) -> Rgb {
    let base = dice.between(0.08, 0.95);
    let tint = dice.between(0.0, 0.35);
    let mut channel = || (base + dice.between(-tint, tint)).clamp(0.0, 1.0) as f32;
    Rgb([channel(), channel(), channel()])
}

impl Look {
    pub fn roll_dice(config: &SynthConfig, dice: &mut Dice) -> Self {
        let tone = dice.between(0.0, (SKINS.len() - 1) as f64);
        let below = Rgb(SKINS[tone as usize]);
        let above = Rgb(SKINS[(tone as usize + 1).min(SKINS.len() - 1)]);
        let skin = below
            .mix(above, tone.fract())
            .scale(1.0 + dice.normal(0.03));
        let blood = Rgb([0.72, 0.22, 0.20]).mix(skin, 0.25);
        let make_up = if dice.chance(0.3) {
            dice.between(0.4, 1.0)
        } else {
            0.0
        };
        let paint = [
            Rgb::new(0.70, 0.10, 0.15),
            Rgb::new(0.80, 0.30, 0.35),
            Rgb::new(0.50, 0.10, 0.20),
        ][dice.pick(3)];
        let lips = skin
            .mix(Rgb::new(0.66, 0.25, 0.24), dice.between(0.35, 0.6))
            .scale(0.93)
            .mix(paint, make_up * 0.75);
        // Dark skin mostly goes with dark hair.
        let shades = if tone > 4.0 { 3 } else { HAIRS.len() };
        let hair = Rgb(HAIRS[dice.pick(shades)]).scale(1.0 + dice.normal(0.1));
        let brows = hair
            .mix(Rgb::new(0.12, 0.08, 0.06), 0.45)
            .mix(skin, dice.between(0.0, 0.2));
        let iris = if tone > 4.0 {
            dice.pick(2)
        } else {
            dice.pick(6)
        };
        let hair_style = match dice.pick(20) {
            0..=1 => Hair::Bald,
            2..=7 => Hair::Short,
            8..=11 => Hair::Fringe,
            12..=15 => Hair::Long,
            16..=18 => Hair::Curly,
            _ => Hair::Scarf,
        };
        let beard = match dice.pick(8) {
            0 | 1 if make_up == 0.0 => Beard::Stubble,
            2 if make_up == 0.0 => Beard::Moustache,
            _ => Beard::None,
        };
        let turn = dice.between(0.0, std::f64::consts::TAU);
        let low = dice.between(0.2, 1.0);
        // Light comes from the front and mostly from above.
        let light = P3::new(
            turn.cos() * low,
            -(0.35 + turn.sin() * low * 0.6),
            dice.between(0.6, 1.1),
        )
        .unit();
        let backdrop = [
            Backdrop::Gradient,
            Backdrop::Blobs,
            Backdrop::Stripes,
            Backdrop::Blocks,
            Backdrop::Room,
        ][dice.pick(5)];
        let fronts = [
            Front::Glasses,
            Front::Glasses,
            Front::DarkGlasses,
            Front::Hand,
            Front::Bar,
            Front::Cap,
            Front::Rectangle,
            Front::Microphone,
        ];
        let kind = fronts[dice.pick(fronts.len())];
        let front = dice.chance(config.occlusion).then_some(kind);
        let d = config.degrade;
        let rarely = |dice: &mut Dice, p: f64, high: f64| {
            if dice.chance(p) {
                dice.between(0.0, high) * d
            } else {
                0.0
            }
        };
        Self {
            skin,
            blood,
            lips,
            hair,
            brows,
            iris: Rgb(IRISES[iris]).scale(1.0 + dice.normal(0.1)),
            cloth: any_color(dice),
            hair_style,
            beard,
            make_up,
            freckles: tone < 3.0 && dice.chance(0.2),
            wrinkles: if dice.chance(0.3) {
                dice.between(0.2, 1.0)
            } else {
                0.0
            },
            light,
            ambient: dice.between(0.42, 0.78),
            shine: dice.between(0.03, 0.28),
            backdrop,
            back: [any_color(dice), any_color(dice), any_color(dice)],
            front,
            front_color: any_color(dice),
            blur: rarely(dice, 0.4, 1.8),
            noise: rarely(dice, 0.6, 0.045),
            contrast: 1.0 + d * dice.normal(0.14),
            brightness: d * (0.02 + dice.normal(0.06)),
            cast: [0; 3].map(|_| 1.0 + d * dice.normal(0.04)),
            gray: dice.chance(0.06 * d),
        }
    }
}
