//! `star eval --stress`, as a user types it.

mod support;

use serde_json::Value;
use support::{Folder, TINY, assert_says};

const WEIGHTS: &str = "run/weights/best.safetensors";

/// A network that has hardly learnt anything, and two faces.
fn folder() -> Folder {
    let folder = Folder::new();
    folder.write("tiny.toml", TINY);
    let train = "train --config tiny.toml --out run --set train.epochs=1";
    folder.succeed(&train.split(' ').collect::<Vec<_>>());
    let five = ["0"; 10].join(",");
    let line = |x: f64| {
        let point = |i: u8| {
            let (sin, cos) = (f64::from(i) * 0.9).sin_cos();
            format!("{:.2},{:.2}", x + 20.0 * cos, 50.0 + 20.0 * sin)
        };
        let points: Vec<String> = (0..29).map(point).collect();
        let image = "run/report/selection_faces.png";
        format!("{image}\t{five}\t{}\t0.3\t{x}\t50\n", points.join(","))
    };
    folder.write("faces.tsv", line(50.0) + &line(70.0));
    folder
}

#[test]
fn the_same_faces_made_harder() {
    let folder = folder();
    let eval = |out: &str| {
        let args = format!(
            "eval --weights {WEIGHTS} --annotations faces.tsv --stress --json {out}.json --report {out}"
        );
        folder.succeed(&args.split(' ').collect::<Vec<_>>())
    };
    let said = eval("a");
    let lines = [
        "made harder (seed 0)",
        "as they are",
        "rotation, degrees",
        "JPEG quality",
        "without colour",
    ];
    assert_says(&said, &lines);
    let read = |name: &str| std::fs::read_to_string(folder.join(name)).expect(name);
    let json: Value = serde_json::from_str(&read("a.json")).expect("JSON");
    let curves = json["stress"]["curves"].as_array().expect("curves");
    assert_eq!(curves.len(), 8);
    for curve in curves {
        for level in curve["levels"].as_array().expect("levels") {
            assert!(level["nme"].as_f64().expect("an NME") > 0.0, "{curve}");
            assert!((0.0..=1.0).contains(&level["fr"].as_f64().expect("an FR")));
        }
    }
    // Where nothing is changed the figures are those of the faces as they are.
    let rotation = curves
        .iter()
        .find(|c| c["change"] == "rotation")
        .expect("one");
    assert_eq!(rotation["levels"][0]["level"], 0.0);
    assert_eq!(rotation["levels"][0]["nme"], json["nme"]);
    assert_ne!(rotation["levels"][5]["nme"], json["nme"]);
    for name in [
        "stress_rotation_nme.svg",
        "stress_rotation_fr.svg",
        "stress_face_size_nme.svg",
    ] {
        assert!(read(&format!("a/{name}")).starts_with("<svg"), "{name}");
    }
    // A line for the faces as they are, of all but JPEG and size; and one a level.
    assert_eq!(read("a/stress.csv").lines().count(), 1 + 6 + 33);
    assert_says(&read("a/index.html"), &["Made harder", "id=\"stress\""]);

    // The same seed, the same figures.
    eval("b");
    assert_eq!(read("a.json"), read("b.json"));
    // And none where they were not asked for.
    let plain =
        format!("eval --weights {WEIGHTS} --annotations faces.tsv --json c.json --report c");
    let said = folder.succeed(&plain.split(' ').collect::<Vec<_>>());
    assert!(!said.contains("made harder") && !read("c.json").contains("stress"));
    assert!(!read("c/index.html").contains("Made harder"));
    // `compare` takes both.
    folder.succeed(&["compare", "a.json", "c.json"]);
}

#[test]
fn what_would_not_mean_anything_is_refused() {
    let folder = folder();
    for more in ["--boxes detector", "--box-noise 0.05"] {
        let args = format!("eval --weights {WEIGHTS} --annotations faces.tsv --stress {more}");
        let message = folder.fail(&args.split(' ').collect::<Vec<_>>());
        assert_says(&message, &["--stress", "Leave"]);
    }
}
