//! How a run begins: anew, or where it stopped.

use std::path::{Path, PathBuf};

use burn::{module::AutodiffModule, tensor::backend::AutodiffBackend};

use star_infer::{
    Pretrained,
    weights_file::{TrainedNet, read_weights},
};

use crate::{
    checkpoint,
    error::TrainError,
    init::init_weights,
    launch::Launch,
    observer::Observer,
    run_dir::RunDir,
    selection::evaluate,
    setup::Setup,
    state::{Position, TrainState, adam},
    transfer::transfer,
};

/// A new run in this folder, or the rest of an old one.
#[derive(Clone, Debug)]
pub struct Start {
    /// The run folder.
    pub folder: PathBuf,
    /// From the newest checkpoint of the run in the folder, or from the beginning if it has none yet.
    pub resume: bool,
    /// What the run is started on, to be kept with it.
    pub launch: Launch,
}

/// Opens the run's folder and makes the state that training goes on from.
pub(crate) fn begin<B: AutodiffBackend>(
    setup: &Setup<B>,
    start: &Start,
    observer: &mut dyn Observer,
) -> Result<(RunDir, TrainState<B>), TrainError> {
    if !start.resume {
        // Weights that do not fit are refused before there is a run folder.
        let state = fresh_state(setup, observer)?;
        let run = RunDir::create(&start.folder, setup.recipe, &start.launch)?;
        return first_figures(setup, run, state, observer);
    }
    let run = RunDir::resume(&start.folder)?;
    let Some(newest) = checkpoint::newest(&run, observer)? else {
        observer
            .message("the run stopped before its first checkpoint; it starts from its beginning");
        let state = fresh_state(setup, observer)?;
        run.keep_launch(&start.launch)?;
        run.go_back_to(&state.position, observer)?;
        return first_figures(setup, run, state, observer);
    };
    let state = checkpoint::load(setup, &newest, observer)?;
    run.keep_launch(&start.launch)?;
    run.go_back_to(&state.position, observer)?;
    checkpoint::make_current(&newest, &run)?;
    observer.message(&format!("continuing from {}", newest.display()));
    Ok((run, state))
}

/// A new run's state: the recipe's weights, and their figures as epoch 0.
fn first_figures<B: AutodiffBackend>(
    setup: &Setup<B>,
    run: RunDir,
    mut state: TrainState<B>,
    observer: &mut dyn Observer,
) -> Result<(RunDir, TrainState<B>), TrainError> {
    let untrained = evaluate(&state, setup, observer)?;
    run.append_metrics(&untrained)?;
    observer.epoch(&untrained);
    state.position.history.push(untrained);
    Ok((run, state))
}

fn fresh_state<B: AutodiffBackend>(
    setup: &Setup<B>,
    observer: &mut dyn Observer,
) -> Result<TrainState<B>, TrainError> {
    let (recipe, device) = (setup.recipe, setup.device());
    let fresh = || init_weights(setup.config.init::<B>(device), recipe.seed);
    let net = if recipe.model.init.as_os_str().is_empty() {
        fresh()?
    } else {
        let old = init_file::<B>(&recipe.model.init, device)?;
        let same = recipe.model.init_points.is_empty() && old.is_for(&setup.config, &setup.layout);
        if same {
            old.net
        } else {
            let (net, told) = transfer(fresh()?, &setup.layout, &old, &recipe.model)?;
            observer.message(&told);
            net
        }
    };
    Ok(TrainState {
        ema: net.valid(),
        net,
        adam: adam(),
        best: None,
        position: Position::default(),
    })
}

/// The weights of a file, or those that ship under this name.
fn init_file<B: AutodiffBackend>(
    path: &Path,
    device: &B::Device,
) -> Result<TrainedNet<B>, TrainError> {
    let shipped = Pretrained::Ibug68Small;
    if path == Path::new(shipped.name()) && !path.exists() {
        return Ok(shipped.read(device)?);
    }
    Ok(read_weights(path, device)?)
}
