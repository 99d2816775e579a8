//! The learning rate by step, and what an average forgets.

use crate::recipe::{Schedule, TrainRecipe};

/// The rate of a step: `epoch` counts from 1, `batch` from 0 in its epoch of `steps`.
///
/// The warm-up comes first, its rate growing evenly to the full one at its last step; then the schedule. A cosine ends a step after the last
/// one, at 0.
pub fn learning_rate(train: &TrainRecipe, epoch: usize, batch: usize, steps: usize) -> f64 {
    let step = ((epoch - 1) * steps + batch) as f64;
    let warm = train.warmup_epochs * steps as f64;
    if step < warm {
        return train.learning_rate * ((step + 1.0) / warm).min(1.0);
    }
    match train.schedule {
        Schedule::Milestones => {
            multi_step(train.learning_rate, train.gamma, &train.milestones, epoch)
        }
        Schedule::Cosine => {
            let all = (train.epochs * steps) as f64;
            let gone = (step - warm) / (all - warm).max(1.0);
            train.learning_rate * (1.0 + (std::f64::consts::PI * gone.min(1.0)).cos()) / 2.0
        }
    }
}

/// `rate * gamma^(number of milestones before this epoch)`.
///
/// Epochs count from 1; with milestone 200, epoch 200 is the last at the full rate (REFERENCE T1).
fn multi_step(rate: f64, gamma: f64, milestones: &[usize], epoch: usize) -> f64 {
    let passed = milestones.iter().filter(|m| epoch > **m).count();
    rate * gamma.powi(passed as i32)
}

/// EMA decay for one step: half of the past is forgotten after `half_life` faces (REFERENCE T3).
pub fn ema_decay(batch_size: usize, half_life: f64) -> f64 {
    0.5f64.powf(batch_size as f64 / half_life)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rates(train: &TrainRecipe, steps: usize) -> Vec<f64> {
        (1..=train.epochs)
            .flat_map(|epoch| (0..steps).map(move |batch| (epoch, batch)))
            .map(|(epoch, batch)| learning_rate(train, epoch, batch, steps))
            .collect()
    }

    fn assert_near(a: &[f64], b: &[f64]) {
        assert_eq!(a.len(), b.len());
        for (x, y) in a.iter().zip(b) {
            assert!((x - y).abs() < 1e-12, "{a:?} {b:?}");
        }
    }

    #[test]
    fn milestones_are_the_published_schedule() {
        let train = TrainRecipe {
            epochs: 4,
            learning_rate: 2.0,
            milestones: vec![1, 3],
            gamma: 0.5,
            ..TrainRecipe::default()
        };
        assert_eq!(rates(&train, 2), [2.0, 2.0, 1.0, 1.0, 1.0, 1.0, 0.5, 0.5]);
        // Half a step is none.
        let short = TrainRecipe {
            warmup_epochs: 0.25,
            ..train.clone()
        };
        assert_eq!(rates(&short, 2), rates(&train, 2));
        // Two and a half steps of a warm-up, then as before.
        let warm = TrainRecipe {
            warmup_epochs: 1.25,
            ..train
        };
        assert_near(&rates(&warm, 2), &[0.8, 1.6, 2.0, 1.0, 1.0, 1.0, 0.5, 0.5]);
    }

    #[test]
    fn a_cosine_falls_from_the_rate_to_nothing() {
        let train = TrainRecipe {
            epochs: 2,
            learning_rate: 2.0,
            schedule: Schedule::Cosine,
            ..TrainRecipe::default()
        };
        let half = std::f64::consts::FRAC_1_SQRT_2;
        assert_near(&rates(&train, 2), &[2.0, 1.0 + half, 1.0, 1.0 - half]);
        let warm = TrainRecipe {
            warmup_epochs: 1.0,
            ..train
        };
        assert_near(&rates(&warm, 2), &[1.0, 2.0, 2.0, 1.0]);
    }
}
