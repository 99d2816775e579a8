//! Values that make no run are refused before one begins.

use super::{DataSource, Recipe, Selection};
use crate::error::TrainError;

impl Recipe {
    /// Values are checked once, here, so that nothing later needs to.
    pub(super) fn check(&self) -> Result<(), TrainError> {
        let train = &self.train;
        if train.batch_size == 0 || train.epochs == 0 || train.log_every == 0 {
            return refuse(
                "train.epochs, train.batch_size and train.log_every must be at least 1".into(),
            );
        }
        if train.eval_every == 0 || train.checkpoint_every == 0 || train.workers == 0 {
            return refuse(
                "train.eval_every, train.checkpoint_every and train.workers must be at least 1"
                    .into(),
            );
        }
        for (key, value) in [
            ("train.learning_rate", train.learning_rate),
            ("train.gamma", train.gamma),
            ("train.ema_half_life", train.ema_half_life),
        ] {
            if !(value.is_finite() && value > 0.0) {
                return refuse(format!("{key} = {value}: must be a finite number above 0"));
            }
        }
        if !train.milestones.is_sorted() {
            return refuse(format!(
                "train.milestones = {:?}: must be in rising order",
                train.milestones
            ));
        }
        for (key, value) in [
            ("loss.point_weight", self.loss.point_weight),
            ("loss.edge_weight", self.loss.edge_weight),
            ("loss.star.weight", self.loss.star.weight),
        ] {
            if !(value.is_finite() && value >= 0.0) {
                return refuse(format!(
                    "{key} = {value}: must be a finite number, 0 or above"
                ));
            }
        }
        // 0 stands for the layout's own.
        if self.eval.threshold != 0.0 {
            star_eval::metrics::check_threshold(self.eval.threshold)
                .map_err(|e| TrainError::Recipe(format!("eval.threshold = {e}")))?;
        }
        if !(0.0..1.0).contains(&self.data.held_out) {
            return refuse(format!(
                "data.held_out = {}: must be a fraction from 0 up to (not with) 1",
                self.data.held_out
            ));
        }
        if train.selection == Selection::HeldOut && self.data.held_out == 0.0 {
            return refuse("data.held_out = 0 leaves nothing to select the best weights on: give it a fraction such as 0.1, or set train.selection = \"test\" for the published protocol".into());
        }
        if self.data.source == DataSource::Tsv && self.data.train.as_os_str().is_empty() {
            return refuse("data.source = \"tsv\" needs data.train, the TSV of the training faces (see `star prepare --help`); or set data.source = \"synth\" for synthetic faces".into());
        }
        if train.selection == Selection::Test
            && self.data.source == DataSource::Tsv
            && self.data.test.as_os_str().is_empty()
        {
            return refuse("train.selection = \"test\" needs data.test".into());
        }
        if train.selection == Selection::Test
            && self.data.source == DataSource::Synth
            && self.data.synth_test_faces == 0
        {
            return refuse("train.selection = \"test\" needs test faces, but data.synth_test_faces = 0 draws none".into());
        }
        Ok(())
    }
}

pub(super) fn refuse<T>(message: String) -> Result<T, TrainError> {
    Err(TrainError::Recipe(message))
}
