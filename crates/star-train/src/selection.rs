//! The selection set decides which weights of a run are the best.

use burn::{module::AutodiffModule, tensor::backend::AutodiffBackend};

use star_eval::evaluate::{predict_set, score};

use crate::{
    epoch_record::{EpochRecord, Weights},
    error::TrainError,
    observer::Observer,
    recipe::Recipe,
    setup::Setup,
    state::TrainState,
};

/// Raw and EMA weights on the selection set.
pub fn evaluate<B: AutodiffBackend>(
    state: &TrainState<B>,
    setup: &Setup<B>,
    observer: &mut dyn Observer,
) -> Result<EpochRecord, TrainError> {
    let (set, eval, device) = (&setup.faces.selection, &setup.eval, setup.device());
    let position = &state.position;
    let mut record = position.record();
    let mut progress = |done, all| observer.evaluating(done, all);
    let raw = predict_set(
        &state.net.valid().prepare(),
        set,
        eval,
        device,
        &mut progress,
    )?;
    let raw = score(&set.title, &raw, set, eval)?;
    record.nme = Some(raw.nme);
    record.nme_truth = raw.truth.map(|t| t.nme);
    if position.step == 0 {
        // The EMA starts as a copy.
        record.nme_ema = record.nme;
        record.nme_truth_ema = record.nme_truth;
    } else {
        let ema = predict_set(&state.ema.prepare(), set, eval, device, &mut progress)?;
        let ema = score(&set.title, &ema, set, eval)?;
        record.nme_ema = Some(ema.nme);
        record.nme_truth_ema = ema.truth.map(|t| t.nme);
    }
    Ok(record)
}

/// Keeps a copy of the epoch's better weights if they are the best so far.
///
/// The copy is part of the state, and so of the next checkpoint; `weights/best.safetensors` is made of that one. A run that is resumed
/// therefore never finds weights of an epoch that it has yet to train.
pub fn keep_if_best<B: AutodiffBackend>(state: &mut TrainState<B>, record: &EpochRecord) {
    let Some((which, nme)) = record.better() else {
        return;
    };
    let so_far = state.position.best.as_ref().and_then(EpochRecord::better);
    if so_far.is_some_and(|(_, best)| best <= nme) || !nme.is_finite() {
        return;
    }
    state.best = Some(match which {
        Weights::Raw => state.net.valid().unshared(),
        Weights::Ema => state.ema.unshared(),
    });
    state.position.best = Some(record.clone());
}

/// What the best weights are, for people: which of which epoch, and how good on what.
pub fn provenance(best: &EpochRecord, recipe: &Recipe) -> String {
    let (which, nme) = best.better().unwrap_or((Weights::Raw, f64::NAN));
    format!(
        "{} weights of epoch {}, NME {:.4} % on {}",
        which.name(),
        best.epoch,
        nme * 100.0,
        recipe.selection_name(),
    )
}

#[cfg(test)]
mod tests {
    use burn::backend::{Autodiff, Flex};
    use star_model::StarNetConfig;

    use super::*;
    use crate::state::{Position, adam};

    #[test]
    fn the_best_epoch_stays_until_one_is_better() {
        let net = StarNetConfig::new(2, Vec::new())
            .with_stacks(1)
            .with_channels(4)
            .with_stem(4)
            .with_input_size(64)
            .with_aam(false)
            .init::<Autodiff<Flex>>(&Default::default());
        let mut state = TrainState {
            ema: net.valid().unshared(),
            adam: adam(),
            best: None,
            position: Position::default(),
            net,
        };
        for (epoch, raw, ema, best) in [
            (1, f64::NAN, f64::NAN, None),
            (2, f64::INFINITY, f64::INFINITY, None),
            (3, 0.3, 0.4, Some(3)),
            (4, 0.2, 0.25, Some(4)),
            (5, 0.2, 0.2, Some(4)),
            (6, 0.5, 0.4, Some(4)),
            (7, 0.3, 0.1, Some(7)),
            (8, f64::NAN, 0.2, Some(7)),
        ] {
            let record = EpochRecord {
                nme: Some(raw),
                nme_ema: Some(ema),
                ..EpochRecord::new(epoch, epoch)
            };
            keep_if_best(&mut state, &record);
            let kept = state.position.best.as_ref().map(|record| record.epoch);
            assert_eq!(kept, best, "after epoch {epoch}");
            assert_eq!(state.best.is_some(), best.is_some());
        }
    }
}
