//! Labels of other programs. `labels/make.py` wrote the files with the programs' own code, all of the same objects.

use std::{
    fs,
    path::{Path, PathBuf},
};

use image::RgbImage;
use serde::Deserialize;
use star_data::{
    DataError, Layout, Point, TsvFaces,
    prepare::{
        ConvertConfig, CustomConfig, LabelFormat, Labels, PrepareConfig, convert, parse_labels,
        prepare_custom, read_labels,
    },
};

#[derive(Deserialize)]
struct Truth {
    names: Vec<String>,
    objects: Vec<TrueObject>,
}

#[derive(Deserialize)]
struct TrueObject {
    image: String,
    points: Vec<Option<[f64; 2]>>,
    hidden: Vec<usize>,
    #[serde(rename = "box")]
    face_box: [f64; 4],
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/labels")
}

fn truth() -> Truth {
    serde_json::from_str(&fs::read_to_string(folder().join("truth.json")).unwrap()).unwrap()
}

/// What a file can say.
struct Case {
    file: &'static str,
    format: LabelFormat,
    /// Which of the three objects are in it.
    objects: &'static [usize],
    names: bool,
    hidden: bool,
    boxes: bool,
    bones: bool,
}

const ALL: &[usize] = &[0, 1, 2];

fn case(file: &'static str, format: LabelFormat) -> Case {
    Case {
        file,
        format,
        objects: ALL,
        names: true,
        hidden: false,
        boxes: false,
        bones: false,
    }
}

fn cases() -> Vec<Case> {
    let with = |case: Case| Case {
        hidden: true,
        boxes: true,
        ..case
    };
    vec![
        Case {
            bones: true,
            ..with(case("coco.json", LabelFormat::Coco))
        },
        Case {
            bones: true,
            ..with(case("coco_datumaro.json", LabelFormat::Coco))
        },
        Case {
            objects: &[0, 2],
            names: false,
            boxes: true,
            ..case("cvat.xml", LabelFormat::Cvat)
        },
        Case {
            hidden: true,
            bones: true,
            ..case("cvat_skeleton.xml", LabelFormat::Cvat)
        },
        Case {
            boxes: true,
            ..case("label_studio.json", LabelFormat::LabelStudio)
        },
        with(case("labelme", LabelFormat::Labelme)),
        Case {
            boxes: true,
            ..case("dlib.xml", LabelFormat::Dlib)
        },
        Case {
            objects: &[0, 1],
            ..case("deeplabcut.csv", LabelFormat::DeepLabCut)
        },
        case("deeplabcut_several.csv", LabelFormat::DeepLabCut),
    ]
}

fn close(a: f64, b: f64) -> bool {
    (a - b).abs() < 1e-9
}

#[test]
fn what_programs_write_is_what_was_labelled() {
    let truth = truth();
    for case in cases() {
        let file = case.file;
        let labels = read_labels(case.format, &folder().join(file), None).unwrap();
        assert!(labels.skipped.is_empty(), "{file}: {:?}", labels.skipped);
        // By name, as formats have orders of their own; of numbers, in order.
        let place = |k: usize| match case.names {
            true => labels
                .names
                .iter()
                .position(|n| *n == truth.names[k])
                .expect(file),
            false => k,
        };
        assert_eq!(labels.names.len(), 5, "{file}");
        assert_eq!(labels.objects.len(), case.objects.len(), "{file}");
        for (object, &number) in labels.objects.iter().zip(case.objects) {
            let expected = &truth.objects[number];
            let last = |path: &str| path.rsplit('/').next().unwrap_or_default().to_string();
            assert!(object.image.ends_with(&last(&expected.image)), "{file}");
            for (k, point) in expected.points.iter().enumerate() {
                let found = object.points[place(k)];
                match point {
                    None => assert!(!found.is_labelled(), "{file}: {number} {k}"),
                    Some([x, y]) => assert!(
                        close(found.x, *x) && close(found.y, *y),
                        "{file}: point {k} of {number} is at {found:?}, not {point:?}"
                    ),
                }
                let hidden = case.hidden && expected.hidden.contains(&k);
                assert_eq!(object.hidden[place(k)], hidden, "{file}: {number} {k}");
            }
            match object.face_box {
                None => assert!(!case.boxes, "{file}"),
                Some(found) => assert!(
                    found
                        .iter()
                        .zip(expected.face_box)
                        .all(|(a, b)| close(*a, b)),
                    "{file}: {found:?}"
                ),
            }
        }
        let mut bones: Vec<[usize; 2]> = labels.bones.clone();
        bones.sort_unstable();
        let expected = [[0, 1], [0, 2], [1, 3], [2, 4]];
        assert_eq!(
            bones,
            if case.bones { &expected[..] } else { &[] },
            "{file}"
        );
    }
}

/// The images of the files, and one more.
fn images(root: &Path) {
    for name in ["clip 1/a b.png", "clip 2/\u{e9}.png", "clip 2/more.png"] {
        let path = root.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        RgbImage::new(80, 60).save(path).unwrap();
    }
}

fn config(format: LabelFormat, source: &Path, images: &Path) -> ConvertConfig {
    ConvertConfig {
        format,
        source: source.to_path_buf(),
        images: images.to_path_buf(),
        category: None,
        zero_based: false,
        replace: false,
    }
}

/// From the file to faces that train: the layout is one, and `prepare custom` takes every row.
#[test]
fn all_formats_become_annotation_files() {
    let scratch = tempfile::tempdir().unwrap();
    let root = scratch.path().join("images");
    images(&root);
    for case in cases() {
        let out = scratch.path().join(case.file);
        let config = config(case.format, &folder().join(case.file), &root);
        let report = convert(&out, &config).unwrap();
        assert_eq!(report.objects, case.objects.len());
        let notes = report.notes.join("\n");
        assert!(
            notes.contains("1 images that the labels do not name: clip 2/more.png"),
            "{notes}"
        );
        let layout = Layout::from_toml_file(&report.layout_file).unwrap();
        assert_eq!(layout.names.len(), 5);
        if case.names {
            let at = |name: &str| layout.names.iter().position(|n| n == name).unwrap();
            assert_eq!(
                layout.mirror[at("left_eye")],
                at("right_eye"),
                "{}",
                case.file
            );
            assert_eq!(layout.mirror[at("nose")], at("nose"));
        }
        assert_eq!(layout.edges.len(), usize::from(case.bones), "{}", case.file);
        let again = Layout::from_toml_str(&layout.to_toml(), Path::new("again.toml")).unwrap();
        assert_eq!(again, layout);
        let custom = CustomConfig {
            points: report.points_file.clone(),
            layout: layout.clone(),
            test_fraction: Some(0.0),
            seed: None,
            one_based: false,
            common: PrepareConfig::default(),
        };
        let prepared = prepare_custom(&root, &out, &custom).unwrap();
        assert_eq!(prepared.skipped, []);
        assert_eq!(prepared.faces, case.objects.len(), "{}", case.file);
        let faces = TsvFaces::open(out.join("train.tsv"), &root, layout).unwrap();
        assert_eq!(faces.rows().len(), case.objects.len());
    }
}

#[test]
fn what_is_there_is_kept() {
    let scratch = tempfile::tempdir().unwrap();
    let root = scratch.path().join("images");
    images(&root);
    let out = scratch.path().join("out");
    let coco = config(LabelFormat::Coco, &folder().join("coco.json"), &root);
    convert(&out, &coco).unwrap();
    let layout = fs::read(out.join("layout.toml")).unwrap();
    let points = fs::read(out.join("points.csv")).unwrap();

    let refused = convert(&out, &coco).unwrap_err().to_string();
    assert!(refused.contains("--replace"), "{refused}");
    // Another order of the same names is brought to that of the layout.
    let dlib = ConvertConfig {
        replace: true,
        ..config(LabelFormat::Dlib, &folder().join("dlib.xml"), &root)
    };
    assert!(convert(&out, &dlib).unwrap().layout_kept);
    assert_eq!(fs::read(out.join("layout.toml")).unwrap(), layout);
    let row = |bytes: &[u8]| {
        String::from_utf8_lossy(bytes)
            .lines()
            .nth(1)
            .unwrap()
            .to_string()
    };
    let of_dlib = row(&fs::read(out.join("points.csv")).unwrap());
    assert_eq!(
        of_dlib,
        "clip 1/a b.png,40,30,50,20,30,20,60,22,20,22,15,10,50,40"
    );
    assert_eq!(
        of_dlib,
        row(&points).replace(",2,", ",").replacen(",2,", ",", 9)
    );
    // Names that it does not have are not put anywhere.
    let cvat = ConvertConfig {
        replace: true,
        ..config(LabelFormat::Cvat, &folder().join("cvat.xml"), &root)
    };
    let refused = convert(&out, &cvat).unwrap_err().to_string();
    assert!(refused.contains("no point `0`"), "{refused}");
}

#[test]
fn pts_of_any_number_of_points() {
    let scratch = tempfile::tempdir().unwrap();
    let root = scratch.path().join("images");
    images(&root);
    let pts = |name: &str, points: &str, n: usize| {
        fs::write(
            root.join(name),
            format!("version: 1\nn_points: {n}\n{{\n{points}\n}}\n"),
        )
        .unwrap();
    };
    pts("clip 1/a b.pts", "11 21\n31 21\n21 41", 3);
    pts("clip 2/\u{e9}.pts", "12 21\n31 21\n21 41", 3);
    pts("clip 2/more.pts", "12 21\n31 21", 2);
    let out = scratch.path().join("out");
    let mut config = config(LabelFormat::Pts, &root, &root);
    let report = convert(&out, &config).unwrap();
    assert_eq!((report.objects, report.points), (2, 3));
    let told = report.skipped[0].to_string();
    assert!(told.contains("more.pts:2: n_points is 2"), "{told}");
    let first = |out: &Path| {
        fs::read_to_string(out.join("points.csv"))
            .unwrap()
            .lines()
            .nth(1)
            .unwrap()
            .to_string()
    };
    assert_eq!(first(&out), "clip 1/a b.png,10,20,30,20,20,40");
    config.zero_based = true;
    let out = scratch.path().join("zero");
    convert(&out, &config).unwrap();
    assert_eq!(first(&out), "clip 1/a b.png,11,21,31,21,21,41");
}

fn parse(format: LabelFormat, text: &str) -> Result<Labels, DataError> {
    parse_labels(format, text.as_bytes(), Path::new("labels"), None)
}

#[track_caller]
fn refuses(format: LabelFormat, text: &str, parts: &[&str]) {
    let message = parse(format, text).unwrap_err().to_string();
    for part in parts {
        assert!(message.contains(part), "lacks `{part}`: {message}");
    }
}

#[track_caller]
fn skips(format: LabelFormat, text: &str, parts: &[&str]) {
    let labels = parse(format, text).unwrap();
    let told: Vec<String> = labels.skipped.iter().map(ToString::to_string).collect();
    for part in parts {
        assert!(told.join("\n").contains(part), "lacks `{part}`: {told:?}");
    }
}

#[test]
fn damage_is_named_with_its_place() {
    use LabelFormat::{Coco, Cvat, DeepLabCut, Dlib, LabelStudio, Labelme};
    for format in [Coco, Cvat, LabelStudio, Labelme, Dlib, DeepLabCut] {
        refuses(format, "", &["labels:1", "empty"]);
        refuses(format, "nonsense", &["labels:1"]);
    }
    let read = |file: &str| fs::read_to_string(folder().join(file)).unwrap();
    let coco = read("coco.json");
    refuses(Coco, &coco[..coco.len() / 2], &["labels:", "EOF"]);
    skips(
        Coco,
        &coco.replacen("\"image_id\": 1", "\"image_id\": 7", 1),
        &["labels:", "image_id 7"],
    );
    skips(
        Coco,
        &coco.replacen("\"category_id\": 1", "\"category_id\": \"a\"", 1),
        &["labels:"],
    );
    let eye = "\"nose\",";
    skips(
        Coco,
        &coco.replacen(eye, "\"nose\",\"chin\",", 1),
        &["15 numbers in keypoints", "are 18"],
    );

    let cvat = read("cvat_skeleton.xml");
    refuses(Cvat, &cvat[..cvat.len() / 2], &["labels:", "XML"]);
    refuses(Cvat, "<dataset/>", &["no <annotations>"]);
    refuses(
        Cvat,
        "<annotations><track/></annotations>",
        &["for images 1.1"],
    );
    skips(
        Cvat,
        &cvat.replacen("60.50,22.50", "60.50;22.50", 1),
        &["labels:", "x,y;x,y"],
    );
    skips(
        Cvat,
        &cvat.replacen("label=\"left_ear\" source", "label=\"nose\" source", 1),
        &["`nose` is there twice"],
    );

    let dlib = read("dlib.xml");
    skips(
        Dlib,
        &dlib.replacen("x='60'", "x='sixty'", 1),
        &["labels:8", "x is `sixty`"],
    );
    skips(
        Dlib,
        &dlib.replacen("left='15'", "", 1),
        &["<box> has no left"],
    );

    let studio = read("label_studio.json");
    skips(
        LabelStudio,
        &studio.replacen("\"image_rotation\": 0", "\"image_rotation\": 90", 1),
        &["labels:2", "turned"],
    );
    skips(
        LabelStudio,
        &studio.replace("\"parentID\": \"box2\"", "\"parentID\": \"box1\""),
        &["there twice", "below its box"],
    );

    let table = read("deeplabcut.csv");
    skips(
        DeepLabCut,
        &table.replacen("40.0", "forty", 1),
        &["labels:4", "nose is `forty`"],
    );
    skips(
        DeepLabCut,
        &table.replacen(",40.0", "", 1),
        &["labels:4", "12 values", "13 columns"],
    );
    let likely = "scorer,m,m,m,m,m,m\nbodyparts,a,a,a,b,b,b\ncoords,x,y,likelihood,x,y,likelihood\nv/1.png,1,2,0.9,3,4,0.1\n";
    let labels = parse(DeepLabCut, likely).unwrap();
    assert_eq!(labels.objects[0].points[0], Point::new(1.0, 2.0));
    assert!(!labels.objects[0].points[1].is_labelled());
    assert!(labels.notes[0].contains("likelihood"));
    // Windows' line ends, a byte order mark, its own slashes.
    let windows = format!(
        "\u{feff}{}",
        likely.replace('\n', "\r\n").replace("v/", "v\\")
    );
    let found = parse(DeepLabCut, &windows).unwrap();
    assert_eq!(found.objects[0].image, "v/1.png");
    assert_eq!(found.objects[0].points[0], labels.objects[0].points[0]);
}
