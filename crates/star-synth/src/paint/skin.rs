//! The head's skin with light on it: ears, the side behind the jaw line, and the face.

use tiny_skia::{Mask, PremultipliedColorU8};

use super::{
    Subject,
    canvas::{Canvas, Rgb, ellipse},
};
use star_data::Point;

use crate::{camera::P3, dice::Dice, head::SIDES};

/// Ears and the side of the head behind the jaw line.
pub(super) fn head_behind(canvas: &mut Canvas, subject: &Subject) {
    let Subject { head, look, unit } = *subject;
    let shape = &head.shape;
    let shade = |side: f64| 0.62 + 0.25 * look.ambient + 0.28 * look.light.x * side;
    for side in SIDES {
        let base = look.skin.scale(shade(side));
        // Behind the jaw line on the side that the head shows.
        let chin = shape.rows() - 1;
        let rows = shape.ear_row()..=chin;
        let line = rows
            .clone()
            .map(|row| shape.around(row, side * std::f64::consts::FRAC_PI_2));
        let back = rows.rev().map(|row| {
            let mut p = shape.around(row, side * std::f64::consts::FRAC_PI_2);
            let t = (chin - row) as f64 / (chin - shape.ear_row()) as f64;
            p.z -= 0.35 * t;
            p.y -= 0.10 * t;
            p
        });
        let strip: Vec<Point> = line.chain(back).map(|p| head.camera.project(p)).collect();
        canvas.fill(&strip, base.scale(0.86).solid(), None);

        let w = shape
            .around(shape.ear_row(), side * std::f64::consts::FRAC_PI_2)
            .x
            .abs();
        let ear = |grow: f64| -> Vec<Point> {
            (0..28)
                .map(|i| {
                    let (s, c) = (std::f64::consts::TAU * f64::from(i) / 28.0).sin_cos();
                    let wide = 0.13 + 0.03 * -s;
                    P3::new(
                        side * (w + 0.03 + 0.07 * c.max(-0.4)),
                        0.16 + 0.24 * grow * s,
                        -0.13 - wide * grow * c,
                    )
                })
                .map(|p| head.camera.project(p))
                .collect()
        };
        let outer = ear(1.0);
        canvas.fill(&outer, base.mix(look.blood, 0.12).solid(), None);
        canvas.line(&outer, true, 0.012 * unit, base.scale(0.7).alpha(0.6), None);
        canvas.fill(
            &ear(0.6),
            base.mix(look.blood, 0.2).scale(0.72).alpha(0.6),
            None,
        );
    }
}

/// The face's skin; returns its mask.
pub(super) fn face(canvas: &mut Canvas, subject: &Subject, dice: &mut Dice) -> Option<Mask> {
    let Subject { head, look, unit } = *subject;
    let outline = subject.face();
    canvas.fill(&outline, look.skin.solid(), None);
    let clip = canvas.mask(&outline)?;
    let some = Some(&clip);

    // Blood and shadow under the skin, before the light.
    for side in SIDES {
        let cheek = subject.at(side * 0.47, 0.5);
        let rouge = 0.16 + 0.2 * look.make_up;
        canvas.spot(cheek, 0.36 * unit, 0.8, 0.0, look.blood.alpha(rouge), some);
        let socket = subject.at(side * 0.34, -0.04);
        let hollow = look.skin.scale(0.55);
        canvas.spot(socket, 0.32 * unit, 0.62, 0.0, hollow.alpha(0.42), some);
        let bag = subject.at(side * 0.34, 0.14);
        canvas.spot(
            bag,
            0.2 * unit,
            0.35,
            0.0,
            hollow.alpha(0.12 + 0.3 * look.wrinkles),
            some,
        );
    }
    if look.freckles {
        for _ in 0..60 {
            let p = subject.at(dice.normal(0.3), 0.35 + dice.normal(0.15));
            let r = unit * dice.between(0.006, 0.014);
            canvas.fill(
                &ellipse(p, r, r, 0.0),
                look.skin.scale(0.62).alpha(0.5),
                some,
            );
        }
    }
    if look.wrinkles > 0.0 {
        wrinkles(canvas, subject, some);
    }
    light(canvas, subject, &clip);
    // A thin shadow line makes the jaw an edge even where neck and chin are equally bright.
    let line = look.skin.scale(0.45).alpha(0.35);
    canvas.line(head.jaw.points(), false, 0.014 * unit, line, None);
    Some(clip)
}

fn wrinkles(canvas: &mut Canvas, subject: &Subject, clip: Option<&Mask>) {
    let Subject { look, unit, .. } = *subject;
    let color = look.skin.scale(0.5).alpha(0.35 * look.wrinkles);
    for y in [-0.78, -0.66, -0.55] {
        let line: Vec<Point> = (-8..=8)
            .map(|i| f64::from(i) / 8.0)
            .map(|t| subject.at(t * 0.42, y + 0.04 * t * t))
            .collect();
        canvas.line(&line, false, 0.012 * unit, color, clip);
    }
    for side in SIDES {
        let fold: Vec<Point> = (0..=8)
            .map(|i| f64::from(i) / 8.0)
            .map(|t| {
                subject.at(
                    side * (0.2 + 0.2 * t),
                    0.52 + 0.34 * t - 0.06 * (t * 3.0).sin(),
                )
            })
            .collect();
        canvas.line(&fold, false, 0.018 * unit, color, clip);
    }
}

/// Rows and columns of the mesh that carries the light.
const MESH: (usize, usize) = (30, 24);

/// Multiplies the skin by the light that falls on it: a mesh of the head with Lambert shading at its corners.
fn light(canvas: &mut Canvas, subject: &Subject, clip: &Mask) {
    let Subject { head, look, .. } = *subject;
    let shape = &head.shape;
    let (rows, columns) = MESH;
    let mut places = Vec::with_capacity(rows * columns);
    for r in 0..rows {
        let row = (r as f64 / (rows - 1) as f64 * (shape.rows() - 1) as f64).round() as usize;
        for c in 0..columns {
            // Finer in the middle, where the nose is.
            let t = 2.0 * c as f64 / (columns - 1) as f64 - 1.0;
            let angle = (0.45 * t + 0.55 * t * t * t) * std::f64::consts::FRAC_PI_2;
            let mut p = shape.around(row, angle);
            p.z += shape.nose_height(p.x, p.y);
            places.push(p);
        }
    }
    let at = |r: usize, c: usize| places[r.min(rows - 1) * columns + c.min(columns - 1)];
    let mut buffer = LightBuffer::new(canvas.width() as usize, canvas.height() as usize);
    let corners: Vec<Corner> = (0..rows * columns)
        .map(|i| {
            let (r, c) = (i / columns, i % columns);
            let across = at(r, c + 1) - at(r, c.saturating_sub(1));
            let down = at(r + 1, c) - at(r.saturating_sub(1), c);
            let normal = head.camera.turn(across.cross(down)).unit();
            let facing = normal.dot(look.light).max(0.0);
            // The brightness of a well lit cheek is the skin's own colour.
            let diffuse = look.ambient + (1.0 - look.ambient) * 1.2 * facing;
            let half = (look.light + P3::new(0.0, 0.0, 1.0)).unit();
            let gloss = look.shine * normal.dot(half).max(0.0).powi(24);
            let p = head.camera.project(at(r, c));
            Corner {
                x: p.x as f32,
                y: p.y as f32,
                z: head.camera.turn(at(r, c)).z as f32,
                light: diffuse as f32,
                gloss: gloss as f32,
            }
        })
        .collect();
    for r in 0..rows - 1 {
        for c in 0..columns - 1 {
            let i = r * columns + c;
            let quad = [i, i + 1, i + columns, i + columns + 1].map(|k| corners[k]);
            buffer.triangle([quad[0], quad[1], quad[2]]);
            buffer.triangle([quad[1], quad[3], quad[2]]);
        }
    }
    buffer.close_gaps(clip.data());
    let shadow_tint = Rgb::new(0.92, 0.96, 1.06);
    for ((pixel, &cover), lit) in canvas
        .pixels_mut()
        .iter_mut()
        .zip(clip.data())
        .zip(&buffer.cells)
    {
        if cover == 0 || lit.z == f32::NEG_INFINITY {
            continue;
        }
        let cover = f32::from(cover) / 255.0;
        let dark = (1.0 - lit.light).clamp(0.0, 1.0);
        let channels = [pixel.red(), pixel.green(), pixel.blue()];
        let mut out = [0u8; 3];
        for k in 0..3 {
            let before = f32::from(channels[k]);
            let tint = 1.0 + dark * (shadow_tint.0[k] - 1.0);
            let after = before * lit.light * tint + 255.0 * lit.gloss;
            out[k] = (before + (after - before) * cover).clamp(0.0, 255.0) as u8;
        }
        if let Some(color) = PremultipliedColorU8::from_rgba(out[0], out[1], out[2], 255) {
            *pixel = color;
        }
    }
}

#[derive(Clone, Copy)]
struct Corner {
    x: f32,
    y: f32,
    z: f32,
    light: f32,
    gloss: f32,
}

#[derive(Clone, Copy)]
struct Cell {
    /// Depth of what is in front; minus infinity where there is nothing yet.
    z: f32,
    light: f32,
    gloss: f32,
}

struct LightBuffer {
    width: usize,
    height: usize,
    cells: Vec<Cell>,
}

impl LightBuffer {
    fn new(width: usize, height: usize) -> Self {
        let nothing = Cell {
            z: f32::NEG_INFINITY,
            light: 1.0,
            gloss: 0.0,
        };
        Self {
            width,
            height,
            cells: vec![nothing; width * height],
        }
    }

    /// Fills a triangle with linearly blended light where it is nearer than what is there.
    fn triangle(&mut self, [a, b, c]: [Corner; 3]) {
        let area = (b.x - a.x) * (c.y - a.y) - (c.x - a.x) * (b.y - a.y);
        if area <= 1e-6 {
            return;
        }
        let low = |v: f32, limit: usize| (v.ceil().max(0.0) as usize).min(limit);
        let high = |v: f32, limit: usize| ((v.floor() + 1.0).max(0.0) as usize).min(limit);
        let xs = low(a.x.min(b.x).min(c.x), self.width)..high(a.x.max(b.x).max(c.x), self.width);
        let ys = low(a.y.min(b.y).min(c.y), self.height)..high(a.y.max(b.y).max(c.y), self.height);
        for y in ys {
            for x in xs.clone() {
                let (px, py) = (x as f32, y as f32);
                let u = ((c.x - b.x) * (py - b.y) - (px - b.x) * (c.y - b.y)) / area;
                let v = ((a.x - c.x) * (py - c.y) - (px - c.x) * (a.y - c.y)) / area;
                let w = 1.0 - u - v;
                if u < -1e-4 || v < -1e-4 || w < -1e-4 {
                    continue;
                }
                let z = u * a.z + v * b.z + w * c.z;
                let cell = &mut self.cells[y * self.width + x];
                if z > cell.z {
                    *cell = Cell {
                        z,
                        light: u * a.light + v * b.light + w * c.light,
                        gloss: u * a.gloss + v * b.gloss + w * c.gloss,
                    };
                }
            }
        }
    }

    /// Gives pixels of the face that the mesh just missed the light of a neighbour.
    fn close_gaps(&mut self, cover: &[u8]) {
        let mut gaps: Vec<usize> = (0..self.cells.len())
            .filter(|&i| cover[i] != 0 && self.cells[i].z == f32::NEG_INFINITY)
            .collect();
        for _ in 0..3 {
            let fills: Vec<(usize, Cell)> = gaps
                .iter()
                .filter_map(|&i| Some((i, self.neighbour(i)?)))
                .collect();
            for (i, cell) in fills {
                self.cells[i] = cell;
            }
            gaps.retain(|&i| self.cells[i].z == f32::NEG_INFINITY);
        }
    }

    /// The mean of the lit pixels beside pixel `i`.
    fn neighbour(&self, i: usize) -> Option<Cell> {
        let beside = [
            i.wrapping_sub(1),
            i + 1,
            i.wrapping_sub(self.width),
            i + self.width,
        ];
        let mut sum = (0.0f32, 0.0f32, 0.0f32);
        for cell in beside.iter().filter_map(|&j| self.cells.get(j)) {
            if cell.z != f32::NEG_INFINITY {
                sum = (sum.0 + 1.0, sum.1 + cell.light, sum.2 + cell.gloss);
            }
        }
        (sum.0 > 0.0).then(|| Cell {
            z: 0.0,
            light: sum.1 / sum.0,
            gloss: sum.2 / sum.0,
        })
    }
}
