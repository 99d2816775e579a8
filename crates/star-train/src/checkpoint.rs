//! Everything a later run needs to go on as if it had never stopped.
//!
//! A checkpoint is a folder `checkpoints/step-N` that appears under its name only when it is complete.

use std::{
    fs,
    path::{Path, PathBuf},
};

use burn::{
    module::Module,
    optim::Optimizer,
    record::{FullPrecisionSettings, NamedMpkFileRecorder, Recorder},
    tensor::backend::AutodiffBackend,
};
use serde::{Deserialize, Serialize};
use star_model::StarNet;

use crate::{
    error::TrainError,
    meter::Meter,
    run_dir::{RunDir, write_json},
    train::{Adam, EpochRecord},
};

type FileRecorder = NamedMpkFileRecorder<FullPrecisionSettings>;

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
    /// Every evaluated epoch so far.
    pub history: Vec<EpochRecord>,
}

/// The state that training changes.
pub struct TrainState<B: AutodiffBackend> {
    pub net: StarNet<B>,
    pub adam: Adam<B>,
    pub ema: StarNet<B::InnerBackend>,
    pub position: Position,
}

/// Writes a checkpoint and removes the ones before the last two.
///
/// # Errors
/// When the folder cannot be written. What was there before is left as it was.
pub fn save<B: AutodiffBackend>(
    state: &TrainState<B>,
    run: &RunDir,
) -> Result<PathBuf, TrainError> {
    let folder = run
        .checkpoints()
        .join(format!("step-{:08}", state.position.step));
    let partial = run.checkpoints().join("partial");
    let failed = |message: String| TrainError::Checkpoint {
        path: partial.clone(),
        message,
    };
    if partial.exists() {
        fs::remove_dir_all(&partial).map_err(|e| TrainError::io(&partial, e))?;
    }
    fs::create_dir_all(&partial).map_err(|e| TrainError::io(&partial, e))?;

    let recorder = FileRecorder::default();
    Recorder::<B>::record(
        &recorder,
        state.net.clone().into_record(),
        partial.join("net"),
    )
    .map_err(|e| failed(e.to_string()))?;
    Recorder::<B>::record(&recorder, state.adam.to_record(), partial.join("adam"))
        .map_err(|e| failed(e.to_string()))?;
    Recorder::<B::InnerBackend>::record(
        &recorder,
        state.ema.clone().into_record(),
        partial.join("ema"),
    )
    .map_err(|e| failed(e.to_string()))?;
    write_json(&partial.join("position.json"), &state.position)?;

    if folder.exists() {
        fs::remove_dir_all(&folder).map_err(|e| TrainError::io(&folder, e))?;
    }
    fs::rename(&partial, &folder).map_err(|e| TrainError::io(&folder, e))?;
    let all = list(run)?;
    for old in all.iter().rev().skip(2) {
        fs::remove_dir_all(old).map_err(|e| TrainError::io(old, e))?;
    }
    Ok(folder)
}

/// The newest complete checkpoint of a run.
///
/// # Errors
/// When the run has none.
pub fn newest(run: &RunDir) -> Result<PathBuf, TrainError> {
    list(run)?.pop().ok_or_else(|| TrainError::Checkpoint {
        path: run.checkpoints(),
        message: "there is none to resume from: the run stopped before its first one. Start it again with another --out.".into(),
    })
}

/// Reads a checkpoint into a freshly made state of the same recipe.
///
/// # Errors
/// A damaged or incomplete checkpoint.
pub fn load<B: AutodiffBackend>(
    fresh: TrainState<B>,
    folder: &Path,
    device: &B::Device,
) -> Result<TrainState<B>, TrainError> {
    let failed = |what: &str, message: String| TrainError::Checkpoint {
        path: folder.join(what),
        message: format!(
            "{message}. It is damaged or of another recipe; remove this folder to resume from the one before it."
        ),
    };
    let position_path = folder.join("position.json");
    let text = fs::read_to_string(&position_path).map_err(|e| TrainError::io(&position_path, e))?;
    let position: Position =
        serde_json::from_str(&text).map_err(|e| failed("position.json", e.to_string()))?;

    let recorder = FileRecorder::default();
    let net = Recorder::<B>::load(&recorder, folder.join("net"), device)
        .map_err(|e| failed("net.mpk", e.to_string()))?;
    let adam = Recorder::<B>::load(&recorder, folder.join("adam"), device)
        .map_err(|e| failed("adam.mpk", e.to_string()))?;
    let ema = Recorder::<B::InnerBackend>::load(&recorder, folder.join("ema"), device)
        .map_err(|e| failed("ema.mpk", e.to_string()))?;
    Ok(TrainState {
        net: fresh.net.load_record(net),
        adam: fresh.adam.load_record(adam),
        ema: fresh.ema.load_record(ema),
        position,
    })
}

fn list(run: &RunDir) -> Result<Vec<PathBuf>, TrainError> {
    let dir = run.checkpoints();
    let mut found = Vec::new();
    for entry in fs::read_dir(&dir).map_err(|e| TrainError::io(&dir, e))? {
        let path = entry.map_err(|e| TrainError::io(&dir, e))?.path();
        let name = path.file_name().map(|n| n.to_string_lossy().into_owned());
        if path.is_dir() && name.is_some_and(|n| n.starts_with("step-")) {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}
