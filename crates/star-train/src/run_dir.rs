//! A run is a folder. Nothing needs the folder's name to be understood.

use std::{
    collections::BTreeSet,
    fs::{self, File, TryLockError},
    path::{Path, PathBuf},
    sync::Arc,
};

use serde::Serialize;

use crate::{
    disk, epoch_record::EpochRecord, error::TrainError, launch::Launch, meter::StepLosses,
    observer::Observer, recipe::Recipe, state::Position,
};

/// The folder of one run: `config.toml`, `run.toml`, `metrics.jsonl`, `steps.jsonl`, `checkpoints/`, `weights/`, `report/`.
#[derive(Clone, Debug)]
pub struct RunDir {
    root: PathBuf,
    /// Held while the run is trained: the system takes it back however the process ends.
    lock: Option<Arc<File>>,
}

/// What a run folder may hold before it has a recipe: a start that failed leaves them.
const BEFORE_A_RUN: [&str; 5] = ["checkpoints", "weights", "report", "run.toml", "run.lock"];

impl RunDir {
    /// Makes a new run folder and takes it for this process.
    ///
    /// # Errors
    /// When it already holds a run or other files: nothing is ever overwritten, and nothing mixed.
    pub fn create(
        root: impl Into<PathBuf>,
        recipe: &Recipe,
        launch: &Launch,
    ) -> Result<Self, TrainError> {
        let mut run = Self::at(root);
        run.refuse_files()?;
        disk::create_folder(&run.root)?;
        run.take()?;
        // Another process may have had it until now.
        run.refuse_files()?;
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
        let run = Self::at(root);
        if !run.config().exists() {
            return Err(TrainError::Invalid(format!(
                "{} is not a run: it has no config.toml. Give the folder that `star train` printed (runs/...).",
                run.root.display()
            )));
        }
        Ok(run)
    }

    /// Opens a run folder that exists, to go on with it, and takes it for this process.
    ///
    /// # Errors
    /// When it holds no run, or another process trains it.
    pub fn resume(root: impl Into<PathBuf>) -> Result<Self, TrainError> {
        let mut run = Self::open(root)?;
        for file in [run.metrics(), run.steps()] {
            not_a_pipe(&file)?;
        }
        run.take()?;
        run.clear_leftovers()?;
        Ok(run)
    }

    fn at(root: impl Into<PathBuf>) -> Self {
        Self {
            root: root.into(),
            lock: None,
        }
    }

    fn refuse_files(&self) -> Result<(), TrainError> {
        if self.config().exists() {
            return Err(TrainError::Invalid(format!(
                "{} already holds a run. Continue it with `--resume {0}`, or name another folder with --out.",
                self.root.display()
            )));
        }
        let entries = match fs::read_dir(&self.root) {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            entries => entries.map_err(|e| TrainError::io(&self.root, e))?,
        };
        for entry in entries {
            let name = entry
                .map_err(|e| TrainError::io(&self.root, e))?
                .file_name();
            if !BEFORE_A_RUN.iter().any(|known| name == **known) {
                return Err(TrainError::Invalid(format!(
                    "{} is not empty: it holds {}. A run has a folder of its own; name a new one with --out.",
                    self.root.display(),
                    name.to_string_lossy()
                )));
            }
        }
        Ok(())
    }

    /// What a process that was killed was about to write. None of it is anybody's: the run is ours alone.
    fn clear_leftovers(&self) -> Result<(), TrainError> {
        for folder in [
            self.root.clone(),
            self.root.join("weights"),
            self.root.join("report"),
        ] {
            let Ok(entries) = fs::read_dir(&folder) else {
                continue;
            };
            for path in entries.filter_map(|entry| Some(entry.ok()?.path())) {
                let name = path.file_name().unwrap_or_default().to_string_lossy();
                if name.starts_with('.') && name.ends_with(".tmp") && path.is_file() {
                    disk::remove_file(&path)?;
                }
            }
        }
        Ok(())
    }

    /// Two processes that train one run would write over each other's checkpoints.
    fn take(&mut self) -> Result<(), TrainError> {
        let path = self.root.join("run.lock");
        not_a_pipe(&path)?;
        let file = (File::options().create(true).truncate(false).write(true))
            .open(&path)
            .map_err(|e| TrainError::io(&path, e))?;
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => Err(TrainError::Invalid(format!(
                "{} is being trained by another process. Wait for it or stop it (Ctrl-C writes a checkpoint), then go on.",
                self.root.display()
            ))),
            // Some network file systems know no locks; there it is up to the user.
            Err(TryLockError::Error(_)) => Ok(()),
            Ok(()) => {
                self.lock = Some(Arc::new(file));
                Ok(())
            }
        }
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

    /// Makes the logs those of a run that is at this position: what was written after it, a resumed run writes again. The lines of
    /// epochs are in the position. Where lines of steps before it are gone, the log is set aside and `observer` is told.
    ///
    /// # Errors
    /// When a file cannot be read or written.
    pub fn go_back_to(
        &self,
        position: &Position,
        observer: &mut dyn Observer,
    ) -> Result<(), TrainError> {
        disk::write(&self.metrics(), lines(&position.history)?.as_bytes())?;
        let path = self.steps();
        let bytes = match star_files::read_file(&path, star_files::TEXT) {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Vec::new(),
            bytes => bytes.map_err(|e| TrainError::io(&path, e))?,
        };
        // A crash may leave anything in its last block, such as bytes that are no text.
        let kept: String = (bytes.split(|&b| b == b'\n'))
            .filter_map(|line| std::str::from_utf8(line).ok())
            .filter(|line| step_of(line).is_some_and(|s| s <= position.step))
            .flat_map(|line| [line, "\n"])
            .collect();
        let steps = kept.lines().filter_map(step_of);
        let lost = position.step - steps.collect::<BTreeSet<_>>().len().min(position.step);
        if lost > 0 {
            let mut said = format!(
                "{} lacks the losses of {lost} of {} steps",
                path.display(),
                position.step
            );
            if !bytes.is_empty() {
                let aside = self.root.join("damaged-steps.jsonl");
                disk::write(&aside, &bytes)?;
                said += &format!("; as it was found it is kept as {}", aside.display());
            }
            observer.message(&format!(
                "{said}. The run itself goes on from its checkpoint."
            ));
        }
        if bytes.is_empty() && kept.is_empty() {
            return Ok(());
        }
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

/// Opening a pipe would wait for ever, and a device may never end.
fn not_a_pipe(path: &Path) -> Result<(), TrainError> {
    match star_files::ordinary(path) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(TrainError::io(path, e)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observer::Silent;

    fn create(folder: &Path) -> Result<RunDir, TrainError> {
        let launch = Launch {
            backend: "flex".into(),
            devices: Vec::new(),
        };
        RunDir::create(folder, &Recipe::default(), &launch)
    }

    #[track_caller]
    fn refused(result: Result<RunDir, TrainError>, says: &str) {
        let message = result.expect_err(says).to_string();
        assert!(message.contains(says), "{message}");
    }

    #[test]
    fn a_run_is_trained_by_one_process_at_a_time() {
        let folder = tempfile::tempdir().expect("a folder");
        let run = create(folder.path()).expect("a run");
        // For reading it is open to all.
        RunDir::open(folder.path()).expect("a run");
        refused(RunDir::resume(folder.path()), "by another process");
        let other = run.clone();
        drop(run);
        refused(RunDir::resume(folder.path()), "by another process");
        drop(other);
        RunDir::resume(folder.path()).expect("nobody trains it");
    }

    #[cfg(unix)]
    #[test]
    fn pipes_in_a_run_are_refused_and_leftovers_go() {
        let folder = tempfile::tempdir().expect("a folder");
        drop(create(folder.path()).expect("a run"));
        let left = folder.path().join("report/.curves.svg.Ab1Cd2.tmp");
        fs::create_dir_all(folder.path().join("report")).expect("a folder");
        fs::write(&left, "half").expect("a file");
        RunDir::resume(folder.path()).expect("nobody trains it");
        assert!(!left.exists());
        for name in ["run.lock", "metrics.jsonl", "steps.jsonl"] {
            let path = folder.path().join(name);
            let _ = fs::remove_file(&path);
            let made = std::process::Command::new("mkfifo").arg(&path).status();
            assert!(made.expect("mkfifo").success());
            refused(
                RunDir::resume(folder.path()),
                "a pipe, a socket or a device",
            );
            fs::remove_file(&path).expect("the pipe");
        }
    }

    #[test]
    fn a_run_is_not_mixed_with_other_files() {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("thesis.tex"), "").expect("a file");
        refused(create(folder.path()), "it holds thesis.tex");
        assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 1);
        fs::remove_file(folder.path().join("thesis.tex")).expect("removed");
        // A start that failed before the run had its recipe.
        create(folder.path()).expect("a run");
        fs::remove_file(folder.path().join("config.toml")).expect("removed");
        create(folder.path()).expect("a run");
        refused(create(folder.path()), "already holds a run");
    }

    /// A power cut may leave a block of anything at a log's end.
    #[test]
    fn bytes_that_are_no_text_at_the_end_of_a_log_are_dropped() {
        let folder = tempfile::tempdir().expect("a folder");
        let run = create(folder.path()).expect("a run");
        let whole = b"{\"step\":1}\n{\"step\":2}\n{\"step\":3}\n";
        fs::write(run.steps(), [&whole[..], b"{\"st\xff\xfe\0"].concat()).expect("a log");
        let position = Position {
            step: 2,
            ..Position::default()
        };
        run.go_back_to(&position, &mut Silent).expect("it goes on");
        assert_eq!(fs::read(run.steps()).expect("a log"), whole[..22]);
    }
}
