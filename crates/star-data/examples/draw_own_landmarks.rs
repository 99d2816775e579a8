//! Draws the made-up beetles of `examples/own-landmarks` with their seven points.
//!
//! `cargo run --release -p star-data --example draw_own_landmarks -- examples/own-landmarks`
//!
//! Writes `images/beetle_NNN.png` and `points.csv`; the same bytes each time.

use std::{error::Error, f64::consts::TAU, fmt::Write as _, fs, path::PathBuf};

use image::{
    ExtendedColorType, ImageEncoder,
    codecs::png::{CompressionType, FilterType, PngEncoder},
};
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;
use tiny_skia::{
    Color, FillRule, LineCap, LineJoin, Paint, Path, PathBuilder, Pixmap, Shader, Stroke, Transform,
};

const BEETLES: usize = 120;
/// The last ones are for the test.
const TEST: usize = 24;
/// Side of the images in pixels.
const SIDE: u32 = 96;
const SEED: u64 = 7;
/// Colours are rounded to multiples of this: few colours make small files.
const COLOR_STEP: u8 = 24;

type Rgb = [f64; 3];
/// A place on the beetle: x to its right side in the image, y to its tail, z towards the viewer; it is 1 long.
type Spot = [f64; 3];

fn main() -> Result<(), Box<dyn Error>> {
    let folder = PathBuf::from(
        std::env::args()
            .nth(1)
            .ok_or("name the folder to write to")?,
    );
    fs::create_dir_all(folder.join("images"))?;
    let mut csv = String::from("image");
    for k in 0..7 {
        write!(csv, ",x{k},y{k}")?;
    }
    csv += ",split\n";
    for index in 0..BEETLES {
        let mut dice = Dice(Pcg64Mcg::seed_from_u64(SEED * 1000 + index as u64));
        let beetle = Beetle::new(&mut dice);
        let pixels = draw(&beetle, &mut dice).ok_or("an image needs a size")?;
        let name = format!("images/beetle_{index:03}.png");
        fs::write(folder.join(&name), png(&pixels)?)?;
        csv += &name;
        for spot in beetle.landmarks() {
            let [x, y] = beetle.place(spot);
            write!(csv, ",{x:.1},{y:.1}")?;
        }
        let split = if index < BEETLES - TEST {
            "train"
        } else {
            "test"
        };
        writeln!(csv, ",{split}")?;
    }
    fs::write(folder.join("points.csv"), csv)?;
    Ok(())
}

struct Dice(Pcg64Mcg);

impl Dice {
    fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.0.random::<f64>()
    }

    fn chance(&mut self, probability: f64) -> bool {
        self.0.random::<f64>() < probability
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        let k = self.between(0.0, from.len() as f64) as usize;
        from[k.min(from.len() - 1)]
    }
}

/// Shape and pose.
struct Beetle {
    /// Half widths of the wing covers: at the shoulders and at the widest place.
    shoulder: f64,
    width: f64,
    shoulder_y: f64,
    widest_y: f64,
    /// How far the back bulges.
    dome: f64,
    /// Half width of the head.
    head: f64,
    /// Pose: where the middle is, pixels a unit, the turn in the image, and the roll about the long axis.
    middle: [f64; 2],
    size: f64,
    turn: f64,
    roll: f64,
}

impl Beetle {
    fn new(dice: &mut Dice) -> Self {
        let width = dice.between(0.22, 0.36);
        let size = dice.between(48.0, 68.0);
        let free = (f64::from(SIDE) - size) / 2.0 - 4.0;
        let middle = f64::from(SIDE - 1) / 2.0;
        Self {
            shoulder: width * dice.between(0.66, 0.86),
            width,
            shoulder_y: dice.between(-0.18, -0.1),
            widest_y: dice.between(0.06, 0.2),
            dome: dice.between(0.08, 0.16),
            head: dice.between(0.09, 0.14),
            middle: [
                middle + dice.between(-free, free),
                middle + dice.between(-free, free),
            ],
            size,
            turn: dice.between(-0.75, 0.75),
            roll: dice.between(-0.5, 0.5),
        }
    }

    /// In the order of layout.toml.
    fn landmarks(&self) -> [Spot; 7] {
        [
            [0.0, -0.5, 0.0],
            [-self.shoulder, self.shoulder_y, 0.0],
            [self.shoulder, self.shoulder_y, 0.0],
            [-self.width, self.widest_y, 0.0],
            [self.width, self.widest_y, 0.0],
            [0.0, 0.5, 0.0],
            self.on_seam(0.0),
        ]
    }

    /// From the front end of the seam between the wing covers (0) to their tail (1).
    fn on_seam(&self, t: f64) -> Spot {
        let front = self.shoulder_y + 0.05;
        [
            0.0,
            front + (0.5 - front) * t,
            self.dome * (1.0 - t.powi(3)),
        ]
    }

    /// On the bulging wing covers, `x` and `y` between -1 and 1 from the middle to the borders.
    fn on_back(&self, x: f64, y: f64) -> Spot {
        let (top, bottom) = (self.shoulder_y, 0.5);
        let y_body = (top + bottom) / 2.0 + (bottom - top) / 2.0 * y;
        let bulge = (1.0 - x * x - 0.7 * y * y).max(0.0);
        [
            x * self.width * (1.0 - 0.55 * y * y),
            y_body,
            self.dome * bulge,
        ]
    }

    /// Where a place is in the image, in pixels with centres at integers.
    fn place(&self, [x, y, z]: Spot) -> [f64; 2] {
        let x = x * self.roll.cos() + z * self.roll.sin();
        let (s, c) = self.turn.sin_cos();
        [
            self.middle[0] + self.size * (x * c - y * s),
            self.middle[1] + self.size * (x * s + y * c),
        ]
    }

    /// The outline of the wing covers, widest exactly at its landmarks.
    fn shell(&self) -> Option<Path> {
        let (s, w) = (self.shoulder, self.width);
        let (top, mid) = (self.shoulder_y, self.widest_y);
        let mut pen = Pen::new(self);
        pen.move_to(-s, top);
        pen.curve([-s * 0.5, top - 0.02], [s * 0.5, top - 0.02], [s, top]);
        let rise = (mid - top) * 0.55;
        pen.curve(
            [s + (w - s) * 0.75, top + rise * 0.3],
            [w, mid - rise],
            [w, mid],
        );
        pen.curve([w, mid + (0.5 - mid) * 0.6], [w * 0.45, 0.5], [0.0, 0.5]);
        pen.curve([-w * 0.45, 0.5], [-w, mid + (0.5 - mid) * 0.6], [-w, mid]);
        pen.curve(
            [-w, mid - rise],
            [-s - (w - s) * 0.75, top + rise * 0.3],
            [-s, top],
        );
        pen.close()
    }

    fn neck_shield(&self) -> Option<Path> {
        let (s, h) = (self.shoulder * 0.96, self.head * 0.9);
        let (front, back) = (-0.36, self.shoulder_y + 0.01);
        let mut pen = Pen::new(self);
        pen.move_to(-h, front);
        pen.curve(
            [-h * 0.4, front - 0.02],
            [h * 0.4, front - 0.02],
            [h, front],
        );
        pen.curve([s, front + 0.02], [s, back - 0.08], [s, back]);
        pen.curve([s * 0.4, back + 0.02], [-s * 0.4, back + 0.02], [-s, back]);
        pen.curve([-s, back - 0.08], [-s, front + 0.02], [-h, front]);
        pen.close()
    }

    fn face(&self) -> Option<Path> {
        let h = self.head;
        let mut pen = Pen::new(self);
        pen.move_to(0.0, -0.5);
        pen.curve([h * 0.8, -0.5], [h, -0.44], [h, -0.34]);
        pen.curve([h * 0.4, -0.3], [-h * 0.4, -0.3], [-h, -0.34]);
        pen.curve([-h, -0.44], [-h * 0.8, -0.5], [0.0, -0.5]);
        pen.close()
    }
}

/// Draws in the beetle's own plane.
struct Pen<'a> {
    beetle: &'a Beetle,
    path: PathBuilder,
}

impl<'a> Pen<'a> {
    fn new(beetle: &'a Beetle) -> Self {
        Self {
            beetle,
            path: PathBuilder::new(),
        }
    }

    fn at(&self, [x, y]: [f64; 2]) -> [f32; 2] {
        self.beetle.place([x, y, 0.0]).map(|v| v as f32)
    }

    fn move_to(&mut self, x: f64, y: f64) {
        let [x, y] = self.at([x, y]);
        self.path.move_to(x, y);
    }

    fn curve(&mut self, a: [f64; 2], b: [f64; 2], end: [f64; 2]) {
        let ([ax, ay], [bx, by], [x, y]) = (self.at(a), self.at(b), self.at(end));
        self.path.cubic_to(ax, ay, bx, by, x, y);
    }

    fn close(mut self) -> Option<Path> {
        self.path.close();
        self.path.finish()
    }
}

/// What paths are put on; pixel centres are at integers, which is half a pixel from tiny-skia's.
struct Canvas(Pixmap);

impl Canvas {
    fn fill(&mut self, path: Option<Path>, color: Rgb, alpha: f64) {
        if let Some(path) = path {
            let half = Transform::from_translate(0.5, 0.5);
            self.0
                .fill_path(&path, &paint(color, alpha), FillRule::Winding, half, None);
        }
    }

    fn stroke(&mut self, path: Option<Path>, width: f64, color: Rgb) {
        let stroke = Stroke {
            width: width as f32,
            line_cap: LineCap::Round,
            line_join: LineJoin::Round,
            ..Stroke::default()
        };
        if let Some(path) = path {
            let half = Transform::from_translate(0.5, 0.5);
            self.0
                .stroke_path(&path, &paint(color, 1.0), &stroke, half, None);
        }
    }

    fn line(&mut self, points: &[[f64; 2]], width: f64, color: Rgb) {
        self.stroke(polygon(points, false), width, color);
    }

    fn ellipse(&mut self, middle: [f64; 2], radii: [f64; 2], turn: f64, color: Rgb, alpha: f64) {
        let (s, c) = turn.sin_cos();
        let points: Vec<[f64; 2]> = (0..24)
            .map(|i| {
                let (v, u) = (TAU * f64::from(i) / 24.0).sin_cos();
                let (x, y) = (radii[0] * u, radii[1] * v);
                [middle[0] + x * c - y * s, middle[1] + x * s + y * c]
            })
            .collect();
        self.fill(polygon(&points, true), color, alpha);
    }
}

fn polygon(points: &[[f64; 2]], closed: bool) -> Option<Path> {
    let mut path = PathBuilder::new();
    for (i, [x, y]) in points.iter().enumerate() {
        let (x, y) = (*x as f32, *y as f32);
        if i == 0 {
            path.move_to(x, y);
        } else {
            path.line_to(x, y);
        }
    }
    if closed {
        path.close();
    }
    path.finish()
}

fn paint(color: Rgb, alpha: f64) -> Paint<'static> {
    let [r, g, b] = color.map(|v| v.clamp(0.0, 1.0) as f32);
    let color = Color::from_rgba(r, g, b, alpha as f32).unwrap_or(Color::BLACK);
    Paint {
        shader: Shader::SolidColor(color),
        anti_alias: true,
        ..Paint::default()
    }
}

fn scaled(color: Rgb, by: f64) -> Rgb {
    color.map(|v| v * by)
}

/// Grounds and shells: earth, sand, leaves, stone; red, orange, green, blue, violet, brown, black.
const GROUNDS: [Rgb; 6] = [
    [0.45, 0.36, 0.27],
    [0.85, 0.76, 0.58],
    [0.35, 0.55, 0.27],
    [0.6, 0.74, 0.4],
    [0.62, 0.63, 0.64],
    [0.9, 0.9, 0.86],
];
const SHELLS: [Rgb; 8] = [
    [0.8, 0.15, 0.1],
    [0.92, 0.5, 0.1],
    [0.12, 0.5, 0.28],
    [0.15, 0.35, 0.7],
    [0.45, 0.2, 0.55],
    [0.5, 0.3, 0.14],
    [0.2, 0.2, 0.24],
    [0.93, 0.8, 0.25],
];

fn draw(beetle: &Beetle, dice: &mut Dice) -> Option<Pixmap> {
    let mut canvas = Canvas(Pixmap::new(SIDE, SIDE)?);
    let ground = dice.pick(&GROUNDS).map(|v| v * dice.between(0.85, 1.1));
    ground_of(&mut canvas, ground, dice);
    let shell = dice.pick(&SHELLS).map(|v| v + dice.between(-0.07, 0.07));
    let dark = scaled(shell, 0.25);
    limbs(&mut canvas, beetle, dark, dice);
    body(&mut canvas, beetle, shell, dark, dice);
    if dice.chance(0.2) {
        // A blade of grass across it.
        blade(
            &mut canvas,
            scaled([0.4, 0.65, 0.25], dice.between(0.6, 1.2)),
            dice,
        );
    }
    Some(canvas.0)
}

/// The ground with pebbles, leaves and blades of grass.
fn ground_of(canvas: &mut Canvas, ground: Rgb, dice: &mut Dice) {
    let side = f64::from(SIDE);
    let all = [[-1.0, -1.0], [side, -1.0], [side, side], [-1.0, side]];
    canvas.fill(polygon(&all, true), ground, 1.0);
    for _ in 0..dice.between(2.0, 9.0) as usize {
        let middle = [dice.between(0.0, side), dice.between(0.0, side)];
        let long = dice.between(3.0, 22.0);
        let radii = [long, long * dice.between(0.4, 0.9)];
        let color = scaled(ground, dice.between(0.75, 1.25));
        canvas.ellipse(middle, radii, dice.between(0.0, TAU), color, 1.0);
    }
    for _ in 0..dice.between(0.0, 4.0) as usize {
        blade(canvas, scaled(ground, dice.between(0.6, 1.3)), dice);
    }
}

fn blade(canvas: &mut Canvas, color: Rgb, dice: &mut Dice) {
    let side = f64::from(SIDE);
    let ends = [
        [dice.between(0.0, side), -3.0],
        [dice.between(0.0, side), side + 3.0],
    ];
    let ends = if dice.chance(0.5) {
        ends.map(|[x, y]| [y, x])
    } else {
        ends
    };
    canvas.line(&ends, dice.between(1.5, 4.0), color);
}

/// Six legs and two feelers, under the body.
fn limbs(canvas: &mut Canvas, beetle: &Beetle, dark: Rgb, dice: &mut Dice) {
    let width = beetle.size * dice.between(0.025, 0.04);
    let reach = dice.between(0.15, 0.24);
    for side in [-1.0, 1.0] {
        for (y, slope) in [(-0.2, -0.6), (0.02, 0.15), (0.2, 0.8)] {
            let slope = slope + dice.between(-0.25, 0.25);
            let knee = side * (beetle.width + reach * 0.45);
            let foot = side * (beetle.width + reach);
            let leg = [
                [0.0, y, 0.0],
                [knee, y + slope * 0.1, 0.0],
                [foot, y + slope * 0.3, 0.0],
            ];
            canvas.line(&leg.map(|spot| beetle.place(spot)), width, dark);
        }
        let feeler = [
            [side * beetle.head * 0.5, -0.44, 0.0],
            [side * beetle.head * 1.3, -0.54, 0.0],
            [
                side * (beetle.head * 1.6 + dice.between(0.0, 0.08)),
                -0.62,
                0.0,
            ],
        ];
        canvas.line(&feeler.map(|spot| beetle.place(spot)), width * 0.7, dark);
    }
}

fn body(canvas: &mut Canvas, beetle: &Beetle, shell: Rgb, dark: Rgb, dice: &mut Dice) {
    let line = beetle.size * 0.022;
    canvas.fill(beetle.face(), dark, 1.0);
    let neck = if dice.chance(0.5) {
        scaled(shell, 0.6)
    } else {
        dark
    };
    canvas.fill(beetle.neck_shield(), neck, 1.0);
    canvas.stroke(beetle.neck_shield(), line, dark);
    canvas.fill(beetle.shell(), shell, 1.0);
    pattern(canvas, beetle, shell, dark, dice);
    canvas.stroke(beetle.shell(), line, dark);
    let seam: Vec<[f64; 2]> = (0..=8)
        .map(|i| beetle.place(beetle.on_seam(f64::from(i) / 8.0)))
        .collect();
    canvas.line(&seam, line, dark);
    // The little plate where the seam begins.
    canvas.ellipse(
        beetle.place(beetle.on_seam(0.0)),
        [line * 1.3; 2],
        0.0,
        dark,
        1.0,
    );
    // A gleam, and the eyes.
    let gleam = beetle.place(beetle.on_back(-0.35, -0.45));
    let radii = [beetle.size * 0.05, beetle.size * 0.1];
    canvas.ellipse(gleam, radii, beetle.turn + 0.2, [1.0; 3], 0.45);
    for side in [-0.75, 0.75] {
        let eye = beetle.place([side * beetle.head, -0.42, 0.02]);
        canvas.ellipse(eye, [beetle.size * 0.022; 2], 0.0, [0.9; 3], 1.0);
    }
}

/// Spots, stripes, bands, or nothing.
fn pattern(canvas: &mut Canvas, beetle: &Beetle, shell: Rgb, dark: Rgb, dice: &mut Dice) {
    let color = if dice.chance(0.7) {
        dark
    } else {
        shell.map(|v| v * 0.4 + 0.55)
    };
    let kind = dice.pick(&[0, 1, 1, 2, 3]);
    for side in [-1.0, 1.0] {
        let at = |x: f64, y: f64| beetle.place(beetle.on_back(side * x, y));
        match kind {
            1 => {
                for (x, y) in [(0.4, -0.5), (0.65, 0.0), (0.35, 0.4)] {
                    let r = beetle.size * 0.052;
                    canvas.ellipse(
                        at(x, y),
                        [r * beetle.roll.cos(), r],
                        beetle.turn,
                        color,
                        1.0,
                    );
                }
            }
            2 => canvas.line(
                &[-0.6, -0.2, 0.2, 0.6].map(|y| at(0.5, y)),
                beetle.size * 0.04,
                color,
            ),
            3 => canvas.line(
                &[0.05, 0.4, 0.75].map(|x| at(x, 0.1)),
                beetle.size * 0.09,
                color,
            ),
            _ => {}
        }
    }
}

fn png(pixels: &Pixmap) -> Result<Vec<u8>, image::ImageError> {
    let round = |v: u8| {
        let steps = (u16::from(v) + u16::from(COLOR_STEP) / 2) / u16::from(COLOR_STEP);
        (steps * u16::from(COLOR_STEP)).min(255) as u8
    };
    let bytes: Vec<u8> = (pixels.pixels().iter())
        .flat_map(|p| [p.red(), p.green(), p.blue()].map(round))
        .collect();
    let mut file = Vec::new();
    PngEncoder::new_with_quality(&mut file, CompressionType::Best, FilterType::NoFilter)
        .write_image(&bytes, SIDE, SIDE, ExtendedColorType::Rgb8)?;
    Ok(file)
}
