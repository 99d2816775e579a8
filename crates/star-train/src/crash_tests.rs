//! A run that stops between any two changes on disk, as a crash or a power cut would stop it, ends as one that was never stopped.

use std::{fs, path::PathBuf, sync::atomic::AtomicBool};

use burn::backend::{Autodiff, Flex};
use tempfile::TempDir;

use star_infer::weights_file::read_weights;

use crate::{
    disk::stops,
    error::TrainError,
    launch::Launch,
    observer::Silent,
    recipe::Recipe,
    state::Position,
    train::{Outcome, Start, Stop, train},
};

type B = Autodiff<Flex>;

/// 3 epochs of 2 steps. The best weights change between two checkpoints.
const RECIPE: &str = r#"
name = "crash"
layout = "cofw29"

[data]
source = "synth"
held_out = 0.2
synth_test_faces = 2

[data.synth]
faces = 10
image_min = 64
image_max = 64

[model]
stacks = 1
channels = 8
stem = 4
input_size = 64

[train]
epochs = 3
batch_size = 4
learning_rate = 1e-2
ema_half_life = 4
checkpoint_every = 2
"#;

struct Run {
    recipe: Recipe,
    folder: TempDir,
}

impl Run {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("recipe.toml");
        fs::write(&path, RECIPE).expect("a recipe");
        let recipe = Recipe::read(&path, &[]).expect("a recipe");
        Self { recipe, folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join("run").join(name)
    }

    /// What someone would type: --resume, once the folder is a run.
    fn go_on(&self, stop_after: Option<usize>) -> Result<Outcome, TrainError> {
        let start = Start {
            resume: self.path("config.toml").exists(),
            folder: self.path(""),
            launch: Launch {
                backend: "flex".into(),
                devices: Vec::new(),
            },
        };
        let stop = Stop {
            flag: &AtomicBool::new(false),
            after: stop_after,
        };
        train::<B>(
            &self.recipe,
            &start,
            &[Default::default()],
            stop,
            &mut Silent,
        )
    }

    fn finish(&self) {
        let outcome = self.go_on(None).expect("it goes on");
        assert!(matches!(outcome, Outcome::Finished(_)), "{outcome:?}");
    }

    fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).unwrap_or_else(|e| panic!("{name}: {e}"))
    }

    /// What is in the folder of checkpoints, if it is there yet.
    fn checkpoints(&self) -> Vec<String> {
        let entries = fs::read_dir(self.path("checkpoints"));
        let mut names: Vec<String> = (entries.into_iter().flatten())
            .map(|entry| entry.expect("an entry").file_name().display().to_string())
            .collect();
        names.sort();
        names
    }

    fn newest(&self) -> Option<String> {
        let mut all = self.checkpoints().into_iter();
        all.rfind(|name| name.starts_with("step-"))
    }

    /// The epochs' lines but for the times, which no two runs share.
    fn epochs(&self) -> Vec<serde_json::Value> {
        let text = String::from_utf8(self.read("metrics.jsonl")).expect("UTF-8");
        text.lines()
            .map(|line| {
                let mut record: serde_json::Value = serde_json::from_str(line).expect("JSON");
                record["seconds"] = serde_json::Value::Null;
                record
            })
            .collect()
    }

    /// The weights that are offered as the best are those of the newest checkpoint's best epoch, or of an earlier one.
    fn check_best(&self, when: &str) {
        let best = self.path("weights/best.safetensors");
        if !best.exists() {
            return;
        }
        let provenance = read_weights::<Flex>(&best, &Default::default())
            .expect("whole weights")
            .provenance;
        let epoch = provenance.split_once("of epoch ").expect("an epoch").1;
        let epoch: usize = (epoch.split(',').next())
            .and_then(|e| e.parse().ok())
            .expect("an epoch");
        let newest = self
            .newest()
            .unwrap_or_else(|| panic!("{when}: best weights without a checkpoint"));
        let position: Position =
            serde_json::from_slice(&self.read(&format!("checkpoints/{newest}/position.json")))
                .expect("a position");
        let known = position.best.expect("a best epoch").epoch;
        assert!(
            epoch <= known,
            "{when}: best weights of epoch {epoch}, but {newest} goes on from epoch {known}'s"
        );
    }
}

#[track_caller]
fn assert_same(whole: &Run, stopped: &Run, when: &str) {
    for name in [
        "steps.jsonl",
        "weights/best.safetensors",
        "weights/last.safetensors",
        "weights/last_ema.safetensors",
        "report/selection.json",
        "report/test.json",
    ] {
        assert!(whole.read(name) == stopped.read(name), "{when}: {name}");
    }
    assert_eq!(whole.epochs(), stopped.epochs(), "{when}");
    assert_eq!(whole.checkpoints(), stopped.checkpoints(), "{when}");
}

fn is_the_stop(error: &TrainError) -> bool {
    error.to_string().contains(stops::STOPPED)
}

/// Goes through the changes of what is left of a run, the first `most` of them, each time with a new run, and stops at each.
fn stop_at_every_change(whole: &Run, most: usize, beginning: impl Fn() -> Run) {
    let once = beginning();
    stops::allow(usize::MAX);
    once.finish();
    let changes = stops::done();
    assert_same(whole, &once, "not stopped");
    for stop in 0..changes.min(most) {
        let run = beginning();
        let newest = run.newest();
        stops::allow(stop);
        let ended = run.go_on(None);
        let when = format!("stopped before change {stop} of {changes}");
        let Err(error) = ended else {
            panic!("{when}: it went on");
        };
        assert!(is_the_stop(&error), "{when}: {error}");
        stops::allow(usize::MAX);
        assert!(run.newest() >= newest, "{when}: {newest:?} is gone");
        run.check_best(&when);
        run.finish();
        assert_same(whole, &run, &when);
    }
}

fn whole() -> Run {
    let whole = Run::new();
    stops::allow(usize::MAX);
    whole.finish();
    // What the tests rely on: each epoch is better than the one before.
    let best: Position =
        serde_json::from_slice(&whole.read("checkpoints/step-00000006-epoch-0004/position.json"))
            .expect("a position");
    assert_eq!(best.best.expect("a best epoch").epoch, 3);
    // Of an interrupted run's three, the last two; of this one's two, both.
    assert_eq!(
        whole.checkpoints(),
        ["step-00000004-epoch-0003", "step-00000006-epoch-0004"]
    );
    assert_eq!(whole.epochs().len(), 4);
    assert_eq!(whole.read("steps.jsonl").split(|b| *b == b'\n').count(), 7);
    whole
}

#[test]
fn a_crash_at_any_change_loses_nothing() {
    stop_at_every_change(&whole(), usize::MAX, Run::new);
}

/// The checkpoint of a run that was stopped after an epoch's last step is before the epoch's evaluation.
#[test]
fn a_crash_after_a_stop_at_the_end_of_an_epoch_loses_nothing() {
    // Until the next checkpoint is the run's; then all is as in the other test.
    stop_at_every_change(&whole(), 25, || {
        let run = Run::new();
        stops::allow(usize::MAX);
        let stopped = run.go_on(Some(4)).expect("it stops");
        assert!(matches!(stopped, Outcome::Interrupted { .. }));
        run
    });
}
