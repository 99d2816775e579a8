//! What a run leaves when its last epoch is over.

use std::path::Path;

use burn::{
    module::AutodiffModule,
    tensor::backend::{AutodiffBackend, Backend},
};
use star_model::StarNet;

use star_eval::{
    calibration::{Fit, HeldOutPart},
    evaluate::{EvalSet, PredictedFace, Scores, predict_set, score},
    mean_shape::mean_shape_nme,
};
use star_infer::weights_file::{write_covariance_scales, write_weights};

use crate::{
    disk,
    epoch_record::EpochRecord,
    error::TrainError,
    observer::Observer,
    recipe::{DataSource, Selection},
    run_dir::RunDir,
    run_report,
    setup::Setup,
    state::TrainState,
};

/// A finished run's figures.
#[derive(Clone, Debug)]
pub struct Finished {
    /// What [`Self::before`], [`Self::best`], [`Self::scores`] and [`Self::mean_shape`] are figures of.
    pub selected_on: Selection,
    /// The selection set before training.
    pub before: EpochRecord,
    /// The epoch whose weights were kept.
    pub best: EpochRecord,
    /// The best weights on the selection set.
    pub scores: Scores,
    /// The best weights on the test set, where that is not the selection set.
    pub test: Option<Scores>,
    /// What predicting the training set's mean shape in every crop would score on the selection set.
    pub mean_shape: f64,
    /// Of all whole epochs, those before a resume too; the beginning of an epoch that was interrupted is not in it.
    pub train_seconds: f64,
}

/// The last weights, the best weights' figures and calibration, the test set (once), and the images.
pub(crate) fn finish<B: AutodiffBackend>(
    state: &TrainState<B>,
    setup: &Setup<B>,
    run: &RunDir,
    observer: &mut dyn Observer,
) -> Result<Finished, TrainError> {
    let (recipe, faces) = (setup.recipe, &setup.faces);
    let epochs = recipe.train.epochs;
    write_last(&state.net.valid(), "raw", "last.safetensors", setup, run)?;
    write_last(&state.ema, "EMA", "last_ema.safetensors", setup, run)?;

    let position = &state.position;
    let (Some(before), Some(best), Some(net)) =
        (position.history.first(), &position.best, &state.best)
    else {
        return Err(TrainError::Invalid(format!(
            "none of the {epochs} epochs could be evaluated (no face has an error that is a number), so there are no best weights; \
             weights/last.safetensors are those of the last epoch"
        )));
    };
    let which = best.better().map_or("raw", |(w, _)| w.name());
    let of_best = format!(
        "{which} weights of epoch {}, selected on {}",
        best.epoch,
        recipe.selection_name()
    );
    type Figures = (Scores, Vec<PredictedFace>);
    let report = |set: &EvalSet,
                  names: &[&str],
                  observer: &mut dyn Observer|
     -> Result<Figures, TrainError> {
        let (scores, predicted) = figures(net, set, &of_best, setup, observer)?;
        for name in names {
            let path = |end: &str| run.report().join(format!("{name}{end}"));
            disk::write_json(&path(".json"), &scores)?;
            run_report::contact_sheet(set, &predicted, &path("_faces.png"))?;
        }
        Ok((scores, predicted))
    };

    let (scores, test) = match recipe.train.selection {
        Selection::HeldOut => {
            let (scores, predicted) = report(&faces.selection, &["selection"], observer)?;
            calibrate_best(&predicted, setup, run, observer)?;
            let test = faces.test.as_ref();
            let test = test
                .map(|set| report(set, &["test"], observer))
                .transpose()?;
            (scores, test.map(|(scores, _)| scores))
        }
        // The same faces: evaluated once, said once.
        Selection::Test => {
            observer.message(
                "covariances are not calibrated: no faces were held out, and the test set is for counting. `star calibrate --write` does it",
            );
            let (scores, _) = report(&faces.selection, &["selection", "test"], observer)?;
            (scores, None)
        }
    };
    let curves: &Path = &run.report().join("curves.svg");
    run_report::curves(recipe, &position.history, curves)?;

    Ok(Finished {
        selected_on: recipe.train.selection,
        before: before.clone(),
        best: best.clone(),
        mean_shape: mean_shape_nme(&*faces.train, &faces.selection, &setup.eval)?,
        scores,
        test,
        train_seconds: position.history.iter().map(|r| r.seconds).sum(),
    })
}

/// Puts what the best weights' covariances are to be multiplied by into their file. Those of the last epoch have no calibration: these
/// figures are not theirs.
fn calibrate_best<B: AutodiffBackend>(
    held_out: &[PredictedFace],
    setup: &Setup<B>,
    run: &RunDir,
    observer: &mut dyn Observer,
) -> Result<(), TrainError> {
    let data = &setup.recipe.data;
    let annotations = match data.source {
        DataSource::Tsv => {
            let name = data.train.file_name().unwrap_or_default();
            name.to_string_lossy().into_owned()
        }
        DataSource::Synth => format!("the synthetic faces of seed {}", data.synth.seed),
    };
    let part = HeldOutPart {
        fraction: data.held_out,
        seed: setup.recipe.seed,
    };
    let scales = Fit::new(held_out).and_then(|fit| fit.covariance_scales(&annotations, Some(part)));
    match scales {
        Ok(scales) => {
            let best = run.best_weights();
            disk::change(&best)?;
            write_covariance_scales(&best, &scales, &best)?;
            observer.message(&format!("covariances calibrated on {}", scales.about()));
        }
        // A run whose heatmaps say nothing has weights all the same.
        Err(error) => observer.message(&format!("covariances are not calibrated: {error}")),
    }
    Ok(())
}

fn write_last<B: Backend, A: AutodiffBackend>(
    net: &StarNet<B>,
    which: &str,
    name: &str,
    setup: &Setup<A>,
    run: &RunDir,
) -> Result<(), TrainError> {
    let path = run.weights().join(name);
    let provenance = format!("{which} weights after epoch {}", setup.recipe.train.epochs);
    disk::change(&path)?;
    Ok(write_weights(
        net,
        setup.weights_info(),
        &provenance,
        &path,
    )?)
}

fn figures<B: AutodiffBackend>(
    net: &StarNet<B::InnerBackend>,
    set: &EvalSet,
    of_best: &str,
    setup: &Setup<B>,
    observer: &mut dyn Observer,
) -> Result<(Scores, Vec<PredictedFace>), TrainError> {
    let mut progress = |done, all| observer.evaluating(done, all);
    let predicted = predict_set(
        &net.prepare(),
        set,
        &setup.eval,
        setup.device(),
        &mut progress,
    )?;
    let title = format!("{}, {of_best}", set.title);
    let scores = score(&title, &predicted, set, &setup.eval)?;
    observer.scores(&scores);
    Ok((scores, predicted))
}
