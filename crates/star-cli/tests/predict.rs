//! `star predict`: every kind of input and of result, with a network that has learnt next to nothing.

mod support;

use std::{
    io::Write,
    process::{Output, Stdio},
    sync::OnceLock,
};

use image::RgbImage;
use serde_json::Value;
use support::{Folder, TINY, text, with_layout_named};

const POINTS: usize = 29;

/// A folder with `w` (weights of 29 points), `face.jpg` (one face, 512 x 512) and `none.png` (no face).
fn folder() -> Folder {
    static WEIGHTS: OnceLock<Vec<u8>> = OnceLock::new();
    let folder = Folder::new();
    let weights = WEIGHTS.get_or_init(|| {
        let folder = Folder::new();
        folder.write("tiny.toml", TINY);
        let settings = [
            "--set",
            "train.epochs=1",
            "--set",
            "data.synth_test_faces=0",
        ];
        let train = ["train", "--config", "tiny.toml", "--out", "run"];
        folder.succeed(&[&train[..], &settings].concat());
        std::fs::read(folder.join("run/weights/best.safetensors")).expect("weights")
    });
    folder.write("w", weights);
    folder.write("face.jpg", include_bytes!("../../../docs/astronaut.jpg"));
    let grey = RgbImage::from_pixel(90, 70, image::Rgb([120; 3]));
    grey.save(folder.join("none.png")).expect("an image");
    folder
}

#[test]
fn an_image_is_not_replaced_by_its_drawing() {
    let folder = folder();
    let before = std::fs::read(folder.join("none.png")).expect("an image");
    let output = predict(&folder, &["none.png", "--out", "."]);
    assert!(!output.status.success());
    let message = text(&output.stderr);
    assert!(message.contains("none.png"), "{message}");
    assert_eq!(
        std::fs::read(folder.join("none.png")).expect("an image"),
        before
    );
    succeed(&folder, &["none.png", "--out", ".", "--overlay", "none"]);
    assert!(folder.join("none.json").is_file());
}

#[test]
fn a_folder_for_images_needs_an_annotation_file() {
    let folder = folder();
    let output = predict(&folder, &["none.png", "--images", "."]);
    assert!(!output.status.success());
    let message = text(&output.stderr);
    assert!(message.contains("--annotations"), "{message}");
}

/// The astronaut's face and little around it.
fn portrait() -> RgbImage {
    let whole = image::load_from_memory(include_bytes!("../../../docs/astronaut.jpg"));
    whole
        .expect("an image")
        .crop_imm(130, 20, 190, 190)
        .into_rgb8()
}

fn predict(folder: &Folder, args: &[&str]) -> Output {
    folder.star(&[&["predict", "--weights", "w"][..], args].concat())
}

#[track_caller]
fn succeed(folder: &Folder, args: &[&str]) -> String {
    folder.succeed(&[&["predict", "--weights", "w"][..], args].concat())
}

#[track_caller]
fn json(folder: &Folder, name: &str) -> Value {
    serde_json::from_slice(&read(folder, name)).expect("JSON")
}

#[track_caller]
fn read(folder: &Folder, name: &str) -> Vec<u8> {
    std::fs::read(folder.join(name)).unwrap_or_else(|e| panic!("{name}: {e}"))
}

fn points(face: &Value) -> Vec<[f64; 2]> {
    let number = |v: &Value| v.as_f64().expect("a number");
    let all = face["points"].as_array().expect("points");
    all.iter()
        .map(|p| [number(&p["x"]), number(&p["y"])])
        .collect()
}

#[track_caller]
fn assert_near(a: &[[f64; 2]], b: &[[f64; 2]], tolerance: f64) {
    assert_eq!(a.len(), b.len());
    for (a, b) in a.iter().zip(b) {
        let apart = (a[0] - b[0]).hypot(a[1] - b[1]);
        assert!(apart <= tolerance, "{a:?} and {b:?}");
    }
}

#[test]
fn nothing_but_a_photo_in_every_format() {
    let folder = folder();
    let all = [
        "face.jpg",
        "--format",
        "json,jsonl,csv,pts",
        "--overlay",
        "png,svg",
        "--out",
    ];
    let said = succeed(
        &folder,
        &[&all[..], &["a", "--draw", "points,edges,numbers,ellipses"]].concat(),
    );
    assert!(said.contains("face.jpg: 1 face"), "{said}");

    let document = json(&folder, "a/face.json");
    assert_eq!(document["version"], 2);
    assert_eq!(document["width"], 512);
    let face = &document["faces"][0];
    let truth = points(face);
    assert_eq!(truth.len(), POINTS);
    assert_eq!(face["covariance"].as_array().map(Vec::len), Some(POINTS));
    // Where her face is.
    let side = |key: &str| face["detected"][key].as_f64().expect("a number");
    let middle = (side("x") + side("w") / 2.0, side("y") + side("h") / 2.0);
    assert!(
        (middle.0 - 225.0).hypot(middle.1 - 115.0) < 30.0,
        "{middle:?}"
    );
    assert!((60.0..180.0).contains(&side("w")));

    let lines = text(&read(&folder, "a/predictions.jsonl"));
    assert_eq!(lines.lines().count(), 1);
    assert_eq!(
        serde_json::from_str::<Value>(&lines).expect("JSON"),
        document
    );

    let csv = text(&read(&folder, "a/predictions.csv"));
    let rows: Vec<Vec<&str>> = csv.lines().map(|l| l.split(',').collect()).collect();
    assert_eq!(rows.len(), 2);
    assert_eq!(rows[0].len(), rows[1].len());
    assert_eq!(rows[0][rows[0].len() - 1], "y28");
    let numbers: Vec<f64> = rows[1][8..]
        .iter()
        .map(|n| n.parse().expect("a number"))
        .collect();
    let of_csv: Vec<[f64; 2]> = numbers.chunks_exact(2).map(|p| [p[0], p[1]]).collect();
    assert_near(&of_csv, &truth, 1e-3);

    let pts = text(&read(&folder, "a/face.pts"));
    let of_pts: Vec<[f64; 2]> = pts
        .lines()
        .skip(3)
        .take(POINTS)
        .map(|line| {
            let p: Vec<f64> = line
                .split(' ')
                .map(|n| n.parse().expect("a number"))
                .collect();
            [p[0] - 1.0, p[1] - 1.0]
        })
        .collect();
    assert_near(&of_pts, &truth, 1e-3);
    assert!(pts.starts_with("version: 1\nn_points: 29\n{\n") && pts.ends_with("\n}\n"));

    let svg = text(&read(&folder, "a/face.svg"));
    assert!(
        svg.contains("href=\"data:image/jpeg;base64,/9j/"),
        "no image inside"
    );
    for shape in ["<circle", "<ellipse", "<path", ">28</text>", "1σ"] {
        assert!(svg.contains(shape), "no {shape}");
    }
    let png = image::load_from_memory(&read(&folder, "a/face.png")).expect("an image");
    assert!(png.width() == 512 && png.height() > 512, "a legend below");

    // Again: the same bytes. And no file is left half-written.
    succeed(
        &folder,
        &[&all[..], &["b", "--draw", "points,edges,numbers,ellipses"]].concat(),
    );
    let mut files: Vec<_> = std::fs::read_dir(folder.join("a"))
        .expect("folder")
        .map(|e| e.expect("entry").file_name().into_string().expect("UTF-8"))
        .collect();
    files.sort();
    let expected = [
        "face.json",
        "face.png",
        "face.pts",
        "face.svg",
        "predictions.csv",
        "predictions.jsonl",
    ];
    assert_eq!(files, expected);
    for file in expected {
        assert!(
            read(&folder, &format!("a/{file}")) == read(&folder, &format!("b/{file}")),
            "{file}"
        );
    }
}

#[test]
fn what_is_drawn_can_be_chosen() {
    let folder = folder();
    let draw = |parts: &str, out: &str| {
        let args = [
            "face.jpg",
            "--format",
            "csv",
            "--overlay",
            "svg",
            "--draw",
            parts,
            "--out",
            out,
        ];
        succeed(&folder, &args);
        text(&read(&folder, &format!("{out}/face.svg")))
    };
    let edges = draw("edges", "e");
    assert!(edges.contains("<path") && !edges.contains("<circle") && !edges.contains("<ellipse"));
    let points = draw("points", "p");
    assert!(points.contains("<circle") && !points.contains("<path") && !points.contains("<text"));
    assert!(!folder.join("p/face.json").exists());
}

#[test]
fn broken_files_do_not_stop_the_others() {
    let folder = folder();
    folder.write("broken.jpg", "not an image");
    let output = predict(
        &folder,
        &["broken.jpg", "none.png", "missing.jpg", "face.jpg"],
    );
    assert_eq!(output.status.code(), Some(1));
    let (said, errors) = (text(&output.stdout), text(&output.stderr));
    assert!(said.contains("none.png: no face found"), "{said}");
    assert!(
        said.contains("2 images, 1 faces, 1 without a face, 2 not read"),
        "{said}"
    );
    let (_, end) = errors
        .split_once("2 of 4 images were left out:")
        .expect("a list at the end");
    assert!(
        end.contains("broken.jpg") && end.contains("missing.jpg"),
        "{errors}"
    );
    assert_eq!(
        json(&folder, "predictions/none.json")["faces"],
        Value::Array(vec![])
    );
    assert_eq!(
        json(&folder, "predictions/face.json")["faces"]
            .as_array()
            .map(Vec::len),
        Some(1)
    );
    assert!(!folder.join("predictions/broken.json").exists());
}

/// The images of a JSON Lines file, in its order.
fn images(folder: &Folder, out: &str) -> Vec<String> {
    text(&read(folder, &format!("{out}/predictions.jsonl")))
        .lines()
        .map(|line| {
            let line: Value = serde_json::from_str(line).expect("JSON");
            line["image"].as_str().expect("text").replace('\\', "/")
        })
        .collect()
}

#[test]
fn folders_patterns_and_names_from_standard_input() {
    let folder = folder();
    std::fs::create_dir_all(folder.join("in/deep")).expect("folders");
    for name in [
        "in/f10.png",
        "in/f2.png",
        "in/deep/f2.PNG",
        "in/.hidden.png",
        "in/notes.txt",
    ] {
        std::fs::copy(folder.join("none.png"), folder.join(name)).expect("copy");
    }
    let quiet = ["--format", "jsonl,json", "--overlay", "none", "--out"];
    let sorted = ["in/deep/f2.PNG", "in/f2.png", "in/f10.png"];

    // The results lie inside the folder: they are not looked at the second time.
    for _ in 0..2 {
        succeed(&folder, &[&["in"][..], &quiet, &["in/out"]].concat());
        assert_eq!(images(&folder, "in/out"), sorted);
    }
    // Two images of one name.
    assert_eq!(json(&folder, "in/out/f2-2.json")["image"], "in/f2.png");

    succeed(&folder, &[&["in/f*.png"][..], &quiet, &["g"]].concat());
    assert_eq!(images(&folder, "g"), sorted[1..]);
    succeed(&folder, &[&["in/**/f2*"][..], &quiet, &["h"]].concat());
    assert_eq!(images(&folder, "h"), sorted[..2]);

    let output = feed(
        &folder,
        &[&["face.jpg", "-"][..], &quiet, &["s"]].concat(),
        b"in/f10.png\r\n\nnone.png\n",
    );
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert_eq!(images(&folder, "s"), ["face.jpg", "in/f10.png", "none.png"]);
}

/// Runs `star predict` with something on standard input.
fn feed(folder: &Folder, args: &[&str], input: &[u8]) -> Output {
    let mut running = folder
        .command(&[&["predict", "--weights", "w"][..], args].concat())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("star starts");
    let mut stdin = running.stdin.take().expect("a pipe");
    stdin.write_all(input).expect("star reads");
    drop(stdin);
    running.wait_with_output().expect("star ends")
}

#[test]
fn alone_or_among_others_a_face_gets_the_same_points() {
    let folder = folder();
    let face = portrait();
    std::fs::create_dir(folder.join("in")).expect("folder");
    for i in 0..20 {
        face.save(folder.join(&format!("in/{i}.png")))
            .expect("an image");
    }
    let quiet = ["--overlay", "none", "--out"];
    succeed(&folder, &[&["in"][..], &quiet, &["many"]].concat());
    succeed(&folder, &[&["in/3.png"][..], &quiet, &["one"]].concat());
    let one = points(&json(&folder, "one/3.json")["faces"][0]);
    for i in [0, 3, 15, 16, 19] {
        let among = points(&json(&folder, &format!("many/{i}.json"))["faces"][0]);
        assert_near(&among, &one, 1e-2);
    }
}

#[test]
fn boxes_passes_and_the_most_faces() {
    let folder = folder();
    let with = |args: &[&str], out: &str| {
        let quiet = ["face.jpg", "--overlay", "none", "--out", out];
        succeed(&folder, &[&quiet[..], args].concat());
        json(&folder, &format!("{out}/face.json"))["faces"].clone()
    };
    let boxes = with(&["--box", "170,60,100,110", "--box", "-5,-5,300,300"], "b");
    assert_eq!(boxes.as_array().map(Vec::len), Some(2));
    assert!(boxes[0]["detected"].is_null());
    // The weights know how wide the crops were that they were trained on: synthetic ones, 1.3 times the box.
    assert_eq!(boxes[0]["crop"][2], 143.0);
    let tight = with(&["--box", "170,60,100,110", "--margin", "1"], "t");
    let side = tight[0]["crop"][2].as_f64().expect("a number");
    assert!((side - 110.0).abs() < 1e-9, "{side}");

    let found = with(&["--max-faces", "1"], "m");
    let again = with(&["--passes", "2"], "p");
    assert_eq!(found.as_array().map(Vec::len), Some(1));
    // The second pass sees the box of the first one's points, 1.3 times as wide.
    let first = points(&found[0]);
    let span = |axis: usize| {
        let values = || first.iter().map(|p| p[axis]);
        values().fold(f64::MIN, f64::max) - values().fold(f64::MAX, f64::min)
    };
    let crop = again[0]["crop"][2].as_f64().expect("a number");
    assert!((crop - 1.3 * span(0).max(span(1))).abs() < 1e-6, "{crop}");
}

#[test]
fn a_video_of_images_and_one_from_a_pipe() {
    let folder = folder();
    let face = portrait();
    std::fs::create_dir(folder.join("v")).expect("folder");
    let mut raw = Vec::new();
    for i in 0..4u32 {
        let mut frame = RgbImage::new(200, 200);
        image::imageops::replace(&mut frame, &face, i64::from(2 * i), 5);
        frame
            .save(folder.join(&format!("v/frame{i}.png")))
            .expect("an image");
        raw.extend_from_slice(frame.as_raw());
    }
    // Whatever this network scores is good enough, so that the face is followed.
    let track = [
        "--track",
        "--track-score",
        "0",
        "--format",
        "jsonl",
        "--overlay",
        "none",
        "--out",
    ];
    succeed(&folder, &[&["v"][..], &track, &["t"]].concat());
    succeed(&folder, &[&["v", "--smooth"][..], &track, &["u"]].concat());
    let faces = |out: &str| -> Vec<Value> {
        text(&read(&folder, &format!("{out}/predictions.jsonl")))
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).expect("JSON")["faces"][0].clone())
            .collect()
    };
    let (plain, smooth) = (faces("t"), faces("u"));
    assert_eq!(plain.len(), 4);
    assert!(plain.iter().all(|f| f["track"] == 1));
    // The detector was asked once.
    assert!(!plain[0]["detected"].is_null());
    assert!(plain[1..].iter().all(|f| f["detected"].is_null()));
    assert_near(&points(&plain[0]), &points(&smooth[0]), 0.0);
    assert_ne!(points(&plain[3]), points(&smooth[3]));

    // The same frames from a pipe, and then half a frame more.
    raw.extend(vec![0; 7]);
    let piped = [&["--raw-video", "200x200"][..], &track, &["r"]].concat();
    let output = feed(&folder, &piped, &raw);
    assert_eq!(output.status.code(), Some(1));
    let errors = text(&output.stderr);
    assert!(
        errors.contains("frame-000005") && errors.contains("7 of 120000 bytes"),
        "{errors}"
    );
    let piped = faces("r");
    assert_eq!(piped.len(), 4);
    for (a, b) in piped.iter().zip(&plain) {
        assert_near(&points(a), &points(b), 1e-6);
    }
}

#[test]
fn boxes_are_for_raw_frames_too() {
    let folder = folder();
    let whole = image::load_from_memory(&read(&folder, "face.jpg"));
    let frame = whole.expect("an image").into_rgb8();
    let frames = [&frame.as_raw()[..], frame.as_raw()].concat();
    // Of a layout that the detector cannot find.
    folder.write("w", with_layout_named(&read(&folder, "w"), "beetle"));
    let boxes = ["--box", "170,60,100,110", "--box", "-5,-5,300,300"];
    let raw = ["--raw-video", "512x512", "--overlay", "none"];
    let output = feed(&folder, &[&raw[..], &boxes].concat(), &frames);
    assert!(output.status.success(), "{}", text(&output.stderr));
    // JPEG is decoded once: as a file it gives the same pixels.
    frame.save(folder.join("frame.png")).expect("an image");
    succeed(&folder, &[&["frame.png"][..], &boxes].concat());
    let as_file = json(&folder, "predictions/frame.json")["faces"].clone();
    assert_eq!(as_file.as_array().map(Vec::len), Some(2));
    for name in ["frame-000001", "frame-000002"] {
        let faces = &json(&folder, &format!("predictions/{name}.json"))["faces"];
        assert_eq!(*faces, as_file, "{name}");
    }
    let message = text(&feed(&folder, &raw, b"").stderr);
    assert!(message.contains("--box"), "{message}");
}

/// The second face of one image and the first of another would have one name.
#[test]
fn every_face_has_a_file_of_its_own() {
    let folder = folder();
    std::fs::create_dir(folder.join("in")).expect("folder");
    let face = portrait();
    face.save(folder.join("in/photo.png")).expect("an image");
    let mirrored = image::imageops::flip_horizontal(&face);
    mirrored
        .save(folder.join("in/photo-2.png"))
        .expect("an image");
    let args = ["--box", "40,40,100,110", "--box", "20,20,150,150"];
    let formats = ["--format", "json,jsonl,csv,pts", "--overlay", "svg"];
    // A name that sorts before comes first in the folder, and last here.
    for (order, out) in [
        (&["in"][..], "a"),
        (&["in/photo.png", "in/photo-2.png"], "b"),
    ] {
        let said = succeed(&folder, &[order, &args, &formats, &["--out", out]].concat());
        let mut point_files = 0;
        for name in ["photo", "photo-2"] {
            let document = json(&folder, &format!("{out}/{name}.json"));
            assert_eq!(document["image"], format!("in/{name}.png"));
            let svg = text(&read(&folder, &format!("{out}/{name}.svg")));
            assert!(svg.contains(&format!("in/{name}.png")), "{out}/{name}.svg");
            // What the line of this image names holds its faces, in their order.
            let begins = format!("in/{name}.png: ");
            let line = said.lines().find_map(|l| l.strip_prefix(&begins));
            let (_, files) = line.and_then(|l| l.split_once(" -> ")).expect("files");
            let pts: Vec<&str> = files.split(", ").filter(|f| f.ends_with(".pts")).collect();
            let faces = document["faces"].as_array().expect("faces");
            assert_eq!((pts.len(), faces.len()), (2, 2), "{files}");
            for (file, face) in pts.iter().zip(faces) {
                let written = text(&read(&folder, file));
                let expected: Vec<String> = (points(face).iter())
                    .map(|[x, y]| format!("{:.4} {:.4}", x + 1.0, y + 1.0))
                    .collect();
                let lines: Vec<&str> = written.lines().skip(3).take(POINTS).collect();
                assert_eq!(lines, expected, "{file}");
                point_files += 1;
            }
        }
        assert_eq!(point_files, 4);
        let left: Vec<String> = std::fs::read_dir(folder.join(out))
            .expect("folder")
            .map(|e| e.expect("entry").file_name().into_string().expect("UTF-8"))
            .collect();
        // 4 .pts, and a .json and .svg each, and one .jsonl and .csv for both: nothing temporary.
        assert_eq!(left.len(), 4 + 4 + 2, "{left:?}");
    }
}

/// Two processes may write into one folder at the same time.
#[test]
fn files_for_all_images_have_no_temporary_name_that_another_process_would_use() {
    let folder = folder();
    let out = folder.join("predictions");
    for name in ["predictions.jsonl", "predictions.csv"] {
        std::fs::create_dir_all(&out).expect("folder");
        std::fs::write(out.join(format!("{name}.partial")), "another's").expect("a file");
    }
    let args = [
        "none.png",
        "face.jpg",
        "--format",
        "jsonl,csv",
        "--overlay",
        "none",
    ];
    succeed(&folder, &args);
    assert_eq!(images(&folder, "predictions"), ["none.png", "face.jpg"]);
    for name in ["predictions.jsonl", "predictions.csv"] {
        let others = read(&folder, &format!("predictions/{name}.partial"));
        assert_eq!(text(&others), "another's");
    }
}

#[test]
fn what_cannot_be_meant_is_refused() {
    let folder = folder();
    std::fs::create_dir(folder.join("empty")).expect("folder");
    for (args, says) in [
        (&["no*.jpg"][..], "no image matches"),
        (&["a[.jpg"], "not a pattern"),
        (&["empty"], "no images in this folder"),
        (&["face.jpg", "--overlay", "none,png"], "none"),
        (&["face.jpg", "--smooth"], "--track"),
        (&["face.jpg", "--passes", "6"], "1..=5"),
        (&["face.jpg", "--sigma", "0"], "above 0"),
        (&["face.jpg", "--raw-video", "4x4"], "cannot be used with"),
        (&["--raw-video", "4x0"], "WIDTHxHEIGHT"),
        (&["face.jpg", "--format", "xml"], "jsonl"),
        (&["--annotations", "l.tsv", "--margin", "1.5"], "--passes 2"),
        (
            &["face.jpg", "--overlay", "none", "--draw", "edges"],
            "--draw",
        ),
        (
            &["face.jpg", "--overlay", "none", "--sigma", "1"],
            "--sigma",
        ),
        (&["face.jpg", "--draw", "points", "--sigma", "1"], "--sigma"),
        (&[], "PHOTO"),
    ] {
        let output = predict(&folder, args);
        let message = text(&output.stderr);
        assert!(!output.status.success(), "{args:?}");
        assert!(message.contains(says), "{args:?} lacks `{says}`: {message}");
        assert!(!message.contains("panicked"), "{message}");
    }
    assert!(!folder.join("predictions").exists(), "nothing half-done");
}

#[test]
fn places_for_results_are_tried_before_the_work() {
    let folder = folder();
    for out in ["face.jpg", "face.jpg/deeper"] {
        let message = folder.fail(&["predict", "none.png", "--weights", "w", "--out", out]);
        assert!(
            message.contains("results cannot be written to face.jpg"),
            "{message}"
        );
    }
    // Folders that are not there yet are made, but not to find that out.
    succeed(&folder, &["none.png", "--out", "x/y/z"]);
    assert!(folder.join("x/y/z/none.json").is_file());
    folder.fail(&["predict", "no*.jpg", "--weights", "w", "--out", "v/w"]);
    assert!(!folder.join("v").exists());
    // Before anything is read: neither weights nor lists are there.
    for args in [
        &["eval", "--annotations", "l", "--json", "none/figures.json"][..],
        &["eval", "--annotations", "l", "--report", "face.jpg"],
        &[
            "calibrate",
            "--fit",
            "l",
            "--test",
            "l",
            "--csv",
            "none/points.csv",
        ],
        &["analyze", "--annotations", "l", "--out", "face.jpg"],
    ] {
        let message = folder.fail(&[args, &["--weights", "missing", "--images", "."]].concat());
        assert!(message.contains("results cannot be written"), "{message}");
    }
}

#[test]
fn nothing_on_standard_input_is_told() {
    let folder = folder();
    for (args, says) in [
        (&["-"][..], "standard input was empty"),
        (&["--raw-video", "4x4"], "no frame"),
    ] {
        let output = feed(&folder, args, b"");
        let message = text(&output.stderr);
        assert!(
            !output.status.success() && message.contains(says),
            "{message}"
        );
        assert!(!folder.join("predictions").exists(), "nothing half-done");
    }
    // Blank lines name nothing either; a name among them does.
    assert!(!feed(&folder, &["-"], b"\n\n").status.success());
    assert!(feed(&folder, &["-"], b"\nnone.png\n").status.success());
}

#[test]
fn the_face_detector_is_for_faces() {
    let folder = folder();
    let weights = with_layout_named(&read(&folder, "w"), "beetle");
    folder.write("w", weights);
    let message = folder.fail(&["predict", "face.jpg", "--weights", "w"]);
    for says in ["`beetle`", "--box", "--find-faces"] {
        assert!(message.contains(says), "{message} lacks {says}");
    }
    assert!(!folder.join("predictions").exists(), "nothing half-done");
    succeed(&folder, &["face.jpg", "--box", "170,60,100,110"]);
    assert_eq!(json(&folder, "predictions/face.json")["layout"], "beetle");
    let said = succeed(&folder, &["face.jpg", "--find-faces"]);
    assert!(said.contains("1 face"), "{said}");
}

/// The program needs nothing beside itself: an empty folder has neither weights nor recipes.
#[test]
fn without_weights_the_built_in_ones_find_a_face() {
    let folder = folder();
    let astronaut =
        std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/astronaut.jpg");
    std::fs::copy(astronaut, folder.join("astronaut.jpg")).expect("copy");
    let said = folder.succeed(&["predict", "astronaut.jpg"]);
    assert!(
        said.contains("weights: ibug68-small, built in") && said.contains("1 face"),
        "{said}"
    );
    let document = json(&folder, "predictions/astronaut.json");
    assert_eq!(document["layout"], "ibug68");
}

#[test]
fn an_image_that_is_cut_off_is_told() {
    let folder = folder();
    let whole = read(&folder, "face.jpg");
    folder.write("cut.jpg", &whole[..whole.len() / 2]);
    let output = predict(&folder, &["cut.jpg", "--box", "100,60,200,200"]);
    assert!(output.status.success());
    let said = text(&output.stderr);
    assert!(
        said.contains("warning: cut.jpg: the file is cut off"),
        "{said}"
    );
}

/// Finite weights whose sums are not: no file has NaN for a place, and the exit code says so.
#[test]
fn landmarks_that_are_not_numbers_are_an_error() {
    let folder = folder();
    let mut weights = read(&folder, "w");
    let header = u64::from_le_bytes(weights[..8].try_into().expect("8 bytes")) as usize;
    for number in weights[8 + header..].chunks_exact_mut(4) {
        number.copy_from_slice(&1e37f32.to_le_bytes());
    }
    folder.write("w", weights);
    let output = predict(&folder, &["face.jpg", "--box", "100,60,200,200"]);
    assert_eq!(output.status.code(), Some(1));
    let said = text(&output.stderr);
    assert!(
        said.contains("error: face.jpg: the network's landmarks are not numbers"),
        "{said}"
    );
    assert!(!folder.join("predictions/face.json").exists());
    assert!(!folder.join("predictions/face.png").exists());
}

/// A photo on its side gives what the upright one gives, in its own pixels.
#[test]
fn a_face_may_be_turned_by_quarters() {
    let folder = folder();
    let upright = portrait();
    let (w, h) = (upright.width() - 1, upright.height() - 1);
    let (w, h) = (f64::from(w), f64::from(h));
    upright.save(folder.join("0.png")).expect("an image");
    succeed(&folder, &["0.png", "--out", "o", "--overlay", "none"]);
    let expected = json(&folder, "o/0.json")["faces"][0].clone();
    assert!(expected["detected"].get("turned").is_none(), "{expected}");
    let spread = |face: &Value, i: usize| {
        ["xx", "xy", "yy"].map(|k| face["covariance"][i][k].as_f64().expect("a number"))
    };
    for (degrees, image) in [
        ("90", image::imageops::rotate90(&upright)),
        ("180", image::imageops::rotate180(&upright)),
        ("270", image::imageops::rotate270(&upright)),
    ] {
        let name = format!("{degrees}.png");
        image.save(folder.join(&name)).expect("an image");
        let said = succeed(&folder, &[&name, "--out", "o", "--overlay", "none"]);
        assert!(
            said.contains(&format!("turned by {degrees} degrees")),
            "{said}"
        );
        let document = json(&folder, &format!("o/{degrees}.json"));
        let face = &document["faces"][0];
        assert_eq!(face["detected"]["turned"].to_string(), degrees);
        let place = |[x, y]: [f64; 2]| match degrees {
            "90" => [h - y, x],
            "180" => [w - x, h - y],
            _ => [y, w - x],
        };
        let there: Vec<[f64; 2]> = points(&expected).into_iter().map(place).collect();
        assert_near(&points(face), &there, 1e-3);
        for i in 0..POINTS {
            let [xx, xy, yy] = spread(&expected, i);
            let turned = match degrees {
                "180" => [xx, xy, yy],
                _ => [yy, -xy, xx],
            };
            for (is, should) in spread(face, i).into_iter().zip(turned) {
                assert!((is - should).abs() < 1e-3 * (xx + yy), "{degrees} {i}");
            }
        }
        let arguments = [&name, "--out", "u", "--overlay", "none", "--upright-only"];
        let said = succeed(&folder, &arguments);
        assert!(said.contains("no face found"), "{said}");
    }
}
