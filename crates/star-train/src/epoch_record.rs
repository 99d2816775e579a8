//! One epoch's figures.

use serde::{Deserialize, Serialize};

use crate::meter::Meter;

/// One epoch's figures, a line of `metrics.jsonl`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct EpochRecord {
    /// 0 is the untrained network.
    pub epoch: usize,
    /// Steps since the run began.
    pub step: usize,
    /// The rate of its last step.
    pub learning_rate: f64,
    /// Mean of each loss over the epoch, unweighted, by name.
    pub losses: Vec<(String, f64)>,
    /// The optimised sum.
    pub loss: f64,
    /// The published program's "Average Loss": the plain mean of all losses (REFERENCE S9).
    pub average_loss: f64,
    /// NME on the selection set, raw and EMA weights; absent in epochs without an evaluation.
    pub nme: Option<f64>,
    /// The same of the averaged weights.
    pub nme_ema: Option<f64>,
    /// The same against the true landmarks, where they are known.
    pub nme_truth: Option<f64>,
    /// The same of the averaged weights.
    pub nme_truth_ema: Option<f64>,
    /// Wall clock, evaluation included.
    pub seconds: f64,
}

/// Which weights of an epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weights {
    /// As the optimiser left them.
    Raw,
    /// Their moving average.
    Ema,
}

impl Weights {
    /// As it is written in files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Raw => "raw",
            Self::Ema => "EMA",
        }
    }
}

impl EpochRecord {
    /// An epoch of which nothing is known yet.
    pub fn new(epoch: usize, step: usize) -> Self {
        Self {
            epoch,
            step,
            learning_rate: 0.0,
            losses: Vec::new(),
            loss: 0.0,
            average_loss: 0.0,
            nme: None,
            nme_ema: None,
            nme_truth: None,
            nme_truth_ema: None,
            seconds: 0.0,
        }
    }

    /// Fills in what training gave: the epoch's losses, by the criterion's terms and their weights.
    pub fn with_training(
        self,
        meter: &Meter,
        terms: &[(String, f64)],
        learning_rate: f64,
        seconds: f64,
    ) -> Self {
        let means = meter.means();
        Self {
            learning_rate,
            loss: meter.weighted(terms),
            average_loss: means.iter().sum::<f64>() / terms.len() as f64,
            losses: (terms.iter().map(|(name, _)| name.clone()))
                .zip(means)
                .collect(),
            seconds,
            ..self
        }
    }

    /// The better of raw and EMA on the selection set, if this epoch was evaluated. Ties go to the raw weights.
    pub fn better(&self) -> Option<(Weights, f64)> {
        let (raw, ema) = (self.nme?, self.nme_ema?);
        Some(if ema < raw {
            (Weights::Ema, ema)
        } else {
            (Weights::Raw, raw)
        })
    }
}
