use std::path::Path;

use super::*;
use crate::error::TrainError;

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
        ("train.schedule=linear", "train.schedule"),
        ("train.warmup_epochs=-1", "train.warmup_epochs"),
        ("train.warmup_epochs=1e6", "train.warmup_epochs"),
        ("train.warmup_epochs=nan", "train.warmup_epochs"),
        ("data.held_out=1.5", "data.held_out"),
        ("eval.threshold=8", "did you mean 0.08 (8 %)?"),
        ("eval.threshold=-0.1", "eval.threshold"),
        ("eval.threshold=nan", "eval.threshold"),
        ("train.epochs", "key=value"),
        ("seed.x=1", "seed"),
        ("train.batch_size=100000000", "train.batch_size"),
        ("train.epochs=1000000000000", "train.epochs"),
        ("train.workers=100000", "train.workers"),
        ("train.cache_mib=99999999999", "train.cache_mib"),
        ("loss.edge_weight=1e30", "loss.edge_weight"),
        ("data.synth.faces=10000000000", "data.synth.faces"),
        ("name=../x", "name"),
        ("name=''", "name"),
        ("name='a/b'", "name"),
        ("train.epochs=many", "expected a whole number"),
        ("train.gamma=much", "expected a number"),
        ("train=3", "expected a section of keys"),
        ("train.log_every=0", "train.log_every = 0"),
        ("train.gamma=inf", "train.gamma = inf"),
        ("loss.edge_weight=1e300", "= 1e300"),
        (
            "seed=18446744073709551615",
            "\"18446744073709551615\", expected",
        ),
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
        (
            SYNTH,
            &["train.schedule=cosine", "train.milestones=[2]"],
            ["train.milestones = [2]", "train.schedule = \"cosine\""],
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
    let real = file_with(SYNTH, &["data.train=x/mine.tsv", "data.images=x"]).expect("real faces");
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

#[test]
fn of_several_settings_the_wrong_one_is_named() {
    let set = ["train.epochs=3", "train.gamma=much", "seed=1"];
    let message = with(&set).expect_err("no number").to_string();
    assert!(message.starts_with("--set train.gamma=much: "), "{message}");
    assert!(!message.contains("seed"), "{message}");
}
