//! The One-Euro filter: a low-pass whose cutoff rises with speed, so that still faces do not tremble and moving ones do not lag.
//!
//! Géry Casiez, Nicolas Roussel, Daniel Vogel: 1 € Filter: A Simple Speed-based Low-pass Filter for Noisy Input in Interactive Systems. CHI 2012.

use std::f64::consts::TAU;

use star_data::Point;

/// Settings of the filter.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OneEuroConfig {
    /// Cutoff for a point that does not move, in Hz. Lower trembles less.
    pub min_cutoff: f64,
    /// How much the cutoff rises with speed: Hz per (face sizes per second). Higher lags less.
    pub beta: f64,
    /// Cutoff of the speed's own low-pass, in Hz.
    pub speed_cutoff: f64,
}

impl Default for OneEuroConfig {
    fn default() -> Self {
        Self {
            min_cutoff: 1.0,
            beta: 10.0,
            speed_cutoff: 1.0,
        }
    }
}

/// Filters the points of one face from frame to frame.
///
/// Both coordinates of a point share the cutoff of its speed, so the result does not depend on how the image is turned; speeds count
/// in face sizes, so it does not depend on how many pixels the image has.
#[derive(Clone, Debug)]
pub struct OneEuro {
    config: OneEuroConfig,
    states: Vec<State>,
}

#[derive(Clone, Copy, Debug)]
struct State {
    raw: Point,
    smooth: Point,
    /// Face sizes per second, low-passed.
    speed: Point,
}

impl OneEuro {
    /// A filter that has seen nothing yet.
    pub fn new(config: OneEuroConfig) -> Self {
        Self {
            config,
            states: Vec::new(),
        }
    }

    /// The smoothed points of the next frame, `seconds` after the one before. `size` is the face's size in pixels.
    ///
    /// The first frame, a frame with another number of points, and points that are not finite come back as they are.
    pub fn step(&mut self, points: &[Point], size: f64, seconds: f64) -> Vec<Point> {
        let usable = |p: &Point| p.x.is_finite() && p.y.is_finite();
        let known = self.states.len() == points.len() && size > 0.0 && seconds > 0.0;
        if !known || !points.iter().all(usable) {
            self.states = points
                .iter()
                .map(|&p| State {
                    raw: p,
                    smooth: p,
                    speed: Point::default(),
                })
                .collect();
            if !points.iter().all(usable) {
                self.states.clear();
            }
            return points.to_vec();
        }
        let keep = blend(self.config.speed_cutoff, seconds);
        for (state, &raw) in self.states.iter_mut().zip(points) {
            let now = Point::new(
                (raw.x - state.raw.x) / seconds / size,
                (raw.y - state.raw.y) / seconds / size,
            );
            state.speed = towards(state.speed, now, keep);
            let speed = state.speed.x.hypot(state.speed.y);
            let cutoff = self.config.min_cutoff + self.config.beta * speed;
            state.smooth = towards(state.smooth, raw, blend(cutoff, seconds));
            state.raw = raw;
        }
        self.states.iter().map(|s| s.smooth).collect()
    }
}

/// The weight of a new value in an exponential low-pass of this cutoff (Hz).
fn blend(cutoff: f64, seconds: f64) -> f64 {
    let tau = 1.0 / (TAU * cutoff);
    1.0 / (1.0 + tau / seconds)
}

fn towards(from: Point, to: Point, weight: f64) -> Point {
    Point::new(
        from.x + (to.x - from.x) * weight,
        from.y + (to.y - from.y) * weight,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: f64 = 100.0;
    const FRAME: f64 = 1.0 / 25.0;

    /// Even noise of about standard deviation 1, the same every time.
    fn noise(state: &mut u64) -> f64 {
        let mut sum = 0.0;
        for _ in 0..12 {
            *state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            sum += (*state >> 40) as f64 / (1u64 << 24) as f64;
        }
        sum - 6.0
    }

    /// Root mean square distance of 200 frames from where the point truly is, raw and filtered, after 50 to settle.
    fn errors(truth: impl Fn(f64) -> Point, sigma: f64) -> (f64, f64) {
        let mut filter = OneEuro::new(OneEuroConfig::default());
        let mut state = 7;
        let (mut raw_sum, mut smooth_sum) = (0.0, 0.0);
        for frame in 0..250 {
            let at = truth(f64::from(frame) * FRAME);
            let raw = Point::new(
                at.x + sigma * noise(&mut state),
                at.y + sigma * noise(&mut state),
            );
            let smooth = filter.step(&[raw], SIZE, FRAME)[0];
            if frame >= 50 {
                raw_sum += raw.distance(at).powi(2) / 200.0;
                smooth_sum += smooth.distance(at).powi(2) / 200.0;
            }
        }
        (raw_sum.sqrt(), smooth_sum.sqrt())
    }

    /// The figure of docs/predict.md: jitter of a still face with noise of half a per cent of its size.
    #[test]
    fn a_still_face_trembles_less() {
        let (raw, smooth) = errors(|_| Point::new(50.0, 80.0), 0.5);
        println!("still: {raw:.3} px raw, {smooth:.3} px filtered");
        assert!(smooth < 0.45 * raw, "{raw} px became {smooth} px");
        assert!(smooth > 0.1 * raw, "a filter that never moves is none");
    }

    /// One face size in a second is a quick turn.
    #[test]
    fn a_moving_face_hardly_lags() {
        let (_, smooth) = errors(|t| Point::new(SIZE * t, 80.0), 0.0);
        println!("moving: {smooth:.3} px behind");
        assert!(smooth < 0.02 * SIZE, "{smooth} px behind");
    }

    #[test]
    fn more_pixels_or_a_turned_image_change_nothing() {
        let path: Vec<Point> = (0..30)
            .map(|i| Point::new(f64::from(i % 7), f64::from(i * i % 11)))
            .collect();
        let run = |map: &dyn Fn(Point) -> Point, size: f64| -> Vec<Point> {
            let mut filter = OneEuro::new(OneEuroConfig::default());
            path.iter()
                .map(|&p| filter.step(&[map(p)], size, FRAME)[0])
                .collect()
        };
        let plain = run(&|p| p, SIZE);
        let other = run(&|p| Point::new(-3.0 * p.y, 3.0 * p.x), 3.0 * SIZE);
        for (a, b) in plain.iter().zip(&other) {
            assert!(b.distance(Point::new(-3.0 * a.y, 3.0 * a.x)) < 1e-9);
        }
    }

    #[test]
    fn a_frame_without_numbers_starts_anew() {
        let mut filter = OneEuro::new(OneEuroConfig::default());
        let at = |x: f64| [Point::new(x, 0.0)];
        filter.step(&at(0.0), SIZE, FRAME);
        assert!(filter.step(&at(f64::NAN), SIZE, FRAME)[0].x.is_nan());
        assert_eq!(filter.step(&at(10.0), SIZE, FRAME), at(10.0));
        assert!(filter.step(&at(20.0), SIZE, FRAME)[0].x < 20.0);
        assert_eq!(filter.step(&[], SIZE, FRAME), []);
    }
}
