//! Landmarks that nobody has labelled: from the file to the batch.

use std::path::Path;

use burn::backend::Flex;
use image::RgbImage;
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;
use star_data::{
    AugmentConfig, Batch, CropBox, Draws, Face, FaceSource, HostBatch, Layout, Point, SampleMaker,
    TsvFaces, TsvRow,
    layout::Edge,
    targets::{UNKNOWN, edge_maps},
    tsv::{parse_tsv, write_tsv},
};

const MISSING: usize = 40;

fn layout() -> Layout {
    Layout::builtin("ibug68").expect("built in")
}

/// A face whose landmarks all differ.
fn face(layout: &Layout) -> Face {
    let place = |i: usize| {
        let angle = i as f64 * 0.37;
        Point::new(32.0 + 20.0 * angle.cos(), 30.0 + 18.0 * angle.sin())
    };
    Face {
        name: "a.png".into(),
        image: RgbImage::from_fn(64, 64, |x, y| image::Rgb([x as u8 * 3, y as u8 * 3, 90])),
        landmarks: (0..layout.points).map(place).collect(),
        truth: None,
        crop: CropBox {
            scale: 0.3,
            center: Point::new(32.0, 32.0),
        },
    }
}

fn row(landmarks: Vec<Point>) -> TsvRow {
    TsvRow {
        path: "a.png".into(),
        landmarks,
        crop: CropBox {
            scale: 0.3,
            center: Point::new(32.0, 32.0),
        },
        tags: None,
        occluded: None,
        group: None,
        line: 0,
    }
}

#[test]
fn an_annotation_file_holds_them() {
    let layout = layout();
    let folder = tempfile::tempdir().expect("folder");
    let file = folder.path().join("a.tsv");
    let mut landmarks = face(&layout).landmarks;
    landmarks[MISSING] = Point::MISSING;
    write_tsv(&file, &[row(landmarks.clone())]).expect("written");
    let bytes = std::fs::read(&file).expect("bytes");
    let text = String::from_utf8(bytes.clone()).expect("text");
    assert_eq!(text.matches("nan,nan").count(), 1, "{text}");
    let read = parse_tsv(&bytes, &file, &layout).expect("rows");
    for (i, (a, b)) in read[0].landmarks.iter().zip(&landmarks).enumerate() {
        assert!(a.same(*b), "{i}: {a:?} {b:?}");
        assert_eq!(a.is_labelled(), i != MISSING);
    }
    let refused = |text: &str| {
        let error = parse_tsv(text.as_bytes(), Path::new("a.tsv"), &layout);
        error.expect_err("refused").to_string()
    };
    let half = refused(&text.replacen("nan,nan", "nan,3", 1));
    assert!(
        half.contains("a.tsv:2") && half.contains("landmark 40"),
        "{half}"
    );
    let infinite = refused(&text.replacen("nan,nan", "inf,inf", 1));
    assert!(infinite.contains("landmark 40 x"), "{infinite}");

    let none = row(vec![Point::MISSING; layout.points]);
    let error = write_tsv(&file, &[none]).expect_err("no face").to_string();
    assert!(error.contains("no landmark is labelled"), "{error}");
    assert_eq!(std::fs::read(&file).expect("bytes"), bytes, "as it was");
    let all = ["nan"; 136].join(",");
    let line = refused(&format!("a.png\t0\t{all}\t0.3\t32\t32\n"));
    assert!(line.contains("no landmark is labelled"), "{line}");
}

#[test]
fn hidden_landmarks_are_told_of() {
    let layout = layout();
    let folder = tempfile::tempdir().expect("folder");
    let file = folder.path().join("a.tsv");
    let face = face(&layout);
    face.image
        .save(folder.path().join("a.png"))
        .expect("an image");
    let mut hidden = vec![false; layout.points];
    hidden[3] = true;
    let known = TsvRow {
        occluded: Some(hidden.clone()),
        ..row(face.landmarks.clone())
    };
    write_tsv(&file, &[row(face.landmarks), known]).expect("written");
    let faces = TsvFaces::open(&file, folder.path(), layout).expect("faces");
    assert_eq!(faces.hidden(0), None);
    assert_eq!(faces.hidden(1), Some(hidden));
}

/// Whatever is not missing is as in the whole face, mirrored or not; what is missing is empty.
#[test]
fn samples_are_those_of_the_whole_face_but_for_what_is_missing() {
    let layout = layout();
    let maker = SampleMaker::new(layout.clone(), 64, AugmentConfig::off(), true).expect("maker");
    let whole = face(&layout);
    let mut part = whole.clone();
    part.landmarks[MISSING] = Point::MISSING;
    for flip in [false, true] {
        let draws = Draws {
            flip,
            ..Draws::default()
        };
        let missing = if flip {
            layout.mirror[MISSING]
        } else {
            MISSING
        };
        let all = maker.sample_with(&whole, 0, &draws).expect("a sample");
        let some = maker.sample_with(&part, 0, &draws).expect("a sample");
        assert_eq!(all.crop, some.crop);
        assert!(all.labelled.iter().all(|f| *f == 1.0));
        for i in 0..layout.points {
            let here = i != missing;
            assert_eq!(some.labelled[i], f32::from(u8::from(here)), "{i}");
            assert_eq!(some.crop_landmarks[i].is_labelled(), here, "{i}");
            assert!(some.landmarks[i].iter().all(|v| v.is_finite()));
            assert_eq!(all.landmarks[i] == some.landmarks[i], here, "{i}");
        }
        let cells = some.cells() * some.cells();
        let maps = (all.point_maps(), some.point_maps());
        for (i, (a, b)) in (maps.0.chunks(cells).zip(maps.1.chunks(cells))).enumerate() {
            assert_eq!(a == b, i != missing, "point map {i}");
            assert_eq!(b.iter().all(|v| *v == 0.0), i == missing, "point map {i}");
        }
        let edges = all
            .edge_maps
            .chunks(cells)
            .zip(some.edge_maps.chunks(cells));
        let mut partly = 0;
        for ((a, b), edge) in edges.zip(&layout.edges) {
            let here = !edge.points.contains(&missing);
            assert_eq!(a == b, here, "{}", edge.name);
            assert_eq!(b.contains(&UNKNOWN), !here, "{}", edge.name);
            if !here {
                // What is left of the line is drawn, and where the whole face has the rest, nothing is claimed.
                partly += usize::from(b.iter().any(|v| *v > 0.0));
                let claims = a
                    .iter()
                    .zip(b)
                    .filter(|(a, b)| **a > 0.0 && **b == 0.0)
                    .count();
                assert!(
                    claims <= a.iter().filter(|v| **v > 0.0).count() / 20,
                    "{}",
                    edge.name
                );
            }
        }
        assert!(partly > 0, "an edge has the point");
    }
}

#[test]
fn a_batch_says_what_is_labelled_only_where_something_is_not() {
    let layout = layout();
    let maker = SampleMaker::new(layout.clone(), 64, AugmentConfig::off(), true).expect("maker");
    let whole = face(&layout);
    let mut part = whole.clone();
    part.landmarks[MISSING] = Point::MISSING;
    let sample = |face: &Face| {
        maker
            .sample_with(face, 0, &Draws::default())
            .expect("a sample")
    };
    let device = Default::default();
    let all: Batch<Flex> = Batch::from_samples(vec![sample(&whole), sample(&whole)], &device);
    assert!(all.labelled.is_none());
    let host = HostBatch::from_samples(vec![sample(&whole), sample(&part)]);
    let first: Batch<Flex> = host.part(0..1).into_device(&device);
    assert!(first.labelled.is_none(), "a part is a batch of its own");
    let both: Batch<Flex> = host.into_device(&device);
    let labels = both.labelled.expect("something is missing");
    assert_eq!(labels.dims(), [2, layout.points]);
    let flags: Vec<f32> = labels.into_data().to_vec().expect("floats");
    assert_eq!(flags.iter().filter(|f| **f == 0.0).count(), 1);
    assert_eq!(flags[layout.points + MISSING], 0.0);
    let images: Vec<f32> = both.images.into_data().to_vec().expect("floats");
    assert!(images.iter().all(|v| v.is_finite()));
}

#[test]
fn a_face_without_any_label_is_refused() {
    let layout = layout();
    let maker = SampleMaker::new(layout.clone(), 64, AugmentConfig::off(), true).expect("maker");
    let mut none = face(&layout);
    none.landmarks = vec![Point::MISSING; layout.points];
    let error = maker.sample_with(&none, 0, &Draws::default());
    let error = error.expect_err("nothing to learn").to_string();
    assert!(error.contains("a.png") && error.contains("labelled"));
    let mut half = face(&layout);
    half.landmarks[5].x = f64::NAN;
    let error = maker.sample_with(&half, 0, &Draws::default());
    assert!(
        error
            .expect_err("half a point")
            .to_string()
            .contains("landmark 5")
    );
}

/// Arcs like a jaw, a brow and an eye with landmarks left out at random: where the whole arc has its line, the partial map has the line or
/// says that it does not know; and it does not say so everywhere.
#[test]
fn a_partial_edge_denies_no_place_of_the_whole_one() {
    let mut rng = Pcg64Mcg::seed_from_u64(5);
    let size = 128;
    for (count, turn, closed) in [(17, 0.55, false), (5, 0.2, false), (8, 1.0, true)] {
        let edge = Edge {
            name: "arc".into(),
            points: (0..count).collect(),
            closed,
        };
        let steps = if closed { count } else { count - 1 };
        let (mut denied, mut lit, mut unknown, mut cells) = (0, 0, 0, 0);
        for _ in 0..200 {
            let tilt: f64 = rng.random_range(-0.5..0.5);
            let squash: f64 = rng.random_range(0.6..1.0);
            let place = |i: usize| {
                let angle = std::f64::consts::TAU * turn * i as f64 / steps as f64;
                let radius = if closed { 20.0 } else { 45.0 };
                let (x, y) = (radius * angle.cos(), radius * squash * angle.sin());
                let (sin, cos) = tilt.sin_cos();
                Point::new(63.0 + cos * x - sin * y, 63.0 + sin * x + cos * y)
            };
            let whole: Vec<Point> = (0..count).map(place).collect();
            let mut part = whole.clone();
            for p in &mut part {
                if rng.random_bool(0.3) {
                    *p = Point::MISSING;
                }
            }
            let edges = std::slice::from_ref(&edge);
            let (whole, part) = (
                edge_maps(&whole, edges, size),
                edge_maps(&part, edges, size),
            );
            for (whole, part) in whole.iter().zip(&part) {
                lit += usize::from(*whole > 0.0);
                denied += usize::from(*whole > 0.3 && *part == 0.0);
                unknown += usize::from(*part == UNKNOWN);
                cells += 1;
            }
        }
        assert!(denied * 100 < lit, "{count}: {denied} of {lit}");
        assert!(unknown * 2 < cells, "{count}: {unknown} of {cells}");
        assert!(unknown > 0);
    }
}
