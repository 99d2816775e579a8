//! Seeded randomness: the same (seed, index, stream) gives the same numbers on every call and thread.

use rand::{RngExt, SeedableRng};
use rand_distr::StandardNormal;
use rand_pcg::Pcg64Mcg;

use star_data::rng::mix;

/// What a stream of numbers is for. Separate streams keep, say, the head the same when only the noise settings change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stream {
    /// Who it is, how they look at the camera, and with what expression.
    Shape,
    /// Colours, hair, background, occluders, camera faults.
    Look,
    /// The annotator's hand.
    Annotation,
}

pub(super) struct Dice(Pcg64Mcg);

impl Dice {
    pub fn new(seed: u64, index: usize, stream: Stream) -> Self {
        Self(Pcg64Mcg::seed_from_u64(mix(&[
            seed,
            index as u64,
            stream as u64,
        ])))
    }

    /// Uniform in `low..high`.
    pub fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.0.random::<f64>()
    }

    /// Normal around 0, cut at 2.5 deviations so that no face falls apart.
    pub fn normal(&mut self, deviation: f64) -> f64 {
        let value: f64 = self.0.sample(StandardNormal);
        deviation * value.clamp(-2.5, 2.5)
    }

    /// Normal around 0, uncut: annotation noise must have the deviation it is asked for.
    pub fn normal_uncut(&mut self, deviation: f64) -> f64 {
        let value: f64 = self.0.sample(StandardNormal);
        deviation * value
    }

    pub fn chance(&mut self, probability: f64) -> bool {
        self.0.random::<f64>() < probability
    }

    /// One of `0..count`.
    pub fn pick(&mut self, count: usize) -> usize {
        self.0.random_range(0..count.max(1))
    }

    pub fn bits(&mut self) -> u64 {
        self.0.random()
    }
}
