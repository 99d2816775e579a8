//! What a run tells whoever started it. The library prints nothing itself.

use star_eval::evaluate::Scores;

use crate::epoch_record::EpochRecord;

/// A step of training, told every `train.log_every` steps.
#[derive(Clone, Debug)]
pub struct StepInfo {
    /// From 1.
    pub epoch: usize,
    /// Of the whole run.
    pub epochs: usize,
    /// Steps done of this epoch, and of a whole one.
    pub step: usize,
    /// Steps of an epoch.
    pub steps: usize,
    /// The optimised sum of losses, mean since the epoch began.
    pub loss: f64,
    /// Of this step.
    pub learning_rate: f64,
    /// Faces trained on per second, over the last minute of training; evaluations do not count.
    pub faces_per_second: f64,
    /// Estimate for the rest of the training, evaluations included.
    pub seconds_left: f64,
}

/// Told of a run's progress. All methods do nothing unless overridden.
pub trait Observer {
    /// Something a person should read.
    fn message(&mut self, _text: &str) {}
    /// A step is done.
    fn step(&mut self, _step: &StepInfo) {}
    /// An epoch is done.
    fn epoch(&mut self, _record: &EpochRecord) {}
    /// Faces evaluated so far, of how many.
    fn evaluating(&mut self, _done: usize, _all: usize) {}
    /// Final figures.
    fn scores(&mut self, _scores: &Scores) {}
}

/// Listens to nothing.
pub struct Silent;

impl Observer for Silent {}
