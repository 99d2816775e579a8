//! The same figures everywhere: every backend that is compiled in and finds its device, beside flex.
//!
//! A backend without a device is left out, and says so; `STAR_TEST_BACKENDS=wgpu` makes its absence a failure
//! (`cargo xtask test --backend wgpu` sets it, and builds wgpu in).

mod support;

use std::collections::BTreeSet;

use support::{Folder, TINY, text};

/// How far a backend may be from flex: losses of the same step, relatively; and one point, in pixels of a crop of 64.
fn allowed(backend: &str) -> (f64, f64) {
    match backend {
        // Its matrix products may be in TF32, of 10 bits. Not measured on a GPU yet.
        "cuda" => (5e-3, 0.05),
        _ => (1e-4, 2e-3),
    }
}

/// Other backends than flex that this binary has, by name.
fn built_in() -> Vec<&'static str> {
    [
        (cfg!(feature = "ndarray"), "ndarray"),
        (cfg!(feature = "wgpu"), "wgpu"),
        (cfg!(feature = "cuda"), "cuda"),
    ]
    .into_iter()
    .filter_map(|(there, name)| there.then_some(name))
    .collect()
}

/// Those of them that this machine has.
fn present(folder: &Folder) -> Vec<&'static str> {
    let asked = std::env::var("STAR_TEST_BACKENDS").unwrap_or_default();
    let asked: BTreeSet<&str> = asked.split(',').map(str::trim).collect();
    for name in asked.iter().filter(|name| !["", "flex"].contains(*name)) {
        assert!(
            built_in().contains(name),
            "STAR_TEST_BACKENDS asks for {name}, which is not built in: add --features star-cli/{name}"
        );
    }
    let all = built_in().into_iter();
    all.filter(|name| {
        let touch = [
            "eval",
            "--weights",
            "none",
            "--annotations",
            "none",
            "--backend",
            name,
        ];
        let said = text(&folder.star(&touch).stderr);
        let absent = said.contains("no device for --backend");
        if absent {
            assert!(!asked.contains(name), "asked for, but: {said}");
            println!("left out: {said}");
        } else {
            println!("{name} is here");
        }
        !absent
    })
    .collect()
}

/// 20 steps (4 epochs of 5) and the weights they end with.
///
/// At a low rate: Adam's first steps move every weight by the full rate in the direction of its gradient's sign, and where the gradient is
/// rounding noise (biases in front of a norm) the sign is chance, so at the recipe's rate two backends part after a few steps.
fn train(folder: &Folder, backend: &str) {
    folder.succeed(&[
        "train",
        "--config",
        "tiny.toml",
        "--set",
        "train.epochs=4",
        "--set",
        "train.eval_every=4",
        "--set",
        "train.learning_rate=1e-6",
        "--backend",
        backend,
        "--out",
        backend,
    ]);
}

fn losses(folder: &Folder, run: &str) -> Vec<f64> {
    let path = folder.join(&format!("{run}/steps.jsonl"));
    let lines = std::fs::read_to_string(path).expect("a run's steps");
    lines
        .lines()
        .map(|line| {
            let step: serde_json::Value = serde_json::from_str(line).expect("JSON");
            step["loss"].as_f64().expect("number")
        })
        .collect()
}

/// Landmarks and covariances of faces in an image, as numbers.
fn predict(folder: &Folder, weights: &str, backend: &str) -> Vec<f64> {
    folder.succeed(&[
        "predict",
        "learnt/report/selection_faces.png",
        "--box",
        "4,4,80,80",
        "--box",
        "40,30,64,64",
        "--weights",
        weights,
        "--backend",
        backend,
        "--overlay",
        "none",
        "--out",
        "p",
    ]);
    let read = std::fs::read(folder.join("p/selection_faces.json")).expect("a prediction");
    let json: serde_json::Value = serde_json::from_slice(&read).expect("JSON");
    let faces = json["faces"].as_array().expect("faces");
    let numbers: Vec<f64> = faces
        .iter()
        .flat_map(|face| face["points"].as_array().expect("points"))
        .flat_map(|point| [&point["x"], &point["y"]])
        .filter_map(serde_json::Value::as_f64)
        .collect();
    assert_eq!(numbers.len(), 2 * 2 * 29);
    numbers
}

#[track_caller]
fn assert_same_points(folder: &Folder, weights: &str, backend: &str) {
    let here = predict(folder, weights, "flex");
    let there = predict(folder, weights, backend);
    let apart = here.iter().zip(&there).map(|(a, b)| (a - b).abs());
    let apart = apart.fold(0.0, f64::max);
    println!("{weights}: points on {backend} and flex at most {apart:.1e} pixels apart");
    assert!(apart < allowed(backend).1, "{weights}, {backend}: {apart}");
}

#[test]
fn every_backend_gives_what_flex_gives() {
    let folder = Folder::new();
    folder.write("tiny.toml", TINY);
    let others = present(&folder);
    if others.is_empty() {
        println!("left out: no other backend is here");
        return;
    }
    // A network that has learnt something, so that its points differ from face to face.
    folder.succeed(&["train", "--config", "tiny.toml", "--out", "learnt"]);
    train(&folder, "flex");
    let flex = losses(&folder, "flex");
    assert_eq!(flex.len(), 20);
    for backend in others {
        train(&folder, backend);
        let there = losses(&folder, backend);
        assert_eq!(there.len(), 20);
        let apart = flex
            .iter()
            .zip(&there)
            .map(|(a, b)| (a - b).abs() / a.abs());
        let apart = apart.fold(0.0, f64::max);
        println!("{backend}: losses of 20 steps at most {apart:.1e} from flex's");
        assert!(
            apart < allowed(backend).0,
            "{backend}: {flex:?} and {there:?}"
        );

        assert_same_points(&folder, "learnt/weights/best.safetensors", backend);
        assert_same_points(
            &folder,
            &format!("{backend}/weights/last.safetensors"),
            backend,
        );
    }
}
