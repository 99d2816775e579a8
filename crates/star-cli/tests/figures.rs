//! `star calibrate`, `analyze` and `model export`, as a user types them.

mod support;

use support::{Folder, TINY, assert_says};

const WEIGHTS: &str = "run/weights/best.safetensors";

/// A folder with a network that has hardly learnt anything, and an annotation file of faces (29 points) on an image.
fn trained() -> Folder {
    let folder = Folder::new();
    folder.write("tiny.toml", TINY);
    let set = [
        "--set",
        "train.epochs=1",
        "--set",
        "data.synth_test_faces=0",
    ];
    let mut train = vec!["train", "--config", "tiny.toml", "--out", "run"];
    train.extend(set);
    folder.succeed(&train);

    let five = ["0"; 10].join(",");
    let mut list = String::new();
    for face in 0..9_u8 {
        let (x, y) = (40.0 + 3.0 * f64::from(face), 45.0 + 2.0 * f64::from(face));
        let points: Vec<String> = (0..29)
            .map(|i| {
                let angle = f64::from(i) * 0.9;
                format!(
                    "{:.2},{:.2}",
                    x + 20.0 * angle.cos(),
                    y + 20.0 * angle.sin()
                )
            })
            .collect();
        // Each face in an image of its own: faces of one image, or of its copies, are held out together.
        let mut image = std::fs::read(folder.join("run/report/selection_faces.png")).expect("PNG");
        image.resize(image.len() + usize::from(face), 0);
        folder.write(&format!("{face}.png"), image);
        list += &format!("{face}.png\t{five}\t{}\t0.3\t{x}\t{y}\n", points.join(","));
    }
    folder.write("faces.tsv", list);
    folder
}

#[test]
fn calibrate_and_analyze_leave_their_tables() {
    let folder = trained();
    let calibrate = [
        "calibrate",
        "--weights",
        WEIGHTS,
        "--fit",
        "faces.tsv",
        "--held-out",
        "0.5",
        "--test",
        "faces.tsv",
        "--json",
        "c.json",
        "--csv",
        "c.csv",
    ];
    let table = folder.succeed(&calibrate);
    assert!(
        table.contains("9 test faces") && table.contains("39.3   86.5   98.9"),
        "{table}"
    );
    let read = |name: &str| std::fs::read_to_string(folder.join(name)).expect(name);
    let json: serde_json::Value = serde_json::from_str(&read("c.json")).expect("JSON");
    assert_eq!(json["points"].as_array().map(Vec::len), Some(29));
    assert!(json["fit_faces"] == 5 || json["fit_faces"] == 4, "{json}");
    assert_eq!(read("c.csv").lines().count(), 30);

    let analyze = [
        "analyze",
        "--weights",
        WEIGHTS,
        "--annotations",
        "faces.tsv",
        "--out",
        "a",
    ];
    let table = folder.succeed(&analyze);
    assert!(
        table.contains("9 faces, cofw29") && table.contains("corner"),
        "{table}"
    );
    assert_eq!(read("a/points.csv").lines().count(), 30);
    for name in ["anisotropy", "ellipses", "anisotropy_error", "hard_faces"] {
        assert!(read(&format!("a/{name}.svg")).starts_with("<svg"), "{name}");
    }
    let json: serde_json::Value = serde_json::from_str(&read("a/analysis.json")).expect("JSON");
    assert_eq!(json["parts"].as_array().map(Vec::len), Some(4));
    // The same faces, the same bytes.
    let before = read("a/analysis.json") + &read("a/ellipses.svg");
    folder.succeed(&analyze);
    assert_eq!(before, read("a/analysis.json") + &read("a/ellipses.svg"));

    folder.write("none.tsv", "");
    let mut nothing = calibrate;
    nothing[4] = "none.tsv";
    assert!(folder.fail(&nothing).contains("none.tsv"));
}

#[test]
fn weights_leave_in_every_form() {
    let folder = trained();
    let export = |format: &str, out: &str| {
        folder.succeed(&[
            "model",
            "export",
            "--weights",
            WEIGHTS,
            "--format",
            format,
            "--out",
            out,
        ])
    };
    export("safetensors", "same.safetensors");
    let read = |name: &str| std::fs::read(folder.join(name)).expect("a file");
    assert!(
        read("same.safetensors") == read(WEIGHTS),
        "a copy in full precision"
    );
    export("pytorch-safetensors", "torch.safetensors");
    export("npz", "arrays.npz");
    assert!(read("arrays.npz").starts_with(b"PK\x03\x04"));

    folder.succeed(&[
        "model",
        "export",
        "--weights",
        WEIGHTS,
        "--format",
        "safetensors",
        "--half",
        "--out",
        "half.safetensors",
    ]);
    assert!(read("half.safetensors").len() < read(WEIGHTS).len());
    let info = folder.succeed(&["model", "info", "--weights", "half.safetensors"]);
    assert!(
        info.contains("cofw29"),
        "layout and provenance stay: {info}"
    );

    let message = folder.fail(&[
        "model",
        "export",
        "--weights",
        WEIGHTS,
        "--format",
        "npz",
        "--half",
        "--out",
        "x.npz",
    ]);
    assert!(message.contains("--half"), "{message}");
    let golden = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../star-model/tests/golden/small_wflw_s4_c16.pkl"
    );
    let pkl = |format: &'static str, out: &'static str| {
        [
            "model",
            "export",
            "--weights",
            golden,
            "--format",
            format,
            "--out",
            out,
        ]
    };
    folder.succeed(&pkl("pytorch-safetensors", "published.safetensors"));
    assert!(
        folder
            .fail(&pkl("safetensors", "x"))
            .contains("model import")
    );
}

/// What is exported for PyTorch comes back in by the name that a user has for it, and the terminal says where it was.
#[test]
fn a_bare_state_dictionary_is_imported() {
    let folder = Folder::new();
    let pkl = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../star-model/tests/golden/small_wflw_s4_c16.pkl"
    );
    let npz = |weights: &str| {
        let args = ["model", "export", "--weights", weights, "--format", "npz"];
        folder.succeed(&[&args[..], &["--out", "x.npz"]].concat());
        std::fs::read(folder.join("x.npz")).unwrap()
    };
    folder.succeed(&["model", "import", pkl, "--out", "plain.safetensors"]);
    let export = ["model", "export", "--weights", pkl, "--format"];
    let bare = ["pytorch-safetensors", "--out", "bare.safetensors"];
    folder.succeed(&[&export[..], &bare].concat());
    let said = folder.succeed(&["model", "import", "bare.safetensors"]);
    assert_says(
        &said,
        &[
            "bare.safetensors: weights taken from the top level",
            "98 points, 4 stacks, 16 channels, layout wflw98, written to bare.star.safetensors",
        ],
    );
    assert!(npz("bare.star.safetensors") == npz("plain.safetensors"));
    assert_says(
        &folder.fail(&["model", "import", "bare.star.safetensors"]),
        &["needs no import"],
    );
    assert_says(
        &folder.fail(&[
            "eval",
            "--weights",
            "bare.safetensors",
            "--annotations",
            "x.tsv",
        ]),
        &["star model import"],
    );
}
