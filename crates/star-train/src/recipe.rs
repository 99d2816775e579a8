//! A recipe: everything that decides a run, in one TOML file.
//!
//! A recipe file holds only what differs from the defaults. Unknown keys are errors, and any key can be
//! set from the command line (`--set train.epochs=3`), so that a figure never depends on an edited file.

mod builtin;
mod choices;

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use star_data::{AugmentConfig, Layout};
use star_loss::StarLossConfig;
use star_model::StarNetConfig;
use star_synth::SynthConfig;

use crate::{error::TrainError, precision::Precision};

/// Everything that decides a run. The defaults are the published protocol.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Recipe {
    /// Names the run's folder and its figures.
    pub name: String,
    /// `wflw98`, `ibug68`, `cofw29`, or the path of a layout TOML.
    pub layout: String,
    /// Decides initial weights, order of faces, augmentation and the held-out part.
    pub seed: u64,
    /// Where faces come from.
    pub data: DataRecipe,
    /// The network.
    pub model: ModelRecipe,
    /// The losses and their weights.
    pub loss: LossRecipe,
    /// Augmentation.
    pub augment: AugmentConfig,
    /// The protocol.
    pub train: TrainRecipe,
    /// Evaluation.
    pub eval: EvalRecipe,
}

/// Where faces come from.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DataRecipe {
    /// Annotation files or synthetic faces.
    pub source: DataSource,
    /// TSV of the training faces (`source = "tsv"`).
    pub train: PathBuf,
    /// TSV of the test faces; empty for none. Read once, after training.
    pub test: PathBuf,
    /// Folder that the TSVs' image paths are relative to.
    pub images: PathBuf,
    /// Fraction of the training images that is held out, chosen by `seed`, to select the best weights. Faces of one image are held out
    /// together, and so are all of a group where the annotation file has groups, of which it is the fraction then.
    pub held_out: f64,
    /// Settings of the generator (`source = "synth"`). Its layout is the recipe's.
    pub synth: SynthConfig,
    /// Synthetic faces drawn for the test set, from a seed that training never uses.
    pub synth_test_faces: usize,
}

/// Files, or faces drawn on the fly.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DataSource {
    /// Annotation files.
    Tsv,
    /// Synthetic faces.
    Synth,
}

/// The network's size. Points and edges come from the layout.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ModelRecipe {
    /// Hourglasses in a row.
    pub stacks: usize,
    /// Feature channels inside the hourglasses.
    pub channels: usize,
    /// Channels of the first convolution; the stem goes on with twice as many. Published: 64.
    pub stem: usize,
    /// Side of the square input in pixels, a multiple of 64.
    pub input_size: usize,
    /// Coordinate channels (CoordConv) in the stem and the hourglasses.
    pub coord: bool,
    /// Anisotropic attention: point and edge heatmaps mask the landmark heatmaps (ADNet).
    pub aam: bool,
    /// Weights to start from (safetensors); empty for none.
    pub init: PathBuf,
}

/// What is minimised: `sum over stacks of 2^i / 2^(n-1) * (landmarks + point_weight * points + edge_weight * edges)`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LossRecipe {
    /// The loss on the landmarks.
    pub landmarks: LandmarkLoss,
    /// Settings of the STAR loss (`landmarks = "star"`).
    pub star: StarLossConfig,
    /// Weight of the AWing loss on point heatmaps.
    pub point_weight: f64,
    /// Weight of the AWing loss on edge heatmaps.
    pub edge_weight: f64,
}

/// The loss on the landmarks of each stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LandmarkLoss {
    /// STAR (the paper's equations 5 to 7) on the fused heatmaps.
    Star,
    /// SmoothL1 on the decoded points: the paper's baseline.
    SmoothL1,
    /// Wing on the decoded points.
    Wing,
}

/// The training protocol.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TrainRecipe {
    /// Passes over the training faces.
    pub epochs: usize,
    /// Faces a step.
    pub batch_size: usize,
    /// Before the first milestone.
    pub learning_rate: f64,
    /// What convolutions multiply in training steps; evaluation is in `f32`.
    pub precision: Precision,
    /// The rate is multiplied by `gamma` after each of these epochs.
    pub milestones: Vec<usize>,
    /// Factor of the rate at each milestone.
    pub gamma: f64,
    /// Faces after which the EMA has forgotten half: decay = 0.5^(batch_size / ema_half_life).
    pub ema_half_life: f64,
    /// What selects the best weights: a held-out part of the training set, or (the published protocol) the test set.
    pub selection: Selection,
    /// Epochs between two evaluations on the selection set.
    pub eval_every: usize,
    /// Epochs between two checkpoints. One is also written at the end and on Ctrl-C.
    pub checkpoint_every: usize,
    /// Steps between two readings of the losses. Between them nothing is copied from the device.
    pub log_every: usize,
    /// Threads that make samples. The batches do not depend on it.
    pub workers: usize,
    /// MiB of decoded training images that are kept from epoch to epoch; 0 keeps none. The batches do not depend on it.
    pub cache_mib: usize,
}

/// Which faces select the best weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Selection {
    /// A part of the training faces that is not trained on.
    HeldOut,
    /// The test faces, as published figures are made.
    Test,
}

/// How figures are computed.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EvalRecipe {
    /// Name of one of the layout's norms; empty for its default.
    pub norm: String,
    /// FR and AUC threshold as a fraction (0.08 is 8 %); 0 for the layout's published one.
    pub threshold: f64,
}

impl Selection {
    /// The set's name in tables and lines.
    pub fn name(self) -> &'static str {
        match self {
            Self::HeldOut => "held-out",
            Self::Test => "test",
        }
    }
}

impl Default for Recipe {
    fn default() -> Self {
        Self {
            name: "star".into(),
            layout: "wflw98".into(),
            seed: 0,
            data: DataRecipe::default(),
            model: ModelRecipe::default(),
            loss: LossRecipe::default(),
            augment: AugmentConfig::default(),
            train: TrainRecipe::default(),
            eval: EvalRecipe::default(),
        }
    }
}

impl Default for DataRecipe {
    fn default() -> Self {
        Self {
            source: DataSource::Tsv,
            train: PathBuf::new(),
            test: PathBuf::new(),
            images: PathBuf::new(),
            held_out: 0.1,
            synth: SynthConfig::default(),
            synth_test_faces: 256,
        }
    }
}

impl Default for ModelRecipe {
    fn default() -> Self {
        Self {
            stacks: 4,
            channels: 256,
            stem: 64,
            input_size: 256,
            coord: true,
            aam: true,
            init: PathBuf::new(),
        }
    }
}

impl Default for LossRecipe {
    fn default() -> Self {
        Self {
            landmarks: LandmarkLoss::Star,
            star: StarLossConfig::default(),
            point_weight: 10.0,
            edge_weight: 10.0,
        }
    }
}

impl Default for TrainRecipe {
    fn default() -> Self {
        Self {
            epochs: 500,
            batch_size: 128,
            learning_rate: 1e-3,
            precision: Precision::default(),
            milestones: vec![200, 350, 450],
            gamma: 0.1,
            ema_half_life: 10_000.0,
            selection: Selection::HeldOut,
            eval_every: 1,
            checkpoint_every: 1,
            log_every: 10,
            workers: 2,
            cache_mib: 0,
        }
    }
}

impl Recipe {
    /// Reads a recipe and applies `key=value` settings on top of it. `path` is a file, or the name of a built-in recipe: `synth`, `300w-small`,
    /// `300w`, `wflw`, `cofw`; where there is no file `configs/NAME.toml`, that path means the built-in one too.
    ///
    /// # Errors
    /// A missing file, a TOML error (with file and line), an unknown key or a value out of range.
    pub fn read(path: &Path, set: &[String]) -> Result<Self, TrainError> {
        let text = match (path.is_file(), builtin::text(path)) {
            (false, Some(text)) => text.to_owned(),
            _ => std::fs::read_to_string(path).map_err(|e| {
                if e.kind() == std::io::ErrorKind::NotFound {
                    TrainError::Recipe(format!(
                        "{}: no such file, and no built-in recipe of this name (there are {})",
                        path.display(),
                        builtin::names()
                    ))
                } else {
                    TrainError::io(path, e)
                }
            })?,
        };
        // Parsed once as it stands: only then do errors have the line of the file they are about.
        toml::from_str::<Self>(&text)
            .map_err(|e| TrainError::Recipe(describe_toml_error(path, &text, &e)))?;
        let table: toml::Table = toml::from_str(&text)
            .map_err(|e| TrainError::Recipe(describe_toml_error(path, &text, &e)))?;
        Self::from_table(table, set)
    }

    fn from_table(mut table: toml::Table, set: &[String]) -> Result<Self, TrainError> {
        // What the command line says, apart from the file.
        let mut given = toml::Table::new();
        for setting in set {
            apply_setting(&mut given, setting)?;
            apply_setting(&mut table, setting)?;
        }
        let read = |table: &toml::Table| -> Result<Self, TrainError> {
            table.clone().try_into().map_err(|e: toml::de::Error| {
                TrainError::Recipe(format!(
                    "--set {}: {}. configs/README.md lists every key.",
                    set.join(" --set "),
                    e.message().trim_end()
                ))
            })
        };
        choices::name_real_faces(&mut table, &mut given)?;
        let mut recipe = read(&table)?;
        if choices::replace(&recipe, &mut table, &given) {
            recipe = read(&table)?;
        }
        recipe.check()?;
        choices::check(&recipe, &given)?;
        Ok(recipe)
    }

    /// The recipe with every default filled in, as a run folder keeps it.
    pub fn to_toml(&self) -> Result<String, TrainError> {
        toml::to_string_pretty(self).map_err(|e| TrainError::Recipe(e.to_string()))
    }

    /// The landmark layout that the recipe names.
    pub fn layout(&self) -> Result<Layout, TrainError> {
        Ok(star_data::find_layout(&self.layout)?)
    }

    /// The network for this recipe and its layout.
    pub fn net_config(&self, layout: &Layout) -> StarNetConfig {
        StarNetConfig::new(
            layout.points,
            layout.edges.iter().map(|e| e.points.clone()).collect(),
        )
        .with_stacks(self.model.stacks)
        .with_channels(self.model.channels)
        .with_stem(self.model.stem)
        .with_input_size(self.model.input_size)
        .with_coord(self.model.coord)
        .with_aam(self.model.aam)
    }

    /// What the selection set is, for people.
    pub fn selection_name(&self) -> &'static str {
        match self.train.selection {
            Selection::HeldOut => "held-out",
            Selection::Test => "the test set (the published protocol)",
        }
    }

    /// Values are checked once, here, so that nothing later needs to.
    fn check(&self) -> Result<(), TrainError> {
        let train = &self.train;
        if train.batch_size == 0 || train.epochs == 0 || train.log_every == 0 {
            return refuse(
                "train.epochs, train.batch_size and train.log_every must be at least 1".into(),
            );
        }
        if train.eval_every == 0 || train.checkpoint_every == 0 || train.workers == 0 {
            return refuse(
                "train.eval_every, train.checkpoint_every and train.workers must be at least 1"
                    .into(),
            );
        }
        for (key, value) in [
            ("train.learning_rate", train.learning_rate),
            ("train.gamma", train.gamma),
            ("train.ema_half_life", train.ema_half_life),
        ] {
            if !(value.is_finite() && value > 0.0) {
                return refuse(format!("{key} = {value}: must be a finite number above 0"));
            }
        }
        if !train.milestones.is_sorted() {
            return refuse(format!(
                "train.milestones = {:?}: must be in rising order",
                train.milestones
            ));
        }
        for (key, value) in [
            ("loss.point_weight", self.loss.point_weight),
            ("loss.edge_weight", self.loss.edge_weight),
            ("loss.star.weight", self.loss.star.weight),
        ] {
            if !(value.is_finite() && value >= 0.0) {
                return refuse(format!(
                    "{key} = {value}: must be a finite number, 0 or above"
                ));
            }
        }
        // 0 stands for the layout's own.
        if self.eval.threshold != 0.0 {
            star_eval::metrics::check_threshold(self.eval.threshold)
                .map_err(|e| TrainError::Recipe(format!("eval.threshold = {e}")))?;
        }
        if !(0.0..1.0).contains(&self.data.held_out) {
            return refuse(format!(
                "data.held_out = {}: must be a fraction from 0 up to (not with) 1",
                self.data.held_out
            ));
        }
        if train.selection == Selection::HeldOut && self.data.held_out == 0.0 {
            return refuse("data.held_out = 0 leaves nothing to select the best weights on: give it a fraction such as 0.1, or set train.selection = \"test\" for the published protocol".into());
        }
        if self.data.source == DataSource::Tsv && self.data.train.as_os_str().is_empty() {
            return refuse("data.source = \"tsv\" needs data.train, the TSV of the training faces (see `star prepare --help`); or set data.source = \"synth\" for synthetic faces".into());
        }
        if train.selection == Selection::Test
            && self.data.source == DataSource::Tsv
            && self.data.test.as_os_str().is_empty()
        {
            return refuse("train.selection = \"test\" needs data.test".into());
        }
        if train.selection == Selection::Test
            && self.data.source == DataSource::Synth
            && self.data.synth_test_faces == 0
        {
            return refuse("train.selection = \"test\" needs test faces, but data.synth_test_faces = 0 draws none".into());
        }
        Ok(())
    }
}

fn refuse<T>(message: String) -> Result<T, TrainError> {
    Err(TrainError::Recipe(message))
}

/// `a.b=value`: the value is TOML where it parses as TOML, otherwise text.
fn apply_setting(table: &mut toml::Table, setting: &str) -> Result<(), TrainError> {
    let Some((key, value)) = setting.split_once('=') else {
        return Err(TrainError::Recipe(format!(
            "--set {setting}: write it as key=value, for example --set train.epochs=3"
        )));
    };
    let key = key.trim();
    let value = value.trim();
    let parsed: toml::Value = toml::from_str::<toml::Table>(&format!("value = {value}"))
        .ok()
        .and_then(|mut t| t.remove("value"))
        // TOML has no `.5`; people do.
        .or_else(|| value.parse().ok().map(toml::Value::Float))
        .unwrap_or_else(|| toml::Value::String(value.to_owned()));

    let mut parts = key.split('.').peekable();
    let mut place = table;
    while let Some(part) = parts.next() {
        if part.is_empty() {
            return Err(TrainError::Recipe(format!(
                "--set {setting}: the key has an empty part"
            )));
        }
        if parts.peek().is_none() {
            place.insert(part.to_owned(), parsed);
            return Ok(());
        }
        place = place
            .entry(part.to_owned())
            .or_insert_with(|| toml::Value::Table(toml::Table::new()))
            .as_table_mut()
            .ok_or_else(|| {
                TrainError::Recipe(format!(
                    "--set {setting}: `{part}` is a value, not a section"
                ))
            })?;
    }
    Ok(())
}

fn describe_toml_error(path: &Path, text: &str, error: &toml::de::Error) -> String {
    let line = error
        .span()
        .map(|span| text[..span.start.min(text.len())].matches('\n').count() + 1);
    let message = error.message().trim_end();
    match line {
        Some(line) => format!(
            "{}:{line}: {message}. configs/README.md lists every key.",
            path.display()
        ),
        None => format!("{}: {message}", path.display()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(set: &[&str]) -> Result<Recipe, TrainError> {
        let set: Vec<String> = set.iter().map(|s| (*s).to_owned()).collect();
        let table = toml::from_str("data.source = 'synth'").expect("valid TOML");
        Recipe::from_table(table, &set)
    }

    #[test]
    fn settings_reach_every_level() {
        let recipe = with(&[
            "name=quick",
            "train.milestones=[3, 5]",
            "loss.star.weight=0.5",
        ])
        .expect("all keys exist");
        assert_eq!(recipe.name, "quick");
        assert_eq!(recipe.train.milestones, [3, 5]);
        assert_eq!(recipe.loss.star.weight, 0.5);
        let recipe = with(&["loss.landmarks=smoothl1"]).expect("the key exists");
        assert_eq!(recipe.loss.landmarks, LandmarkLoss::SmoothL1);
    }

    #[test]
    fn the_network_is_the_one_asked_for() {
        for stacks in [1, 3] {
            let recipe = with(&[
                &format!("model.stacks={stacks}"),
                "model.channels=16",
                "model.stem=8",
                "model.input_size=128",
                "model.coord=false",
                "model.aam=false",
            ])
            .expect("all keys exist");
            let layout = recipe.layout().expect("built in");
            let config = recipe.net_config(&layout);
            assert_eq!(
                (config.points, config.edges.len()),
                (layout.points, layout.edges.len())
            );
            assert_eq!(
                (config.stacks, config.channels, config.stem),
                (stacks, 16, 8)
            );
            assert_eq!(
                (config.input_size, config.coord, config.aam),
                (128, false, false)
            );
        }
    }

    #[test]
    fn unknown_keys_and_bad_values_are_refused_by_name() {
        for (setting, named) in [
            ("train.epoch=3", "epoch"),
            ("nonsense=1", "nonsense"),
            ("train.learning_rate=-1", "train.learning_rate"),
            ("train.learning_rate=nan", "train.learning_rate"),
            ("train.milestones=[5, 3]", "train.milestones"),
            ("data.held_out=1.5", "data.held_out"),
            ("eval.threshold=8", "did you mean 0.08 (8 %)?"),
            ("eval.threshold=-0.1", "eval.threshold"),
            ("eval.threshold=nan", "eval.threshold"),
            ("train.epochs", "key=value"),
            ("seed.x=1", "seed"),
        ] {
            let message = with(&[setting]).expect_err(setting).to_string();
            assert!(message.contains(named), "{setting}: {message}");
        }
    }

    /// A recipe file's text with settings on top of it.
    fn file_with(text: &str, set: &[&str]) -> Result<Recipe, TrainError> {
        let set: Vec<String> = set.iter().map(|s| (*s).to_owned()).collect();
        Recipe::from_table(toml::from_str(text).expect("valid TOML"), &set)
    }

    const SYNTH: &str =
        "name = 'synth'\n[data]\nsource = 'synth'\nsynth_test_faces = 9\n[data.synth]\nfaces = 40";
    const REAL: &str = "[data]\ntrain = 'a.tsv'\ntest = 'b.tsv'\nimages = 'c'";

    #[test]
    fn keys_without_an_effect_are_refused_with_the_key_that_decides() {
        for (file, set, named) in [
            (
                SYNTH,
                &["data.test=b.tsv"][..],
                ["data.test = \"b.tsv\"", "data.source = \"synth\""],
            ),
            (
                SYNTH,
                &["data.images=c"],
                ["data.images = \"c\"", "data.source"],
            ),
            (
                SYNTH,
                &["data.train=a.tsv", "data.source=synth"],
                ["data.train = \"a.tsv\"", "data.source = \"synth\""],
            ),
            (
                SYNTH,
                &["data.train=a.tsv", "data.synth.yaw=9"],
                ["data.train=a.tsv", "data.synth.yaw=9"],
            ),
            (
                SYNTH,
                &["data.train=a.tsv", "data.synth_test_faces=9"],
                ["data.train=a.tsv", "data.synth_test_faces=9"],
            ),
            (
                REAL,
                &["data.synth.faces=2000"],
                ["data.synth.faces = 2000", "data.source = \"tsv\""],
            ),
            (
                REAL,
                &["data.synth_test_faces=0"],
                ["data.synth_test_faces = 0", "data.source = \"tsv\""],
            ),
            (
                "data = { train = 'a.tsv', synth_test_faces = 9 }",
                &[],
                ["data.synth_test_faces = 9", "data.source"],
            ),
            (
                "data = { train = 'a.tsv', synth = { yaw = 9 } }",
                &[],
                ["data.synth.yaw = 9", "data.source"],
            ),
            (
                "data = { train = 'a.tsv', source = 'synth' }",
                &[],
                ["data.train = \"a.tsv\"", "data.source"],
            ),
            (
                REAL,
                &["train.selection=test", "data.held_out=0.1"],
                ["data.held_out = 0.1", "train.selection = \"test\""],
            ),
            (
                "data = { source = 'synth', held_out = 0.2 }\ntrain = { selection = 'test' }",
                &[],
                ["data.held_out = 0.2", "train.selection"],
            ),
            (
                SYNTH,
                &["train.selection=test", "data.synth_test_faces=0"],
                ["data.synth_test_faces = 0", "train.selection"],
            ),
            (
                SYNTH,
                &["loss.landmarks=wing", "loss.star.version=v1"],
                ["loss.star.version = \"v1\"", "loss.landmarks = \"wing\""],
            ),
            (
                SYNTH,
                &["model.aam=false", "loss.edge_weight=5"],
                ["loss.edge_weight = 5.0", "model.aam = false"],
            ),
            (
                SYNTH,
                &["augment.enabled=false", "augment.flip=0.2"],
                ["augment.flip = 0.2", "augment.enabled = false"],
            ),
            (
                SYNTH,
                &["augment.probability=0", "augment.blur=0.2"],
                ["augment.blur = 0.2", "augment.probability = 0.0"],
            ),
            (
                SYNTH,
                &["train.milestones=[]", "train.gamma=0.5"],
                ["train.gamma = 0.5", "train.milestones = []"],
            ),
        ] {
            let message = file_with(file, set).expect_err(named[0]).to_string();
            for key in named {
                assert!(message.contains(key), "{set:?} lacks {key}: {message}");
            }
        }
    }

    #[test]
    fn a_choice_on_the_command_line_replaces_the_other_one_of_the_file() {
        let real =
            file_with(SYNTH, &["data.train=x/mine.tsv", "data.images=x"]).expect("real faces");
        assert_eq!(real.data.source, DataSource::Tsv);
        assert_eq!(real.data.train, Path::new("x/mine.tsv"));
        assert_eq!(
            (real.data.synth.faces, real.data.synth_test_faces),
            (2000, 256)
        );
        assert_eq!(real.name, "mine");
        let named = file_with(SYNTH, &["data.train=mine.tsv", "name=other"]).expect("real faces");
        assert_eq!(named.name, "other");

        let drawn =
            file_with(REAL, &["data.source=synth", "data.synth.faces=7"]).expect("synthetic faces");
        assert_eq!(drawn.data.synth.faces, 7);
        assert_eq!(drawn.data.train, Path::new(""));

        let published =
            "data = { source = 'synth', held_out = 0.2 }\nloss = { star = { weight = 0.5 } }";
        let published = file_with(
            published,
            &["train.selection=test", "loss.landmarks=smoothl1"],
        )
        .expect("the test set selects");
        assert_eq!(
            (published.data.held_out, published.loss.star.weight),
            (0.1, 1.0)
        );
        // What agrees with the choice is no contradiction.
        for (file, set) in [
            (SYNTH, ["train.selection=test", "data.held_out=0"]),
            (SYNTH, ["model.aam=false", "loss.edge_weight=0"]),
            (SYNTH, ["augment.enabled=false", "augment.probability=0"]),
            (REAL, ["data.source=tsv", "data.train=b.tsv"]),
        ] {
            file_with(file, &set).expect(set[1]);
        }
        // A run's own recipe has every key, and resumes.
        for recipe in [real, drawn, published] {
            let text = recipe.to_toml().expect("serialises");
            let again = file_with(&text, &[]).expect("reads back");
            assert_eq!(again.to_toml().expect("serialises"), text);
        }
    }

    #[test]
    fn a_written_recipe_reads_back_the_same() {
        let recipe = with(&["train.epochs=7"]).expect("valid");
        let text = recipe.to_toml().expect("serialises");
        let again: Recipe = toml::from_str(&text).expect("reads back");
        assert_eq!(again.to_toml().expect("serialises"), text);
    }

    #[test]
    fn an_error_in_a_file_names_its_line() {
        let dir = std::env::temp_dir().join(format!("star-recipe-{}", std::process::id()));
        std::fs::create_dir_all(&dir).expect("temp dir");
        let path = dir.join("r.toml");
        std::fs::write(&path, "name = 'x'\n\n[train]\nepoch = 3\n").expect("write");
        let message = Recipe::read(&path, &[])
            .expect_err("unknown key")
            .to_string();
        assert!(message.contains("r.toml:4"), "{message}");
        std::fs::remove_dir_all(&dir).expect("clean up");
    }

    #[test]
    fn the_recipes_of_the_source_tree_are_built_in() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../configs");
        let mut found = 0;
        for entry in std::fs::read_dir(folder).expect("the folder") {
            let path = entry.expect("an entry").path();
            if path.extension().is_some_and(|e| e == "toml") {
                let name = path.file_stem().expect("a name");
                let file = Recipe::read(&path, &[]).expect("a recipe");
                let built_in = Recipe::read(Path::new(name), &[]).expect("built in");
                assert_eq!(file.to_toml().unwrap(), built_in.to_toml().unwrap());
                found += 1;
            }
        }
        assert_eq!(found, 5);
        let error = Recipe::read(Path::new("none"), &[])
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("none") && error.contains("300w-small"),
            "{error}"
        );
    }
}
