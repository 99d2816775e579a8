//! A run is a folder. Nothing needs the folder's name to be understood.

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
};

use serde::Serialize;

use crate::error::TrainError;

/// The folder of one run: `config.toml`, `metrics.jsonl`, `steps.jsonl`, `checkpoints/`, `weights/`, `report/`.
#[derive(Clone, Debug)]
pub struct RunDir {
    root: PathBuf,
}

impl RunDir {
    /// Makes a new run folder.
    ///
    /// # Errors
    /// When it already holds a run: nothing is ever overwritten.
    pub fn create(root: impl Into<PathBuf>) -> Result<Self, TrainError> {
        let run = Self { root: root.into() };
        if run.config().exists() {
            return Err(TrainError::Invalid(format!(
                "{} already holds a run. Continue it with `--resume {0}`, or name another folder with --out.",
                run.root.display()
            )));
        }
        for dir in [run.checkpoints(), run.weights(), run.report()] {
            fs::create_dir_all(&dir).map_err(|e| TrainError::io(dir, e))?;
        }
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

    pub fn root(&self) -> &Path {
        &self.root
    }
    /// The recipe as used, defaults filled in.
    pub fn config(&self) -> PathBuf {
        self.root.join("config.toml")
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
    /// Weights alone: `best`, `last` and `last_ema`, each a safetensors file with its configuration inside.
    pub fn weights(&self) -> PathBuf {
        self.root.join("weights")
    }
    pub fn best_weights(&self) -> PathBuf {
        self.weights().join("best.safetensors")
    }
    /// Curves, contact sheets and figures.
    pub fn report(&self) -> PathBuf {
        self.root.join("report")
    }

    /// Appends an epoch's record to the metrics.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn append_metrics(&self, record: &impl Serialize) -> Result<(), TrainError> {
        append(&self.metrics(), std::slice::from_ref(record))
    }

    /// Appends steps' losses.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn append_steps(&self, steps: &[impl Serialize]) -> Result<(), TrainError> {
        append(&self.steps(), steps)
    }

    /// Takes back what was written after a checkpoint's step, because a resumed run writes it again.
    ///
    /// # Errors
    /// When a file cannot be read or written.
    pub fn forget_after(&self, step: usize) -> Result<(), TrainError> {
        for path in [self.metrics(), self.steps()] {
            if !path.exists() {
                continue;
            }
            let text = fs::read_to_string(&path).map_err(|e| TrainError::io(&path, e))?;
            let kept: String = text
                .lines()
                .filter(|line| step_of(line).is_some_and(|s| s <= step))
                .flat_map(|line| [line, "\n"])
                .collect();
            write_atomic(&path, kept.as_bytes())?;
        }
        Ok(())
    }
}

/// The step that a line of metrics is about; a line that a crash cut off has none.
fn step_of(line: &str) -> Option<usize> {
    let value: serde_json::Value = serde_json::from_str(line).ok()?;
    value.get("step")?.as_u64().map(|s| s as usize)
}

fn append(path: &Path, records: &[impl Serialize]) -> Result<(), TrainError> {
    let mut text = String::new();
    for record in records {
        text += &serde_json::to_string(record).map_err(|e| TrainError::Invalid(e.to_string()))?;
        text.push('\n');
    }
    fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(path)
        .and_then(|mut f| f.write_all(text.as_bytes()))
        .map_err(|e| TrainError::io(path, e))
}

/// [`star_files::write_atomic`] with this crate's error.
///
/// # Errors
/// When the folder cannot be written.
pub fn write_atomic(path: &Path, bytes: &[u8]) -> Result<(), TrainError> {
    star_files::write_atomic(path, bytes).map_err(|e| TrainError::io(path, e))
}

/// Writes a value as readable JSON, atomically.
///
/// # Errors
/// When the folder cannot be written.
pub fn write_json(path: &Path, value: &impl Serialize) -> Result<(), TrainError> {
    let mut text =
        serde_json::to_string_pretty(value).map_err(|e| TrainError::Invalid(e.to_string()))?;
    text.push('\n');
    write_atomic(path, text.as_bytes())
}
