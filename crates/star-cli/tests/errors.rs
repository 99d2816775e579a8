//! Bad input: one paragraph with the file, the line and the fix, and never a panic.

mod support;

use support::{Folder, TINY, assert_says};

/// A tiny run's folder and its best weights (29 points).
fn trained() -> Folder {
    let folder = Folder::new();
    folder.write("tiny.toml", TINY);
    folder.succeed(&[
        "train",
        "--config",
        "tiny.toml",
        "--set",
        "train.epochs=1",
        "--set",
        "data.synth_test_faces=0",
        "--out",
        "run",
    ]);
    folder
}

const WEIGHTS: &str = "run/weights/best.safetensors";

#[test]
fn lists() {
    let folder = trained();
    let points = vec!["5.0"; 58].join(",");
    let five = ["0"; 10].join(",");
    let eval = ["eval", "--weights", WEIGHTS, "--annotations", "list.tsv"];

    folder.write("list.tsv", format!("no.png\t{five}\t{points}\t1\t30\t30\n"));
    assert_says(&folder.fail(&eval), &["list.tsv:1", "no.png"]);

    folder.write("list.tsv", format!("a.png\t{five}\t{points}\n"));
    assert_says(&folder.fail(&eval), &["list.tsv:1"]);

    let letter = points.replacen("5.0", "5.o", 1);
    folder.write("list.tsv", format!("a.png\t{five}\t{letter}\t1\t30\t30\n"));
    assert_says(&folder.fail(&eval), &["list.tsv:1", "5.o"]);

    let many = vec!["5.0"; 136].join(",");
    folder.write("list.tsv", format!("a.png\t{five}\t{many}\t1\t30\t30\n"));
    assert_says(&folder.fail(&eval), &["list.tsv:1", "29"]);

    folder.write("list.tsv", "");
    folder.fail(&eval);
    std::fs::remove_file(folder.join("list.tsv")).expect("remove");
    assert_says(&folder.fail(&eval), &["list.tsv"]);

    // An image that is none.
    folder.write("a.png", "not an image");
    folder.write("list.tsv", format!("a.png\t{five}\t{points}\t1\t30\t30\n"));
    assert_says(&folder.fail(&eval), &["a.png"]);
}

#[test]
fn weights() {
    let folder = trained();
    let golden = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../star-model/tests/golden/small_wflw_s4_c16.pkl");
    let golden = golden.to_str().expect("UTF-8");
    let output = folder.succeed(&["model", "import", golden, "--out", "ok.safetensors"]);
    assert_says(&output, &["98 points"]);

    let whole = std::fs::read(golden).expect("fixture");
    folder.write("cut.pkl", &whole[..whole.len() / 2]);
    assert_says(&folder.fail(&["model", "import", "cut.pkl"]), &["cut.pkl"]);
    folder.write("text.pkl", "these are not weights\n");
    assert_says(
        &folder.fail(&["model", "import", "text.pkl"]),
        &["text.pkl"],
    );
    assert_says(
        &folder.fail(&["model", "import", "none.pkl"]),
        &["none.pkl"],
    );
    assert_says(
        &folder.fail(&["model", "import", golden, "--layout", "ibug68"]),
        &["98 points", "ibug68", "68"],
    );

    // Weights of one layout on an annotation file of another, damaged weights, no weights at all.
    let best = std::fs::read(folder.join(WEIGHTS)).expect("weights");
    folder.write("cut.safetensors", &best[..best.len() - 10]);
    let predict = |weights: &str| {
        folder.fail(&[
            "predict",
            "--weights",
            weights,
            "run/report/selection_faces.png",
            "--box",
            "1,1,50,50",
        ])
    };
    assert_says(&predict("cut.safetensors"), &["cut.safetensors"]);
    assert_says(&predict("none.safetensors"), &["none.safetensors"]);
    assert_says(&predict("tiny.toml"), &["tiny.toml"]);
}

#[test]
fn weights_to_choose_among_are_those_of_a_checkpoint() {
    let folder = trained();
    let export = ["model", "export", "--format", "npz", "--out", "o.npz"];
    let which = ["--weights", WEIGHTS, "--which", "net_ema"];
    assert_says(
        &folder.fail(&[&export[..], &which].concat()),
        &["--which", WEIGHTS],
    );
    assert!(!folder.join("o.npz").exists(), "nothing half-done");
    folder.succeed(&[&export[..], &which[..2]].concat());
}

#[test]
fn nothing_is_written_over_what_is_read() {
    let folder = trained();
    let before = std::fs::read(folder.join(WEIGHTS)).expect("weights");
    let export = ["model", "export", "--format", "npz", "--weights", WEIGHTS];
    let over = folder.fail(&[&export[..], &["--out", WEIGHTS]].concat());
    assert_says(&over, &["over itself"]);
    assert_eq!(
        std::fs::read(folder.join(WEIGHTS)).expect("weights"),
        before
    );
}

#[test]
fn weights_that_are_not_numbers() {
    let folder = trained();
    let mut bytes = std::fs::read(folder.join(WEIGHTS)).expect("weights");
    // The last tensor's last number.
    let end = bytes.len();
    bytes[end - 4..].copy_from_slice(&f32::NAN.to_le_bytes());
    folder.write("nan.safetensors", bytes);
    let predict = [
        "predict",
        "a.png",
        "--box",
        "1,1,9,9",
        "--weights",
        "nan.safetensors",
    ];
    assert_says(&folder.fail(&predict), &["nan.safetensors", "not finite"]);
}

/// A file whose layout was exchanged: its points would be called what they are not.
#[test]
fn a_layout_that_is_not_the_networks_is_refused() {
    let folder = trained();
    let bytes = std::fs::read(folder.join(WEIGHTS)).expect("weights");
    let length = u64::from_le_bytes(bytes[..8].try_into().expect("8 bytes")) as usize;
    let mut header: serde_json::Value =
        serde_json::from_slice(&bytes[8..8 + length]).expect("JSON");
    for (layout, says) in [("wflw98", "29 points"), ("cofw29", "other points on them")] {
        let path = format!(
            "{}/../../configs/layouts/{layout}.toml",
            env!("CARGO_MANIFEST_DIR")
        );
        let text = std::fs::read_to_string(path).expect("a layout");
        // Of a layout with as many points: others on an edge.
        let changed = text.replacen("points = [0, 4, 2, 5]", "points = [0, 4, 2, 6]", 1);
        assert!(layout != "cofw29" || changed != text, "{text}");
        let text = changed;
        let own = header["__metadata__"]["star"].as_str().expect("ours");
        let mut own: serde_json::Value = serde_json::from_str(own).expect("JSON");
        assert!(own["star.layout"].is_string(), "{own}");
        own["star.layout"] = text.into();
        header["__metadata__"]["star"] = own.to_string().into();
        let text = header.to_string();
        let mut changed = (text.len() as u64).to_le_bytes().to_vec();
        changed.extend(text.as_bytes());
        changed.extend(&bytes[8 + length..]);
        folder.write("changed.safetensors", changed);
        let message = folder.fail(&[
            "predict",
            "a.png",
            "--box",
            "1,1,9,9",
            "--weights",
            "changed.safetensors",
        ]);
        assert_says(&message, &["changed.safetensors", says]);
    }
}

/// What could be read for ever, or waited for.
#[cfg(unix)]
#[test]
fn pipes_and_devices_are_no_files() {
    let folder = trained();
    let made = std::process::Command::new("mkfifo")
        .arg(folder.join("pipe"))
        .status();
    assert!(made.expect("mkfifo").success());
    for args in [
        &["data", "check", "pipe", "--layout", "cofw29"][..],
        &["model", "info", "--weights", "pipe"],
        &["model", "import", "/dev/zero"],
        &["train", "--config", "pipe"],
        &["eval", "--weights", WEIGHTS, "--annotations", "/dev/zero"],
        &["compare", "pipe", "/dev/zero"],
    ] {
        assert_says(&folder.fail(args), &["a pipe, a socket or a device"]);
    }
    let large = std::fs::File::create(folder.join("large.jpg")).expect("a file");
    large.set_len(40 << 30).expect("a sparse file");
    let output = folder.star(&[
        "predict",
        "pipe",
        "/dev/zero",
        "large.jpg",
        "--weights",
        WEIGHTS,
        "--box",
        "1,1,9,9",
    ]);
    assert_eq!(output.status.code(), Some(1));
    assert_says(
        &support::text(&output.stderr),
        &[
            "pipe: is a pipe",
            "3 of 3 images were left out",
            "at most 536870912",
        ],
    );
}

#[test]
fn recipes() {
    let folder = Folder::new();
    folder.write("bad.toml", "name = 'x'\n[train]\nepocs = 3\n");
    assert_says(
        &folder.fail(&["train", "--config", "bad.toml"]),
        &["bad.toml:3", "epocs"],
    );
    folder.write("tiny.toml", TINY);
    let set = |setting: &str| folder.fail(&["train", "--config", "tiny.toml", "--set", setting]);
    assert_says(&set("train.epocs=3"), &["epocs"]);
    assert_says(&set("train.epochs=many"), &["train.epochs=many"]);
    assert_says(&set("model.input_size=100"), &["100", "64"]);
    assert_says(&set("train.batch_size=1"), &["batch of one"]);
    assert_says(&set("train.precision=f16"), &["f16", "tf32", "bf16"]);
    assert_says(&set("layout=wflw99"), &["wflw99", "wflw98"]);
    assert_says(&set("data.synth.noise_along=7"), &["noise_along"]);
    assert_says(&set("data.test=t.tsv"), &["data.test", "data.source"]);
    // Faces that are named replace the synthetic ones: these are not there.
    assert_says(
        &set("data.train=mine.tsv"),
        &["data.train = \"mine.tsv\"", "star prepare"],
    );
    assert_says(
        &folder.fail(&["train", "--config", "no.toml"]),
        &["no.toml"],
    );
    assert_says(
        &folder.fail(&["train", "--resume", "nowhere"]),
        &["nowhere", "not a run"],
    );
    // Nothing that failed left a run behind.
    assert!(!folder.join("runs").exists());
}

#[cfg(not(feature = "cuda"))]
#[test]
fn a_backend_that_is_not_built_in() {
    let folder = Folder::new();
    folder.write("tiny.toml", TINY);
    assert_says(
        &folder.fail(&["train", "--config", "tiny.toml", "--backend", "cuda"]),
        &["cuda", "cargo xtask"],
    );
}

#[test]
fn boxes() {
    let folder = trained();
    let image = "run/report/selection_faces.png";
    let predict = |b: &str| folder.star(&["predict", "--weights", WEIGHTS, image, "--box", b]);
    for (b, says) in [
        ("9000,10,50,50", "outside the image"),
        ("-90,10,50,50", "outside the image"),
        ("1,2,3", "three numbers"),
        ("1,2,0,4", "above 0"),
        ("1,2,x,4", "not a number"),
        ("-9,2,1e30,4", "is in no image"),
    ] {
        let output = predict(b);
        let message = support::text(&output.stderr);
        assert!(!output.status.success(), "{b}");
        let says = if says == "three numbers" {
            "write four"
        } else {
            says
        };
        assert_says(&message, &[says]);
        assert!(!message.contains("panicked"), "{message}");
    }
    assert!(!folder.join("predictions").exists(), "nothing half-done");
}

#[test]
fn folders_without_faces() {
    let folder = Folder::new();
    assert_says(
        &folder.fail(&["prepare", "300w", "--root", "nowhere", "--out", "out"]),
        &["nowhere"],
    );
    std::fs::create_dir(folder.join("empty")).expect("folder");
    assert_says(
        &folder.fail(&["prepare", "300w", "--root", "empty", "--out", "out"]),
        &["empty"],
    );
}
