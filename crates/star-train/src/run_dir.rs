//! A run is a folder. Nothing needs the folder's name to be understood.

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde::Serialize;

use crate::{
    disk, epoch_record::EpochRecord, error::TrainError, launch::Launch, meter::StepLosses,
    recipe::Recipe, state::Position,
};

/// The folder of one run: `config.toml`, `run.toml`, `metrics.jsonl`, `steps.jsonl`, `checkpoints/`, `weights/`, `report/`.
#[derive(Clone, Debug)]
pub struct RunDir {
    root: PathBuf,
}

impl RunDir {
    /// Makes a new run folder.
    ///
    /// # Errors
    /// When it already holds a run: nothing is ever overwritten.
    pub fn create(
        root: impl Into<PathBuf>,
        recipe: &Recipe,
        launch: &Launch,
    ) -> Result<Self, TrainError> {
        let run = Self { root: root.into() };
        if run.config().exists() {
            return Err(TrainError::Invalid(format!(
                "{} already holds a run. Continue it with `--resume {0}`, or name another folder with --out.",
                run.root.display()
            )));
        }
        for dir in [run.checkpoints(), run.weights(), run.report()] {
            disk::create_folder(&dir)?;
        }
        run.keep_launch(launch)?;
        // Last: with it the folder is a run.
        disk::write(&run.config(), recipe.to_toml()?.as_bytes())?;
        Ok(run)
    }

    /// Opens a run folder that exists.
    ///
    /// # Errors
    /// When it holds no run.
    pub fn open(root: impl Into<PathBuf>) -> Result<Self, TrainError> {
        let run = Self { root: root.into() };
        if !run.config().exists() {
            return Err(TrainError::Invalid(format!(
                "{} is not a run: it has no config.toml. Give the folder that `star train` printed (runs/...).",
                run.root.display()
            )));
        }
        Ok(run)
    }

    /// The folder.
    pub fn root(&self) -> &Path {
        &self.root
    }
    /// The recipe as used, defaults filled in.
    pub fn config(&self) -> PathBuf {
        self.root.join("config.toml")
    }
    /// What it was last started on.
    pub fn launch(&self) -> PathBuf {
        self.root.join("run.toml")
    }
    /// One JSON object an epoch.
    pub fn metrics(&self) -> PathBuf {
        self.root.join("metrics.jsonl")
    }
    /// One JSON object a step: its losses.
    pub fn steps(&self) -> PathBuf {
        self.root.join("steps.jsonl")
    }
    /// Everything a later run continues from.
    pub fn checkpoints(&self) -> PathBuf {
        self.root.join("checkpoints")
    }
    /// Weights alone: `best` as of the newest checkpoint, at the end `last` and `last_ema`; each a safetensors file with its configuration inside.
    pub fn weights(&self) -> PathBuf {
        self.root.join("weights")
    }
    /// The best weights as of the newest checkpoint.
    pub fn best_weights(&self) -> PathBuf {
        self.weights().join("best.safetensors")
    }
    /// Curves, contact sheets and figures.
    pub fn report(&self) -> PathBuf {
        self.root.join("report")
    }

    /// Keeps what the run is started on.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn keep_launch(&self, launch: &Launch) -> Result<(), TrainError> {
        disk::write(&self.launch(), launch.to_toml()?.as_bytes())
    }

    /// Appends an epoch's record to the metrics.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn append_metrics(&self, record: &EpochRecord) -> Result<(), TrainError> {
        disk::append(&self.metrics(), &lines(std::slice::from_ref(record))?)
    }

    /// Appends steps' losses.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn append_steps(&self, steps: &[StepLosses]) -> Result<(), TrainError> {
        disk::append(&self.steps(), &lines(steps)?)
    }

    /// Puts what was appended so far on disk.
    ///
    /// # Errors
    /// When a file cannot be synced.
    pub fn sync_logs(&self) -> Result<(), TrainError> {
        disk::sync(&self.steps())?;
        disk::sync(&self.metrics())
    }

    /// Makes the logs those of a run that is at this position: what was written after it, a resumed run writes again.
    ///
    /// # Errors
    /// When a file cannot be read or written.
    pub fn go_back_to(&self, position: &Position) -> Result<(), TrainError> {
        disk::write(&self.metrics(), lines(&position.history)?.as_bytes())?;
        let path = self.steps();
        if !path.exists() {
            return Ok(());
        }
        let text = fs::read_to_string(&path).map_err(|e| TrainError::io(&path, e))?;
        let kept: String = text
            .lines()
            .filter(|line| step_of(line).is_some_and(|s| s <= position.step))
            .flat_map(|line| [line, "\n"])
            .collect();
        disk::write(&path, kept.as_bytes())
    }
}

/// The step that a line is about; a line that a crash cut off has none.
fn step_of(line: &str) -> Option<usize> {
    let value: serde_json::Value = serde_json::from_str(line).ok()?;
    value.get("step")?.as_u64().map(|s| s as usize)
}

fn lines(records: &[impl Serialize]) -> Result<String, TrainError> {
    let mut text = String::new();
    for record in records {
        text += &serde_json::to_string(record).map_err(|e| TrainError::Invalid(e.to_string()))?;
        text.push('\n');
    }
    Ok(text)
}
