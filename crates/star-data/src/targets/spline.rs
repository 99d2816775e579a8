//! The smooth curve through an edge's landmarks (REFERENCE L5).

use crate::point::Point;

/// How many places of the curve are taken between two landmarks.
pub(super) const SAMPLES: usize = 5;

/// Points along the interpolating cubic spline over normalised chord length: five from each landmark to the next.
///
/// Closed curves are periodic and return to the first landmark without repeating it; open ones are not-a-knot and end with the
/// last landmark. Where there are three or fewer landmarks (a closed curve counting its first one twice), or two
/// neighbours coincide, the landmarks themselves come back.
pub fn curve(landmarks: &[Point], closed: bool) -> Vec<Point> {
    let mut knots = landmarks.to_vec();
    if closed && let Some(&first) = landmarks.first() {
        knots.push(first);
    }
    let mut steps: Vec<f64> = knots.windows(2).map(|p| p[0].distance(p[1])).collect();
    let total: f64 = steps.iter().sum();
    if knots.len() <= 3 || !total.is_finite() || steps.contains(&0.0) {
        return landmarks.to_vec();
    }
    steps.iter_mut().for_each(|h| *h /= total);
    let bends = if closed {
        periodic_bends(&steps, &knots)
    } else {
        not_a_knot_bends(&steps, &knots)
    };
    let mut points = Vec::with_capacity(steps.len() * SAMPLES + 1);
    for (i, &h) in steps.iter().enumerate() {
        for k in 0..SAMPLES {
            let b = k as f64 / SAMPLES as f64;
            let a = 1.0 - b;
            let (ca, cb) = ((a * a * a - a) * h * h / 6.0, (b * b * b - b) * h * h / 6.0);
            let at = |p0: f64, p1: f64, m0: f64, m1: f64| a * p0 + b * p1 + ca * m0 + cb * m1;
            points.push(Point::new(
                at(knots[i].x, knots[i + 1].x, bends[i][0], bends[i + 1][0]),
                at(knots[i].y, knots[i + 1].y, bends[i][1], bends[i + 1][1]),
            ));
        }
    }
    if !closed && let Some(&last) = landmarks.last() {
        points.push(last);
    }
    // Steps that differ by many orders of magnitude can overflow the divisions above.
    if points.iter().all(|p| p.x.is_finite() && p.y.is_finite()) {
        points
    } else {
        landmarks.to_vec()
    }
}

/// One number for x and one for y.
type Pair = [f64; 2];

/// The change of slope at a knot between steps `h0` and `h1`, times 6: the right side of the spline equations.
fn turn(before: Point, at: Point, after: Point, h0: f64, h1: f64) -> Pair {
    [
        6.0 * ((after.x - at.x) / h1 - (at.x - before.x) / h0),
        6.0 * ((after.y - at.y) / h1 - (at.y - before.y) / h0),
    ]
}

/// Second derivatives at the knots when the first two and the last two pieces are one cubic each. At least 4 knots.
fn not_a_knot_bends(h: &[f64], knots: &[Point]) -> Vec<Pair> {
    // Unknowns are the inner knots; the outer ones follow from them.
    let inner = h.len() - 1;
    let mut low = vec![0.0; inner];
    let mut diagonal = vec![0.0; inner];
    let mut high = vec![0.0; inner];
    let mut right = vec![[0.0; 2]; inner];
    for i in 0..inner {
        (low[i], diagonal[i], high[i]) = (h[i], 2.0 * (h[i] + h[i + 1]), h[i + 1]);
        right[i] = turn(knots[i], knots[i + 1], knots[i + 2], h[i], h[i + 1]);
    }
    let (first, last) = (h[0] / h[1], h[inner] / h[inner - 1]);
    diagonal[0] += h[0] * (1.0 + first);
    high[0] -= h[0] * first;
    diagonal[inner - 1] += h[inner] * (1.0 + last);
    low[inner - 1] -= h[inner] * last;
    solve_tridiagonal(&low, &diagonal, &high, &mut right);

    let outer = |near: Pair, next: Pair, ratio: f64| {
        [0, 1].map(|c| (1.0 + ratio) * near[c] - ratio * next[c])
    };
    let start = outer(right[0], right[1], first);
    let end = outer(right[inner - 1], right[inner - 2], last);
    let mut bends = Vec::with_capacity(knots.len());
    bends.push(start);
    bends.append(&mut right);
    bends.push(end);
    bends
}

/// Second derivatives at the knots of a closed curve, whose last knot is its first. At least 3 steps.
fn periodic_bends(h: &[f64], knots: &[Point]) -> Vec<Pair> {
    let n = h.len();
    let mut diagonal = vec![0.0; n];
    let mut low = vec![0.0; n];
    let mut high = vec![0.0; n];
    let mut right = vec![[0.0; 2]; n];
    for i in 0..n {
        let before = (i + n - 1) % n;
        (low[i], diagonal[i], high[i]) = (h[before], 2.0 * (h[before] + h[i]), h[i]);
        right[i] = turn(knots[before], knots[i], knots[i + 1], h[before], h[i]);
    }
    // Sherman-Morrison: a tridiagonal system plus the two corners, both of which are the last step.
    let corner = h[n - 1];
    let gamma = -diagonal[0];
    diagonal[0] -= gamma;
    diagonal[n - 1] -= corner * corner / gamma;
    let mut update = vec![[0.0; 2]; n];
    update[0] = [gamma; 2];
    update[n - 1] = [corner; 2];
    solve_tridiagonal(&low, &diagonal, &high, &mut right);
    solve_tridiagonal(&low, &diagonal, &high, &mut update);
    let ratio = corner / gamma;
    let scale = [0, 1].map(|c| {
        (right[0][c] + ratio * right[n - 1][c]) / (1.0 + update[0][c] + ratio * update[n - 1][c])
    });
    for (r, u) in right.iter_mut().zip(&update) {
        for c in 0..2 {
            r[c] -= scale[c] * u[c];
        }
    }
    let first = right[0];
    right.push(first);
    right
}

/// Solves the system in place of its right side; `low[0]` and the last `high` are not used.
fn solve_tridiagonal(low: &[f64], diagonal: &[f64], high: &[f64], right: &mut [Pair]) {
    let n = right.len();
    let mut factors = vec![0.0; n];
    let mut pivot = diagonal[0];
    right[0] = right[0].map(|v| v / pivot);
    for i in 1..n {
        factors[i] = high[i - 1] / pivot;
        pivot = diagonal[i] - low[i] * factors[i];
        let before = right[i - 1];
        right[i] = [0, 1].map(|c| (right[i][c] - low[i] * before[c]) / pivot);
    }
    for i in (0..n - 1).rev() {
        let after = right[i + 1];
        right[i] = [0, 1].map(|c| right[i][c] - factors[i + 1] * after[c]);
    }
}
