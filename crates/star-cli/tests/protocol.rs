//! `star eval`: what an evaluation says of how it was done, and of faces without a prediction.

mod support;

use std::sync::OnceLock;

use image::RgbImage;
use serde_json::{Value, json};
use support::{Folder, TINY, text, with_layout_named};

/// A folder with `w` (weights of 29 points), `face.jpg` (one face), `none.png` (no face) and `two.tsv`, which has a ring of landmarks around
/// the face, and one where there is no face.
fn folder() -> Folder {
    static WEIGHTS: OnceLock<Vec<u8>> = OnceLock::new();
    let folder = Folder::new();
    let weights = WEIGHTS.get_or_init(|| {
        let folder = Folder::new();
        folder.write("tiny.toml", TINY);
        let train = ["train", "--config", "tiny.toml", "--out", "run"];
        let settings = [
            "--set",
            "train.epochs=1",
            "--set",
            "data.synth_test_faces=0",
        ];
        folder.succeed(&[&train[..], &settings].concat());
        std::fs::read(folder.join("run/weights/best.safetensors")).expect("weights")
    });
    folder.write("w", weights);
    folder.write("face.jpg", include_bytes!("../../../docs/astronaut.jpg"));
    let grey = RgbImage::from_pixel(400, 300, image::Rgb([120; 3]));
    grey.save(folder.join("none.png")).expect("an image");
    let list = row("face.jpg", "0,0,0,0,0,0") + &row("none.png", "0,0,0,0,0,1");
    folder.write("two.tsv", list);
    folder
}

/// A line of an annotation file: a ring of landmarks in the box 170,60,100,110.
fn row(image: &str, attributes: &str) -> String {
    let points: Vec<String> = (0..29)
        .flat_map(|i| {
            let angle = f64::from(i) * 0.7;
            [220.0 + 50.0 * angle.cos(), 115.0 + 55.0 * angle.sin()]
        })
        .map(|v| format!("{v:.3}"))
        .collect();
    let five = ["0"; 10].join(",");
    format!(
        "{image}\t{five}\t{}\t0.7\t220\t115\t{attributes}\n",
        points.join(",")
    )
}

const EVAL: [&str; 7] = [
    "eval",
    "--weights",
    "w",
    "--annotations",
    "two.tsv",
    "--json",
    "e.json",
];

fn scores(folder: &Folder) -> Value {
    let bytes = std::fs::read(folder.join("e.json")).expect("figures");
    serde_json::from_slice(&bytes).expect("JSON")
}

/// The weights with each of their numbers replaced by one.
fn weights_of(weights: &[u8], number: f32) -> Vec<u8> {
    let head = u64::from_le_bytes(weights[..8].try_into().expect("8 bytes"));
    let head = 8 + usize::try_from(head).expect("a length");
    let mut weights = weights.to_vec();
    for four in weights[head..].chunks_exact_mut(4) {
        four.copy_from_slice(&number.to_le_bytes());
    }
    weights
}

#[test]
fn an_evaluation_says_how_it_was_done_and_counts_the_faces_that_were_missed() {
    let folder = folder();
    let detector = [
        "--boxes",
        "detector",
        "--passes",
        "2",
        "--threshold",
        "0.9",
        "--report",
        "page",
    ];
    let table = folder.succeed(&[&EVAL[..], &detector].concat());
    let found = scores(&folder);
    let protocol = &found["protocol"];
    for (field, value) in [
        ("boxes", json!("detector")),
        ("passes", json!(2)),
        ("norm", found["norm"].clone()),
        ("threshold", json!(0.9)),
        ("annotations", json!("two.tsv")),
        ("weights_file", json!("w")),
        ("selection", json!("held-out")),
        ("crop", json!({"side": "longest", "margin": 1.3})),
        ("box_noise", Value::Null),
    ] {
        assert_eq!(protocol[field], value, "{field} of {protocol}");
    }
    let counts = json!({"asked": 2, "found": 1, "missed": 1, "excluded": 0, "non_finite": 0});
    assert_eq!(protocol["faces"], counts);
    // FR of the one face that was found, and with the one that was not.
    let fr = found["plain"]["fr"].as_f64().expect("FR");
    assert_eq!(found["missed"]["faces"], 1);
    assert_eq!(found["missed"]["plain"]["fr"], (fr + 1.0) / 2.0);
    // The subset whose face was missed has no NME, and fails.
    let blur = &found["subsets"][0];
    assert_eq!((&blur["name"], &blur["faces"]), (&json!("blur"), &json!(0)));
    assert!(blur["nme"].is_null());
    assert_eq!(blur["missed"]["plain"]["fr"], 1.0);
    let with_missed = format!("{:.2} %", (fr + 1.0) * 50.0);
    for words in [
        "missed as failures",
        &with_missed,
        "protocol: boxes of the face detector, 2 passes, margin 1.3 times the longer side of the box; 2 asked, 1 found, 1 missed",
    ] {
        assert!(table.contains(words), "no `{words}` in\n{table}");
    }
    let page = std::fs::read_to_string(folder.join("page/index.html")).expect("a page");
    let (_, section) = page
        .split_once("<section id=\"protocol\">")
        .expect("a section");
    let (section, _) = section.split_once("</section>").expect("its end");
    for words in [
        "the face detector's",
        "<dt>Passes</dt><dd>2</dd>",
        "<dt>Margin</dt><dd>1.3 times the longer side",
        "<dt>Box noise</dt><dd>none</dd>",
        "<dt>Threshold</dt><dd>90 %</dd>",
        "<dt>Selected on</dt><dd>held-out</dd>",
        "2 asked, 1 found, 1 missed",
    ] {
        assert!(section.contains(words), "no `{words}` in\n{section}");
    }
    assert!(page.contains("missed faces as failures"), "no second FR");
    assert!(page.contains("FR with missed as failures, %"));

    // The annotation file's crops, jittered.
    folder.succeed(&[&EVAL[..], &["--box-noise", "0.05"]].concat());
    let found = scores(&folder);
    let protocol = &found["protocol"];
    assert_eq!(protocol["boxes"], "annotations");
    assert_eq!(protocol["box_noise"], json!({"fraction": 0.05, "seed": 0}));
    assert_eq!(protocol["passes"], 1);
    assert!(protocol["crop"].is_null(), "no box became a crop");
    assert_eq!(protocol["faces"]["missed"], 0);
    assert!(found["missed"].is_null(), "no detector, no missed faces");
}

#[test]
fn the_detector_is_for_faces() {
    let folder = folder();
    let weights = std::fs::read(folder.join("w")).expect("weights");
    folder.write("w", with_layout_named(&weights, "beetle"));
    let detector = [&EVAL[..], &["--boxes", "detector"]].concat();
    let message = folder.fail(&detector);
    for says in ["`beetle`", "--find-faces"] {
        assert!(message.contains(says), "{message} lacks {says}");
    }
    folder.succeed(&[&detector[..], &["--find-faces"]].concat());
    let message = folder.fail(&[&EVAL[..], &["--find-faces"]].concat());
    assert!(message.contains("--boxes detector"), "{message}");
    // None found is an error, and no figures.
    folder.write("two.tsv", row("none.png", ""));
    std::fs::remove_file(folder.join("e.json")).expect("figures");
    let message = folder.fail(&[&detector[..], &["--find-faces"]].concat());
    assert!(message.contains("none of the 1 faces"), "{message}");
    assert!(!folder.join("e.json").exists());
}

/// A network that puts all landmarks on one place: `eval` and `predict` keep the crop of the first pass.
#[test]
fn collapsed_landmarks_do_not_stop_a_second_pass() {
    let folder = folder();
    let weights = std::fs::read(folder.join("w")).expect("weights");
    folder.write("w", weights_of(&weights, 0.0));
    let once = folder.succeed(&EVAL);
    let first = scores(&folder);
    let twice = folder.succeed(&[&EVAL[..], &["--passes", "2"]].concat());
    assert!(once.contains("1 pass;") && twice.contains("2 passes"));
    assert_eq!(scores(&folder)["per_face"], first["per_face"]);
    let predict = [
        "predict",
        "--weights",
        "w",
        "--annotations",
        "two.tsv",
        "--overlay",
        "none",
        "--passes",
    ];
    let predicted = |passes: &str| {
        folder.succeed(&[&predict[..], &[passes]].concat());
        std::fs::read(folder.join("predictions/face.json")).expect("a prediction")
    };
    let one = predicted("1");
    let document: Value = serde_json::from_slice(&one).expect("JSON");
    let points = document["faces"][0]["points"].as_array().expect("points");
    assert!(points.iter().all(|p| *p == points[0]), "collapsed");
    assert!(one == predicted("2"));
}

/// A network whose activations overflow: every face is a failure, none is dropped, and the files can be read.
#[test]
fn landmarks_that_are_not_finite_are_failures() {
    let folder = folder();
    let report = |out: &str, json: &str| {
        let args = ["--report", out, "--json", json];
        folder.succeed(&[&EVAL[..5], &args].concat())
    };
    report("page", "fine.json");
    let weights = std::fs::read(folder.join("w")).expect("weights");
    folder.write("w", weights_of(&weights, f32::MAX));
    let table = report("broken", "e.json");
    for words in ["100.00 %", "2 faces without finite landmarks"] {
        assert!(table.contains(words), "no `{words}` in\n{table}");
    }
    assert!(!table.contains("NaN"), "{table}");
    let found = scores(&folder);
    assert_eq!(found["protocol"]["faces"]["non_finite"], 2);
    assert_eq!(found["plain"]["fr"], 1.0);
    assert_eq!(found["fr"], 1.0);
    assert!(found["nme"].is_null());
    let page = std::fs::read_to_string(folder.join("broken/index.html")).expect("a page");
    // Without the images, whose letters may be any.
    let words: String = (page.split("base64,"))
        .map(|part| part.split_once('"').map_or(part, |(_, rest)| rest))
        .collect();
    assert!(words.contains("no finite landmarks"));
    assert!(!words.contains("NaN"), "{words}");
    for entry in std::fs::read_dir(folder.join("broken")).expect("the folder") {
        let path = entry.expect("a file").path();
        if path.extension().is_some_and(|e| e == "svg") {
            let svg = std::fs::read_to_string(&path).expect("text");
            assert!(!svg.contains("NaN"), "{}", path.display());
        }
    }
    // One of the two is as good as any; both together have no face to compare on.
    let message = folder.fail(&["compare", "fine.json", "e.json"]);
    assert!(message.contains("finite landmarks"), "{message}");
    let analysis = folder.star(&["analyze", "--weights", "w", "--annotations", "two.tsv"]);
    let message = text(&analysis.stderr);
    assert!(message.contains("2 no finite landmarks"), "{message}");
}

#[test]
fn thresholds_are_fractions_wherever_they_are_given() {
    let folder = folder();
    let output = folder.star(&[&EVAL[..], &["--threshold", "8"]].concat());
    let message = text(&output.stderr);
    assert!(!output.status.success());
    assert!(message.contains("did you mean 0.08"), "{message}");
    folder.write("tiny.toml", TINY);
    let train = [
        "train",
        "--config",
        "tiny.toml",
        "--set",
        "eval.threshold=8",
    ];
    let message = folder.fail(&train);
    assert!(
        message.contains("eval.threshold = 8") && message.contains("did you mean 0.08"),
        "{message}"
    );
    assert!(!folder.join("runs").exists(), "nothing half-done");
}

#[test]
fn nothing_that_is_read_is_written_over() {
    let folder = folder();
    let before = std::fs::read(folder.join("two.tsv")).expect("an annotation file");
    let calibrate = [
        "calibrate",
        "--weights",
        "w",
        "--fit",
        "two.tsv",
        "--test",
        "two.tsv",
    ];
    for args in [
        &["--json", "two.tsv"][..],
        &["--csv", "w"],
        &["--csv", "./two.tsv"],
    ] {
        let message = folder.fail(&[&calibrate[..], args].concat());
        assert!(message.contains("over itself"), "{message}");
    }
    let same = ["--json", "f", "--csv", "f"];
    let message = folder.fail(&[&calibrate[..], &same].concat());
    assert!(message.contains("the same file"), "{message}");
    let check = [
        "data", "check", "two.tsv", "--layout", "cofw29", "--json", "two.tsv",
    ];
    assert!(folder.fail(&check).contains("over itself"));
    assert_eq!(
        std::fs::read(folder.join("two.tsv")).expect("an annotation file"),
        before
    );
}
