//! Training that begins with the weights of another network.

mod support;

use support::{Folder, TINY, assert_says};

const FIVE: &str = r#"
name = "five"
points = 5
names = ["left eye", "right eye", "nose", "left mouth", "right mouth"]
threshold = 0.1
flip_offset = 1
mirror = [[0, 1], [3, 4]]
default_norm = "eyes"
norms = { eyes = { left = [0], right = [1] } }
"#;

/// Five points of the synthetic faces of cofw29, as an annotation file of its own.
fn five(folder: &Folder) {
    let draw = "prepare synth --faces 40 --seed 3 --layout cofw29 --out f";
    folder.succeed(&draw.split(' ').collect::<Vec<_>>());
    let faces = std::fs::read_to_string(folder.join("f/faces.tsv")).expect("faces");
    let lines = faces.lines().enumerate().map(|(i, line)| {
        let mut columns: Vec<String> = line.split('\t').map(str::to_string).collect();
        if i > 0 {
            let numbers: Vec<&str> = columns[2].split(',').collect();
            let point = |k: &usize| [numbers[2 * k], numbers[2 * k + 1]];
            let five: Vec<&str> = [16, 17, 20, 22, 23].iter().flat_map(point).collect();
            columns[2] = five.join(",");
        }
        columns.join("\t")
    });
    let text = lines.collect::<Vec<_>>().join("\n") + "\n";
    folder.write("f/five.tsv", text);
    folder.write("five.toml", FIVE);
}

#[test]
fn a_run_begins_with_what_fits_of_another() {
    let folder = Folder::new();
    five(&folder);
    folder.write("tiny.toml", TINY);
    folder.succeed(&["train", "--config", "tiny.toml", "--out", "first"]);
    let train = |more: &str| {
        let command = format!(
            "train --config tiny.toml --set layout=five.toml --set data.source=tsv --set data.train=f/five.tsv --set data.images=f \
             --set train.epochs=1 --set model.aam=false --set model.init=first/weights/best.safetensors {more}"
        );
        let args: Vec<String> = command.split_whitespace().map(str::to_string).collect();
        args
    };
    let run = |args: &[String]| folder.star(&args.iter().map(String::as_str).collect::<Vec<_>>());
    let said = |output: &std::process::Output| {
        support::text(&output.stdout) + &support::text(&output.stderr)
    };
    let output = run(&train("--out plain"));
    assert!(output.status.success(), "{}", said(&output));
    assert_says(
        &said(&output),
        &["0 of 5 points are known there", "new: out_heatmaps.0"],
    );
    let pairs = "--set model.init_points=[[0,16],[1,17],[2,20],[3,22],[4,23]] --set model.stacks=2 --out pairs";
    let output = run(&train(pairs));
    assert!(output.status.success(), "{}", said(&output));
    assert_says(&said(&output), &["5 of 5 points are known there", "hgs.1"]);
    let refuse = |more: &str, parts: &[&str]| {
        let output = run(&train(more));
        assert!(!output.status.success());
        assert_says(&said(&output), parts);
    };
    refuse(
        "--set model.channels=16 --out x",
        &["model.channels = 8, not 16", "set it to 8"],
    );
    refuse(
        "--set model.init_points=[[9,1]] --out x",
        &["model.init_points", "points 0 to 4"],
    );
    refuse("--set model.init_points=[[1,2,3]] --out x", &["is no pair"]);
    assert!(!folder.join("x").exists());
    let alone = folder.fail(&[
        "train",
        "--config",
        "tiny.toml",
        "--set",
        "model.init_points=[[0,1]]",
    ]);
    assert_says(&alone, &["there is no model.init"]);
}
