//! Values that make no run are refused before one begins.

use super::{DataSource, Recipe, Selection};
use crate::error::TrainError;

/// The largest weight of a loss.
const MAX_WEIGHT: f64 = 1e6;

impl Recipe {
    /// Values are checked once, here, so that nothing later needs to.
    pub(super) fn check(&self) -> Result<(), TrainError> {
        check_name(&self.name)?;
        let train = &self.train;
        for (key, value) in [
            ("train.epochs", train.epochs),
            ("train.batch_size", train.batch_size),
            ("train.log_every", train.log_every),
            ("train.eval_every", train.eval_every),
            ("train.checkpoint_every", train.checkpoint_every),
            ("train.workers", train.workers),
        ] {
            if value == 0 {
                return refuse(format!("{key} = 0: must be at least 1"));
            }
        }
        // Far above all use: what is larger is a slip of the pen, and would be found out hours later or by the machine's memory.
        for (key, value, limit) in [
            ("train.epochs", train.epochs, 1_000_000),
            ("train.batch_size", train.batch_size, 65_536),
            ("train.workers", train.workers, 1024),
            ("train.cache_mib", train.cache_mib, 1 << 24),
            ("data.synth.faces", self.data.synth.faces, 100_000_000),
            (
                "data.synth_test_faces",
                self.data.synth_test_faces,
                100_000_000,
            ),
        ] {
            if value > limit {
                return refuse(format!("{key} = {value}: must be at most {limit}"));
            }
        }
        for (key, value) in [
            ("train.learning_rate", train.learning_rate),
            ("train.gamma", train.gamma),
            ("train.ema_half_life", train.ema_half_life),
        ] {
            if !(value.is_finite() && value > 0.0) {
                return refuse(format!(
                    "{key} = {value:?}: must be a finite number above 0"
                ));
            }
        }
        if !(0.0..=train.epochs as f64).contains(&train.warmup_epochs) {
            return refuse(format!(
                "train.warmup_epochs = {:?}: must be a number from 0 to train.epochs = {}",
                train.warmup_epochs, train.epochs
            ));
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
            if !(0.0..=MAX_WEIGHT).contains(&value) {
                return refuse(format!(
                    "{key} = {value:?}: must be a number from 0 to {MAX_WEIGHT}"
                ));
            }
        }
        // 0 stands for the layout's own.
        if self.eval.threshold != 0.0 {
            star_eval::metrics::check_threshold(self.eval.threshold)
                .map_err(|e| TrainError::Recipe(format!("eval.threshold = {e}")))?;
        }
        if self.model.init.as_os_str().is_empty() && !self.model.init_points.is_empty() {
            return refuse(
                "model.init_points says which points of model.init these are, and there is no model.init: name its weights, or leave it out".into(),
            );
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

/// The name becomes a part of a folder's name.
fn check_name(name: &str) -> Result<(), TrainError> {
    let usable = |c: char| !c.is_control() && !r#"/\:*?"<>|"#.contains(c);
    if name.trim().is_empty() || name.starts_with('.') || !name.chars().all(usable) {
        return refuse(format!(
            "name = {name:?}: a run's folder is called so; use letters, digits, - and _"
        ));
    }
    Ok(())
}

pub(super) fn refuse<T>(message: String) -> Result<T, TrainError> {
    Err(TrainError::Recipe(message))
}
