//! How fast a run trains, as it is shown.

use std::{collections::VecDeque, time::Instant};

/// Seconds of training that the speed is taken over.
const WINDOW: f64 = 60.0;

/// Measures training since this process began; a resumed run does not count the steps before.
pub struct Speed {
    began: Instant,
    steps: usize,
    /// When what was not counted yet began.
    mark: Instant,
    /// Seconds and faces, newest last, of no more than the last minute of training.
    recent: VecDeque<(f64, usize)>,
}

impl Speed {
    pub fn start() -> Self {
        let now = Instant::now();
        Self {
            began: now,
            steps: 0,
            mark: now,
            recent: VecDeque::new(),
        }
    }

    /// Training goes on after something else, such as an evaluation, whose time does not count.
    pub fn go_on(&mut self) {
        self.go_on_at(Instant::now());
    }

    /// These steps and faces were trained on since the last call, or since training went on.
    pub fn trained(&mut self, steps: usize, faces: usize) {
        self.trained_at(Instant::now(), steps, faces);
    }

    fn go_on_at(&mut self, now: Instant) {
        self.mark = now;
    }

    fn trained_at(&mut self, now: Instant, steps: usize, faces: usize) {
        self.steps += steps;
        self.recent
            .push_back((now.duration_since(self.mark).as_secs_f64(), faces));
        self.mark = now;
        // The newest always stays, however long it took.
        let mut sum: f64 = self.recent.iter().map(|(s, _)| s).sum();
        while self.recent.len() > 1 && sum > WINDOW {
            sum -= self.recent.pop_front().map_or(0.0, |(s, _)| s);
        }
    }

    /// Over the last minute of training.
    pub fn faces_per_second(&self) -> f64 {
        let seconds: f64 = self.recent.iter().map(|(s, _)| s).sum();
        let faces: usize = self.recent.iter().map(|(_, f)| f).sum();
        faces as f64 / seconds.max(1e-9)
    }

    /// For so many more steps, at the average since this process began to train, evaluations included.
    pub fn seconds_for(&self, steps: usize) -> f64 {
        self.began.elapsed().as_secs_f64() / self.steps as f64 * steps as f64
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// Trains on so many faces for so many seconds.
    fn train(speed: &mut Speed, seconds: u64, faces: usize) {
        let now = speed.mark + Duration::from_secs(seconds);
        speed.trained_at(now, 1, faces);
    }

    #[test]
    fn the_speed_is_that_of_the_last_minute() {
        let mut speed = Speed::start();
        train(&mut speed, 100, 100);
        assert_eq!(speed.faces_per_second(), 1.0);
        for _ in 0..6 {
            train(&mut speed, 10, 200);
        }
        assert_eq!(speed.faces_per_second(), 20.0);
        // What is longer than a minute by itself counts alone.
        train(&mut speed, 90, 90);
        assert_eq!(speed.faces_per_second(), 1.0);
    }

    #[test]
    fn evaluations_do_not_count() {
        let mut speed = Speed::start();
        train(&mut speed, 2, 8);
        speed.go_on_at(speed.mark + Duration::from_secs(50));
        train(&mut speed, 2, 8);
        assert_eq!(speed.faces_per_second(), 4.0);
    }
}
