//! The head in three dimensions: one set of curves that every layout takes its landmarks from and the painter draws.

use super::{
    camera::{Camera, P3},
    person::Person,
    spline::through,
    track::Track,
};
use star_data::Point;

/// -1 for the image's left half of the face, +1 for its right half.
pub(super) const SIDES: [f64; 2] = [-1.0, 1.0];

/// Steps between two control points of the face's outline.
const OUTLINE_STEPS: usize = 10;
/// Which outline control point the jaw starts at, in front of the ear.
const EAR_CONTROL: usize = 4;

/// Everything drawn, in image pixels, with the curves that carry landmarks as measured tracks.
#[derive(Clone, Debug)]
pub(super) struct Head {
    pub camera: Camera,
    /// Ear, chin, ear; left to right. On the side turned away it is the silhouette, as annotators draw it.
    pub jaw: Track,
    /// Outer corner, upper edge to the inner corner, lower inner corner, lower edge back.
    pub brow: [Track; 2],
    /// Outer corner, upper lid, inner corner, lower lid back.
    pub eye: [Track; 2],
    /// Root to tip.
    pub nose_bridge: Track,
    /// Left wing, below the tip, right wing.
    pub nose_base: Track,
    /// Left corner, top middle, right corner, bottom middle, and back.
    pub lip_outer: Track,
    pub lip_inner: Track,
    pub pupil: [Point; 2],
    /// Distance between the outer eye corners in the image, pixels: the unit of annotation noise.
    pub eye_distance: f64,
    /// Forehead from the left end of the jaw over the top to its right end.
    pub forehead: Vec<Point>,
    /// The head in its own space, for shading and hair.
    pub shape: Shape,
    /// Radius of the iris, head units.
    pub iris: f64,
}

/// Cross-sections of the head: at each height an ellipse from the side line (w, z_side) to the front (0, z_front).
#[derive(Clone, Debug)]
pub(super) struct Shape {
    /// Top of the head to the chin, for the right half.
    outline: Vec<P3>,
    depth: f64,
    /// Length, width and height of the nose, as factors.
    nose: [f64; 3],
    /// How far the chin has dropped.
    drop: f64,
}

impl Shape {
    fn new(p: &Person) -> Self {
        let w = p.face_width;
        let chin = 1.27 * p.chin_length;
        let control = [
            P3::new(0.0, -1.25 * p.forehead, 0.02),
            P3::new(0.42 * w, -1.15 * p.forehead, -0.02),
            P3::new(0.72 * w, -0.82, -0.04),
            P3::new(0.805 * w, -0.38, -0.03),
            P3::new(0.80 * w, 0.02, 0.0),
            P3::new(0.765 * w * (0.6 + 0.4 * p.jaw_width), 0.45, 0.07),
            P3::new(
                0.635 * w * p.jaw_width,
                0.86 * (0.6 + 0.4 * p.chin_length),
                0.2,
            ),
            P3::new(0.30 * w * p.chin_width, chin - 0.09, 0.48),
            P3::new(0.0, chin, 0.6),
        ];
        // The chin is level in the middle: continue past it with the mirror image.
        let mut control = control.to_vec();
        let beyond = control[control.len() - 2];
        control.push(P3::new(-beyond.x, beyond.y, beyond.z));
        let mut outline = through(&control, OUTLINE_STEPS);
        outline.truncate((control.len() - 2) * OUTLINE_STEPS + 1);
        // Level at the top as well.
        if let Some(top) = outline.first_mut() {
            top.x = 0.0;
        }
        Self {
            outline,
            depth: p.depth,
            nose: [p.nose_length, p.nose_width, p.nose_out],
            drop: p.jaw_drop,
        }
    }

    /// Depth of the face's middle line at height `y`, without the nose.
    fn front(&self, y: f64) -> f64 {
        const MIDDLE: [(f64, f64); 9] = [
            (-1.3, 0.02),
            (-1.15, 0.33),
            (-0.85, 0.58),
            (-0.3, 0.74),
            (0.0, 0.67),
            (0.45, 0.70),
            (0.8, 0.745),
            (1.05, 0.70),
            (1.3, 0.66),
        ];
        self.depth * interpolate(&MIDDLE, y)
    }

    /// Half width and depth of the side line at height `y`.
    fn side(&self, y: f64) -> (f64, f64) {
        let next = self
            .outline
            .partition_point(|p| p.y < y)
            .clamp(1, self.outline.len() - 1);
        let (a, b) = (self.outline[next - 1], self.outline[next]);
        let t = ((y - a.y) / (b.y - a.y).max(1e-9)).clamp(0.0, 1.0);
        let p = a.lerp(b, t);
        (p.x, p.z)
    }

    /// The skin at (x, y), without nose and lips, before the jaw drops.
    pub fn skin(&self, x: f64, y: f64) -> P3 {
        let (w, z_side) = self.side(y);
        let front = self.front(y).max(z_side);
        let r = (x / w.max(1e-6)).clamp(-1.0, 1.0);
        P3::new(x, y, z_side + (front - z_side) * (1.0 - r * r).sqrt())
    }

    /// As [`Self::skin`], but what the head has turned out of sight is moved to the silhouette, where annotators put it.
    pub fn skin_in_sight(&self, x: f64, y: f64, yaw: f64) -> P3 {
        let (w, z_side) = self.side(y);
        let depth = (self.front(y) - z_side).max(0.0);
        let side = x.signum();
        let away = side * yaw.sin() * depth;
        if away <= 0.0 {
            return self.skin(x, y);
        }
        let limit = w * (w * yaw.cos()).atan2(away).sin();
        self.skin(x.clamp(-limit, limit), y)
    }

    /// A point of the cross-section at outline index `row`: `angle` 0 is the front, +-90 degrees the side line.
    pub fn around(&self, row: usize, angle: f64) -> P3 {
        let p = self.outline[row.min(self.outline.len() - 1)];
        let front = self.front(p.y).max(p.z);
        self.dropped(P3::new(
            p.x * angle.sin(),
            p.y,
            p.z + (front - p.z) * angle.cos(),
        ))
    }

    pub fn rows(&self) -> usize {
        self.outline.len()
    }

    /// The row where the jaw begins.
    pub fn ear_row(&self) -> usize {
        EAR_CONTROL * OUTLINE_STEPS
    }

    /// Where the edge of the face is seen at `row`: the side line, or the silhouette where the head has turned that line away.
    fn edge_angle(&self, row: usize, side: f64, yaw: f64) -> f64 {
        use std::f64::consts::FRAC_PI_2;
        let p = self.outline[row];
        let depth = (self.front(p.y) - p.z).max(0.0);
        let away = side * yaw.sin() * depth;
        if away <= 0.0 {
            side * FRAC_PI_2
        } else {
            side * (p.x * yaw.cos()).atan2(away)
        }
    }

    /// Moves a point below the mouth's corners with the jaw.
    pub fn dropped(&self, p: P3) -> P3 {
        let t = ((p.y - 0.5) / 0.6).clamp(0.0, 1.0);
        P3::new(p.x, p.y + self.drop * t * t * (3.0 - 2.0 * t), p.z)
    }

    /// How far the nose stands out of the skin at (x, y).
    pub fn nose_height(&self, x: f64, y: f64) -> f64 {
        let [length, width, out] = self.nose;
        let t = y / (0.5 * length);
        let along = interpolate(
            &[
                (-0.3, 0.0),
                (0.0, 0.06),
                (0.5, 0.17),
                (1.0, 0.32),
                (1.12, 0.22),
                (1.25, 0.0),
            ],
            t,
        );
        let half = width * interpolate(&[(-0.3, 0.06), (0.4, 0.07), (0.95, 0.15), (1.2, 0.14)], t);
        let r = x / half;
        out * along * (-r * r).exp()
    }
}

/// Straight lines through (x, y) pairs, held at the ends.
pub(super) fn interpolate(table: &[(f64, f64)], x: f64) -> f64 {
    let next = table
        .partition_point(|&(at, _)| at <= x)
        .clamp(1, table.len() - 1);
    let ((x0, y0), (x1, y1)) = (table[next - 1], table[next]);
    y0 + (y1 - y0) * ((x - x0) / (x1 - x0)).clamp(0.0, 1.0)
}

impl Head {
    /// The head's upward direction in the image as (sine, cosine): (dy, dx) of a unit step.
    pub fn camera_up(&self) -> (f64, f64) {
        let up = self.camera.turn(P3::new(0.0, -1.0, 0.0));
        let size = up.x.hypot(up.y).max(1e-9);
        (up.y / size, up.x / size)
    }

    pub fn new(p: &Person) -> Self {
        let size = f64::from(p.size);
        let middle = (size - 1.0) / 2.0;
        let center = Point::new(middle + p.shift[0] * size, middle + p.shift[1] * size);
        let camera = Camera::new(p.yaw, p.pitch, p.roll, p.zoom * size, center);
        let shape = Shape::new(p);
        let (jaw, forehead) = outline(&shape, &camera);
        let brow = SIDES.map(|side| brow(p, &shape, &camera, side));
        let eye = SIDES.map(|side| eye(p, &shape, &camera, side));
        let (lip_outer, lip_inner) = lips(p, &shape, &camera);
        let corners = [0, 1].map(|i| eye[i].at(0.0).0);
        Self {
            jaw,
            forehead,
            brow,
            pupil: [0, 1].map(|i| camera.project(pupil(p, &shape, i))),
            eye,
            nose_bridge: nose_bridge(p, &shape, &camera),
            nose_base: nose_base(p, &shape, &camera),
            lip_outer,
            lip_inner,
            eye_distance: corners[0].distance(corners[1]),
            iris: 0.078 * p.iris,
            camera,
            shape,
        }
    }
}

fn outline(shape: &Shape, camera: &Camera) -> (Track, Vec<Point>) {
    let ear = shape.ear_row();
    let chin = shape.rows() - 1;
    let edge = |row: usize, side: f64| {
        camera.project(shape.around(row, shape.edge_angle(row, side, camera.yaw)))
    };
    let left: Vec<Point> = (ear..=chin).map(|row| edge(row, -1.0)).collect();
    let right: Vec<Point> = (ear..=chin).rev().map(|row| edge(row, 1.0)).collect();
    let mut forehead: Vec<Point> = (0..=ear).rev().map(|row| edge(row, -1.0)).collect();
    forehead.extend((1..=ear).map(|row| edge(row, 1.0)));
    (Track::from_pieces(&[left, right], false), forehead)
}

fn brow(p: &Person, shape: &Shape, camera: &Camera, side: f64) -> Track {
    let raise = p.brow_raise[usize::from(side > 0.0)];
    let place = |x: f64, y: f64| {
        let y = y - p.brow_height - raise;
        let mut skin = shape.skin_in_sight(side * x, y, camera.yaw);
        skin.z += 0.015;
        skin
    };
    let outer = 0.13 + 0.50 * p.brow_length + p.eye_apart;
    let inner = 0.13 + p.eye_apart - 0.25 * (-raise).max(0.0);
    let x = |t: f64| outer + (inner - outer) * t;
    let tilt = |t: f64| p.brow_tilt * (t - 0.5);
    let arch = 0.062 * p.brow_arch.max(0.1);
    let thick = 0.062 * p.brow_thick.max(0.3);
    let middle = |t: f64| -0.275 - arch * (1.0 - ((t - 0.42) / 0.58).powi(2)) + tilt(t);
    let fat = |t: f64| thick * interpolate(&[(0.0, 0.12), (0.3, 0.6), (0.7, 1.0), (1.0, 0.85)], t);
    let upper: Vec<P3> = (0..=4)
        .map(|i| f64::from(i) / 4.0)
        .map(|t| place(x(t), middle(t) - 0.5 * fat(t)))
        .collect();
    let lower: Vec<P3> = (0..=4)
        .map(|i| 1.0 - f64::from(i) / 4.0)
        .map(|t| {
            place(
                x(t),
                middle(t) + 0.5 * fat(t) * if t == 0.0 { -1.0 } else { 1.0 },
            )
        })
        .collect();
    let side_piece = vec![upper[4], lower[0]];
    Track::from_pieces(
        &[
            camera.project_all(&through(&upper, 6)),
            camera.project_all(&side_piece),
            camera.project_all(&through(&lower, 6)),
        ],
        true,
    )
}

/// Outer and inner eye corner: (x, y) for the right eye.
fn eye_corners(p: &Person) -> [(f64, f64); 2] {
    let middle = 0.345 + p.eye_apart;
    let half = 0.155 * p.eye_width;
    [
        (middle + half, -p.eye_slant - 0.008),
        (middle - half, p.eye_slant + 0.018),
    ]
}

/// Height of the lids above (upper) and below (lower) the line between the corners at `t` from outer to inner.
fn lids(p: &Person, side_index: usize, t: f64) -> (f64, f64) {
    let hump = |peak: f64| {
        // A skewed hump with steep ends: 1 at `peak`.
        let s = if t < peak {
            t / peak
        } else {
            (1.0 - t) / (1.0 - peak)
        };
        1.0 - (1.0 - s.clamp(0.0, 1.0)).powf(2.1)
    };
    let open = p.eye_open[side_index];
    let low = 0.038 * p.eye_height * (0.75 + 0.25 * open.min(1.0));
    let upper = 0.076 * p.eye_height * open - 0.030 * (1.0 - open).max(0.0) * p.eye_height;
    (upper * hump(0.55), -low * hump(0.42))
}

fn eye(p: &Person, shape: &Shape, camera: &Camera, side: f64) -> Track {
    const STEPS: usize = 24;
    let index = usize::from(side > 0.0);
    let [outer, inner] = eye_corners(p);
    let place = |t: f64, up: f64| {
        let x = outer.0 + (inner.0 - outer.0) * t;
        let y = outer.1 + (inner.1 - outer.1) * t - up;
        let mut skin = shape.skin(side * x, y);
        // The ball makes the lids' middle stand out from the sunken corners.
        skin.z += 0.05 * (std::f64::consts::PI * t).sin() - 0.03;
        skin
    };
    let steps = || (0..=STEPS).map(|i| i as f64 / STEPS as f64);
    let upper: Vec<P3> = steps().map(|t| place(t, lids(p, index, t).0)).collect();
    let lower: Vec<P3> = steps()
        .map(|t| 1.0 - t)
        .map(|t| place(t, lids(p, index, t).1))
        .collect();
    Track::from_pieces(
        &[camera.project_all(&upper), camera.project_all(&lower)],
        true,
    )
}

/// The middle of the pupil: where the gaze puts it, but always between the lids.
fn pupil(p: &Person, shape: &Shape, index: usize) -> P3 {
    let [outer, inner] = eye_corners(p);
    // Gaze to the image's right is towards the outer corner of the right eye and the inner corner of the left one.
    let t = (0.5 - SIDES[index] * p.gaze[0] * 0.17).clamp(0.2, 0.8);
    let (top, bottom) = lids(p, index, t);
    let wanted = 0.018 - p.gaze[1] * 0.03;
    let up = if top - bottom > 0.05 {
        wanted.clamp(bottom + 0.02, top - 0.02)
    } else {
        0.5 * (top + bottom)
    };
    let x = outer.0 + (inner.0 - outer.0) * t;
    let y = outer.1 + (inner.1 - outer.1) * t - up;
    let mut skin = shape.skin(SIDES[index] * x, y);
    skin.z += 0.02;
    skin
}

/// Where the nose's parts are on the middle line: root, tip, below the tip.
fn nose_line(p: &Person, shape: &Shape) -> [P3; 3] {
    let length = 0.5 * p.nose_length;
    let at = |y: f64, out: f64| {
        let mut skin = shape.skin(0.0, y);
        skin.z += out * p.nose_out;
        skin
    };
    [
        at(0.0, 0.07),
        at(length * 0.97, 0.33),
        at(length * 1.17, 0.15),
    ]
}

fn nose_bridge(p: &Person, shape: &Shape, camera: &Camera) -> Track {
    let [root, tip, _] = nose_line(p, shape);
    let middle = P3::new(0.0, tip.y * 0.55, root.z + (tip.z - root.z) * 0.5);
    let line = through(&[root, middle, tip], 12);
    Track::from_pieces(&[camera.project_all(&line)], false)
}

fn nose_base(p: &Person, shape: &Shape, camera: &Camera) -> Track {
    let [_, tip, below] = nose_line(p, shape);
    let width = 0.165 * p.nose_width * (1.0 + 0.1 * p.smile.max(0.0));
    let y = tip.y + 0.035;
    let wing = |side: f64| {
        let mut skin = shape.skin(side * width, y);
        skin.z += 0.07;
        skin
    };
    let under = |side: f64| P3::new(side * width * 0.5, below.y - 0.012, below.z - 0.02);
    let half = |side: f64| camera.project_all(&through(&[wing(side), under(side), below], 10));
    let left = half(-1.0);
    let right: Vec<Point> = half(1.0).into_iter().rev().collect();
    Track::from_pieces(&[left, right], false)
}

fn lips(p: &Person, shape: &Shape, camera: &Camera) -> (Track, Track) {
    let line = 0.84 + p.mouth_y;
    let open = p.lips_apart + p.jaw_drop;
    let width = 0.285
        * p.mouth_width
        * (1.0 + 0.22 * p.smile.max(0.0) + 0.16 * p.stretch - 0.5 * p.jaw_drop);
    let thin = 1.0 - 0.25 * p.smile.max(0.0) - 0.15 * p.stretch;
    let upper = 0.082 * p.lip_upper.max(0.35) * thin;
    let lower = 0.10 * p.lip_lower.max(0.35) * thin;
    // Smiling mouths have raised corners, and the corners follow a dropping jaw half of the way.
    let corner_y = line - 0.085 * p.smile + 0.4 * p.jaw_drop + 0.01;
    let top = line - 0.3 * p.lips_apart - 0.03 * p.smile.max(0.0);
    let bottom = line + 0.7 * p.lips_apart + 0.9 * p.jaw_drop;
    let gap = if open < 0.02 { 0.004 } else { 0.0 };
    let place = |x: f64, y: f64, out: f64| {
        let x = x + p.skew * (1.0 - (x / width).abs());
        let mut skin = shape.skin(x, y.min(1.1));
        skin.y = y;
        skin.z += out;
        skin
    };
    let between = |t: f64, y: f64| corner_y + (y - corner_y) * t;
    let corner = |side: f64, scale: f64| place(side * width * scale, corner_y, -0.02);
    // Outer contour: corner, rise, peak of the bow, dip.
    let outer_top = |side: f64| {
        let y = top - upper;
        [
            corner(side, 1.0),
            place(side * width * 0.58, between(0.62, y), 0.03),
            place(side * width * 0.25, y - 0.008, 0.06),
            place(0.0, y + 0.010, 0.065),
        ]
    };
    let outer_bottom = |side: f64| {
        let y = bottom + lower;
        [
            corner(side, 1.0),
            place(side * width * 0.66, between(0.68, y), 0.03),
            place(side * width * 0.30, between(0.97, y), 0.05),
            place(0.0, y, 0.055),
        ]
    };
    let inner_width = 0.86;
    let inner_top = |side: f64| {
        [
            corner(side, inner_width),
            place(side * width * 0.45, between(0.8, top), 0.04),
            place(side * width * 0.18, top, 0.06),
            place(0.0, top + 0.006, 0.06),
        ]
    };
    let inner_bottom = |side: f64| {
        let y = bottom + gap;
        [
            corner(side, inner_width),
            place(side * width * 0.45, between(0.8, y) + gap, 0.035),
            place(side * width * 0.18, y + gap, 0.05),
            place(0.0, y + gap + 0.006, 0.05),
        ]
    };
    let ring = |top: &dyn Fn(f64) -> [P3; 4], bottom: &dyn Fn(f64) -> [P3; 4]| {
        let half = |control: [P3; 4]| {
            // Past the middle the curve continues as its mirror image, so that it crosses the middle without a kink.
            let beyond = control[2];
            let mut control = control.to_vec();
            control.push(P3::new(2.0 * control[3].x - beyond.x, beyond.y, beyond.z));
            let mut points = through(&control, 8);
            points.truncate(3 * 8 + 1);
            camera.project_all(&points)
        };
        let back = |points: Vec<Point>| points.into_iter().rev().collect::<Vec<_>>();
        Track::from_pieces(
            &[
                half(top(-1.0)),
                back(half(top(1.0))),
                half(bottom(1.0)),
                back(half(bottom(-1.0))),
            ],
            true,
        )
    };
    (
        ring(&outer_top, &outer_bottom),
        ring(&inner_top, &inner_bottom),
    )
}
