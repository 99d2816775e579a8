//! `star bench`: every case runs and is written down; a peer that is missing is said before any work.

mod support;

use support::{Folder, TINY};

#[test]
fn every_case_is_timed_and_written() {
    let folder = Folder::new();
    folder.write("tiny.toml", TINY);
    let printed = folder.succeed(&[
        "bench",
        "--config",
        "tiny.toml",
        "--rounds",
        "2",
        "--seconds",
        "0",
        "--batch",
        "2",
        "--out",
        "results",
    ]);
    for case in ["inference", "training-step", "loss"] {
        assert!(printed.contains(case), "{printed}");
    }
    let results: Vec<_> = std::fs::read_dir(folder.join("results"))
        .expect("a folder")
        .map(|entry| entry.expect("an entry").path())
        .collect();
    let [result] = &results[..] else {
        panic!("{results:?}");
    };
    let text = std::fs::read(result).expect("a file");
    let json: serde_json::Value = serde_json::from_slice(&text).expect("JSON");
    let rows = json["rows"].as_array().expect("rows");
    assert_eq!(rows.len(), 3);
    for row in rows {
        assert!(
            row["ours"]["milliseconds"]["median"].as_f64() > Some(0.0),
            "{row}"
        );
        assert!(row["peer"].is_null());
        // What is no product has no speed.
        let is_loss = row["case"] == "loss";
        assert_eq!(row["speed"].is_null(), is_loss, "{row}");
        assert!(
            is_loss || row["speed"]["gflops"].as_f64() > Some(0.0),
            "{row}"
        );
        assert!(
            is_loss || row["speed"]["of_product"].as_f64() > Some(0.0),
            "{row}"
        );
    }
    assert_eq!(json["backend"], "flex");
}

#[test]
fn a_peer_that_is_missing_is_named() {
    let folder = Folder::new();
    folder.write("tiny.toml", TINY);
    // There is no benches/peers in this folder, whatever Python has.
    let message = folder.fail(&["bench", "--config", "tiny.toml", "--against", "pytorch"]);
    assert!(
        message.contains("pytorch") && message.contains("pip install"),
        "{message}"
    );
    assert!(!folder.join("benches").exists());
}

#[test]
fn what_a_peer_cannot_do_is_refused_before_any_turn() {
    let folder = Folder::new();
    folder.write("tiny.toml", TINY);
    let beside = ["bench", "--config", "tiny.toml", "--against", "onnxruntime"];
    for (more, word) in [
        (["--case", "training-step"], "training-step"),
        (["--peer-device", "cuda"], "CPU"),
    ] {
        let message = folder.fail(&[&beside[..], &more].concat());
        assert!(
            message.contains("onnxruntime") && message.contains(word),
            "{message}"
        );
        assert!(!folder.join("benches").exists());
    }
}
