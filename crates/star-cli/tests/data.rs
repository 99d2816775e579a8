//! `star data check | show | bench`: what is wrong with an annotation file is found, named with its line, and nothing stops the check.

mod support;

use std::fmt::Write as _;

use image::{Rgb, RgbImage};
use support::{Folder, assert_says, text};

/// A layout whose faces are easy to make up: two eyes, a nose, two corners of the mouth, a chin.
const LAYOUT: &str = r#"
name = "six"
points = 6
threshold = 0.1
flip_offset = 1
mirror = [[0, 1], [3, 4]]
default_norm = "eyes"
[norms]
eyes = { left = [0], right = [1] }
[[edges]]
name = "eyes"
closed = false
points = [0, 1]
[[edges]]
name = "outline"
closed = true
points = [0, 1, 4, 5, 3]
"#;
const FACE: [[f64; 2]; 6] = [
    [30.0, 40.0],
    [70.0, 40.0],
    [50.0, 55.0],
    [37.0, 72.0],
    [63.0, 72.0],
    [50.0, 90.0],
];
const FIVE: &str = "0,0,0,0,0,0,0,0,0,0";

/// The face of number `i`: no two are quite the same.
fn face(i: usize) -> Vec<[f64; 2]> {
    let wobble = |k: usize| ((i * 7 + k * 13) % 11) as f64 / 10.0 - 0.5;
    (FACE.iter().enumerate())
        .map(|(k, [x, y])| [x + wobble(k), y + wobble(k + 3)])
        .collect()
}

fn line(path: &str, points: &[[f64; 2]], scale: f64) -> String {
    let points: Vec<String> = points.iter().map(|[x, y]| format!("{x},{y}")).collect();
    format!("{path}\t{FIVE}\t{}\t{scale}\t50\t62\n", points.join(","))
}

fn image(folder: &Folder, name: &str, seed: usize) {
    RgbImage::from_fn(100, 110, |x, y| {
        Rgb([x as u8, y as u8, (seed as u32 * 9 + x * y) as u8])
    })
    .save(folder.join(name))
    .expect("an image");
}

/// `count` good faces, each in an image of its own, from line 2 on.
fn good(folder: &Folder, count: usize) -> String {
    folder.write("six.toml", LAYOUT);
    let mut list =
        String::from("image_path\tlandmarks_5pts\tlandmarks\tscale\tcenter_w\tcenter_h\n");
    for i in 0..count {
        image(folder, &format!("{i}.png"), i);
        list += &line(&format!("{i}.png"), &face(i), 0.4);
    }
    list
}

const CHECK: [&str; 5] = ["data", "check", "list.tsv", "--layout", "six.toml"];

#[test]
fn a_good_list_passes() {
    let folder = Folder::new();
    let list = good(&folder, 30);
    folder.write("list.tsv", list);
    let output = folder.succeed(&CHECK);
    assert!(output.contains("30 faces"), "{output}");
    assert!(output.contains("0 errors, 0 warnings"), "{output}");
    assert!(!output.contains("note:"), "{output}");
}

#[test]
fn every_kind_of_fault_is_found_with_its_line() {
    let folder = Folder::new();
    let mut list = good(&folder, 40);
    image(&folder, "100.png", 100);
    let whole = std::fs::read(folder.join("100.png")).expect("image");
    folder.write("same.png", &whole);
    folder.write("text.png", "not an image");
    folder.write("half.png", &whole[..whole.len() / 2]);
    let moved = |dx: f64| -> Vec<[f64; 2]> { face(3).iter().map(|[x, y]| [x + dx, *y]).collect() };
    let mut swapped = face(3);
    swapped.swap(0, 1);
    swapped.swap(3, 4);
    let mut slipped = face(3);
    slipped[2] = [50.0, 80.0];

    // Lines 42 and on, each with what must be said of it.
    let mut expected = Vec::new();
    let mut add = |line: String, kind: &'static str| {
        list += &line;
        expected.push((42 + expected.len(), kind));
    };
    add(
        line("0.png", &face(0), 0.4).replace("\t0.4\t", "\t0,4\t"),
        "bad-line",
    );
    add(format!("0.png\t{FIVE}\n"), "bad-line");
    add(line("1.png", &face(1)[..5], 0.4), "other-layout");
    add(line("none.png", &face(2), 0.4), "missing-image");
    add(line("text.png", &face(2), 0.4), "unreadable-image");
    add(line("half.png", &face(2), 0.4), "unreadable-image");
    add(line("100.png", &face(2), 0.4), "shared-face");
    add(line("same.png", &face(2), 0.4), "duplicate");
    add(line("4.png", &moved(500.0), 0.4), "points-elsewhere");
    add(line("5.png", &moved(40.0), 0.4), "points-outside");
    add(line("6.png", &face(6), 0.1), "crop-misses");
    add(line("7.png", &face(7), 0.28), "crop-tight");
    add(line("8.png", &face(8), 4.0), "crop-loose");
    add(line("9.png", &[[50.0, 62.0]; 6], 0.4), "no-size");
    add(line("10.png", &swapped, 0.4), "swapped");
    add(line("11.png", &slipped, 0.4), "odd-shape");
    folder.write("list.tsv", &list);
    folder.write(
        "test.tsv",
        line("same.png", &face(2), 0.4) + &line("12.png", &moved(0.0), 0.4),
    );

    let output = folder.star(&[
        "data",
        "check",
        "test.tsv",
        "list.tsv",
        "--layout",
        "six.toml",
        "--json",
        "found.json",
    ]);
    let printed = text(&output.stdout);
    assert_eq!(
        output.status.code(),
        Some(1),
        "{printed}{}",
        text(&output.stderr)
    );
    let json = std::fs::read_to_string(folder.join("found.json")).expect("the JSON");
    let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    let findings = json["findings"].as_array().expect("findings");
    for (line, kind) in expected {
        let found = findings.iter().any(|f| {
            // A half image may be called cut off instead.
            let kinds = [
                kind,
                kind.strip_prefix("unreadable")
                    .map_or(kind, |_| "truncated-image"),
            ];
            kinds.iter().any(|kind| f["kind"] == *kind)
                && f["line"] == line
                && f["file"] == "list.tsv"
        });
        let mut said = String::new();
        for f in findings.iter().filter(|f| f["line"] == line) {
            let _ = writeln!(said, "{f}");
        }
        assert!(
            found,
            "line {line} is not called {kind}:\n{said}\n{printed}"
        );
        assert!(
            printed.contains(&format!("list.tsv:{line}: ")),
            "{line}: {printed}"
        );
    }
    let good_lines: Vec<_> = (findings.iter())
        .filter(|f| f["file"] == "list.tsv" && f["line"].as_u64().is_some_and(|l| l < 42))
        .filter(|f| f["kind"] != "shared-face")
        .collect();
    // Only the first faces of images that a later line uses again are in it, as the earlier ones.
    assert!(good_lines.is_empty(), "{good_lines:?}");
}

#[test]
fn warnings_alone_are_no_failure() {
    let folder = Folder::new();
    let mut list = good(&folder, 30);
    list += &line("3.png", &face(3), 0.4);
    folder.write("list.tsv", list);
    let output = folder.succeed(&CHECK);
    assert!(
        output.contains("list.tsv:32: 3.png is also at list.tsv:5"),
        "{output}"
    );
    assert!(output.contains("0 errors, 1 warning\n"), "{output}");
}

#[test]
fn lists_that_cannot_be_checked() {
    let folder = Folder::new();
    folder.write("six.toml", LAYOUT);
    let message = folder.fail(&CHECK);
    assert!(message.contains("list.tsv"), "{message}");
    folder.write("list.tsv", "");
    let output = folder.star(&CHECK);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stdout).contains("no faces"));
    let twice = [
        "data", "check", "list.tsv", "list.tsv", "--layout", "six.toml",
    ];
    assert!(folder.fail(&twice).contains("given twice"));
    // Every byte that is no text, on a line of its own.
    folder.write("list.tsv", b"\xff\xfe\t1\n\n\xc3\x28\n".as_slice());
    let output = folder.star(&CHECK);
    let printed = text(&output.stdout);
    assert_eq!(output.status.code(), Some(1));
    assert!(printed.contains("list.tsv:1: not UTF-8"), "{printed}");
    assert!(printed.contains("list.tsv:3: not UTF-8"), "{printed}");
}

#[test]
fn show_refuses_what_would_change_nothing() {
    let folder = Folder::new();
    let list = good(&folder, 5);
    folder.write("list.tsv", list);
    let show = [
        "data",
        "show",
        "list.tsv",
        "--layout",
        "six.toml",
        "--out",
        "o.png",
        "--lines",
        "3",
        "--no-augmentation",
    ];
    for (more, says) in [(["--epoch", "2"], "--epoch"), (["--seed", "2"], "--seed")] {
        let output = folder.star(&[&show[..], &more].concat());
        let message = support::text(&output.stderr);
        assert!(!output.status.success(), "{more:?}");
        assert!(message.contains(says), "{message}");
    }
    folder.succeed(&show);
}

#[test]
fn show_draws_the_samples() {
    let folder = Folder::new();
    let list = good(&folder, 5);
    folder.write("list.tsv", list);
    let show = |out: &str, more: &[&str]| {
        let mut args = vec![
            "data", "show", "list.tsv", "--layout", "six.toml", "--out", out,
        ];
        args.extend(more);
        let output = folder.succeed(&args);
        let image = image::open(folder.join(out)).expect("an image").into_rgb8();
        (output, image)
    };
    let (output, three) = show("three.png", &["--faces", "3"]);
    assert_eq!(output.matches("line ").count(), 3, "{output}");
    // Two faces of four tiles in a row, two rows.
    let strip = 4 * 256 + 3 * 2;
    assert_eq!(three.dimensions(), (2 * strip + 3 * 12, 2 * 256 + 3 * 12));
    let (_, again) = show("again.png", &["--faces", "3"]);
    assert!(three == again, "the same options, another image");
    let (_, other) = show("other.png", &["--faces", "3", "--epoch", "2"]);
    assert!(three != other, "an epoch varies faces in its own way");

    // Line 3 is face 1; without augmentation its input is the plain crop, with points and maps beside it.
    let (output, one) = show(
        "one.png",
        &["--lines", "3", "--no-augmentation", "--input-size", "64"],
    );
    assert!(output.contains("line 3: 1.png\n"), "{output}");
    assert_eq!(one.dimensions(), (strip + 2 * 12, 256 + 2 * 12));
    let tile = |i: u32| image::imageops::crop_imm(&one, 12 + i * 258, 12, 256, 256).to_image();
    assert!(tile(0) != tile(1), "points are drawn");
    // The chin's point map: a warm spot where the chin is, and none far from all points.
    let at = |v: f64, center: f64| ((v - center) * 64.0 / 80.0 + 31.5 + 0.5) * 4.0;
    let chin = face(1)[5];
    let (x, y) = (at(chin[0], 50.0) as u32, at(chin[1], 62.0) as u32);
    let near = (x - 8..x + 8)
        .flat_map(|x| (y - 8..y + 8).map(move |y| (x, y)))
        .map(|(x, y)| tile(2).get_pixel(x, y).0[0])
        .max();
    assert!(near > Some(200), "{near:?}");

    assert!(
        folder
            .fail(&[
                "data", "show", "list.tsv", "--layout", "six.toml", "--out", "x.png", "--lines",
                "99"
            ])
            .contains("list.tsv: line 99")
    );
    assert!(!folder.join("x.png").exists());
    let jpeg = folder.star(&[
        "data", "show", "list.tsv", "--layout", "six.toml", "--out", "x.jpg",
    ]);
    assert!(text(&jpeg.stderr).contains(".png"));
}

#[test]
fn show_takes_a_recipes_augmentation() {
    let folder = Folder::new();
    let list = good(&folder, 2);
    folder.write("list.tsv", list);
    folder.write(
        "still.toml",
        "[data]\nsource = 'synth'\n[augment]\nenabled = false\n",
    );
    let show = |out: &str, more: &[&str]| {
        let mut args = vec![
            "data", "show", "list.tsv", "--layout", "six.toml", "--out", out,
        ];
        args.extend(more);
        folder.succeed(&args);
        std::fs::read(folder.join(out)).expect("an image")
    };
    let still = show("a.png", &["--config", "still.toml"]);
    assert!(still == show("b.png", &["--no-augmentation"]));
    assert!(still != show("c.png", &[]));
}

#[test]
fn bench_prints_rates() {
    let folder = Folder::new();
    let list = good(&folder, 4);
    folder.write("list.tsv", list);
    let bench = [
        "data",
        "bench",
        "list.tsv",
        "--layout",
        "six.toml",
        "--seconds",
        "0.3",
        "--input-size",
        "64",
    ];
    let output = folder.succeed(&bench);
    assert!(output.contains("faces a second with 2 workers"), "{output}");
    let json = folder.succeed(&[&bench[..], &["--json", "--workers", "1"]].concat());
    let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(json["loader"]["workers"], 1);
    assert!(json["loader"]["faces_per_second"].as_f64().expect("a rate") > 1.0);
    let parts = json["parts"].as_array().expect("parts");
    assert!(
        parts
            .iter()
            .all(|p| p["microseconds"].as_f64().is_some_and(|us| us > 0.0)),
        "{parts:?}"
    );
}

#[test]
fn mirrored_copies_are_told_of_in_print_and_in_json() {
    let folder = Folder::new();
    std::fs::create_dir_all(folder.join("set/afw")).expect("folder");
    let points: Vec<String> = (0..68)
        .map(|i| format!("{} {}", 20 + i % 9 * 5, 20 + i))
        .collect();
    let points = format!("version: 1\nn_points: 68\n{{\n{}\n}}\n", points.join("\n"));
    for name in ["a", "a_mirror", "b_mirror"] {
        image(&folder, &format!("set/afw/{name}.png"), name.len());
        folder.write(&format!("set/afw/{name}.pts"), &points);
    }
    let json = "lists/new/found.json";
    let prepare = [
        "prepare", "300w", "--root", "set", "--out", "lists", "--json", json,
    ];
    let printed = folder.succeed(&prepare);
    assert!(printed.contains("2 faces"), "{printed}");
    assert!(
        printed.contains("mirrored copies left out (NAME_mirror beside NAME): 1"),
        "{printed}"
    );
    assert!(printed.contains("left out: none"), "{printed}");
    let json = std::fs::read(folder.join(json)).expect("the JSON");
    let json: serde_json::Value = serde_json::from_slice(&json).expect("JSON");
    assert_eq!((&json["mirrored"], &json["faces"]), (&1.into(), &2.into()));

    folder.write("file", "");
    let error = folder.fail(&[
        "prepare",
        "300w",
        "--root",
        "set",
        "--out",
        "other",
        "--json",
        "file/f.json",
    ]);
    assert!(error.contains("file"), "{error}");
    assert!(!folder.join("other").exists(), "refused before the work");
}

#[test]
fn synthetic_faces_become_files_that_check_finds_nothing_in() {
    let folder = Folder::new();
    let draw = |out: &str, seed: &str| {
        folder.succeed(&[
            "prepare", "synth", "--faces", "5", "--seed", seed, "--layout", "cofw29", "--out", out,
        ])
    };
    assert_says(&draw("a", "1"), &["5 faces", "faces.tsv", "truth.tsv"]);
    draw("b", "1");
    draw("c", "2");
    let bytes = |name: &str| std::fs::read(folder.join(name)).expect(name);
    for file in ["faces.tsv", "truth.tsv", "images/000004.png"] {
        assert_eq!(bytes(&format!("a/{file}")), bytes(&format!("b/{file}")));
        assert_ne!(bytes(&format!("a/{file}")), bytes(&format!("c/{file}")));
    }
    assert_ne!(bytes("a/faces.tsv"), bytes("a/truth.tsv"));
    let checked = folder.succeed(&["data", "check", "a/faces.tsv", "--layout", "cofw29"]);
    assert_says(&checked, &["5 faces"]);

    let own = ["prepare", "synth", "--layout", "mine", "--out", "d"];
    assert_says(&folder.fail(&own), &["mine", "cofw29"]);
    assert!(!folder.join("d").exists());
}

/// A layout whose pairs are exchanged: training from mirrored images would learn crossed points.
#[test]
fn mirror_pairs_that_do_not_fit_are_found() {
    let folder = Folder::new();
    folder.succeed(&["prepare", "synth", "--faces", "150", "--out", "f"]);
    let layout = include_str!("../../../configs/layouts/ibug68.toml");
    let wrong = layout
        .replace("[36, 45]", "[36, 42]")
        .replace("[39, 42]", "[39, 45]");
    assert_ne!(layout, wrong);
    folder.write("right.toml", layout);
    folder.write("wrong.toml", wrong);
    let check =
        |layout: &str| folder.succeed(&["data", "check", "f/faces.tsv", "--layout", layout]);
    let said = check("right.toml");
    assert!(!said.contains("mirror pairs have"), "{said}");
    let said = check("wrong.toml");
    for says in [
        "layout ibug68: the layout's mirror pairs have [36, 42], [39, 45]",
        "let `mirror` of the layout have [36, 45], [39, 42]",
    ] {
        assert!(said.contains(says), "no {says} in {said}");
    }
}
