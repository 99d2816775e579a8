//! Smooth curves through a few control points.

use super::camera::P3;

/// A Catmull-Rom spline through `control`, `per_segment` steps between two control points, both ends included.
pub(super) fn through(control: &[P3], per_segment: usize) -> Vec<P3> {
    let last = control.len().saturating_sub(1);
    let mut points = Vec::with_capacity(last * per_segment + 1);
    for i in 0..last {
        let (b, c) = (control[i], control[i + 1]);
        // The ends continue as they came, which makes the first and last stretch gently curved.
        let a = if i > 0 { control[i - 1] } else { b + (b - c) };
        let d = if i + 2 <= last {
            control[i + 2]
        } else {
            c + (c - b)
        };
        for k in 0..per_segment {
            let t = k as f64 / per_segment as f64;
            let (t2, t3) = (t * t, t * t * t);
            points.push(
                a * (-0.5 * t3 + t2 - 0.5 * t)
                    + b * (1.5 * t3 - 2.5 * t2 + 1.0)
                    + c * (-1.5 * t3 + 2.0 * t2 + 0.5 * t)
                    + d * (0.5 * t3 - 0.5 * t2),
            );
        }
    }
    points.extend(control.last());
    points
}
