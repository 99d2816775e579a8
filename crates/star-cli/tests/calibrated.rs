//! Covariances of the size of the errors: what a weights file says of them, who writes that, and what `predict` makes of it.

mod support;

use serde_json::{Value, json};
use support::{Folder, TINY, assert_says};

const BEST: &str = "run/weights/best.safetensors";
const ENTRY: &str = "star.covariance";

/// A network that has hardly learnt anything.
fn trained() -> Folder {
    let folder = Folder::new();
    folder.write("tiny.toml", TINY);
    let train = "train --config tiny.toml --out run --set train.epochs=1";
    let said = folder.succeed(&train.split(' ').collect::<Vec<_>>());
    // A fifth of 50 faces.
    let says = "covariances calibrated on 10 faces of the synthetic faces of seed";
    assert_says(&said, &[says, "fraction 0.2, seed 0"]);
    folder
}

/// A weights file in its two parts: the header, and the numbers.
fn parts(file: &[u8]) -> (Value, &[u8]) {
    let (length, rest) = file.split_first_chunk::<8>().expect("a header");
    let (header, numbers) = rest.split_at(u64::from_le_bytes(*length) as usize);
    (serde_json::from_slice(header).expect("JSON"), numbers)
}

/// What the file says of itself.
fn entries(file: &[u8]) -> Value {
    let (header, _) = parts(file);
    let text = header["__metadata__"]["star"].as_str().expect("a text");
    serde_json::from_str(text).expect("JSON")
}

/// The same file saying something else of its covariances, or nothing.
fn saying(file: &[u8], covariance: Option<&str>) -> Vec<u8> {
    let (mut header, numbers) = parts(file);
    let mut entries = entries(file);
    let all = entries.as_object_mut().expect("entries");
    all.remove(ENTRY);
    all.extend(covariance.map(|text| (ENTRY.to_owned(), text.into())));
    header["__metadata__"]["star"] = entries.to_string().into();
    let header = header.to_string().into_bytes();
    [&(header.len() as u64).to_le_bytes()[..], &header, numbers].concat()
}

fn scales(file: &[u8]) -> Vec<f64> {
    let entries = entries(file);
    let entry = entries[ENTRY].as_str().expect("scales");
    let entry: Value = serde_json::from_str(entry).expect("JSON");
    let scales = entry["scales"].as_array().expect("scales").iter();
    scales.map(|s| s.as_f64().expect("a number")).collect()
}

impl Folder {
    fn bytes(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.join(name)).unwrap_or_else(|e| panic!("{name}: {e}"))
    }

    fn predict(&self, weights: &str, more: &[&str]) -> Value {
        let photo = "run/report/selection_faces.png";
        let args = ["predict", photo, "--weights", weights, "--out", "p"];
        let box_ = ["--box", "10,10,100,100", "--overlay", "none"];
        self.succeed(&[&args[..], &box_, more].concat());
        serde_json::from_slice(&self.bytes("p/selection_faces.json")).expect("JSON")
    }

    fn info(&self, weights: &str) -> String {
        self.succeed(&["model", "info", "--weights", weights])
    }
}

fn covariances(document: &Value) -> Vec<[f64; 3]> {
    let all = document["faces"][0]["covariance"].as_array().expect("one");
    let number = |c: &Value, key: &str| c[key].as_f64().expect("a number");
    let three = |c| ["xx", "xy", "yy"].map(|key| number(c, key));
    all.iter().map(three).collect()
}

/// `predict` gives the heatmaps' covariances times the file's scales, to the last bit, and all else as before.
#[track_caller]
fn assert_multiplied(folder: &Folder, weights: &str) {
    let scales = scales(&folder.bytes(weights));
    let calibrated = folder.predict(weights, &[]);
    let raw = folder.predict(weights, &["--raw-covariance"]);
    assert_eq!(
        (&calibrated["calibrated"], &raw["calibrated"]),
        (&json!(true), &json!(false))
    );
    assert_eq!(calibrated["faces"][0]["points"], raw["faces"][0]["points"]);
    let (after, before) = (covariances(&calibrated), covariances(&raw));
    assert_eq!((after.len(), before.len(), scales.len()), (29, 29, 29));
    for ((after, before), scale) in after.iter().zip(&before).zip(&scales) {
        assert_eq!(*after, before.map(|entry| scale * entry));
    }
    assert!(scales.iter().any(|&s| s != 1.0));
}

#[test]
fn a_training_run_calibrates_its_best_weights() {
    let folder = trained();
    assert_says(&folder.info(BEST), &["calibrated on 10 faces", "one pass"]);
    assert_multiplied(&folder, BEST);
    // Their figures are not those of the last epoch's.
    for other in ["last", "last_ema"] {
        let info = folder.info(&format!("run/weights/{other}.safetensors"));
        assert_says(&info, &["not calibrated", "star calibrate --write"]);
    }
    // They start another run, and go into other forms, with or without it.
    let half = "model export --format safetensors --half --out half.safetensors --weights";
    let export = |how: &str| {
        let args: Vec<&str> = how.split(' ').chain([BEST]).collect();
        folder.succeed(&args)
    };
    assert_says(&export(half), &["goes with it"]);
    assert_eq!(
        scales(&folder.bytes("half.safetensors")),
        scales(&folder.bytes(BEST))
    );
    let npz = "model export --format npz --out a.npz --weights";
    assert_says(&export(npz), &["stays behind"]);
    let again = format!("model.init={BEST}");
    let train = "train --config tiny.toml --out again --set train.epochs=1 --set";
    let args: Vec<&str> = train.split(' ').chain([&*again]).collect();
    folder.succeed(&args);
    assert_ne!(
        scales(&folder.bytes("again/weights/best.safetensors")),
        scales(&folder.bytes(BEST)),
        "they are of other weights"
    );
}

#[test]
fn calibrate_writes_into_a_file_and_leaves_its_network_alone() {
    let folder = trained();
    let mut list = String::new();
    let photo = folder.bytes("run/report/selection_faces.png");
    for face in 0..9_u8 {
        let (x, y) = (40.0 + 3.0 * f64::from(face), 45.0 + 2.0 * f64::from(face));
        let point = |i: u8| {
            let (sin, cos) = (f64::from(i) * 0.9).sin_cos();
            format!("{:.2},{:.2}", x + 20.0 * cos, y + 20.0 * sin)
        };
        let points: Vec<String> = (0..29).map(point).collect();
        // Each face in an image of its own: faces of one image, or of its copies, are held out together.
        let end = vec![0; usize::from(face)];
        folder.write(&format!("{face}.png"), [&photo[..], &end].concat());
        let five = ["0"; 10].join(",");
        list += &format!("{face}.png\t{five}\t{}\t0.3\t{x}\t{y}\n", points.join(","));
    }
    folder.write("faces.tsv", list);
    let export =
        format!("model export --weights {BEST} --format safetensors --half --out half.safetensors");
    folder.succeed(&export.split(' ').collect::<Vec<_>>());
    let before = folder.bytes("half.safetensors");
    let calibrate = |more: &[&str]| {
        let args = "calibrate --weights half.safetensors --fit faces.tsv --test faces.tsv";
        let args: Vec<&str> = args.split(' ').collect();
        folder.succeed(&[&args[..], more].concat())
    };

    // Into a copy.
    let said = calibrate(&[
        "--held-out",
        "0.5",
        "--seed",
        "3",
        "--write",
        "c.safetensors",
    ]);
    assert_says(
        &said,
        &["calibrated weights: c.safetensors", "faces of faces.tsv"],
    );
    assert_eq!(before, folder.bytes("half.safetensors"));
    let info = folder.info("c.safetensors");
    assert_says(
        &info,
        &["faces of faces.tsv", "fraction 0.5, seed 3", "one pass"],
    );
    let after = folder.bytes("c.safetensors");
    let ((mut old, numbers), (mut new, same)) = (parts(&before), parts(&after));
    assert!(numbers == same, "f16, bit for bit");
    let strip = |header: &mut Value| {
        header
            .as_object_mut()
            .expect("a map")
            .remove("__metadata__")
    };
    assert_ne!(strip(&mut old), strip(&mut new));
    assert_eq!(old, new, "and the same list of tensors");
    assert_ne!(scales(&before), scales(&after));
    assert_multiplied(&folder, "c.safetensors");

    // Into the file itself, where `--write` has nothing behind it.
    calibrate(&["--held-out", "0.5", "--seed", "3", "--write"]);
    assert!(
        folder.bytes("half.safetensors") == after,
        "the same scales, the same bytes"
    );
    // Every face.
    calibrate(&["--write", "--json", "c.json"]);
    assert_says(
        &folder.info("half.safetensors"),
        &["9 faces of faces.tsv: all of them"],
    );
    let json: Value = serde_json::from_slice(&folder.bytes("c.json")).expect("JSON");
    let of_json: Vec<f64> = json["points"]
        .as_array()
        .expect("points")
        .iter()
        .map(|p| p["scale"].as_f64().expect("a scale"))
        .collect();
    assert_eq!(of_json, scales(&folder.bytes("half.safetensors")));

    let refused = |more: &[&str], says: &str| {
        let args = format!("calibrate --weights {BEST} --fit faces.tsv --test faces.tsv --write");
        let args: Vec<&str> = args.split(' ').collect();
        let message = folder.fail(&[&args[..], more].concat());
        assert!(message.contains(says), "{message}");
    };
    refused(&["faces.tsv"], "over itself");
    refused(&["f", "--csv", "f"], "the same file");
}

#[test]
fn a_file_without_scales_is_as_it_was() {
    let folder = trained();
    let calibrated = folder.bytes(BEST);
    folder.write("old.safetensors", saying(&calibrated, None));
    assert_says(&folder.info("old.safetensors"), &["not calibrated"]);
    let old = folder.predict("old.safetensors", &[]);
    assert_eq!(
        (&old["calibrated"], &old["version"]),
        (&json!(false), &json!(2))
    );
    let raw = folder.predict(BEST, &["--raw-covariance"]);
    assert_eq!(old["faces"], raw["faces"]);
}

#[test]
fn scales_that_are_no_measurement_are_refused_by_name() {
    let folder = trained();
    let file = folder.bytes(BEST);
    let with = |scales: &str| {
        format!(r#"{{"scales":{scales},"annotations":"a.tsv","faces":9,"protocol":"p"}}"#)
    };
    let others = |n: usize| vec!["1"; n].join(",");
    for (name, entry, says) in [
        ("few", with("[1,1]"), "for 2 points, and its network has 29"),
        ("many", with(&format!("[{}]", others(30))), "for 30 points"),
        (
            "nan",
            with(&format!("[NaN,{}]", others(28))),
            "cannot be read",
        ),
        (
            "null",
            with(&format!("[null,{}]", others(28))),
            "cannot be read",
        ),
        (
            "infinite",
            with(&format!("[1e999,{}]", others(28))),
            "cannot be read",
        ),
        (
            "negative",
            with(&format!("[1,-2,{}]", others(27))),
            "point 1 is -2",
        ),
        (
            "nothing",
            with(&format!("[0,{}]", others(28))),
            "point 0 is 0",
        ),
        (
            "huge",
            with(&format!("[1e300,{}]", others(28))),
            "point 0 is 1",
        ),
        (
            "long",
            with(&format!("[{}]", others(100_000))),
            "take at most",
        ),
        ("text", "scales".into(), "cannot be read"),
    ] {
        let name = format!("{name}.safetensors");
        folder.write(&name, saying(&file, Some(&entry)));
        let photo = "run/report/selection_faces.png";
        for args in [
            &["predict", photo, "--box", "1,1,50,50", "--weights", &name][..],
            &["model", "info", "--weights", &name],
        ] {
            let message = folder.fail(args);
            assert_says(&message, &[&name, says, "damaged or was changed"]);
            assert!(message.len() < 500, "{message}");
        }
    }
    assert!(!folder.join("predictions").exists(), "nothing half-done");
}

#[test]
fn ellipses_are_drawn_at_one_standard_deviation() {
    let folder = trained();
    let drawn = |more: &[&str]| {
        let photo = "run/report/selection_faces.png";
        let args = [
            "predict",
            photo,
            "--weights",
            BEST,
            "--box",
            "10,10,100,100",
        ];
        folder.succeed(&[&args[..], &["--overlay", "svg", "--out", "d"], more].concat());
        folder.bytes("d/selection_faces.svg")
    };
    let nothing_asked = drawn(&[]);
    assert!(nothing_asked == drawn(&["--sigma", "1"]));
    assert!(nothing_asked != drawn(&["--sigma", "2"]));
    assert!(nothing_asked != drawn(&["--raw-covariance"]));
}
