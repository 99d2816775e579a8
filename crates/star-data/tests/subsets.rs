//! The published parts of an annotation file, and the same faces through other crops.

use std::sync::Arc;

use image::RgbImage;
use star_data::{
    CropBox, CropRule, DataError, Face, FaceSource, Layout, Point, Recropped, Subset, TsvRow,
    published_subsets::published_subsets,
};

fn row(path: &str, tags: Option<[bool; 6]>) -> TsvRow {
    TsvRow {
        path: path.into(),
        landmarks: vec![Point::new(1.0, 2.0); 68],
        crop: CropBox {
            scale: 1.0,
            center: Point::new(1.0, 2.0),
        },
        tags,
        occluded: None,
        group: None,
        line: 0,
    }
}

/// Easier to compare.
fn names(subsets: &[(String, Vec<usize>)]) -> Vec<(&str, &[usize])> {
    subsets
        .iter()
        .map(|(name, faces)| (name.as_str(), faces.as_slice()))
        .collect()
}

#[test]
fn wflw_divides_by_attributes() {
    let mut tags = [false; 6];
    let mut rows = vec![row("a.png", Some(tags))];
    tags[0] = true;
    tags[5] = true;
    rows.push(row("b.png", Some(tags)));
    tags[0] = false;
    rows.push(row("c.png", Some(tags)));
    let layout = Layout::builtin("wflw98").expect("built in");
    let subsets = published_subsets(&rows, &layout);
    assert_eq!(
        names(&subsets),
        [("largepose", &[1][..]), ("blur", &[1, 2])]
    );
    // Attributes that all faces have divide nothing.
    assert!(published_subsets(&rows[1..2], &layout).is_empty());
}

#[test]
fn ibug_divides_by_folders() {
    let rows = [
        row("helen/testset/1.png", None),
        row("data/IBUG/1.png", None),
        row("lfpw/testset/1.png", None),
        row("lfpw/testset/2.png", None),
        row("somewhere/3.png", None),
    ];
    let layout = Layout::builtin("ibug68").expect("built in");
    assert_eq!(
        names(&published_subsets(&rows, &layout)),
        [
            ("common", &[0, 2, 3][..]),
            ("challenge", &[1]),
            ("full", &[0, 1, 2, 3]),
            ("helen/testset", &[0]),
            ("lfpw/testset", &[2, 3]),
        ]
    );
    // Half of `common` is not `common`.
    let subsets = published_subsets(&rows[1..], &layout);
    assert!(
        subsets
            .iter()
            .all(|(name, _)| name != "common" && name != "full")
    );
    // Other layouts have folders of their own.
    let wflw = Layout::builtin("wflw98").expect("built in");
    assert!(published_subsets(&rows, &wflw).is_empty());
}

#[test]
fn folders_above_the_parts_of_ibug_decide_nothing() {
    let layout = Layout::builtin("ibug68").expect("built in");
    for above in ["", "300W_ibug/", "ibug/", "./", "afw/helen/trainset/"] {
        let rows = [
            "helen/testset/1.png",
            "ibug/1.png",
            "lfpw/testset/1.png",
            "300W/01_Indoor/1.png",
            "300W/02_Outdoor/1.png",
            "others/1.png",
        ]
        .map(|path| row(&format!("{above}{path}"), None));
        assert_eq!(
            names(&published_subsets(&rows, &layout)),
            [
                ("common", &[0, 2][..]),
                ("challenge", &[1]),
                ("full", &[0, 1, 2]),
                ("private", &[3, 4]),
                ("helen/testset", &[0]),
                ("lfpw/testset", &[2]),
                ("indoor", &[3]),
                ("outdoor", &[4]),
            ],
            "{above}"
        );
    }
}

#[test]
fn mirrored_copies_are_in_no_published_subset() {
    let layout = Layout::builtin("ibug68").expect("built in");
    let rows = [
        row("ibug/1.png", None),
        row("ibug/1_mirror.jpg", None),
        row("ibug/2_mirror.jpg", None),
        row("indoor/1.png", None),
    ];
    assert_eq!(
        names(&published_subsets(&rows, &layout)),
        [("challenge", &[0, 2][..]), ("indoor", &[3])]
    );
}

/// Faces in a grey image, all cropped alike.
struct Plain(Layout);

const OWN: CropBox = CropBox {
    scale: 0.5,
    center: Point { x: 40.0, y: 60.0 },
};

impl FaceSource for Plain {
    fn layout(&self) -> &Layout {
        &self.0
    }

    fn len(&self) -> usize {
        2000
    }

    fn name(&self, index: usize) -> String {
        index.to_string()
    }

    fn face(&self, index: usize) -> Result<Face, DataError> {
        Ok(Face {
            name: self.name(index),
            image: RgbImage::new(2, 2),
            landmarks: vec![Point::new(0.0, 0.0); self.0.points],
            truth: None,
            crop: OWN,
        })
    }

    fn subsets(&self) -> Vec<(String, Vec<usize>)> {
        vec![("even".into(), (0..2000).step_by(2).collect())]
    }
}

fn plain() -> Arc<dyn FaceSource> {
    Arc::new(Plain(Layout::builtin("cofw29").expect("built in")))
}

#[test]
fn a_part_has_its_part_of_the_subsets() {
    let part = Subset::new(plain(), vec![7, 4, 9, 2]).expect("a part");
    assert_eq!(names(&part.subsets()), [("even", &[1, 3][..])]);
    let odd = Subset::new(plain(), vec![7, 9]).expect("a part");
    assert!(odd.subsets().is_empty());
}

#[test]
fn crops_are_replaced() {
    let crops: Vec<CropBox> = (0..2000)
        .map(|i| CropBox {
            scale: 1.0 + i as f64,
            ..OWN
        })
        .collect();
    let faces = Recropped::new(plain(), crops.clone()).expect("as many");
    assert_eq!(faces.face(7).expect("a face").crop, crops[7]);
    assert_eq!(faces.subsets(), plain().subsets());
    assert_eq!(faces.crop_rule(), CropRule::default());
    assert!(Recropped::new(plain(), crops[1..].to_vec()).is_err());
}

#[test]
fn jittered_crops_have_the_spread_asked_for() {
    let fraction = 0.08;
    let faces = Recropped::jittered(plain(), fraction, 3);
    let again = Recropped::jittered(plain(), fraction, 3);
    let other = Recropped::jittered(plain(), fraction, 4);
    let crop = |faces: &Recropped, i| faces.face(i).expect("a face").crop;
    let mut squares = [0.0; 3];
    for i in 0..2000 {
        let jittered = crop(&faces, i);
        assert_eq!(jittered, crop(&again, i));
        assert_ne!(jittered, crop(&other, i));
        let width = 200.0 * OWN.scale;
        let moved = [
            (jittered.center.x - OWN.center.x) / width,
            (jittered.center.y - OWN.center.y) / width,
            (jittered.scale / OWN.scale).ln(),
        ];
        for (square, moved) in squares.iter_mut().zip(moved) {
            *square += moved * moved / 2000.0;
        }
    }
    for square in squares {
        // 2,000 draws know a standard deviation to 1.6 %.
        assert!((square.sqrt() / fraction - 1.0).abs() < 0.08, "{squares:?}");
    }
}
