//! How far a mean over faces would move with other faces of the same kind: percentile bootstrap (Efron, 1979).

use rand::{Rng, SeedableRng};
use rand_pcg::Pcg64Mcg;

use crate::quantile::quantile;

/// How to resample. The same values and settings give the same interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bootstrap {
    /// Sets of faces that are drawn.
    pub resamples: usize,
    /// Decides the draws.
    pub seed: u64,
    /// Fraction of the resampled means inside the interval.
    pub level: f64,
}

impl Default for Bootstrap {
    fn default() -> Self {
        Self {
            resamples: 10_000,
            seed: 0,
            level: 0.95,
        }
    }
}

/// From `low` to `high`, in the unit of the values.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interval {
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

impl Interval {
    /// Whether the value lies in it.
    pub fn contains(self, value: f64) -> bool {
        (self.low..=self.high).contains(&value)
    }
}

impl Bootstrap {
    /// The interval of the mean of `values`; None where there are none.
    ///
    /// For a paired comparison give the differences of the pairs: then each resample takes the same faces of both sides.
    pub fn mean_interval(&self, values: &[f64]) -> Option<Interval> {
        if values.is_empty() || self.resamples == 0 {
            return None;
        }
        let mut rng = Pcg64Mcg::seed_from_u64(self.seed);
        let mut means: Vec<f64> = (0..self.resamples)
            .map(|_| {
                let sum: f64 = (0..values.len())
                    .map(|_| values[below(values.len(), &mut rng)])
                    .sum();
                sum / values.len() as f64
            })
            .collect();
        let tail = (1.0 - self.level) / 2.0;
        Some(Interval {
            low: quantile(&mut means, tail),
            high: quantile(&mut means, 1.0 - tail),
        })
    }
}

/// A number below `len`. Written out, because `rand` reserves the right to change how its own uses the generator.
fn below(len: usize, rng: &mut impl Rng) -> usize {
    ((u128::from(rng.next_u64()) * len as u128) >> 64) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    /// About normal, mean 0, standard deviation 1: a sum of twelve uniform numbers.
    fn noise(count: usize, seed: u64) -> Vec<f64> {
        let mut rng = Pcg64Mcg::seed_from_u64(seed);
        let mut uniform = || rng.next_u64() as f64 / u64::MAX as f64;
        (0..count)
            .map(|_| (0..12).map(|_| uniform()).sum::<f64>() - 6.0)
            .collect()
    }

    #[test]
    fn no_differences_give_exactly_zero_and_no_values_give_nothing() {
        let zero = Bootstrap::default().mean_interval(&[0.0; 50]);
        assert_eq!(
            zero,
            Some(Interval {
                low: 0.0,
                high: 0.0
            })
        );
        assert_eq!(Bootstrap::default().mean_interval(&[]), None);
    }

    #[test]
    fn the_interval_is_that_of_the_normal_mean() {
        let values: Vec<f64> = noise(400, 1).iter().map(|v| v + 0.3).collect();
        let mean = values.iter().sum::<f64>() / 400.0;
        let deviation = (values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / 400.0).sqrt();
        let found = Bootstrap::default().mean_interval(&values).expect("values");
        // 1.96 standard errors either side, to the noise of 10,000 resamples.
        let half = 1.96 * deviation / 20.0;
        assert!((found.low - (mean - half)).abs() < 0.05 * half, "{found:?}");
        assert!(
            (found.high - (mean + half)).abs() < 0.05 * half,
            "{found:?}"
        );
        assert!(found.contains(0.3) && !found.contains(0.0), "{found:?}");
    }

    #[test]
    fn about_nineteen_of_twenty_intervals_hold_the_true_mean() {
        let few = Bootstrap {
            resamples: 1000,
            ..Bootstrap::default()
        };
        let held = (0..400)
            .filter(|&seed| {
                few.mean_interval(&noise(80, seed))
                    .is_some_and(|i| i.contains(0.0))
            })
            .count();
        // 380 expected, standard deviation 4.4; percentile intervals of 80 values are a little short.
        assert!((362..=394).contains(&held), "{held} of 400");
    }

    #[test]
    fn the_seed_decides_and_swapping_the_sides_mirrors() {
        let values = noise(60, 7);
        let interval = |seed| {
            let bootstrap = Bootstrap {
                seed,
                ..Bootstrap::default()
            };
            bootstrap.mean_interval(&values).expect("values")
        };
        assert_eq!(interval(3), interval(3));
        assert_ne!(interval(3), interval(4));
        let mirrored: Vec<f64> = values.iter().map(|v| -v).collect();
        let swapped = Bootstrap::default()
            .mean_interval(&mirrored)
            .expect("values");
        assert!((swapped.low + interval(0).high).abs() < 1e-12);
        assert!((swapped.high + interval(0).low).abs() < 1e-12);
    }
}
