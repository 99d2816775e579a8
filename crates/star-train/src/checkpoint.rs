//! Everything a later run needs to go on as if it had never stopped.
//!
//! A checkpoint is a folder that appears under its name only when all of it is on disk:
//!
//! ```text
//! checkpoints/step-00000120-epoch-0007/     120 steps are done, epoch 7 is under way or comes next
//!     net.mpk, ema.mpk, adam.mpk            weights, their moving average, the optimiser
//!     best.safetensors                      the best weights so far, from the first evaluation on
//!     position.json                         where the run is: the seed and this decide everything random
//!     contents.json                         length and checksum of each, the recipe's keys, the number of training faces
//! ```

mod contents;

use std::{
    fs,
    path::{Path, PathBuf},
};

use burn::{
    module::{AutodiffModule, Module},
    optim::Optimizer,
    record::{FullPrecisionSettings, NamedMpkBytesRecorder, Record, Recorder},
    tensor::backend::{AutodiffBackend, Backend},
};
use serde::Serialize;

use self::contents::{Contents, Damage};
use star_infer::weights_file::{read_weights, write_weights};

use crate::{
    disk,
    error::TrainError,
    observer::Observer,
    run_dir::RunDir,
    selection::provenance,
    setup::Setup,
    state::{Position, TrainState, adam},
};

const NET: &str = "net.mpk";
const EMA: &str = "ema.mpk";
const ADAM: &str = "adam.mpk";
const BEST: &str = "best.safetensors";
const POSITION: &str = "position.json";
/// Checkpoints kept.
const KEPT: usize = 2;

/// Writes a checkpoint and makes it the run's current one.
///
/// # Errors
/// When the folder cannot be written. What was there before is left as it was.
pub(crate) fn save<B: AutodiffBackend>(
    state: &TrainState<B>,
    setup: &Setup<B>,
    run: &RunDir,
) -> Result<PathBuf, TrainError> {
    // What the checkpoint says was done must be in the logs, whatever happens next.
    run.sync_logs()?;
    let partial = partial(run);
    disk::remove_folder(&partial)?;
    disk::create_folder(&partial)?;

    let mut contents = contents_of(setup)?;
    let mut write = |name: &str, bytes: Vec<u8>| -> Result<(), TrainError> {
        contents.add(name, &bytes);
        disk::write(&partial.join(name), &bytes)
    };
    write(NET, encode::<B, _>(state.net.clone().into_record())?)?;
    write(
        EMA,
        encode::<B::InnerBackend, _>(state.ema.clone().into_record())?,
    )?;
    write(ADAM, encode::<B, _>(state.adam.to_record())?)?;
    write(POSITION, json(&state.position)?)?;
    if let (Some(net), Some(record)) = (&state.best, &state.position.best) {
        let path = partial.join(BEST);
        let provenance = provenance(record, setup.recipe);
        disk::change(&path)?;
        write_weights(net, setup.weights_info(), &provenance, &path)?;
        contents.add(BEST, &read(&path)?);
    }
    disk::write(&partial.join(contents::FILE), &json(&contents)?)?;

    let folder = run.checkpoints().join(name_of(&state.position));
    disk::rename_folder(&partial, &folder)?;
    make_current(&folder, run)?;
    Ok(folder)
}

/// Makes a checkpoint the one that the run is at: its best weights are the run's, and of those before it one stays.
///
/// # Errors
/// When a file cannot be read or written.
pub(crate) fn make_current(checkpoint: &Path, run: &RunDir) -> Result<(), TrainError> {
    let best = checkpoint.join(BEST);
    if best.exists() {
        disk::write(&run.best_weights(), &read(&best)?)?;
    } else {
        disk::remove_file(&run.best_weights())?;
    }
    let partial = partial(run);
    disk::remove_folder(&partial)?;
    for old in list(run)?.iter().rev().skip(KEPT) {
        // Renamed first: a checkpoint of which a part is missing has no checkpoint's name.
        disk::rename_folder(old, &partial)?;
        disk::remove_folder(&partial)?;
    }
    Ok(())
}

/// A checkpoint that is being written, or removed.
fn partial(run: &RunDir) -> PathBuf {
    run.checkpoints().join("partial")
}

/// The newest whole checkpoint of a run; `None` where it has written none yet. Damaged ones that are newer are set aside, and `observer` is told.
///
/// # Errors
/// When the run has checkpoints, but none is whole.
pub(crate) fn newest(
    run: &RunDir,
    observer: &mut dyn Observer,
) -> Result<Option<PathBuf>, TrainError> {
    let mut damaged: Vec<(PathBuf, Damage)> = Vec::new();
    for folder in list(run)?.into_iter().rev() {
        let Err(damage) = Contents::check(&folder)? else {
            for (old, damage) in damaged {
                let aside = aside(&old);
                observer.message(&format!(
                    "the checkpoint {} is damaged: {damage}. It is now {}; remove it once you know why. The run goes on from the one before it.",
                    old.display(),
                    aside.display()
                ));
                disk::remove_folder(&aside)?;
                disk::rename_folder(&old, &aside)?;
            }
            return Ok(Some(folder));
        };
        damaged.push((folder, damage));
    }
    let (path, what) = match damaged.into_iter().next() {
        Some((path, damage)) => (
            path,
            format!("damaged: {damage}. No other checkpoint of this run is whole"),
        ),
        // Weights come after the first checkpoint.
        None if run.best_weights().exists() => {
            (run.checkpoints(), "the run's checkpoints are gone".into())
        }
        None => return Ok(None),
    };
    let best = run.best_weights();
    let weights = if best.exists() {
        format!(
            " `--set model.init={}` starts a new run from its best weights.",
            best.display()
        )
    } else {
        " Start a new run.".into()
    };
    Err(TrainError::Checkpoint {
        path,
        message: format!("{what}, so it cannot go on.{weights}"),
    })
}

/// `step-N-epoch-M` -> `damaged-step-N-epoch-M`
fn aside(checkpoint: &Path) -> PathBuf {
    let name = checkpoint.file_name().unwrap_or_default().to_string_lossy();
    checkpoint.with_file_name(format!("damaged-{name}"))
}

/// Reads a whole checkpoint of a run with this setup.
///
/// # Errors
/// A checkpoint of another network than the setup's, or of a run that the setup would not continue.
pub(crate) fn load<B: AutodiffBackend>(
    setup: &Setup<B>,
    folder: &Path,
    observer: &mut dyn Observer,
) -> Result<TrainState<B>, TrainError> {
    let failed = |name: &str, message: String| TrainError::Checkpoint {
        path: folder.join(name),
        message,
    };
    for changed in Contents::read(folder)?.must_be_of(&contents_of(setup)?, folder)? {
        observer.message(&format!("config.toml has changed: {changed}"));
    }
    let position: Position = serde_json::from_slice(&read(&folder.join(POSITION))?)
        .map_err(|e| failed(POSITION, e.to_string()))?;
    let device = setup.device();
    let best = match &position.best {
        None => None,
        Some(_) => Some(read_weights::<B::InnerBackend>(&folder.join(BEST), device)?.net),
    };
    // Of the right shape; all numbers are read.
    let net = setup.config.init::<B>(device);
    let ema = net.valid().load_record(decode(folder, EMA, device)?);
    Ok(TrainState {
        net: net.load_record(decode(folder, NET, device)?),
        adam: adam::<B>().load_record(decode(folder, ADAM, device)?),
        ema,
        best,
        position,
    })
}

fn contents_of<B: AutodiffBackend>(setup: &Setup<B>) -> Result<Contents, TrainError> {
    Contents::of_run(&setup.config, setup.recipe, setup.faces.train.len())
}

fn encode<B: Backend, R: Record<B> + 'static>(record: R) -> Result<Vec<u8>, TrainError> {
    // Not one of Burn's file recorders: they take no notice of a disk that is full.
    Recorder::<B>::record(&recorder(), record, ()).map_err(|e| TrainError::Invalid(e.to_string()))
}

fn decode<B: Backend, R: Record<B> + 'static>(
    folder: &Path,
    name: &str,
    device: &B::Device,
) -> Result<R, TrainError> {
    let path = folder.join(name);
    let bytes = read(&path)?;
    Recorder::<B>::load(&recorder(), bytes, device).map_err(|e| TrainError::Checkpoint {
        path,
        message: e.to_string(),
    })
}

fn recorder() -> NamedMpkBytesRecorder<FullPrecisionSettings> {
    NamedMpkBytesRecorder::default()
}

fn json(value: &impl Serialize) -> Result<Vec<u8>, TrainError> {
    let mut text =
        serde_json::to_vec_pretty(value).map_err(|e| TrainError::Invalid(e.to_string()))?;
    text.push(b'\n');
    Ok(text)
}

fn read(path: &Path) -> Result<Vec<u8>, TrainError> {
    star_files::read_file(path, star_files::LARGE).map_err(|e| TrainError::io(path, e))
}

/// The same step may be an epoch's last, before its evaluation, and the beginning of the next: two positions, two names.
fn name_of(position: &Position) -> String {
    format!("step-{:08}-epoch-{:04}", position.step, position.epoch)
}

/// All checkpoints, oldest first.
fn list(run: &RunDir) -> Result<Vec<PathBuf>, TrainError> {
    let dir = run.checkpoints();
    let mut found = Vec::new();
    let entries = match fs::read_dir(&dir) {
        // Somebody has removed it.
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(|e| TrainError::io(&dir, e))?,
    };
    for entry in entries {
        let path = entry.map_err(|e| TrainError::io(&dir, e))?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if let Some(rest) = name.strip_prefix("step-") {
            let order = order_of(rest).ok_or_else(|| TrainError::Checkpoint {
                path: path.clone(),
                message: "another version of this program wrote it, which has to go on with it"
                    .into(),
            })?;
            found.push((order, path));
        }
    }
    found.sort();
    Ok(found.into_iter().map(|(_, path)| path).collect())
}

/// `N-epoch-M` -> (N, M)
fn order_of(name: &str) -> Option<(usize, usize)> {
    let (step, epoch) = name.split_once("-epoch-")?;
    Some((step.parse().ok()?, epoch.parse().ok()?))
}
