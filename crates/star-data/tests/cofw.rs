//! Preparing COFW from small files of its form, which `cofw/make.py` made by formulas.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU32, Ordering},
};

use hdf5_pure::FileBuilder;
use image::{ColorType, Rgb, RgbImage};
use star_data::{
    FaceSource, Layout, TsvFaces,
    prepare::{CofwMat, CofwSplit, PrepareConfig, PrepareReport, prepare_cofw},
};

const POINTS: usize = 29;
const TRAIN: &str = "COFW_train_color.mat";
const TEST: &str = "COFW_test_color.mat";

/// A folder of its own for each test, gone at its end.
struct Scratch(PathBuf);

impl Scratch {
    /// With the files in `root/below`.
    fn new(below: &str, files: &[&str]) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let id = (std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let scratch = Self(std::env::temp_dir().join(format!("star-cofw-{}-{}", id.0, id.1)));
        let folder = scratch.root().join(below);
        fs::create_dir_all(&folder).unwrap();
        for name in files {
            fs::write(folder.join(name), fixture(name)).unwrap();
        }
        scratch
    }

    fn root(&self) -> PathBuf {
        self.0.join("in")
    }

    fn out(&self) -> PathBuf {
        self.0.join("out")
    }

    fn prepare(&self) -> Result<PrepareReport, String> {
        prepare_cofw(self.root(), self.out(), &PrepareConfig::default()).map_err(|e| e.to_string())
    }

    fn list(&self, name: &str) -> TsvFaces {
        let layout = Layout::builtin("cofw29").unwrap();
        TsvFaces::open(self.out().join(name), self.out(), layout).unwrap()
    }

    /// Every file below `out` with its bytes.
    fn written(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let mut files = Vec::new();
        let mut folders = vec![self.out()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    files.push((path.clone(), fs::read(path).unwrap()));
                }
            }
        }
        files.sort();
        files
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn fixture(name: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cofw");
    fs::read(folder.join(name)).unwrap()
}

/// As in `make.py`.
fn image(split: u32, i: u32) -> RgbImage {
    RgbImage::from_fn(26 - 2 * i, 20 + i, |x, y| {
        let value = |c: u32| ((5 * x + 9 * y + 60 * c + 31 * i + 100 * split) % 256) as u8;
        if i % 2 == 1 {
            Rgb([value(0), value(1), value(2)])
        } else {
            Rgb([value(0); 3])
        }
    })
}

/// As in `make.py`: x, y, hidden.
fn annotation(split: usize, i: usize) -> Vec<(f64, f64, bool)> {
    (0..POINTS)
        .map(|k| {
            let x = (2 + (k * 7 + i) % 19) as f64 + 0.25 * split as f64;
            let y = (3 + (k * 5 + 2 * i) % 16) as f64 + 0.5;
            (x, y, (k + i).is_multiple_of(3))
        })
        .collect()
}

#[test]
fn images_points_and_flags_come_out_as_they_went_in() {
    let scratch = Scratch::new("common/xpburgos", &[TRAIN, TEST]);
    let report = scratch.prepare().unwrap();
    assert_eq!((report.faces, report.skipped.len()), (5, 0), "{report:?}");
    assert_eq!(report.notes.len(), 2, "{:?}", report.notes);
    assert!(report.notes[0].contains("3 usable faces; published are 1345"));
    assert!(report.notes[1].contains("2 usable faces; published are 507"));
    assert_eq!(report.points_outside, 0);
    for (split, (name, faces)) in [("train", 3), ("test", 2)].into_iter().enumerate() {
        let list = scratch.list(&format!("{name}.tsv"));
        assert_eq!(list.len(), faces);
        for i in 0..faces {
            let face = list.face(i).unwrap();
            assert_eq!(face.name, format!("cofw_images/{name}/{:04}.png", i + 1));
            assert!(face.image == image(split as u32, i as u32), "{}", face.name);
            let kind = image::open(scratch.out().join(&face.name)).unwrap().color();
            let expected = if i % 2 == 1 {
                ColorType::Rgb8
            } else {
                ColorType::L8
            };
            assert_eq!(kind, expected, "{}", face.name);
            let flags = list.rows()[i].occluded.clone().unwrap();
            let found: Vec<_> = (face.landmarks.iter().zip(flags))
                .map(|(p, hidden)| (p.x, p.y, hidden))
                .collect();
            let expected = annotation(split, i);
            assert_eq!(found, expected, "{}", face.name);
            // The crop is the points' box times the rule's 1.2, about the box's middle.
            let xs: Vec<f64> = expected.iter().map(|p| p.0).collect();
            let low = xs.iter().copied().fold(f64::INFINITY, f64::min);
            let high = xs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            assert!((face.crop.scale - (high - low) * 1.2 / 200.0).abs() < 1e-6);
            assert!((face.crop.center.x - (low + high) / 2.0).abs() < 1e-6);
        }
    }
}

#[test]
fn a_second_run_writes_the_same_bytes_and_leaves_images_alone() {
    let scratch = Scratch::new("", &[TRAIN, TEST]);
    let first = scratch.prepare().unwrap();
    let before = scratch.written();
    assert_eq!(before.len(), 2 + 5);
    let untouched = scratch.out().join("cofw_images/train/0001.png");
    let time = fs::metadata(&untouched).unwrap().modified().unwrap();
    // One is damaged and is made again; what was there is not trusted for its name.
    fs::write(scratch.out().join("cofw_images/train/0002.png"), "x").unwrap();
    assert_eq!(scratch.prepare().unwrap(), first);
    assert!(scratch.written() == before);
    assert_eq!(fs::metadata(&untouched).unwrap().modified().unwrap(), time);
}

#[test]
fn one_file_is_enough_and_none_is_an_error() {
    let scratch = Scratch::new("a", &[TEST]);
    let report = scratch.prepare().unwrap();
    assert_eq!(report.splits.len(), 1);
    assert!(report.notes[0].contains("train.tsv is not written, because COFW_train_color.mat"));
    let empty = Scratch::new("", &[]);
    let message = empty.prepare().unwrap_err();
    assert!(
        message.contains(TRAIN) && message.contains("COFW_color.zip"),
        "{message}"
    );
    assert!(!empty.out().exists());
}

#[test]
fn damaged_files_name_file_and_variable() {
    let whole = fixture(TRAIN);
    for (bytes, says) in [
        (whole[..whole.len() - 100].to_vec(), "cut off"),
        (whole[..3000].to_vec(), ""),
        (whole[..100].to_vec(), "7.3"),
        (vec![], "7.3"),
        (b"1 2 3\n".repeat(100), "7.3"),
        // Version 5 files begin with text too, and no HDF5 follows.
        (b"MATLAB 5.0 MAT-file".repeat(60), "7.3"),
        (fixture(TEST), "IsTr: cannot be opened"),
    ] {
        let scratch = Scratch::new("", &[]);
        fs::write(scratch.root().join(TRAIN), bytes).unwrap();
        let message = scratch.prepare().unwrap_err();
        assert!(
            message.contains(TRAIN) && message.contains(says),
            "{message}"
        );
        assert!(!scratch.out().exists(), "{says}");
    }
}

/// Spoils a file in one way.
type Change = fn(&mut Made);

/// A file of two faces with something changed.
struct Made {
    cells: Vec<u64>,
    table: Vec<u64>,
    values: Vec<f64>,
    image: Vec<u64>,
}

impl Made {
    fn new() -> Self {
        let faces = [annotation(0, 0), annotation(0, 1)];
        let of = |value: fn(&(f64, f64, bool)) -> f64| -> Vec<f64> {
            let row = |k: usize| faces.iter().map(move |face| value(&face[k]));
            (0..POINTS).flat_map(row).collect()
        };
        let values = [of(|p| p.0), of(|p| p.1), of(|p| f64::from(p.2))].concat();
        Self {
            cells: vec![1, 2],
            table: vec![87, 2],
            values,
            image: vec![3, 20, 10],
        }
    }

    /// Without the variable named `lacking`.
    fn bytes(&self, lacking: &str) -> Vec<u8> {
        let mut file = FileBuilder::new();
        let mut refs = file.create_group("#refs#");
        let size = |shape: &[u64]| shape.iter().product::<u64>() as usize;
        (refs.create_dataset("a"))
            .with_u8_data(&vec![7; size(&self.image)])
            .with_shape(&self.image);
        let good = [24, 22];
        (refs.create_dataset("b"))
            .with_u8_data(&vec![9; size(&good)])
            .with_shape(&good);
        file.add_group(refs.finish());
        let paths = ["#refs#/a", "#refs#/b", "#refs#/a", "#refs#/b"];
        if lacking != "IsTr" {
            file.create_dataset("IsTr")
                .with_path_references(&paths[..size(&self.cells)])
                .with_shape(&self.cells);
        }
        if lacking != "phisTr" {
            file.create_dataset("phisTr")
                .with_f64_data(&self.values)
                .with_shape(&self.table);
        }
        file.finish().unwrap()
    }

    fn open(&self, lacking: &str) -> Result<CofwMat, String> {
        CofwMat::from_bytes(self.bytes(lacking), Path::new("x.mat"), CofwSplit::Train)
            .map_err(|e| e.to_string())
    }
}

#[test]
fn wrong_variables_and_shapes_are_told() {
    assert_eq!(Made::new().open("").unwrap().faces(), 2);
    let whole: [(&str, Change, &str); 6] = [
        ("IsTr", |_| {}, "x.mat: IsTr: cannot be opened"),
        ("phisTr", |_| {}, "x.mat: phisTr: cannot be opened"),
        (
            "",
            |m| m.table = vec![2, 87],
            "phisTr: is 2 x 87; expected 87 x 2",
        ),
        (
            "",
            |m| m.table = vec![174],
            "phisTr: is 174; expected 87 x 2",
        ),
        (
            "",
            |m| m.cells = vec![2, 2],
            "IsTr: is 2 x 2; expected a column",
        ),
        (
            "",
            |m| m.cells = vec![1, 1],
            "phisTr: is 87 x 2; expected 87 x 1",
        ),
    ];
    for (lacking, change, says) in whole {
        let mut made = Made::new();
        change(&mut made);
        let message = made.open(lacking).err().expect(says);
        assert!(message.contains(says), "{message} lacks {says}");
    }

    // What is wrong with one face leaves the other.
    let one: [(Change, &str); 5] = [
        (
            |m| m.values[0] = f64::NAN,
            "x.mat: phisTr(1,:): point 1 is at (NaN, ",
        ),
        (|m| m.values[2 * 30] = 1e9, "phisTr(1,:): point 2 is at"),
        (
            |m| m.values[2 * 60] = 0.5,
            "phisTr(1,:): the occlusion of point 3 is 0.5",
        ),
        (
            |m| m.image = vec![4, 20, 10],
            "x.mat: IsTr{1}: is 4 x 20 x 10",
        ),
        (
            |m| m.image = vec![600],
            "IsTr{1}: is 600; expected an image",
        ),
    ];
    for (change, says) in one {
        let mut made = Made::new();
        change(&mut made);
        let mut faces = made.open("").unwrap();
        let message = faces.next().unwrap().expect_err(says).to_string();
        assert!(message.contains(says), "{message} lacks {says}");
        let second = faces.next().unwrap().unwrap();
        assert_eq!((second.image.width(), second.image.height()), (24, 22));
        assert!(faces.next().is_none());

        let scratch = Scratch::new("deep", &[]);
        fs::write(scratch.root().join("deep").join(TRAIN), made.bytes("")).unwrap();
        let report = scratch.prepare().unwrap();
        assert_eq!((report.faces, report.skipped.len()), (1, 1), "{report:?}");
        let told = report.skipped[0].to_string();
        assert!(told.starts_with("deep/COFW_train_color.mat: "), "{told}");
        assert_eq!(
            scratch.list("train.tsv").name(0),
            "cofw_images/train/0002.png"
        );
    }
}
