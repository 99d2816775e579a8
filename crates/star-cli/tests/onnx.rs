//! `star model export --format onnx`, as a user types it. What the files compute is held against ONNX Runtime by
//! `benches/peers/check_onnx.py`, and by the tests of star-onnx.

mod support;

use support::{Folder, assert_says, text};

const SHIPPED: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../models/ibug68-small.safetensors"
);
const PKL: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../star-model/tests/golden/small_wflw_s4_c16.pkl"
);

fn export<'a>(weights: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let args = ["model", "export", "--weights", weights, "--format", "onnx"];
    [&args, more].concat()
}

#[test]
fn networks_become_onnx_files() {
    let folder = Folder::new();
    let size = |name: &str| std::fs::metadata(folder.join(name)).unwrap().len();
    let said = folder.succeed(&export(SHIPPED, &["--out", "full.onnx"]));
    assert_says(
        &said,
        &[
            "full.onnx: opset 17, f32",
            "image [batch, 3, 128, 128] in; landmarks, heatmaps and covariance of 68 points out",
            "the calibration of its covariances goes with it",
        ],
    );
    let said = folder.succeed(&export(
        SHIPPED,
        &["--half", "--opset", "18", "--out", "half.onnx"],
    ));
    assert_says(&said, &["half.onnx: opset 18, f16"]);
    assert!(size("half.onnx") < size("full.onnx") * 7 / 10);

    // What a program finds in the file, in plain text.
    let file = text(&std::fs::read(folder.join("full.onnx")).unwrap());
    assert_says(
        &file,
        &[
            "star.layout",
            "ibug68",
            "star.edges",
            r#""name":"#,
            "star.mirror_pairs",
            "[[0,16],[1,15]",
            "star.crop",
            r#""side":"longest""#,
            "star.normalisation",
            "(value - 127.5) / 127.5",
            "star.colour_order",
            "BGR",
            "star.covariance",
            r#""scales":["#,
            "star.provenance",
            env!("CARGO_PKG_VERSION"),
        ],
    );
    // The same weights make the same file.
    folder.succeed(&export(SHIPPED, &["--out", "again.onnx"]));
    let read = |name: &str| std::fs::read(folder.join(name)).unwrap();
    assert!(read("again.onnx") == read("full.onnx"));

    // A checkpoint is exported as what its import would be.
    let said = folder.succeed(&export(
        PKL,
        &["--which", "net_ema", "--out", "direct.onnx"],
    ));
    assert_says(&said, &["98 points out"]);
    folder.succeed(&[
        "model",
        "import",
        PKL,
        "--which",
        "net_ema",
        "--out",
        "ema.safetensors",
    ]);
    folder.succeed(&export("ema.safetensors", &["--out", "imported.onnx"]));
    assert!(read("direct.onnx") == read("imported.onnx"));
}

#[test]
fn what_cannot_be_exported_is_said() {
    let folder = Folder::new();
    for opset in ["12", "23", "-1"] {
        assert_says(
            &folder.fail(&export(SHIPPED, &["--opset", opset, "--out", "x.onnx"])),
            &[&format!("opset {opset} is not"), "from 13 to 22"],
        );
    }
    assert_says(
        &folder.fail(&[
            "model",
            "export",
            "--weights",
            SHIPPED,
            "--format",
            "npz",
            "--opset",
            "17",
            "--out",
            "x",
        ]),
        &["--opset is for --format onnx"],
    );
    assert_says(
        &folder.fail(&export(SHIPPED, &["--which", "net", "--out", "x.onnx"])),
        &["--which chooses among the weights of a published .pkl"],
    );
    folder.write("text.safetensors", "these are no weights\n");
    assert_says(
        &folder.fail(&export("text.safetensors", &["--out", "x.onnx"])),
        &["text.safetensors", "not a safetensors file"],
    );
    assert_says(
        &folder.fail(&export("none.safetensors", &["--out", "x.onnx"])),
        &["none.safetensors"],
    );
    assert!(!folder.join("x.onnx").exists());
    let unknown = folder.star(&[
        "model",
        "export",
        "--weights",
        SHIPPED,
        "--format",
        "onxx",
        "--out",
        "x.onnx",
    ]);
    assert!(!unknown.status.success());
    assert_says(
        &text(&unknown.stderr),
        &["invalid value 'onxx'", "onnx", "npz"],
    );
}
