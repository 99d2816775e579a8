//! Annotations in which landmarks are missing or hidden, through every command that reads them.

mod support;

use std::fmt::Write as _;

use support::{Folder, TINY, assert_says, text};

/// The pupils of cofw29, whose distance errors are divided by.
const PUPILS: [usize; 2] = [16, 17];

/// Writes `part.tsv`: of the faces of `faces.tsv` three landmarks in ten have no label, but none of those to `keep`, and one in seven is
/// hidden.
fn take_labels_away(folder: &Folder, keep: &[usize]) {
    let whole = std::fs::read_to_string(folder.join("f/faces.tsv")).expect("faces");
    let mut part = String::new();
    for (at, line) in whole.lines().enumerate() {
        let mut columns: Vec<String> = line.split('\t').map(str::to_string).collect();
        if at == 0 {
            writeln!(part, "{line}\toccluded").expect("a string");
            continue;
        }
        let numbers: Vec<&str> = columns[2].split(',').collect();
        let points = numbers.chunks(2).enumerate().map(|(i, p)| {
            let missing = (i * 7 + at) % 10 < 3 && !keep.contains(&i);
            if missing {
                "nan,nan".into()
            } else {
                p.join(",")
            }
        });
        let points: Vec<String> = points.collect();
        let count = points.len();
        columns[2] = points.join(",");
        let hidden: Vec<&str> = (0..count)
            .map(|i| if (i + at) % 7 == 0 { "1" } else { "0" })
            .collect();
        columns.push(hidden.join(","));
        writeln!(part, "{}", columns.join("\t")).expect("a string");
    }
    folder.write("f/part.tsv", &part);
}

#[test]
fn faces_with_missing_labels_train_and_are_scored() {
    let folder = Folder::new();
    let draw = "prepare synth --faces 40 --seed 3 --layout cofw29 --out f";
    folder.succeed(&draw.split(' ').collect::<Vec<_>>());
    take_labels_away(&folder, &PUPILS);

    let check = folder.succeed(&["data", "check", "f/part.tsv", "--layout", "cofw29"]);
    assert_says(&check, &["40 faces", "0 errors"]);
    assert!(!check.contains("not compared"), "{check}");
    let show = "data show f/part.tsv --layout cofw29 --faces 4 --out show.png";
    folder.succeed(&show.split(' ').collect::<Vec<_>>());

    folder.write("tiny.toml", TINY);
    let train = "train --config tiny.toml --set data.source=tsv --set data.train=f/part.tsv --set data.images=f --out run";
    folder.succeed(&train.split(' ').collect::<Vec<_>>());
    let steps = std::fs::read_to_string(folder.join("run/steps.jsonl")).expect("steps");
    assert!(!steps.contains("null"), "all losses are numbers: {steps}");

    let eval = |list: &str, json: &str| {
        let weights = "run/weights/best.safetensors";
        let command = format!(
            "eval --weights {weights} --annotations f/{list} --images f --json {json} --report page-{list}"
        );
        let table = folder.succeed(&command.split(' ').collect::<Vec<_>>());
        let bytes = std::fs::read(folder.join(json)).expect("figures");
        let figures: serde_json::Value = serde_json::from_str(&text(&bytes)).expect("JSON");
        (table, figures)
    };
    let (table, part) = eval("part.tsv", "part.json");
    assert_says(&table, &["visible points", "hidden points"]);
    assert_eq!(part["excluded"].as_array().map(Vec::len), Some(0));
    assert!(part["nme"].as_f64().is_some_and(f64::is_finite));
    let points = |which: &str| {
        part["visibility"][which]["points"]
            .as_u64()
            .expect("points")
    };
    // 3 in 10 of 27 landmarks are missing, of 40 faces; the others are visible or hidden.
    let labelled = points("visible") + points("hidden");
    assert!((800..860).contains(&labelled), "{labelled}");
    assert!((100..140).contains(&points("hidden")), "{part}");
    let page = std::fs::read_to_string(folder.join("page-part.tsv/index.html")).expect("a page");
    // The images are base64, in which any three letters may stand side by side.
    let mut written = page.split('"').filter(|part| !part.starts_with("data:"));
    let odd = written.find(|part| part.contains("NaN"));
    assert_eq!(odd, None, "a figure that is not a number");
    assert_says(&page, &["Hidden points"]);

    let (table, whole) = eval("faces.tsv", "whole.json");
    assert!(!table.contains("hidden points") && whole["visibility"].is_null());
    assert_ne!(part["nme"], whole["nme"]);

    let calibrate = "calibrate --weights run/weights/best.safetensors --fit f/part.tsv --test f/part.tsv --images f";
    let said = folder.succeed(&calibrate.split(' ').collect::<Vec<_>>());
    assert!(!said.contains("NaN"), "{said}");
    let analyze = "analyze --weights run/weights/best.safetensors --annotations f/part.tsv --images f --out analysis";
    folder.succeed(&analyze.split(' ').collect::<Vec<_>>());
}

#[test]
fn shapes_are_compared_though_no_face_is_whole() {
    let folder = Folder::new();
    let draw = "prepare synth --faces 150 --out f";
    folder.succeed(&draw.split(' ').collect::<Vec<_>>());
    take_labels_away(&folder, &[]);
    let layout = include_str!("../../../configs/layouts/ibug68.toml");
    folder.write("right.toml", layout);
    let wrong = layout
        .replace("[36, 45]", "[36, 42]")
        .replace("[39, 42]", "[39, 45]");
    folder.write("wrong.toml", &wrong);
    let check = |layout: &str| folder.succeed(&["data", "check", "f/part.tsv", "--layout", layout]);
    assert!(!check("right.toml").contains("mirror pairs have"));
    assert_says(
        &check("wrong.toml"),
        &["let `mirror` of the layout have [36, 45], [39, 42]"],
    );
}

#[test]
fn a_face_whose_norm_is_not_labelled_is_named_and_left_out() {
    let folder = Folder::new();
    let draw = "prepare synth --faces 12 --seed 3 --layout cofw29 --out f";
    folder.succeed(&draw.split(' ').collect::<Vec<_>>());
    folder.write("tiny.toml", TINY);
    folder.succeed(&["train", "--config", "tiny.toml", "--out", "run"]);
    let whole = std::fs::read_to_string(folder.join("f/faces.tsv")).expect("faces");
    let mut lines: Vec<String> = whole.lines().map(str::to_string).collect();
    let mut columns: Vec<String> = lines[1].split('\t').map(str::to_string).collect();
    let mut numbers: Vec<&str> = columns[2].split(',').collect();
    (numbers[32], numbers[33]) = ("nan", "nan");
    columns[2] = numbers.join(",");
    let name = columns[0].clone();
    lines[1] = columns.join("\t");
    folder.write("f/part.tsv", &(lines.join("\n") + "\n"));
    let eval = "eval --weights run/weights/best.safetensors --annotations f/part.tsv --images f";
    let said = folder.succeed(&eval.split(' ').collect::<Vec<_>>());
    assert_says(&said, &["1 face excluded", "not labelled", &name]);
    let check = folder.succeed(&["data", "check", "f/part.tsv", "--layout", "cofw29"]);
    assert_says(&check, &["is not known", "part.tsv:2"]);
}
