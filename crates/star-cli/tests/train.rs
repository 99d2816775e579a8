//! `star train`, `eval` and `predict`, as a user types them.

mod support;

use support::{Folder, TINY, text};

const RUN_FILES: [&str; 8] = [
    "config.toml",
    "metrics.jsonl",
    "steps.jsonl",
    "weights/best.safetensors",
    "weights/last.safetensors",
    "weights/last_ema.safetensors",
    "report/curves.svg",
    "report/test_faces.png",
];

fn read(folder: &Folder, name: &str) -> Vec<u8> {
    std::fs::read(folder.join(name)).unwrap_or_else(|e| panic!("{name}: {e}"))
}

/// Weights, steps and epochs of two runs are the same, bit for bit (times aside).
#[track_caller]
fn assert_same_run(folder: &Folder, a: &str, b: &str) {
    for file in ["last", "last_ema", "best"] {
        let path = |run: &str| format!("{run}/weights/{file}.safetensors");
        assert!(
            read(folder, &path(a)) == read(folder, &path(b)),
            "{file} weights of {a} and {b} differ"
        );
    }
    assert_eq!(
        text(&read(folder, &format!("{a}/steps.jsonl"))),
        text(&read(folder, &format!("{b}/steps.jsonl")))
    );
    let epochs = |run: &str| -> Vec<serde_json::Value> {
        text(&read(folder, &format!("{run}/metrics.jsonl")))
            .lines()
            .map(|line| {
                let mut record: serde_json::Value = serde_json::from_str(line).expect("JSON");
                record["seconds"] = serde_json::Value::Null;
                record
            })
            .collect()
    };
    assert_eq!(epochs(a), epochs(b));
}

#[test]
fn a_run_leaves_everything_and_its_weights_evaluate_to_the_same_figure() {
    let folder = Folder::new();
    folder.write("tiny.toml", TINY);
    let output = folder.succeed(&["train", "--config", "tiny.toml", "--out", "run"]);
    assert!(output.contains("held-out, before training"), "{output}");
    for file in RUN_FILES {
        assert!(!read(&folder, &format!("run/{file}")).is_empty(), "{file}");
    }
    let message = folder.fail(&["train", "--config", "tiny.toml", "--out", "run"]);
    assert!(message.contains("already holds a run"), "{message}");

    // The same weights predict: an image from the contact sheet will do.
    let image = folder.join("run/report/test_faces.png");
    let image = image.to_str().expect("UTF-8");
    let weights = "run/weights/best.safetensors";
    folder.succeed(&[
        "predict",
        "--weights",
        weights,
        image,
        "--box",
        "10,10,100,100",
        "--out",
        "p",
    ]);
    let json: serde_json::Value =
        serde_json::from_slice(&read(&folder, "p/test_faces.json")).expect("JSON");
    let face = &json["faces"][0];
    assert_eq!(face["points"].as_array().map(Vec::len), Some(29));
    assert_eq!(face["covariance"].as_array().map(Vec::len), Some(29));
    let score = face["score"].as_f64().expect("a score");
    assert!((0.0..=1.0).contains(&score), "{score}");
    assert!(folder.join("p/test_faces.png").is_file());

    // And evaluate: an annotation file of that one face, whose landmarks are the prediction, has no error.
    let points: Vec<String> = face["points"]
        .as_array()
        .expect("array")
        .iter()
        .flat_map(|p| [p["x"].to_string(), p["y"].to_string()])
        .collect();
    let crop = face["crop"].as_array().expect("array");
    let crop: Vec<f64> = crop.iter().filter_map(serde_json::Value::as_f64).collect();
    let line = format!(
        "run/report/test_faces.png\t{}\t{}\t{}\t{}\t{}",
        ["0"; 10].join(","),
        points.join(","),
        crop[2] / 200.0,
        crop[0] + crop[2] / 2.0,
        crop[1] + crop[3] / 2.0,
    );
    folder.write("one.tsv", format!("{line}\n"));
    let table = folder.succeed(&[
        "eval",
        "--weights",
        weights,
        "--annotations",
        "one.tsv",
        "--images",
        ".",
        "--json",
        "e.json",
    ]);
    assert_row(&table, &["all", "1", "0.00", "%"]);
    let json: serde_json::Value = serde_json::from_slice(&read(&folder, "e.json")).expect("JSON");
    for key in ["nme", "fr", "auc", "thresholds", "norm", "faces"] {
        assert!(!json[key].is_null(), "{key}");
    }
    assert!(json["nme"].as_f64().expect("number") < 1e-6);
    assert_eq!(json["per_face"][0]["image"], "run/report/test_faces.png");

    // Attributes in an annotation file are rows of the table, and parts of the JSON.
    let list = format!("{line}\t0,0,0,0,0,1\n{line}\t0,0,0,0,1,1\n{line}\t0,0,0,0,0,0\n");
    folder.write("three.tsv", list);
    let eval = [
        "eval",
        "--weights",
        weights,
        "--annotations",
        "three.tsv",
        "--images",
        ".",
        "--json",
        "e.json",
    ];
    let table = folder.succeed(&eval);
    assert_row(&table, &["all", "3", "0.00", "%"]);
    assert_row(&table, &["blur", "2", "0.00", "%"]);
    assert_row(&table, &["occlusion", "1", "0.00", "%"]);
    assert!(!table.contains("makeup"), "{table}");
    let json: serde_json::Value = serde_json::from_slice(&read(&folder, "e.json")).expect("JSON");
    assert_eq!(json["subsets"][1]["name"], "blur");
    assert_eq!(json["subsets"][1]["indices"], serde_json::json!([0, 1]));

    // Other crops, other answers: the error is no longer zero, and the same call says the same.
    let jittered = [&eval[..], &["--box-noise", "0.1", "--passes", "2"]].concat();
    let table = folder.succeed(&jittered);
    assert!(table.contains("crops jittered by 0.1, 2 passes"), "{table}");
    assert!(!table.contains(" 0.00 % "), "{table}");
    assert_eq!(folder.succeed(&jittered), table);
    let once = folder.succeed(&jittered[..eval.len() + 2]);
    assert_ne!(once.lines().nth(2), table.lines().nth(2));
}

/// A row of a table that begins with these words.
#[track_caller]
fn assert_row(table: &str, words: &[&str]) {
    let found = table.lines().any(|line| {
        line.split_whitespace()
            .take(words.len())
            .eq(words.iter().copied())
    });
    assert!(found, "no row {words:?} in\n{table}");
}

/// `star train | head -1`: what nobody reads is no reason to lose a run.
#[cfg(unix)]
#[test]
fn a_run_whose_reader_leaves_goes_on() {
    let folder = Folder::new();
    folder.write("tiny.toml", TINY);
    let mut run = folder
        .command(&["train", "--config", "tiny.toml", "--out", "run"])
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::null())
        .spawn()
        .expect("star starts");
    drop(run.stdout.take());
    assert!(run.wait().expect("star ends").success());
    assert!(folder.join("run/report/test.json").is_file());
    // What only prints ends with its reader, without a word.
    let mut info = folder
        .command(&["model", "info", "--config", "tiny.toml"])
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .expect("star starts");
    drop(info.stdout.take());
    let output = info.wait_with_output().expect("star ends");
    assert!(!String::from_utf8_lossy(&output.stderr).contains("panicked"));
}

#[test]
fn stopping_and_resuming_is_not_stopping() {
    let folder = Folder::new();
    folder.write("tiny.toml", TINY);
    let train = ["train", "--config", "tiny.toml", "--out"];
    folder.succeed(&[&train[..], &["whole"]].concat());
    // In the middle of an epoch, at its end, and in the middle of the last.
    let stopped = folder.star(&[&train[..], &["parts", "--stop-after", "3"]].concat());
    assert_eq!(
        stopped.status.code(),
        Some(130),
        "{}",
        text(&stopped.stderr)
    );
    for step in ["5", "12"] {
        let output = folder.star(&["train", "--resume", "parts", "--stop-after", step]);
        assert_eq!(output.status.code(), Some(130), "{}", text(&output.stderr));
    }
    folder.succeed(&["train", "--resume", "parts"]);
    assert_same_run(&folder, "whole", "parts");
}

#[test]
fn precision_is_that_of_training_and_survives_a_stop() {
    let folder = Folder::new();
    folder.write("tiny.toml", TINY);
    let train = |precision: &str, out: &str, more: &[&str]| {
        let set = format!("train.precision={precision}");
        let args = [
            "train",
            "--config",
            "tiny.toml",
            "--set",
            &set,
            "--out",
            out,
        ];
        folder.star(&[&args[..], more].concat())
    };
    for precision in ["f32", "tf32", "bf16"] {
        assert!(train(precision, precision, &[]).status.success());
    }
    // A CPU never rounds unasked.
    assert_same_run(&folder, "f32", "tf32");
    let losses = |run: &str| -> Vec<f64> {
        let lines = text(&read(&folder, &format!("{run}/steps.jsonl")));
        let steps = lines.lines().map(|line| {
            let step: serde_json::Value = serde_json::from_str(line).expect("JSON");
            step["loss"].as_f64().expect("number")
        });
        steps.collect()
    };
    let (full, rounded) = (losses("f32"), losses("bf16"));
    let apart = (full.iter().zip(&rounded)).map(|(a, b)| (a - b).abs() / a);
    let apart = apart.fold(0.0, f64::max);
    assert!(apart > 1e-5 && apart < 0.1, "{full:?} and {rounded:?}");

    assert_eq!(
        train("bf16", "parts", &["--stop-after", "4"]).status.code(),
        Some(130)
    );
    folder.succeed(&["train", "--resume", "parts"]);
    assert_same_run(&folder, "bf16", "parts");

    for (command, left) in [("train", "refused"), ("bench", "benches")] {
        let message = folder.fail(&[
            command,
            "--config",
            "tiny.toml",
            "--set",
            "train.precision=bf16",
            "--backend",
            "ndarray",
            "--out",
            left,
        ]);
        for part in ["bf16", "ndarray", "tf32", "--backend cuda"] {
            assert!(message.contains(part), "{message}");
        }
        assert!(!folder.join(left).exists(), "{command} left {left}");
    }
}

/// Ctrl-C itself.
#[cfg(unix)]
#[test]
fn ctrl_c_leaves_a_checkpoint() {
    let folder = Folder::new();
    folder.write("tiny.toml", TINY);
    let train = [
        "train",
        "--config",
        "tiny.toml",
        "--set",
        "train.epochs=40",
        "--out",
    ];
    let mut running = folder
        .command(&[&train[..], &["run"]].concat())
        .stdout(std::process::Stdio::null())
        .spawn()
        .expect("star starts");
    let steps = folder.join("run/steps.jsonl");
    while !steps.exists() {
        assert!(
            running.try_wait().expect("a child").is_none(),
            "ended early"
        );
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    let killed = std::process::Command::new("kill")
        .args(["-INT", &running.id().to_string()])
        .status();
    assert!(killed.expect("kill").success());
    assert_eq!(running.wait().expect("a child").code(), Some(130));
    folder.succeed(&["train", "--resume", "run"]);
    folder.succeed(&[&train[..], &["whole"]].concat());
    assert_same_run(&folder, "whole", "run");
}
