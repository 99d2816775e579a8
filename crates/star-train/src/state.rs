//! What training changes, and where in the run it is.

use burn::{
    optim::{AdamConfig, adaptor::OptimizerAdaptor},
    tensor::backend::AutodiffBackend,
};
use serde::{Deserialize, Serialize};
use star_model::StarNet;

use crate::{epoch_record::EpochRecord, meter::Meter};

/// Where in the run a checkpoint was written. Everything random follows from the seed and these numbers.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Position {
    /// The epoch that is under way or comes next, from 1.
    pub epoch: usize,
    /// Batches of it that are done.
    pub batch: usize,
    /// Steps since the run began.
    pub step: usize,
    /// Losses of the epoch so far.
    pub meter: Meter,
    /// The epoch whose weights are the best so far.
    pub best: Option<EpochRecord>,
    /// Every epoch so far, from 0, the untrained network: the lines of `metrics.jsonl`.
    pub history: Vec<EpochRecord>,
}

impl Default for Position {
    /// Before the first step.
    fn default() -> Self {
        Self {
            epoch: 1,
            batch: 0,
            step: 0,
            meter: Meter::default(),
            best: None,
            history: Vec::new(),
        }
    }
}

impl Position {
    /// The record of the epoch that ends here, to be filled in.
    pub fn record(&self) -> EpochRecord {
        let untrained = self.step == 0;
        EpochRecord::new(if untrained { 0 } else { self.epoch }, self.step)
    }

    /// Goes on to the next epoch.
    pub fn end_epoch(&mut self, record: EpochRecord) {
        self.history.push(record);
        self.epoch += 1;
        self.batch = 0;
        self.meter = Meter::default();
    }
}

/// The optimiser.
pub type Adam<B> = OptimizerAdaptor<burn::optim::Adam, StarNet<B>, B>;

/// As published: rate only, no weight decay, eps 1e-8 (Burn's own default is 1e-5; REFERENCE T2).
pub(crate) fn adam<B: AutodiffBackend>() -> Adam<B> {
    AdamConfig::new().with_epsilon(1e-8).init()
}

/// The state that training changes.
pub struct TrainState<B: AutodiffBackend> {
    /// The network that is trained.
    pub net: StarNet<B>,
    /// The optimiser's moments.
    pub adam: Adam<B>,
    /// The moving average of its weights.
    pub ema: StarNet<B::InnerBackend>,
    /// The weights of `position.best`.
    pub best: Option<StarNet<B::InnerBackend>>,
    /// Where in the run this is.
    pub position: Position,
}
