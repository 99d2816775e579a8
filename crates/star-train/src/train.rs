//! The training loop, top to bottom: the published protocol (REFERENCE, Training) with a held-out part to select on.

use std::{
    path::PathBuf,
    sync::atomic::{AtomicBool, Ordering},
    time::Instant,
};

use burn::{module::AutodiffModule, optim::Optimizer, tensor::backend::AutodiffBackend};
use star_model::ema_update;

pub use crate::{begin::Start, finish::Finished};
use crate::{
    begin::begin,
    checkpoint,
    error::TrainError,
    finish::finish,
    meter::Pending,
    observer::{Observer, StepInfo},
    recipe::Recipe,
    run_dir::RunDir,
    schedule::{ema_decay, learning_rate},
    selection::{evaluate, keep_if_best},
    setup::Setup,
    speed::Speed,
};

/// What ends a run before its last epoch, with a checkpoint.
#[derive(Clone, Copy, Debug)]
pub struct Stop<'a> {
    /// Looked at after each step.
    pub flag: &'a AtomicBool,
    /// Stop after this step of the run.
    pub after: Option<usize>,
}

impl Stop<'_> {
    fn now(&self, step: usize) -> bool {
        self.flag.load(Ordering::Relaxed) || self.after.is_some_and(|after| step >= after)
    }
}

/// How a run ended.
#[derive(Debug)]
pub enum Outcome {
    /// To its last epoch.
    Finished(Box<Finished>),
    /// Stopped on request; the checkpoint holds everything.
    Interrupted {
        /// Where it can go on from.
        checkpoint: PathBuf,
    },
}

/// Trains a recipe from its start, or from the newest checkpoint of a run, to its end.
///
/// Several devices share each batch; the network, its moving average and evaluations are on the first. Once `stop` says so, a checkpoint is
/// written and the run returns.
///
/// # Errors
/// Faces or files that cannot be read, a loss that is not a number (the last good checkpoint stays).
pub fn train<B: AutodiffBackend>(
    recipe: &Recipe,
    start: &Start,
    devices: &[B::Device],
    stop: Stop,
    observer: &mut dyn Observer,
) -> Result<Outcome, TrainError> {
    let setup = Setup::<B>::open(recipe, devices)?;
    let (run, mut state) = begin(&setup, start, observer)?;
    let done = state.position.step;
    if let Some(after) = stop.after.filter(|&after| after <= done) {
        return Err(TrainError::Invalid(format!(
            "{} has done {done} steps, so it cannot stop after step {after}: name a later step, or none.",
            run.root().display()
        )));
    }
    state.net = state.net.with_training(setup.compute);
    observer.message(&format!(
        "{} faces to train on, {} to select on ({}); run folder {}",
        setup.faces.train.len(),
        setup.faces.selection.faces.len(),
        setup.faces.selection.title,
        run.root().display()
    ));

    let (settings, terms, steps) = (&recipe.train, &setup.terms, setup.steps());
    let mut speed = Speed::start();
    while state.position.epoch <= settings.epochs {
        let epoch = state.position.epoch;
        let last_epoch = epoch == settings.epochs;
        let began = Instant::now();
        // Of the epoch's last step; an epoch of which nothing is left was there before.
        let mut rate = learning_rate(settings, epoch, steps.saturating_sub(1), steps);
        let mut pending = Pending::default();
        speed.go_on();

        let done = state.position.batch;
        for batch in setup
            .loader
            .epoch_from(epoch as u64, done)
            .take(steps.saturating_sub(done))
        {
            let batch = batch?;
            let faces = batch.len();
            let gradients = setup.devices.gradients(&state.net, batch)?;
            rate = learning_rate(settings, epoch, state.position.batch, steps);
            state.net = state.adam.step(rate, state.net, gradients.params);
            let decay = ema_decay(faces, settings.ema_half_life);
            state.ema = ema_update(state.ema, &state.net.valid(), decay);

            state.position.step += 1;
            state.position.batch += 1;
            pending.push(state.position.step, gradients.faces, gradients.table);

            let (step, batch) = (state.position.step, state.position.batch);
            let stopping = stop.now(step);
            if pending.waiting() >= settings.log_every || batch == steps || stopping {
                let waiting = pending.faces();
                let losses = (pending.read(&mut state.position.meter, terms))
                    .map_err(|e| with_advice(e, recipe, &run))?;
                run.append_steps(&losses)?;
                speed.trained(losses.len(), waiting);
                observer.step(&StepInfo {
                    epoch,
                    epochs: settings.epochs,
                    step: batch,
                    steps,
                    loss: state.position.meter.weighted(terms),
                    learning_rate: rate,
                    faces_per_second: speed.faces_per_second(),
                    seconds_left: speed.seconds_for((settings.epochs - epoch + 1) * steps - batch),
                });
            }
            if stopping {
                return Ok(Outcome::Interrupted {
                    checkpoint: checkpoint::save(&state, &setup, &run)?,
                });
            }
        }

        let record = if epoch.is_multiple_of(settings.eval_every) || last_epoch {
            evaluate(&state, &setup, observer)?
        } else {
            state.position.record()
        };
        let seconds = began.elapsed().as_secs_f64();
        let record = record.with_training(&state.position.meter, terms, rate, seconds);
        keep_if_best(&mut state, &record);
        run.append_metrics(&record)?;
        observer.epoch(&record);
        state.position.end_epoch(record);
        if epoch.is_multiple_of(settings.checkpoint_every) || last_epoch {
            checkpoint::save(&state, &setup, &run)?;
        }
    }

    let finished = finish(&state, &setup, &run, observer)?;
    Ok(Outcome::Finished(Box::new(finished)))
}

/// Weights that have diverged would diverge again from the last checkpoint: what helps is another recipe, and that is a new run.
fn with_advice(error: TrainError, recipe: &Recipe, run: &RunDir) -> TrainError {
    let TrainError::Diverged(what) = error else {
        return error;
    };
    let best = run.best_weights();
    let from = if best.exists() {
        format!(
            "; with --set model.init={} it begins with the best weights of this one",
            best.display()
        )
    } else {
        String::new()
    };
    TrainError::Diverged(format!(
        "{what} Start a new run with a lower train.learning_rate than {}{from}.",
        recipe.train.learning_rate
    ))
}
