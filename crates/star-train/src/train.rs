//! The training loop, top to bottom: the published protocol (REFERENCE, Training) with a held-out part to select on.

use std::{
    path::PathBuf,
    sync::atomic::{AtomicBool, Ordering},
    time::Instant,
};

use burn::{
    module::AutodiffModule,
    optim::{AdamConfig, Optimizer, adaptor::OptimizerAdaptor},
    tensor::backend::AutodiffBackend,
};
use serde::{Deserialize, Serialize};
use star_data::{Layout, Loader, LoaderConfig, SampleMaker};
use star_model::{Compute, StarNet, StarNetConfig, ema_update};

use crate::{
    checkpoint::{self, Position, TrainState},
    criterion::Criterion,
    devices::Devices,
    error::TrainError,
    evaluate::{EvalOptions, EvalSet, Scores, predict_set, score},
    faces::Faces,
    init::init_weights,
    mean_shape::mean_shape_nme,
    meter::{Meter, Pending},
    observer::{Observer, StepInfo},
    recipe::Recipe,
    run_dir::{RunDir, write_atomic, write_json},
    run_report,
    schedule::{ema_decay, learning_rate},
    weights_file::{WeightsInfo, read_weights, write_weights},
};

/// Adam as published: rate only, no weight decay, eps 1e-8 (Burn's own default is 1e-5; REFERENCE T2).
pub type Adam<B> = OptimizerAdaptor<burn::optim::Adam, StarNet<B>, B>;

/// A new run in this folder, or the rest of an old one.
#[derive(Clone, Debug)]
pub enum Start {
    New(PathBuf),
    Resume(PathBuf),
}

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

/// One epoch's figures, a line of `metrics.jsonl`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct EpochRecord {
    /// 0 is the untrained network.
    pub epoch: usize,
    pub step: usize,
    pub learning_rate: f64,
    /// Mean of each loss over the epoch, unweighted, by name.
    pub losses: Vec<(String, f64)>,
    /// The optimised sum.
    pub loss: f64,
    /// The published program's "Average Loss": the plain mean of all losses (REFERENCE S9).
    pub average_loss: f64,
    /// NME on the selection set, raw and EMA weights; absent in epochs without an evaluation.
    pub nme: Option<f64>,
    pub nme_ema: Option<f64>,
    /// The same against the true landmarks, where they are known.
    pub nme_truth: Option<f64>,
    pub nme_truth_ema: Option<f64>,
    pub seconds: f64,
}

/// Which weights of an epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weights {
    Raw,
    Ema,
}

impl EpochRecord {
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

/// How a run ended.
#[derive(Debug)]
pub enum Outcome {
    Finished(Box<Finished>),
    /// Stopped on request; the checkpoint holds everything.
    Interrupted {
        checkpoint: PathBuf,
    },
}

/// A finished run's figures.
#[derive(Clone, Debug)]
pub struct Finished {
    /// The selection set before training.
    pub before: EpochRecord,
    /// The epoch whose weights were kept.
    pub best: EpochRecord,
    /// The best weights on the selection set and, once, on the test set.
    pub selection: Scores,
    pub test: Option<Scores>,
    /// What predicting the training set's mean shape in every crop would score on the selection set.
    pub mean_shape: f64,
    /// Of all whole epochs, those before a resume too; the beginning of an epoch that was interrupted is not in it.
    pub train_seconds: f64,
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
    let layout = recipe.layout()?;
    let config = recipe.net_config(&layout);
    if !recipe.eval.norm.is_empty() {
        // Refused before there is a run folder.
        layout.norm(Some(&recipe.eval.norm))?;
    }
    let settings = &recipe.train;
    let mut compute = Compute::default();
    for device in devices {
        compute = settings.precision.on::<B>(device)?;
    }
    let faces = Faces::open(recipe, &layout)?;
    config.check_batch(settings.batch_size.min(faces.train.len()))?;
    let maker = SampleMaker::new(
        layout.clone(),
        recipe.model.input_size as u32,
        recipe.augment.clone(),
        true,
    )?;
    let loader = Loader::new(
        faces.train.clone(),
        maker,
        LoaderConfig {
            batch_size: settings.batch_size,
            workers: settings.workers,
            seed: recipe.seed,
            cache_bytes: settings.cache_mib << 20,
            ..LoaderConfig::default()
        },
    )?;
    let criterion = Criterion::new(&recipe.loss);
    let terms = criterion.terms(config.stacks, config.aam);
    let devices = Devices::<B>::new(devices, criterion, terms.clone())?;
    let device = devices.first();
    let eval = EvalOptions {
        input_size: recipe.model.input_size,
        batch_size: settings.batch_size,
        workers: settings.workers,
        norm: recipe.eval.norm.clone(),
        threshold: recipe.eval.threshold,
    };

    let crop = faces.train.crop_rule();
    let info = WeightsInfo {
        config: &config,
        layout: &layout,
        crop: &crop,
    };
    let mut state = fresh_state::<B>(recipe, &config, &layout, device)?;
    let run = match start {
        Start::New(folder) => {
            let run = RunDir::create(folder)?;
            write_atomic(&run.config(), recipe.to_toml()?.as_bytes())?;
            let untrained = evaluate_epoch(&state, &faces.selection, &eval, device, observer)?;
            run.append_metrics(&untrained)?;
            observer.epoch(&untrained);
            state.position.history.push(untrained);
            run
        }
        Start::Resume(folder) => {
            let run = RunDir::open(folder)?;
            let newest = checkpoint::newest(&run)?;
            state = checkpoint::load(state, &newest, device)?;
            run.forget_after(state.position.step)?;
            observer.message(&format!("continuing from {}", newest.display()));
            run
        }
    };
    state.net = state.net.with_training(compute);
    observer.message(&format!(
        "{} faces to train on, {} to select on ({}); run folder {}",
        faces.train.len(),
        faces.selection.faces.len(),
        faces.selection.title,
        run.root().display()
    ));

    let steps = loader.batches();
    let clock = Clock::start(state.position.step);

    while state.position.epoch <= settings.epochs {
        let epoch = state.position.epoch;
        let epoch_began = Instant::now();
        let rate = learning_rate(
            settings.learning_rate,
            settings.gamma,
            &settings.milestones,
            epoch,
        );
        let mut pending = Pending::default();
        let mut batches = loader.epoch_from(epoch as u64, state.position.batch);

        for host_batch in &mut batches {
            let host_batch = host_batch?;
            let batch_size = host_batch.len();
            if state.net.check_batch(batch_size).is_err() {
                // A last batch of one face, where the innermost map is one pixel: batch norm cannot use it (REFERENCE N12, T9).
                state.position.batch += 1;
                continue;
            }

            let gradients = devices.gradients(&state.net, host_batch)?;
            state.net = state.adam.step(rate, state.net, gradients.params);
            let decay = ema_decay(batch_size, settings.ema_half_life);
            state.ema = ema_update(state.ema, &state.net.valid(), decay);

            state.position.step += 1;
            state.position.batch += 1;
            pending.push(state.position.step, gradients.faces, gradients.table);

            let stopping = stop.now(state.position.step);
            if pending.waiting() >= settings.log_every || state.position.batch == steps || stopping
            {
                run.append_steps(&pending.read(&mut state.position.meter, &terms)?)?;
                let steps_left = (settings.epochs - epoch + 1) * steps - state.position.batch;
                observer.step(&StepInfo {
                    epoch,
                    epochs: settings.epochs,
                    step: state.position.batch,
                    steps,
                    loss: state.position.meter.weighted(&terms),
                    learning_rate: rate,
                    faces_per_second: clock.steps_per_second(state.position.step)
                        * settings.batch_size as f64,
                    seconds_left: steps_left as f64 / clock.steps_per_second(state.position.step),
                });
            }
            if stopping {
                return Ok(Outcome::Interrupted {
                    checkpoint: checkpoint::save(&state, &run)?,
                });
            }
        }
        drop(batches);

        let mut record = if epoch.is_multiple_of(settings.eval_every) || epoch == settings.epochs {
            evaluate_epoch(&state, &faces.selection, &eval, device, observer)?
        } else {
            unevaluated(&state.position)
        };
        record.losses = terms
            .iter()
            .map(|(name, _)| name.clone())
            .zip(state.position.meter.means())
            .collect();
        record.loss = state.position.meter.weighted(&terms);
        record.average_loss = state.position.meter.means().iter().sum::<f64>() / terms.len() as f64;
        record.learning_rate = rate;
        record.seconds = epoch_began.elapsed().as_secs_f64();

        keep_if_best(&mut state, &record, recipe, info, &run)?;
        run.append_metrics(&record)?;
        observer.epoch(&record);
        state.position.history.push(record);
        state.position.epoch += 1;
        state.position.batch = 0;
        state.position.meter = Meter::default();
        if epoch.is_multiple_of(settings.checkpoint_every) || epoch == settings.epochs {
            checkpoint::save(&state, &run)?;
        }
    }

    let finished = finish(&state, recipe, info, &faces, &eval, &run, device, observer)?;
    Ok(Outcome::Finished(Box::new(finished)))
}

fn fresh_state<B: AutodiffBackend>(
    recipe: &Recipe,
    config: &StarNetConfig,
    layout: &Layout,
    device: &B::Device,
) -> Result<TrainState<B>, TrainError> {
    config.validate()?;
    let net = if recipe.model.init.as_os_str().is_empty() {
        init_weights(config.init::<B>(device), recipe.seed)?
    } else {
        read_weights::<B>(&recipe.model.init, device)?.net_for(config, layout)?
    };
    let ema = net.valid();
    Ok(TrainState {
        net,
        adam: AdamConfig::new().with_epsilon(1e-8).init(),
        ema,
        position: Position {
            epoch: 1,
            batch: 0,
            step: 0,
            meter: Meter::default(),
            best: None,
            history: Vec::new(),
        },
    })
}

fn unevaluated(position: &Position) -> EpochRecord {
    EpochRecord {
        epoch: position.epoch,
        step: position.step,
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

/// Raw and EMA weights on the selection set.
fn evaluate_epoch<B: AutodiffBackend>(
    state: &TrainState<B>,
    set: &EvalSet,
    eval: &EvalOptions,
    device: &B::Device,
    observer: &mut dyn Observer,
) -> Result<EpochRecord, TrainError> {
    let mut record = unevaluated(&state.position);
    if state.position.step == 0 {
        record.epoch = 0;
    }
    let raw = predict_set(&state.net.valid(), set, eval, device, observer)?;
    let raw = score(&set.title, &raw, set, eval)?;
    record.nme = Some(raw.nme);
    record.nme_truth = raw.truth.map(|t| t.nme);
    if state.position.step == 0 {
        // The EMA starts as a copy.
        record.nme_ema = record.nme;
        record.nme_truth_ema = record.nme_truth;
    } else {
        let ema = predict_set(&state.ema, set, eval, device, observer)?;
        let ema = score(&set.title, &ema, set, eval)?;
        record.nme_ema = Some(ema.nme);
        record.nme_truth_ema = ema.truth.map(|t| t.nme);
    }
    Ok(record)
}

/// Saves the epoch's better weights if they are the best so far.
fn keep_if_best<B: AutodiffBackend>(
    state: &mut TrainState<B>,
    record: &EpochRecord,
    recipe: &Recipe,
    info: WeightsInfo,
    run: &RunDir,
) -> Result<(), TrainError> {
    let Some((which, nme)) = record.better() else {
        return Ok(());
    };
    let so_far = state.position.best.as_ref().and_then(EpochRecord::better);
    if so_far.is_some_and(|(_, best)| best <= nme) || !nme.is_finite() {
        return Ok(());
    }
    let provenance = format!(
        "{} weights of epoch {}, NME {:.4} % on {}",
        which.name(),
        record.epoch,
        nme * 100.0,
        recipe.selection_name(),
    );
    let raw;
    let net = match which {
        Weights::Raw => {
            raw = state.net.valid();
            &raw
        }
        Weights::Ema => &state.ema,
    };
    write_weights(net, info, &provenance, &run.best_weights())?;
    state.position.best = Some(record.clone());
    Ok(())
}

impl Weights {
    pub fn name(self) -> &'static str {
        match self {
            Self::Raw => "raw",
            Self::Ema => "EMA",
        }
    }
}

/// The last weights, the best weights' figures, the test set (once), and the pictures.
#[allow(clippy::too_many_arguments)]
fn finish<B: AutodiffBackend>(
    state: &TrainState<B>,
    recipe: &Recipe,
    info: WeightsInfo,
    faces: &Faces,
    eval: &EvalOptions,
    run: &RunDir,
    device: &B::Device,
    observer: &mut dyn Observer,
) -> Result<Finished, TrainError> {
    let last = format!("raw weights after epoch {}", recipe.train.epochs);
    let weights = run.weights();
    write_weights(
        &state.net.valid(),
        info,
        &last,
        &weights.join("last.safetensors"),
    )?;
    let last = format!("EMA weights after epoch {}", recipe.train.epochs);
    write_weights(
        &state.ema,
        info,
        &last,
        &weights.join("last_ema.safetensors"),
    )?;

    let (Some(before), Some(best)) = (state.position.history.first(), &state.position.best) else {
        return Err(TrainError::Invalid(
            "no epoch of this run could be evaluated, so there are no best weights".into(),
        ));
    };
    let which = best.better().map_or("raw", |(w, _)| w.name());
    let net = read_weights::<B::InnerBackend>(&run.best_weights(), device)?.net;
    let title = |set: &EvalSet| {
        format!(
            "{}, {which} weights of epoch {}, selected on {}",
            set.title,
            best.epoch,
            recipe.selection_name()
        )
    };

    let on_selection = predict_set(&net, &faces.selection, eval, device, observer)?;
    let selection = score(
        &title(&faces.selection),
        &on_selection,
        &faces.selection,
        eval,
    )?;
    observer.scores(&selection);
    write_json(&run.report().join("selection.json"), &selection)?;

    let test = match &faces.test {
        Some(set) => {
            let predicted = predict_set(&net, set, eval, device, observer)?;
            let scores = score(&title(set), &predicted, set, eval)?;
            observer.scores(&scores);
            write_json(&run.report().join("test.json"), &scores)?;
            run_report::contact_sheet(set, &predicted, &run.report().join("test_faces.png"))?;
            Some(scores)
        }
        None => None,
    };
    run_report::curves(
        recipe,
        &state.position.history,
        &run.report().join("curves.svg"),
    )?;
    run_report::contact_sheet(
        &faces.selection,
        &on_selection,
        &run.report().join("selection_faces.png"),
    )?;

    Ok(Finished {
        before: before.clone(),
        best: best.clone(),
        mean_shape: mean_shape_nme(&*faces.train, &faces.selection, eval)?,
        selection,
        test,
        train_seconds: state.position.history.iter().map(|r| r.seconds).sum(),
    })
}

/// Measures speed since this process began to train; a resumed run does not count the steps before.
struct Clock {
    began: Instant,
    first_step: usize,
}

impl Clock {
    fn start(first_step: usize) -> Self {
        Self {
            began: Instant::now(),
            first_step,
        }
    }

    fn steps_per_second(&self, step: usize) -> f64 {
        let seconds = self.began.elapsed().as_secs_f64().max(1e-9);
        (step - self.first_step) as f64 / seconds
    }
}
