//! Preparing a made-up 300-W folder.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU32, Ordering},
};

use image::{Rgb, RgbImage};
use star_data::{
    CropRule, FaceSource, Layout, TsvFaces,
    prepare::{PrepareConfig, PrepareReport, prepare_300w, prepare_wflw},
};

/// A folder of its own for each test, gone at its end.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!(
            "star-prepare-{}-{}",
            std::process::id(),
            COUNT.fetch_add(1, Ordering::Relaxed)
        );
        let path = std::env::temp_dir().join(name);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn root(&self) -> PathBuf {
        self.0.join("300 W")
    }

    fn out(&self) -> PathBuf {
        self.0.join("lists")
    }

    fn prepare(&self) -> PrepareReport {
        prepare_300w(self.root(), self.out(), &PrepareConfig::default()).unwrap()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The 68 points of face `n`, 1-based as iBUG writes them: in a box of 40 x 20 pixels at (11 + n, 21).
fn points(n: u32) -> Vec<(f64, f64)> {
    (0..68)
        .map(|i| {
            let t = f64::from(i) / 67.0;
            (f64::from(11 + n) + 40.0 * t, 21.0 + 20.0 * t * t)
        })
        .collect()
}

fn pts(points: &[(f64, f64)]) -> String {
    let lines: Vec<String> = points.iter().map(|(x, y)| format!("{x} {y}")).collect();
    format!(
        "version: 1\nn_points: {}\n{{\n{}\n}}\n",
        points.len(),
        lines.join("\n")
    )
}

fn image(path: &Path, n: u32) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let image = RgbImage::from_fn(80, 60, |x, y| Rgb([x as u8, y as u8, n as u8]));
    image.save(path).unwrap();
}

fn face(root: &Path, name: &str, n: u32) {
    let path = root.join(name);
    image(&path, n);
    fs::write(path.with_extension("pts"), pts(&points(n))).unwrap();
}

fn names(report: &PrepareReport) -> Vec<&str> {
    report.splits.iter().map(|s| s.name.as_str()).collect()
}

fn read(scratch: &Scratch, list: &str) -> TsvFaces {
    let layout = Layout::builtin("ibug68").unwrap();
    TsvFaces::open(scratch.out().join(list), scratch.root(), layout).unwrap()
}

fn whole(scratch: &Scratch) {
    let names = [
        "afw/a 1.png",
        "helen/trainset/b.jpg",
        "lfpw/trainset/c.png",
        "helen/testset/d.png",
        "lfpw/testset/e.png",
        "ibug/image 01 _1.png",
        "300W/01_Indoor/f.png",
        "300W/02_Outdoor/g.PNG",
    ];
    for (n, name) in names.iter().enumerate() {
        face(&scratch.root(), name, n as u32);
    }
}

#[test]
fn every_list_has_its_faces() {
    let scratch = Scratch::new();
    whole(&scratch);
    let report = scratch.prepare();
    assert!(report.skipped.is_empty(), "{:?}", report.skipped);
    assert_eq!(report.faces, 8);
    let expected: [(&str, &[&str]); 10] = [
        (
            "train",
            &["afw/a 1.png", "helen/trainset/b.jpg", "lfpw/trainset/c.png"],
        ),
        ("common", &["helen/testset/d.png", "lfpw/testset/e.png"]),
        ("challenge", &["ibug/image 01 _1.png"]),
        (
            "full",
            &[
                "helen/testset/d.png",
                "ibug/image 01 _1.png",
                "lfpw/testset/e.png",
            ],
        ),
        (
            "private",
            &["300W/01_Indoor/f.png", "300W/02_Outdoor/g.PNG"],
        ),
        ("helen_test", &["helen/testset/d.png"]),
        ("lfpw_test", &["lfpw/testset/e.png"]),
        ("ibug_test", &["ibug/image 01 _1.png"]),
        ("indoor_test", &["300W/01_Indoor/f.png"]),
        ("outdoor_test", &["300W/02_Outdoor/g.PNG"]),
    ];
    assert_eq!(names(&report), expected.map(|(name, _)| name));
    for (split, (name, faces)) in report.splits.iter().zip(expected) {
        let list = read(&scratch, &format!("{name}.tsv"));
        let read: Vec<String> = (0..list.len()).map(|i| list.name(i)).collect();
        assert_eq!(read, faces, "{name}");
        assert_eq!(split.faces, faces.len());
    }
}

/// The annotation files and their faces, without the folders above the parts.
fn faces_below(
    scratch: &Scratch,
    above: &str,
    report: &PrepareReport,
) -> Vec<(String, Vec<String>)> {
    (report.splits.iter())
        .map(|split| {
            let list = read(scratch, &format!("{}.tsv", split.name));
            let name = |i| {
                let name = list.name(i);
                let below = name.strip_prefix(above);
                below
                    .unwrap_or_else(|| panic!("{name} is not below {above}"))
                    .to_string()
            };
            (split.name.clone(), (0..list.len()).map(name).collect())
        })
        .collect()
}

#[test]
fn folders_above_the_parts_decide_nothing() {
    let plain = Scratch::new();
    whole(&plain);
    let expected = faces_below(&plain, "", &plain.prepare());
    for above in [
        "ibug",
        "300W_ibug",
        "my afw",
        "afw/helen",
        "lfpw/trainset",
        "helen/lfpw",
        "01_Indoor",
    ] {
        let scratch = Scratch::new();
        whole(&scratch);
        let moved = scratch.0.join("moved");
        fs::rename(scratch.root(), &moved).unwrap();
        fs::create_dir_all(scratch.root().join(above).parent().unwrap()).unwrap();
        fs::rename(moved, scratch.root().join(above)).unwrap();
        let report = scratch.prepare();
        assert!(report.skipped.is_empty(), "{above}: {:?}", report.skipped);
        assert_eq!(
            faces_below(&scratch, &format!("{above}/"), &report),
            expected,
            "{above}"
        );
    }
}

#[test]
fn a_folder_that_is_no_part_of_300w_is_named_whatever_is_above_it() {
    let scratch = Scratch::new();
    let root = scratch.root();
    face(&root, "afw/a.png", 0);
    for (n, folder) in [
        "ibug/cropped",
        "helen",
        "lfpw/mine",
        "trainset",
        "helen/x/testset",
        "my_ibug",
    ]
    .iter()
    .enumerate()
    {
        face(&root, &format!("{folder}/b.png"), 1 + n as u32);
    }
    let report = scratch.prepare();
    assert_eq!(names(&report), ["train"]);
    let told: Vec<String> = report.skipped.iter().map(ToString::to_string).collect();
    assert_eq!(report.faces, 1, "{told:#?}");
    for (line, folder) in told.iter().zip([
        "helen/",
        "helen/x/testset/",
        "ibug/cropped/",
        "lfpw/mine/",
        "my_ibug/",
        "trainset/",
    ]) {
        assert!(
            line.starts_with(&format!("{folder}: 1 .pts files")),
            "{line}"
        );
    }
    assert_eq!(told.len(), 6, "{told:#?}");
}

#[test]
fn mirrored_copies_are_left_out_where_their_originals_are() {
    let scratch = Scratch::new();
    let root = scratch.root();
    for (n, name) in ["afw/a", "lfpw/testset/b"].into_iter().enumerate() {
        face(&root, &format!("{name}.png"), n as u32);
        // The bundle has PNGs with mirrored JPEGs beside them.
        face(&root, &format!("{name}_mirror.jpg"), 10 + n as u32);
    }
    // No originals of these: of the first not at all, of the second without its points.
    face(&root, "afw/c_mirror.png", 20);
    face(&root, "afw/d_mirror.png", 21);
    image(&root.join("afw/d.png"), 22);
    let report = scratch.prepare();
    let lists: Vec<_> = faces_below(&scratch, "", &report);
    let train = ["afw/a.png", "afw/c_mirror.png", "afw/d_mirror.png"].map(String::from);
    assert_eq!(
        lists,
        [
            ("train".to_string(), train.to_vec()),
            ("lfpw_test".into(), vec!["lfpw/testset/b.png".into()])
        ]
    );
    assert_eq!(report.mirrored, 2);
    assert_eq!(serde_json::to_value(&report).unwrap()["mirrored"], 2);
    let told: Vec<String> = report.skipped.iter().map(ToString::to_string).collect();
    assert_eq!(told, ["afw/d.png: no .pts file of this name beside it"]);
}

#[test]
fn landmarks_are_zero_based_and_the_crop_follows_the_rule() {
    let scratch = Scratch::new();
    face(&scratch.root(), "afw/a b.png", 3);
    let rules = [CropRule::default(), CropRule::PUBLISHED, CropRule::DEMO];
    for rule in rules {
        let config = PrepareConfig { crop: rule };
        prepare_300w(scratch.root(), scratch.out(), &config).unwrap();
        let list = read(&scratch, "train.tsv");
        let face = list.face(0).unwrap();
        for (p, (x, y)) in face.landmarks.iter().zip(points(3)) {
            assert!((p.x - (x - 1.0)).abs() < 1e-6 && (p.y - (y - 1.0)).abs() < 1e-6);
        }
        let side = if rule == CropRule::DEMO { 20.0 } else { 40.0 };
        assert!((face.crop.scale - side * rule.margin / 200.0).abs() < 1e-6);
        assert!((face.crop.center.x - 33.0).abs() < 1e-6);
        assert!((face.crop.center.y - 30.0).abs() < 1e-6);
    }
}

#[test]
fn what_cannot_be_used_is_reported_with_file_and_line() {
    let scratch = Scratch::new();
    let root = scratch.root();
    face(&root, "afw/good one.png", 0);
    image(&root.join("afw/no points.png"), 1);
    fs::write(root.join("afw/no image.pts"), pts(&points(1))).unwrap();
    face(&root, "afw/broken.png", 2);
    let text = pts(&points(2)).replacen("version", "vers", 1);
    fs::write(root.join("afw/broken.pts"), text).unwrap();
    face(&root, "afw/short.png", 3);
    fs::write(root.join("afw/short.pts"), pts(&points(3)[..67])).unwrap();
    face(&root, "afw/flat.png", 4);
    fs::write(root.join("afw/flat.pts"), pts(&[(5.0, 5.0); 68])).unwrap();
    face(&root, "afw/damaged.png", 5);
    fs::write(root.join("afw/damaged.png"), b"\x89PNG\r\n\x1a\nxx").unwrap();
    face(&root, "elsewhere/face.png", 6);
    let report = scratch.prepare();
    assert_eq!(report.faces, 1);
    let told: Vec<String> = report.skipped.iter().map(ToString::to_string).collect();
    let expected = [
        "afw/broken.pts:1: ",
        "afw/damaged.png: ",
        "afw/flat.pts: ",
        "afw/no image.pts: no image",
        "afw/no points.png: no .pts",
        "afw/short.pts:2: n_points is 67",
        "elsewhere/: 1 .pts files",
    ];
    assert_eq!(told.len(), expected.len(), "{told:#?}");
    for (line, start) in told.iter().zip(expected) {
        assert!(
            line.starts_with(start),
            "{line} does not start with {start}"
        );
    }
}

#[test]
fn a_image_that_is_cut_off_is_used_and_named() {
    let scratch = Scratch::new();
    face(&scratch.root(), "afw/a.png", 0);
    face(&scratch.root(), "afw/cut.png", 1);
    let file = scratch.root().join("afw/cut.png");
    let bytes = fs::read(&file).unwrap();
    fs::write(&file, &bytes[..bytes.len() - 20]).unwrap();
    let report = scratch.prepare();
    assert_eq!((report.faces, report.skipped.len()), (2, 0));
    let told = "1 images are cut off and used as far as they go: afw/cut.png";
    assert!(
        report.notes.iter().any(|note| note == told),
        "{:?}",
        report.notes
    );
}

#[test]
fn half_a_published_subset_is_not_written_under_its_name() {
    let scratch = Scratch::new();
    face(&scratch.root(), "afw/a.png", 0);
    face(&scratch.root(), "lfpw/testset/e.png", 1);
    let report = scratch.prepare();
    assert_eq!(names(&report), ["train", "lfpw_test"]);
    let notes = report.notes.join("\n");
    assert!(
        notes.contains("common.tsv is not written, because it needs helen/testset"),
        "{notes}"
    );
    assert!(
        notes.contains("full.tsv is not written, because it needs helen/testset and ibug"),
        "{notes}"
    );
    assert!(notes.contains("helen/trainset is not there"), "{notes}");
    assert!(!notes.contains("private"), "{notes}");
}

#[test]
fn a_second_run_writes_the_same_bytes_and_leaves_no_scraps() {
    let scratch = Scratch::new();
    whole(&scratch);
    let first = scratch.prepare();
    let bytes = |_: ()| -> Vec<(PathBuf, Vec<u8>)> {
        let mut files: Vec<_> = fs::read_dir(scratch.out())
            .unwrap()
            .map(|e| e.unwrap().path())
            .collect();
        files.sort();
        files
            .into_iter()
            .map(|f| (f.clone(), fs::read(f).unwrap()))
            .collect()
    };
    let before = bytes(());
    assert_eq!(before.len(), first.splits.len());
    let second = scratch.prepare();
    assert_eq!(before, bytes(()));
    assert_eq!(first, second);
}

#[test]
fn figures_doubles_and_leaks() {
    let scratch = Scratch::new();
    let root = scratch.root();
    face(&root, "afw/a.png", 0);
    // The same image and points under another name, and the same image with other points in a test folder.
    face(&root, "afw/again.png", 0);
    face(&root, "ibug/leak.png", 0);
    let mut moved = points(0);
    moved[0] = (-5.0, 21.0);
    moved[67] = (91.0, 41.0);
    fs::write(root.join("ibug/leak.pts"), pts(&moved)).unwrap();
    let report = scratch.prepare();
    assert_eq!(
        report.duplicates,
        [["afw/a.png".to_string(), "afw/again.png".into()]]
    );
    assert_eq!(
        report.leaks,
        [
            ["afw/a.png".to_string(), "ibug/leak.png".into()],
            ["afw/again.png".into(), "ibug/leak.png".into()]
        ]
    );
    assert_eq!(
        (report.points_outside, report.faces_with_points_outside),
        (2, 1)
    );
    assert_eq!(
        (
            report.face_size.min,
            report.face_size.median,
            report.face_size.max
        ),
        (40.0, 40.0, 96.0)
    );
    assert_eq!(report.image_size.median, 80.0);
}

#[test]
fn nothing_found_says_what_was_looked_for() {
    let scratch = Scratch::new();
    fs::create_dir_all(scratch.root()).unwrap();
    let config = PrepareConfig::default();
    let message = prepare_300w(scratch.root(), scratch.out(), &config)
        .unwrap_err()
        .to_string();
    for part in ["300 W", "afw", "lfpw/testset", ".pts", "68"] {
        assert!(message.contains(part), "{message} lacks {part}");
    }
    assert!(!scratch.out().exists());
    let message = prepare_300w(scratch.0.join("absent"), scratch.out(), &config)
        .unwrap_err()
        .to_string();
    assert!(message.contains("absent"), "{message}");
    let config = PrepareConfig {
        crop: CropRule {
            margin: 0.0,
            ..CropRule::default()
        },
    };
    assert!(
        prepare_300w(scratch.root(), scratch.out(), &config)
            .unwrap_err()
            .to_string()
            .contains("margin")
    );
}

/// A line of a WFLW annotation file: 98 points from (10, 20), a box, attributes, the image's name.
fn wflw_line(tags: &str, name: &str) -> String {
    let points: Vec<String> = (0..98)
        .map(|i| format!("{}.5 {}", 10 + i % 49, 20 + i / 5))
        .collect();
    format!("{} 1 2 30 40 {tags} {name}", points.join(" "))
}

#[test]
fn wflw_lists_keep_attributes_and_zero_based_pixels() {
    let scratch = Scratch::new();
    let root = scratch.root();
    let lists = root.join("WFLW_annotations/list_98pt_rect_attr_train_test");
    fs::create_dir_all(&lists).unwrap();
    image(&root.join("WFLW_images/0--Parade/a face.png"), 1);
    image(&root.join("WFLW_images/b.png"), 2);
    let lines = [
        wflw_line("0 1 0 0 1 0", "0--Parade/a face.png"),
        String::new(),
        wflw_line("0 0 0 0 0 0", "absent.png"),
        wflw_line("0 0 0 0 0 0", ""),
        wflw_line("0 0 0 0 x 0", "b.png"),
        wflw_line("1 0 0 0 0 1", "b.png").replacen("10.5", "inf", 1),
        wflw_line("1 0 0 0 0 1", "b.png"),
    ];
    fs::write(lists.join("list_98pt_rect_attr_test.txt"), lines.join("\n")).unwrap();
    let report = prepare_wflw(&root, scratch.out(), &PrepareConfig::default()).unwrap();
    let lists = [
        "test",
        "test_largepose",
        "test_expression",
        "test_occlusion",
        "test_blur",
    ];
    assert_eq!(names(&report), lists);
    assert_eq!(report.faces, 2);
    let told: Vec<Option<usize>> = report.skipped.iter().map(|c| c.line).collect();
    assert_eq!(told, [3, 4, 5, 6].map(Some), "{:?}", report.skipped);
    assert!(
        report.skipped[0].reason.contains("WFLW_images/absent.png"),
        "{}",
        report.skipped[0]
    );
    assert!(
        report
            .notes
            .iter()
            .any(|n| n.contains("train.tsv is not written"))
    );
    let layout = Layout::builtin("wflw98").unwrap();
    let list = TsvFaces::open(scratch.out().join("test.tsv"), &root, layout).unwrap();
    assert_eq!(list.rows()[0].path, "WFLW_images/0--Parade/a face.png");
    assert_eq!(
        list.rows()[0].tags,
        Some([false, true, false, false, true, false])
    );
    assert_eq!(
        list.rows()[1].tags,
        Some([true, false, false, false, false, true])
    );
    let first = list.face(1).unwrap().landmarks[0];
    assert_eq!((first.x, first.y), (10.5, 20.0));

    let message = prepare_wflw(
        scratch.0.join("absent"),
        scratch.out(),
        &PrepareConfig::default(),
    );
    assert!(
        message
            .unwrap_err()
            .to_string()
            .contains("list_98pt_rect_attr_train.txt")
    );
}
