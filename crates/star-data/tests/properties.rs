//! What must hold for any face, not only for the recorded ones.

use std::{
    collections::BTreeSet,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use burn::{
    backend::{Flex, flex::FlexDevice},
    tensor::Tensor,
};
use image::{Rgb, RgbImage};
use rand::{Rng, RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;
use star_data::{
    Affine, AugmentConfig, Batch, BoxSide, CropBox, CropRule, DataError, Draws, Face, FacePlan,
    FaceSource, GeometryDraws, HoldOut, HostBatch, Layout, Loader, LoaderConfig, Point, Recropped,
    SampleMaker, Subset, TsvFaces, TsvRow,
    check::{Kind, check_annotations},
    crop::{crop_matrix, denormalise_point, normalise_point},
    decode::{decode_bytes, decode_file},
    photometric::blur,
    rng::{mix, permutation, sample_rng},
    split_held_out,
    targets::{EdgeCanvas, curve, edge_maps, expand_point_maps, point_profiles},
    tsv::{parse_tsv, write_tsv},
    warp::warp,
};

fn layouts() -> impl Iterator<Item = Layout> {
    Layout::builtin_names().map(|name| Layout::builtin(name).expect("built in"))
}

/// Landmarks on a jittered ring: no two coincide, and none needs to be anatomically right.
fn ring(points: usize, center: Point, radius: f64, rng: &mut impl Rng) -> Vec<Point> {
    (0..points)
        .map(|i| {
            let angle = i as f64 / points as f64 * std::f64::consts::TAU;
            let r = radius * (0.5 + 0.5 * rng.random::<f64>());
            Point::new(center.x + r * angle.cos(), center.y + r * angle.sin())
        })
        .collect()
}

/// Small faces of random pixels, made on demand. One of them may fail, one may panic.
struct Noise {
    layout: Layout,
    len: usize,
    fails: Option<usize>,
    panics: Option<usize>,
    made: AtomicUsize,
}

impl Noise {
    fn new(len: usize) -> Self {
        Self {
            layout: Layout::builtin("cofw29").expect("built in"),
            len,
            fails: None,
            panics: None,
            made: AtomicUsize::new(0),
        }
    }
}

impl FaceSource for Noise {
    fn layout(&self) -> &Layout {
        &self.layout
    }
    fn len(&self) -> usize {
        self.len
    }
    fn name(&self, index: usize) -> String {
        format!("noise {index}")
    }
    fn face(&self, index: usize) -> Result<Face, DataError> {
        self.made.fetch_add(1, Ordering::SeqCst);
        if self.fails == Some(index) {
            return Err(DataError::Invalid(format!(
                "{} is broken",
                self.name(index)
            )));
        }
        assert_ne!(self.panics, Some(index), "a decoder bug");
        let mut rng = sample_rng(1, 0, index as u64);
        let (w, h) = (40 + index as u32 % 7, 50);
        let mut image = RgbImage::new(w, h);
        rng.fill_bytes(&mut image);
        let center = Point::new(20.0, 25.0);
        let landmarks = ring(self.layout.points, center, 15.0, &mut rng);
        let truth = Some(ring(self.layout.points, center, 15.0, &mut rng));
        Ok(Face {
            name: self.name(index),
            image,
            landmarks,
            truth,
            crop: CropBox { scale: 0.2, center },
        })
    }
}

fn loader(source: Noise, config: LoaderConfig) -> Loader {
    let layout = source.layout.clone();
    let maker = SampleMaker::new(layout, 32, AugmentConfig::default(), true).expect("maker");
    Loader::new(Arc::new(source), maker, config).expect("loader")
}

fn config(workers: usize) -> LoaderConfig {
    LoaderConfig {
        batch_size: 4,
        workers,
        seed: 7,
        ..LoaderConfig::default()
    }
}

fn same(a: &HostBatch, b: &HostBatch) -> bool {
    a.images == b.images
        && a.landmarks == b.landmarks
        && a.truth == b.truth
        && a.point_rows == b.point_rows
        && a.point_columns == b.point_columns
        && a.edge_maps == b.edge_maps
        && a.indices == b.indices
        && a.names == b.names
        && a.matrices == b.matrices
        && a.flipped == b.flipped
}

#[test]
fn layouts_survive_toml() {
    for layout in layouts() {
        let text = layout.to_toml();
        let back = Layout::from_toml_str(&text, Path::new("copy.toml")).expect("reads back");
        assert_eq!(back, layout, "{text}");
    }
}

#[test]
fn layout_mistakes_name_their_line() {
    let good = Layout::builtin("wflw98").expect("built in").to_toml();
    let number_of = |text: &str, needle: &str| {
        1 + text
            .lines()
            .position(|l| l.contains(needle))
            .unwrap_or_else(|| panic!("{needle} in {text}"))
    };
    for (from, to, at, says) in [
        ("points = 98", "points = 1", "points = 1", "at least 2"),
        ("points = 98", "points = 97", "97]", "point 97"),
        (
            "threshold = 0.1",
            "threshold = -1.0",
            "threshold",
            "above 0 and up to 1",
        ),
        (
            "threshold = 0.1",
            "threshold = 10",
            "threshold",
            "above 0 and up to 1",
        ),
        (
            "mirror = [[0, 32]",
            "mirror = [[0, 32, 5]",
            "mirror",
            "has 3 points",
        ),
        (
            "mirror = [[0, 32]",
            "mirror = [[0]",
            "mirror",
            "has 1 points",
        ),
        (
            "threshold = 0.1",
            "treshold = 0.1",
            "treshold",
            "unknown key",
        ),
        (
            "default_norm = \"ocular\"",
            "default_norm = \"eyes\"",
            "default_norm",
            "not in [norms]",
        ),
        (
            "[norms.ocular]\nleft = [60]",
            "[norms.ocular]\nleft = [72]",
            "[norms.ocular]",
            "both sides",
        ),
        ("name = \"nose\"", "name = \"nose_line\"", "", "two edges"),
        ("points = [51, ", "points = [52, ", "", "twice"),
    ] {
        let text = good.replacen(from, to, 1);
        assert_ne!(text, good, "{from} is not in {good}");
        let error = Layout::from_toml_str(&text, Path::new("mine.toml"))
            .expect_err(to)
            .to_string();
        assert!(error.contains(says), "{to}: {error}");
        assert!(error.starts_with("mine.toml:"), "{error}");
        if !at.is_empty() {
            let line = number_of(&text, at);
            assert!(
                error.starts_with(&format!("mine.toml:{line}:")),
                "line {line}: {error}"
            );
        }
    }
    let large = format!("{good}{}", "#\n".repeat(128 << 10));
    let error = Layout::from_toml_str(&large, Path::new("mine.toml")).expect_err("too large");
    let error = error.to_string();
    assert!(
        error.starts_with("mine.toml:1: ") && error.contains("a layout's file has at most 262144"),
        "{error}"
    );
    assert!(
        Layout::builtin("wflw")
            .expect_err("no such")
            .to_string()
            .contains("wflw98")
    );
}

#[test]
fn flipping_twice_changes_nothing() {
    let mut rng = sample_rng(3, 0, 0);
    for layout in layouts() {
        for width in [1, 2, 37, 256] {
            let points = ring(layout.points, Point::new(20.0, 30.0), 50.0, &mut rng);
            let twice = layout.mirrored(&layout.mirrored(&points, width), width);
            for (a, b) in points.iter().zip(&twice) {
                assert!(a.distance(*b) < 1e-9, "{}: {a:?} became {b:?}", layout.name);
            }
            let mirrored: Vec<usize> = layout.mirror.iter().map(|&i| layout.mirror[i]).collect();
            assert!(mirrored.iter().copied().eq(0..layout.points));
        }
        // A mirrored face has the same size by every norm: the norms' sides mirror each other.
        let points = ring(layout.points, Point::new(20.0, 30.0), 50.0, &mut rng);
        let mirrored = layout.mirrored(&points, 100);
        for name in layout.norms.keys() {
            let norm = layout.norm(Some(name)).expect("norm");
            let (a, b) = (norm.distance(&points), norm.distance(&mirrored));
            assert!((a - b).abs() < 1e-9, "{} {name}: {a} {b}", layout.name);
        }
        // Edges mirror onto edges.
        for edge in &layout.edges {
            let mut image: Vec<usize> = edge.points.iter().map(|&i| layout.mirror[i]).collect();
            image.sort_unstable();
            let found = layout.edges.iter().any(|other| {
                let mut points = other.points.clone();
                points.sort_unstable();
                points == image
            });
            assert!(found, "{}: {} has no mirror image", layout.name, edge.name);
        }
    }
}

/// Any map an augmented face can meet, and rougher ones.
fn random_plan(rng: &mut impl Rng) -> (CropBox, Draws) {
    let crop = CropBox {
        scale: 0.05 + 3.0 * rng.random::<f64>(),
        center: Point::new(500.0 * rng.random::<f64>(), 500.0 * rng.random::<f64>()),
    };
    let draws = Draws {
        flip: rng.random(),
        geometry: Some(GeometryDraws {
            shift: [rng.random::<f64>() - 0.5, rng.random::<f64>() - 0.5],
            angle: 6.3 * rng.random::<f64>(),
            scale: 0.3 + 1.5 * rng.random::<f64>(),
        }),
        ..Draws::default()
    };
    (crop, draws)
}

#[test]
fn matrices_invert() {
    let mut rng = sample_rng(4, 0, 0);
    for _ in 0..2000 {
        let layout = Layout::builtin("cofw29").expect("built in");
        let (crop, draws) = random_plan(&mut rng);
        let plan = FacePlan::new(&crop, 640, &layout, 256, &draws);
        for map in [plan.image, plan.points] {
            let back = map.invert().expect("invertible");
            let p = Point::new(640.0 * rng.random::<f64>(), 480.0 * rng.random::<f64>());
            assert!(back.apply(map.apply(p)).distance(p) < 1e-8);
            assert!(map.then(&back).apply(p).distance(p) < 1e-8);
            assert!(back.compose(&map).apply(p).distance(p) < 1e-8);
        }
        let p = Point::new(rng.random(), rng.random());
        assert!(denormalise_point(normalise_point(p, 64), 64).distance(p) < 1e-12);
    }
    assert_eq!(
        Affine::new([[1.0, 2.0, 0.0], [2.0, 4.0, 0.0]]).invert(),
        None
    );
    assert_eq!(
        Affine::new([[f64::NAN, 0.0, 0.0], [0.0, 1.0, 0.0]]).invert(),
        None
    );
    // A scale drawn at or below 0 still makes a map that can be undone.
    for scale in [0.0, -0.4] {
        let draws = GeometryDraws {
            shift: [0.0; 2],
            angle: 0.1,
            scale,
        };
        assert!(draws.matrix(64).invert().is_some());
    }
}

#[test]
fn points_and_pixels_move_together() {
    const SIZE: u32 = 128;
    let mut rng = sample_rng(5, 0, 0);
    for layout in layouts() {
        let mut compared = 0;
        for _ in 0..300 {
            let (crop, draws) = random_plan(&mut rng);
            // A soft dot, at least a few crop pixels and a few image pixels wide, so that sampling it says where it is.
            let spot = Point::new(
                crop.center.x + 40.0 * crop.scale * (rng.random::<f64>() - 0.5),
                crop.center.y + 40.0 * crop.scale * (rng.random::<f64>() - 0.5),
            );
            let k = crop_matrix(&crop, SIZE).rows[0][0] * draws.geometry.expect("drawn").scale;
            let sigma = 3.0_f64.max(2.5 / k);
            let image = RgbImage::from_fn(500, 500, |x, y| {
                let d = spot.distance(Point::new(f64::from(x), f64::from(y)));
                Rgb([(255.0 * (-d * d / (2.0 * sigma * sigma)).exp()).round() as u8; 3])
            });
            let plan = FacePlan::new(&crop, 500, &layout, SIZE, &draws);
            // A point's place in the mirrored image depends on where annotations count from; the dot's does not.
            let mut annotated = spot;
            if draws.flip {
                annotated.x += 1.0 - layout.flip_offset;
            }
            let expected = plan.points.apply(annotated);
            let reach = 4.0 * sigma * k;
            let inside = |v: f64| v > reach && v < f64::from(SIZE) - reach;
            let in_image = |v: f64| v > 4.0 * sigma && v < 499.0 - 4.0 * sigma;
            if ![expected.x, expected.y].into_iter().all(inside)
                || ![spot.x, spot.y].into_iter().all(in_image)
            {
                continue;
            }
            let warped = warp(&image, &plan.image, SIZE, SIZE).expect("warp");
            let (mut x, mut y, mut sum) = (0.0, 0.0, 0.0);
            for (px, py, level) in warped.enumerate_pixels() {
                let level = f64::from(level.0[0]);
                x += level * f64::from(px);
                y += level * f64::from(py);
                sum += level;
            }
            let found = Point::new(x / sum, y / sum);
            assert!(
                found.distance(expected) < 0.1,
                "{found:?}, not {expected:?}"
            );
            compared += 1;
        }
        assert!(compared > 30, "only {compared} dots could be compared");
    }
}

#[test]
fn warp_is_bilinear_everywhere() {
    // Against the definition, one pixel at a time, with every kind of border.
    let mut rng = sample_rng(6, 0, 0);
    for round in 0..200 {
        let (w, h) = (1 + rng.random::<u32>() % 12, 1 + rng.random::<u32>() % 12);
        let mut image = RgbImage::new(w, h);
        rng.fill_bytes(&mut image);
        let mut entry = || 4.0 * rng.random::<f64>() - 2.0;
        let map = if round % 4 == 0 {
            // Whole numbers land exactly on pixels and on borders.
            Affine::new([
                [1.0, 0.0, entry().round()],
                [0.0, -1.0, entry().round() + 4.0],
            ])
        } else {
            Affine::new([
                [entry(), entry(), 8.0 * entry()],
                [entry(), entry(), 8.0 * entry()],
            ])
        };
        let Some(back) = map.invert() else { continue };
        let ours = warp(&image, &map, 16, 16).expect("warp");
        let level = |x: f64, y: f64, c: usize| {
            let inside = x >= 0.0 && y >= 0.0 && x < f64::from(w) && y < f64::from(h);
            if inside {
                f64::from(image.get_pixel(x as u32, y as u32).0[c])
            } else {
                0.0
            }
        };
        for (x, y, pixel) in ours.enumerate_pixels() {
            let s = back.apply(Point::new(f64::from(x), f64::from(y)));
            let (x0, y0) = (s.x.floor(), s.y.floor());
            let (fx, fy) = (s.x - x0, s.y - y0);
            for c in 0..3 {
                let exact = level(x0, y0, c) * (1.0 - fx) * (1.0 - fy)
                    + level(x0 + 1.0, y0, c) * fx * (1.0 - fy)
                    + level(x0, y0 + 1.0, c) * (1.0 - fx) * fy
                    + level(x0 + 1.0, y0 + 1.0, c) * fx * fy;
                let off = (f64::from(pixel.0[c]) - exact).abs();
                assert!(off <= 0.52, "{map:?} at {x}, {y}: {pixel:?}, not {exact}");
            }
        }
    }
}

#[test]
fn blur_keeps_a_flat_image() {
    for k in 0..13 {
        for (w, h) in [(1, 1), (1, 9), (5, 2), (20, 20)] {
            let mut image = RgbImage::from_pixel(w, h, Rgb([0, 77, 255]));
            let before = image.clone();
            blur(&mut image, k);
            assert_eq!(image, before, "{k} on {w} x {h}");
        }
    }
}

#[test]
fn point_maps_peak_at_their_point() {
    let mut rng = sample_rng(8, 0, 0);
    for _ in 0..500 {
        let p = Point::new(
            5.0 + 245.0 * rng.random::<f64>(),
            5.0 + 245.0 * rng.random::<f64>(),
        );
        let map = expand_point_maps(&point_profiles(&[p], 256), 64);
        let best = (0..map.len())
            .max_by(|&a, &b| map[a].total_cmp(&map[b]))
            .expect("cells");
        let (x, y) = (
            (best % 64) as f64 * 4.0 + 1.5,
            (best / 64) as f64 * 4.0 + 1.5,
        );
        assert!(
            (x - p.x).abs() <= 2.51 && (y - p.y).abs() <= 2.51,
            "{p:?} peaks at {x}, {y}"
        );
    }
    // Outside points are on the border, and every size of nonsense is survived.
    for v in [-1e6, -1.0, 256.0, 1e6] {
        let map = expand_point_maps(&point_profiles(&[Point::new(v, v)], 256), 64);
        assert!(map.iter().any(|&v| v > 0.3), "{v}");
    }
}

#[test]
fn edge_maps_agree_with_plain_distances() {
    // One straight edge from its definition: all canvas pixels, nothing clever.
    let mut layout = Layout::builtin("cofw29").expect("built in");
    layout.edges.truncate(1);
    layout.edges[0].points = vec![0, 1];
    layout.edges[0].closed = false;
    let mut rng = sample_rng(9, 0, 0);
    for _ in 0..50 {
        let mut landmarks = vec![Point::default(); layout.points];
        for p in &mut landmarks[..2] {
            *p = Point::new(
                80.0 * rng.random::<f64>() - 8.0,
                80.0 * rng.random::<f64>() - 8.0,
            );
        }
        let ours = edge_maps(&landmarks, &layout.edges, 64);
        let canvas = |v: f64| (v.clamp(0.0, 63.0) * 4.0 + 0.5).floor();
        let ends: Vec<_> = landmarks[..2]
            .iter()
            .map(|p| (canvas(p.x), canvas(p.y)))
            .collect();
        let distance = |x: f64, y: f64| {
            let ((ax, ay), (bx, by)) = (ends[0], ends[1]);
            let (dx, dy) = (bx - ax, by - ay);
            let along = ((x - ax) * dx + (y - ay) * dy) / (dx * dx + dy * dy).max(1.0);
            let along = along.clamp(0.0, 1.0);
            (x - ax - along * dx).hypot(y - ay - along * dy)
        };
        for (cell, &value) in ours.iter().enumerate() {
            let (row, column) = (cell / 16, cell % 16);
            let within = |reach: f64| {
                let pixels = (0..64).filter(|k| {
                    let (x, y) = (column * 16 + 4 + k % 8, row * 16 + 4 + k / 8);
                    distance(x as f64, y as f64) <= reach
                });
                pixels.count() as f32 / 64.0
            };
            // A line four pixels thick: whatever its slope, the edge of what is covered lies within a pixel of two pixels from it.
            assert!(
                (within(1.5)..=within(3.0)).contains(&value),
                "{ends:?} cell {row},{column}: {value}, {} to {}",
                within(1.5),
                within(3.0)
            );
        }
    }
}

#[test]
fn a_lone_point_is_drawn_as_a_line_without_length() {
    let p = Point::new(30.0, 21.0);
    let map = |line: &[Point]| {
        let (mut canvas, mut map) = (EdgeCanvas::new(64), Vec::new());
        canvas.draw(line, false);
        canvas.take(&mut map);
        map
    };
    assert!(map(&[p]).iter().any(|v| *v > 0.0));
    assert_eq!(map(&[p]), map(&[p, p]));
}

#[test]
fn curves_pass_through_their_landmarks() {
    let mut rng = sample_rng(10, 0, 0);
    for n in 4..40 {
        for closed in [false, true] {
            let points = ring(n, Point::new(100.0, 90.0), 60.0, &mut rng);
            let line = curve(&points, closed);
            assert_eq!(line.len(), if closed { 5 * n } else { 5 * (n - 1) + 1 });
            for (i, p) in points.iter().enumerate() {
                assert!(line[5 * i].distance(*p) < 1e-9);
            }
            // Where it starts does not matter to a closed curve.
            if closed {
                let mut turned = points.clone();
                turned.rotate_left(1);
                let turned = curve(&turned, true);
                for (i, p) in turned.iter().enumerate() {
                    assert!(p.distance(line[(i + 5) % line.len()]) < 1e-6, "{n} {i}");
                }
            }
        }
    }
    for few in 0..3 {
        let points = vec![Point::new(1.0, 2.0); few];
        assert_eq!(curve(&points, true), points);
        assert_eq!(curve(&points, false), points);
    }
}

#[test]
fn samples_are_sound() {
    let source = Noise::new(40);
    let maker =
        SampleMaker::new(source.layout.clone(), 32, AugmentConfig::default(), true).expect("maker");
    let mut flipped = 0;
    for index in 0..source.len() {
        let face = source.face(index).expect("face");
        let sample = maker.sample(&face, index, 1, 2).expect("sample");
        let again = maker.sample(&face, index, 1, 2).expect("sample");
        assert_eq!(sample.input(), again.input());
        let other = maker.sample(&face, index, 1, 3).expect("sample");
        assert_ne!(
            sample.input(),
            other.input(),
            "another epoch varies another way"
        );
        assert!(sample.input().iter().all(|v| (-1.0..=1.0).contains(v)));
        assert!(
            sample
                .landmarks
                .iter()
                .flatten()
                .all(|v| (-1.0..=1.0).contains(v))
        );
        assert!(sample.edge_maps.iter().all(|v| (0.0..=1.0).contains(v)));
        assert_eq!(sample.input().len(), 3 * 32 * 32);
        assert_eq!(sample.point_maps().len(), 29 * 8 * 8);
        assert_eq!(sample.edge_maps.len(), 7 * 8 * 8);
        // The matrix leads from the annotation to the crop, mirror pairs swapped.
        for (i, p) in sample.crop_landmarks.iter().enumerate() {
            let from = if sample.flipped {
                source.layout.mirror[i]
            } else {
                i
            };
            assert!(sample.matrix.apply(face.landmarks[from]).distance(*p) < 1e-9);
        }
        flipped += usize::from(sample.flipped);
    }
    assert!((5..35).contains(&flipped), "{flipped} of 40 flipped");

    let mut face = source.face(0).expect("face");
    face.landmarks[3].x = f64::NAN;
    assert!(
        maker
            .sample(&face, 0, 0, 0)
            .expect_err("NaN")
            .to_string()
            .contains("landmark 3")
    );
    face.landmarks.pop();
    assert!(
        maker
            .sample(&face, 0, 0, 0)
            .expect_err("short")
            .to_string()
            .contains("28")
    );
    for size in [0, 30, 1 << 30] {
        assert!(SampleMaker::new(source.layout.clone(), size, AugmentConfig::off(), true).is_err());
    }
    let wrong = AugmentConfig {
        blur: 1.5,
        ..AugmentConfig::default()
    };
    assert!(
        wrong
            .validate()
            .expect_err("rate")
            .to_string()
            .contains("blur")
    );
}

#[test]
fn draws_happen_at_their_rates() {
    let config = AugmentConfig::default();
    let mut rng = sample_rng(11, 0, 0);
    let n = 4000;
    let draws: Vec<Draws> = (0..n).map(|_| Draws::draw(&config, 4, &mut rng)).collect();
    let fraction =
        |f: &dyn Fn(&Draws) -> bool| draws.iter().filter(|d| f(d)).count() as f64 / f64::from(n);
    for (ours, rate) in [
        (fraction(&|d| d.flip), config.flip),
        (
            fraction(&|d| d.photometric.occlusion.is_some()),
            config.occlusion,
        ),
        (fraction(&|d| d.photometric.blur.is_some()), config.blur),
        (fraction(&|d| d.photometric.gamma.is_some()), config.gamma),
        (fraction(&|d| d.photometric.noise.is_some()), config.noise),
        (fraction(&|d| d.photometric.gray), config.gray),
    ] {
        assert!((ours - rate).abs() < 0.04, "{ours}, not {rate}");
    }
    let spread = |f: &dyn Fn(&GeometryDraws) -> f64, mean: f64| {
        let sum: f64 = draws
            .iter()
            .map(|d| (f(&d.geometry.expect("drawn")) - mean).powi(2))
            .sum();
        (sum / f64::from(n)).sqrt()
    };
    assert!((spread(&|g| g.angle, 0.0) / 18f64.to_radians() - 1.0).abs() < 0.06);
    assert!((spread(&|g| g.scale, 1.0) / 0.1 - 1.0).abs() < 0.06);
    assert!((spread(&|g| g.shift[1], 0.0) / 0.05 - 1.0).abs() < 0.06);
    assert_eq!(
        Draws::draw(&AugmentConfig::off(), 4, &mut rng),
        Draws::default()
    );
}

#[test]
fn batches_do_not_depend_on_workers() {
    let reference: Vec<HostBatch> = loader(Noise::new(22), config(0))
        .epoch(3)
        .collect::<Result<_, _>>()
        .expect("batches");
    assert_eq!(
        reference.iter().map(HostBatch::len).collect::<Vec<_>>(),
        [4, 4, 4, 4, 4, 2]
    );
    for workers in [1, 2, 4, 9] {
        let loader = loader(Noise::new(22), config(workers));
        let batches: Vec<HostBatch> = loader.epoch(3).collect::<Result<_, _>>().expect("batches");
        assert_eq!(batches.len(), reference.len());
        assert!(
            batches.iter().zip(&reference).all(|(a, b)| same(a, b)),
            "{workers} workers"
        );
        // From the middle on: the same rest.
        for first in 0..8 {
            let rest: Vec<HostBatch> = loader
                .epoch_from(3, first)
                .collect::<Result<_, _>>()
                .expect("rest");
            let expected = &reference[first.min(reference.len())..];
            assert_eq!(rest.len(), expected.len());
            assert!(
                rest.iter().zip(expected).all(|(a, b)| same(a, b)),
                "from batch {first}"
            );
        }
    }
    let mut seen: Vec<usize> = reference.iter().flat_map(|b| b.indices.clone()).collect();
    assert_ne!(seen, (0..22).collect::<Vec<_>>(), "shuffled");
    seen.sort_unstable();
    assert_eq!(seen, (0..22).collect::<Vec<_>>(), "every face once");

    let loader = loader(
        Noise::new(22),
        LoaderConfig {
            drop_last: true,
            shuffle: false,
            ..config(2)
        },
    );
    assert_eq!((loader.batches(), loader.samples()), (5, 20));
    let order: Vec<usize> = loader
        .epoch(0)
        .flat_map(|b| b.expect("batch").indices)
        .collect();
    assert_eq!(order, (0..20).collect::<Vec<_>>());
    assert_ne!(
        loader.epoch(0).next().expect("one").expect("batch").images,
        loader.epoch(1).next().expect("one").expect("batch").images
    );
}

#[test]
fn a_bad_face_is_an_error_that_names_it() {
    for workers in [0, 3] {
        let mut source = Noise::new(12);
        source.fails = Some(5);
        source.panics = Some(9);
        let loader = loader(
            source,
            LoaderConfig {
                shuffle: false,
                ..config(workers)
            },
        );
        let results: Vec<_> = loader.epoch(0).collect();
        assert_eq!(results.len(), 3);
        assert!(results[0].is_ok());
        assert!(
            results[1]
                .as_ref()
                .expect_err("fails")
                .to_string()
                .contains("noise 5")
        );
        let panic = results[2].as_ref().expect_err("panics").to_string();
        assert!(
            panic.contains("noise 9") && panic.contains("a decoder bug"),
            "{panic}"
        );
    }
    let other = SampleMaker::new(
        Layout::builtin("wflw98").expect("built in"),
        32,
        AugmentConfig::off(),
        true,
    )
    .expect("maker");
    assert!(Loader::new(Arc::new(Noise::new(3)), other, config(1)).is_err());
    let maker = SampleMaker::new(
        Layout::builtin("cofw29").expect("built in"),
        32,
        AugmentConfig::off(),
        true,
    )
    .expect("maker");
    let none = LoaderConfig {
        batch_size: 0,
        ..config(1)
    };
    assert!(Loader::new(Arc::new(Noise::new(3)), maker, none).is_err());
}

#[test]
fn workers_stop_early_and_do_not_run_away() {
    let source = Arc::new(Noise::new(4000));
    let maker =
        SampleMaker::new(source.layout.clone(), 32, AugmentConfig::off(), false).expect("maker");
    let loader = Loader::new(source.clone(), maker, config(3)).expect("loader");
    let mut epoch = loader.epoch(0);
    let first = epoch.next().expect("one").expect("batch");
    assert!(first.point_rows.is_empty() && first.edge_maps.is_empty());
    std::thread::sleep(std::time::Duration::from_millis(200));
    drop(epoch);
    // The first batch, the prefetched ones, one being handed over, and the window.
    let made = source.made.load(Ordering::SeqCst);
    assert!(
        made <= 4 * (1 + 2 + 2) + 6 + 3,
        "{made} faces made for one batch of 4"
    );
    assert_eq!(loader.epoch_from(0, usize::MAX).count(), 0);
}

#[test]
fn batches_become_tensors() {
    let device = FlexDevice;
    let loader = loader(Noise::new(3), config(2));
    let host = loader.epoch(0).next().expect("one").expect("batch");
    let batch: Batch<Flex> = host.to_device(&device);
    assert_eq!(batch.images.dims(), [3, 3, 32, 32]);
    assert_eq!(batch.landmarks.dims(), [3, 29, 2]);
    assert_eq!(batch.truth.as_ref().expect("truth").dims(), [3, 29, 2]);
    assert_eq!(
        batch.edge_maps.as_ref().expect("edges").dims(),
        [3, 7, 8, 8]
    );
    let maps = batch.point_maps.expect("points");
    assert_eq!(maps.dims(), [3, 29, 8, 8]);
    // The product on the device is the product in memory.
    let face = loader.source().face(host.indices[1]).expect("face");
    let sample = loader
        .maker()
        .sample(&face, host.indices[1], 7, 0)
        .expect("sample");
    let one: Tensor<Flex, 4> = maps.narrow(0, 1, 1);
    assert_eq!(
        one.into_data().to_vec::<f32>().expect("f32"),
        sample.point_maps()
    );
    let images = host.images::<Flex>(&device);
    assert_eq!(images.into_data(), batch.images.into_data());
}

#[test]
fn a_group_is_held_out_as_a_whole() {
    let mut rng = sample_rng(15, 0, 0);
    for seed in 0..300 {
        let faces = 2 + rng.random::<u64>() as usize % 60;
        let most = 1 + rng.random::<u64>() % 30;
        // Numbers with gaps, in any order, of any size.
        let groups: Vec<usize> = (0..faces)
            .map(|_| 7 * (rng.random::<u64>() % most) as usize + 3)
            .collect();
        let distinct: BTreeSet<usize> = groups.iter().copied().collect();
        let fraction = 0.05 + 0.9 * rng.random::<f64>();
        let count = ((distinct.len() as f64 * fraction).round() as usize).max(1);
        let split = split_held_out(&groups, HoldOut::Fraction(fraction), seed);
        if count >= distinct.len() {
            let error = split.expect_err("nothing left").to_string();
            assert!(
                error.contains(&format!("{count} of {} ", distinct.len())),
                "{error}"
            );
            continue;
        }
        let (train, held_out) = split.expect("split");
        let of = |part: &[usize]| -> BTreeSet<usize> { part.iter().map(|&i| groups[i]).collect() };
        assert!(of(&train).is_disjoint(&of(&held_out)));
        assert_eq!(of(&held_out).len(), count);
        assert_eq!(train.len() + held_out.len(), faces);
        assert!(train.is_sorted() && held_out.is_sorted());
        // Other numbers for the same groups.
        let renamed: Vec<usize> = groups.iter().map(|g| 1000 - g).collect();
        let again = split_held_out(&renamed, HoldOut::Count(count), seed);
        assert_eq!(again.expect("split"), (train, held_out));
    }
}

/// Figures on held-out faces compare with earlier ones: the draw is part of the recipe.
#[test]
fn faces_that_are_alone_are_drawn_as_ever() {
    for (faces, count, seed) in [(20, 2, 0), (1000, 100, 5), (2012, 201, 0)] {
        let mut rng = Pcg64Mcg::seed_from_u64(mix(&[seed, u64::from_be_bytes(*b"held out")]));
        let mut expected = permutation(faces, &mut rng);
        expected.truncate(count);
        expected.sort_unstable();
        let alone: Vec<usize> = (0..faces).collect();
        let (_, held_out) = split_held_out(&alone, HoldOut::Fraction(0.1), seed).expect("split");
        assert_eq!(held_out, expected);
        if faces == 20 {
            assert_eq!(held_out, [13, 14]);
        }
    }
}

#[test]
fn faces_of_one_image_or_group_belong_together() {
    let layout = Layout::builtin("cofw29").expect("built in");
    let folder = Folder::new("together");
    // Of `a` there is a copy under another name; `d` has its size and other bytes.
    for (name, bytes) in [
        ("a", "12"),
        ("copy of a", "12"),
        ("b", "3"),
        ("c", "456"),
        ("d", "98"),
    ] {
        std::fs::write(folder.0.join(format!("{name}.png")), bytes).expect("written");
    }
    let list = folder.0.join("list.tsv");
    let groups = |rows: &[(&str, Option<&str>)]| {
        let rows: Vec<TsvRow> = (rows.iter())
            .map(|(name, group)| TsvRow {
                group: group.map(String::from),
                ..row(&format!("{name}.png"), &layout)
            })
            .collect();
        write_tsv(&list, &rows).expect("written");
        TsvFaces::open(&list, &folder.0, layout.clone()).expect("open")
    };
    let plain = groups(&[
        ("b", None),
        ("a", None),
        ("b", None),
        ("copy of a", None),
        ("c", None),
        ("d", None),
    ]);
    assert_eq!(plain.groups().expect("groups"), [0, 1, 0, 1, 2, 3]);
    let grouped = groups(&[
        ("a", Some("x")),
        ("b", Some("y")),
        ("c", None),
        ("d", Some("x")),
        ("b", Some("x")),
    ]);
    assert_eq!(grouped.groups().expect("groups"), [0, 0, 1, 0, 0]);

    // The same faces by other numbers or through other crops belong together as before.
    let source: Arc<dyn FaceSource> = Arc::new(plain);
    let subset = Subset::new(Arc::clone(&source), vec![5, 3, 1]).expect("subset");
    assert_eq!(subset.groups().expect("groups"), [3, 1, 1]);
    let jittered = Recropped::jittered(source, 0.1, 0);
    assert_eq!(jittered.groups().expect("groups"), [0, 1, 0, 1, 2, 3]);
}

#[test]
fn an_annotation_file_has_the_crop_rule_of_its_middle_face() {
    let layout = Layout::builtin("cofw29").expect("built in");
    let folder = Folder::new("rule");
    std::fs::write(folder.0.join("a.png"), "image").expect("written");
    let list = folder.0.join("list.tsv");
    let rows: Vec<TsvRow> = [1.5, 1.0, 1.2]
        .map(|margin| {
            let row = row("a.png", &layout);
            let rule = CropRule {
                side: BoxSide::Longest,
                margin,
            };
            let crop = rule.crop_of_points(&row.landmarks).expect("crop");
            TsvRow { crop, ..row }
        })
        .into();
    write_tsv(&list, &rows).expect("written");
    let faces = TsvFaces::open(&list, &folder.0, layout).expect("open");
    assert_eq!(
        faces.crop_rule(),
        CropRule {
            side: BoxSide::Longest,
            margin: 1.2
        }
    );
}

#[test]
fn groups_survive_writing_and_lists_without_them_have_no_column_for_them() {
    let layout = Layout::builtin("cofw29").expect("built in");
    let folder = Folder::new("groups");
    let list = folder.0.join("list.tsv");
    let mut rows = vec![
        row("a.png", &layout),
        row("b.png", &layout),
        row("c.png", &layout),
    ];
    write_tsv(&list, &rows).expect("written");
    let plain = std::fs::read_to_string(&list).expect("text");
    assert!(plain.lines().all(|line| line.split('\t').count() == 7));
    rows[0].group = Some("patient 7, left".into());
    rows[2].group = Some("0".into());
    rows[2].occluded = Some(vec![true; layout.points]);
    write_tsv(&list, &rows).expect("written");
    let text = std::fs::read_to_string(&list).expect("text");
    assert!(text.lines().all(|line| line.split('\t').count() == 9));
    let lenient = star_data::tsv::read_tsv_leniently(&list, &layout).expect("read");
    assert_eq!(lenient.1, star_data::tsv::BadLines::default());
    for mut back in [
        star_data::tsv::read_tsv(&list, &layout).expect("read"),
        lenient.0,
    ] {
        back.iter_mut().for_each(|r| r.line = 0);
        assert_eq!(back, rows);
    }
    // Without a header that names it a ninth column is a mistake.
    let body = text.split_once('\n').expect("header").1;
    let error = parse_tsv(body.as_bytes(), Path::new("l.tsv"), &layout).expect_err("no header");
    assert!(
        error.to_string().contains("l.tsv:1: 9 tab-separated"),
        "{error}"
    );

    for group in ["", " x", "x ", "a\tb", "a\nb", "\"x\""] {
        rows[0].group = Some(group.into());
        let error = write_tsv(&list, &rows).expect_err(group).to_string();
        assert!(error.contains(&format!("group {group:?}")), "{error}");
    }
    rows[0].group = None;
    for (x, scale) in [
        (f64::NAN, 1.0),
        (2e6, 1.0),
        (1.0, 0.0),
        (1.0, f64::INFINITY),
    ] {
        rows[0].crop.scale = scale;
        rows[0].landmarks[1].x = x;
        let error = write_tsv(&list, &rows).expect_err("number").to_string();
        assert!(error.contains("a.png"), "{error}");
    }
}

#[test]
fn splits_are_fair_and_fixed() {
    let alone = |faces: usize| -> Vec<usize> { (0..faces).collect() };
    let (train, held_out) = split_held_out(&alone(1000), HoldOut::Fraction(0.1), 5).expect("split");
    assert_eq!((train.len(), held_out.len()), (900, 100));
    let mut all: Vec<usize> = train.iter().chain(&held_out).copied().collect();
    all.sort_unstable();
    assert_eq!(all, (0..1000).collect::<Vec<_>>());
    assert!(train.is_sorted() && held_out.is_sorted());
    assert_eq!(
        held_out,
        split_held_out(&alone(1000), HoldOut::Count(100), 5)
            .expect("split")
            .1
    );
    assert_ne!(
        held_out,
        split_held_out(&alone(1000), HoldOut::Count(100), 6)
            .expect("split")
            .1
    );
    // Spread over the annotation file: a stretch of it has its share.
    let early = held_out.iter().filter(|&&i| i < 500).count();
    assert!((30..70).contains(&early), "{early}");
    assert_eq!(
        split_held_out(&alone(3), HoldOut::Fraction(0.01), 0)
            .expect("split")
            .1
            .len(),
        1
    );
    assert!(
        split_held_out(&alone(3), HoldOut::Fraction(0.0), 0)
            .expect("split")
            .1
            .is_empty()
    );
    for bad in [
        HoldOut::Count(3),
        HoldOut::Fraction(1.0),
        HoldOut::Fraction(f64::NAN),
    ] {
        assert!(split_held_out(&alone(3), bad, 0).is_err());
    }

    let source: Arc<dyn FaceSource> = Arc::new(Noise::new(10));
    let subset = Subset::new(Arc::clone(&source), vec![7, 2]).expect("subset");
    assert_eq!((subset.len(), subset.name(0)), (2, "noise 7".to_string()));
    assert_eq!(
        subset.face(1).expect("face").image,
        source.face(2).expect("face").image
    );
    assert!(subset.face(2).is_err());
    assert!(Subset::new(source, vec![10]).is_err());

    let mut rng = Pcg64Mcg::seed_from_u64(1);
    let mut first = [0; 5];
    for _ in 0..5000 {
        first[permutation(5, &mut rng)[0]] += 1;
    }
    assert!(first.iter().all(|n| (880..1120).contains(n)), "{first:?}");
}

#[test]
fn boxes_become_crops() {
    let crop = CropRule {
        side: BoxSide::Longest,
        margin: 1.5,
    }
    .crop_of_box(10.0, 20.0, 100.0, 200.0)
    .expect("crop");
    assert_eq!((crop.scale, crop.center), (1.5, Point::new(60.0, 120.0)));
    // 100 x 400 has the area of 200 x 200.
    let mean = CropRule {
        side: BoxSide::Mean,
        margin: 1.0,
    };
    let crop = mean.crop_of_box(0.0, 0.0, 100.0, 400.0).expect("crop");
    assert_eq!(crop.scale, 1.0);
    // Nothing that the crop becomes may be where no image is.
    for (x, w) in [(1e30, 9.0), (-1e30, 9.0), (5.0, 1e30), (5.0, f64::NAN)] {
        assert!(mean.crop_of_box(x, 5.0, w, 9.0).is_err(), "{x} {w}");
    }
    let points = [
        Point::new(10.0, 20.0),
        Point::new(110.0, 220.0),
        Point::new(50.0, 50.0),
    ];
    assert_eq!(
        CropRule::PUBLISHED
            .crop_of_points(&points)
            .expect("crop")
            .scale,
        1.0
    );
    assert!((CropRule::DEMO.crop_of_points(&points).expect("crop").scale - 0.525).abs() < 1e-12);
    assert!(CropRule::default().crop_of_points(&[]).is_err());
    assert!(CropRule::default().crop_of_points(&points[..1]).is_err());
    assert!(
        CropRule {
            margin: 0.0,
            ..CropRule::default()
        }
        .crop_of_points(&points)
        .is_err()
    );
    assert!(
        CropRule::default()
            .crop_of_box(0.0, f64::NAN, 5.0, 5.0)
            .is_err()
    );
}

/// A fresh folder that goes away with its guard.
struct Folder(std::path::PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("star-data-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).expect("temporary folder");
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn row(path: &str, layout: &Layout) -> TsvRow {
    let mut rng = sample_rng(12, 0, 0);
    TsvRow {
        path: path.into(),
        landmarks: ring(layout.points, Point::new(50.0, 60.0), 30.0, &mut rng),
        crop: CropBox {
            scale: 0.3,
            center: Point::new(1.0 / 3.0, -4.5),
        },
        tags: Some([true, false, false, true, false, true]),
        occluded: None,
        group: None,
        line: 0,
    }
}

#[test]
fn lists_survive_writing() {
    let layout = Layout::builtin("ibug68").expect("built in");
    let folder = Folder::new("write");
    let path = folder.0.join("list.tsv");
    let mut rows = vec![row("a b/ü.png", &layout), row("c.png", &layout)];
    rows[1].tags = None;
    write_tsv(&path, &rows).expect("written");
    let mut back = star_data::tsv::read_tsv(&path, &layout).expect("read");
    assert_eq!(back.iter().map(|r| r.line).collect::<Vec<_>>(), [2, 3]);
    back.iter_mut().for_each(|r| r.line = 0);
    assert_eq!(back, rows);
    assert!(write_tsv(&path, &[row("a\tb.png", &layout)]).is_err());

    // Occlusion of one face only; then of none, which leaves no trace of the column.
    let plain = std::fs::read_to_string(&path).expect("text");
    assert!(plain.lines().all(|line| line.split('\t').count() == 7));
    let mut flagged = rows.clone();
    flagged[1].occluded = Some((0..layout.points).map(|i| i % 3 == 0).collect());
    write_tsv(&path, &flagged).expect("written");
    let text = std::fs::read_to_string(&path).expect("text");
    assert!(
        text.lines().all(|line| line.split('\t').count() == 8) && text.contains("\toccluded\n")
    );
    let mut back = star_data::tsv::read_tsv(&path, &layout).expect("read");
    back.iter_mut().for_each(|r| r.line = 0);
    assert_eq!(back, flagged);
    flagged[0].occluded = Some(vec![true]);
    assert!(write_tsv(&path, &flagged).is_err());
    write_tsv(&path, &rows).expect("written");
    assert_eq!(std::fs::read_to_string(&path).expect("text"), plain);

    // Missing images are found at opening, all of them.
    let error = TsvFaces::open(&path, &folder.0, layout.clone())
        .expect_err("missing")
        .to_string();
    assert!(
        error.contains("list.tsv:2:") && error.contains("2 of 2") && error.contains("c.png"),
        "{error}"
    );
    std::fs::create_dir_all(folder.0.join("a b")).expect("folder");
    for name in ["a b/ü.png", "c.png"] {
        RgbImage::from_pixel(3, 2, Rgb([1, 2, 3]))
            .save(folder.0.join(name))
            .expect("image");
    }
    let faces = TsvFaces::open(&path, &folder.0, layout).expect("open");
    assert_eq!(faces.face(1).expect("face").image.dimensions(), (3, 2));
    assert!(faces.face(2).is_err());
    // An image that was replaced by something else since.
    std::fs::write(folder.0.join("c.png"), "<html>").expect("write");
    assert!(
        faces
            .face(1)
            .expect_err("html")
            .to_string()
            .contains("c.png")
    );
}

/// Paths of pieces that lists treat in their own way.
fn odd_path(rng: &mut impl Rng) -> String {
    const PIECES: [&str; 24] = [
        "a",
        "b.png",
        "sub",
        "/",
        "/",
        " ",
        "\u{a0}",
        "\u{3000}",
        "\t",
        "\n",
        "\r",
        "\\",
        "\"",
        "'",
        ",",
        "ü",
        "#",
        ".",
        "./",
        "./rawImages/",
        "//msr-facestore/x/rawImages/",
        "\u{feff}",
        "0",
        "image_path",
    ];
    (0..rng.random::<u32>() % 6)
        .map(|_| PIECES[rng.random::<u64>() as usize % PIECES.len()])
        .collect()
}

#[test]
fn a_path_that_is_written_is_read_and_others_are_refused_by_name() {
    let layout = Layout::builtin("cofw29").expect("built in");
    let folder = Folder::new("paths");
    let list = folder.0.join("list.tsv");
    let mut rng = sample_rng(14, 0, 0);
    let (mut fine, mut refused) = (0, 0);
    for _ in 0..3000 {
        let path = odd_path(&mut rng);
        match write_tsv(&list, &[row(&path, &layout)]) {
            Ok(()) => {
                fine += 1;
                let back = star_data::tsv::read_tsv(&list, &layout).expect(&path);
                assert_eq!(back.len(), 1, "{path:?}");
                assert_eq!(back[0].path, path);
            }
            Err(error) => {
                refused += 1;
                assert!(error.to_string().contains(&format!("{path:?}")), "{error}");
            }
        }
    }
    assert!(
        fine > 500 && refused > 500,
        "{fine} written, {refused} refused"
    );

    for (path, fix) in [
        ("", "name the image"),
        ("a\tb.png", "rename the image"),
        ("a\nb.png", "rename the image"),
        (" a.png", "space"),
        ("a.png ", "space"),
        ("a\\b.png", "write folders with /"),
        ("\"a.png\"", "quotes"),
        ("./rawImages/a.png", "without it"),
        ("//msr-facestore/x/rawImages/a.png", "without it"),
    ] {
        let error = write_tsv(&list, &[row(path, &layout)])
            .expect_err(path)
            .to_string();
        assert!(
            error.contains(&format!("{path:?}")) && error.contains(fix),
            "{error}"
        );
    }
}

#[test]
fn a_check_counts_pixels_as_the_layout_does() {
    let folder = Folder::new("first pixel");
    RgbImage::from_pixel(100, 90, Rgb([9, 9, 9]))
        .save(folder.0.join("a.png"))
        .expect("image");
    // COFW's pixels are counted from 1, those of the others from 0.
    for (name, first) in [("cofw29", 1.0), ("ibug68", 0.0)] {
        let layout = Layout::builtin(name).expect("built in");
        assert_eq!(layout.first_pixel(), first);
        let (right, bottom) = (first + 99.0, first + 89.0);
        let outside = |place: Point| {
            let mut face = row("a.png", &layout);
            face.landmarks[0] = place;
            let list = folder.0.join("list.tsv");
            write_tsv(&list, &[face]).expect("written");
            let report =
                check_annotations(&[list], &folder.0, &layout, |_, _| {}).expect("checked");
            report.of(Kind::PointsOutside).count() == 1
        };
        for (dx, dy, expected) in [
            (0.0, 0.0, false),
            (0.4, 0.4, false),
            (0.6, 0.0, true),
            (0.0, 0.6, true),
        ] {
            let last = Point::new(right + dx, bottom + dy);
            assert_eq!(outside(last), expected, "{name}: {last:?}");
            let begin = Point::new(first - dx, first - dy);
            assert_eq!(outside(begin), expected, "{name}: {begin:?}");
        }
    }
}

#[test]
fn list_mistakes_name_line_and_column() {
    let layout = Layout::builtin("cofw29").expect("built in");
    let folder = Folder::new("mistakes");
    let path = folder.0.join("list.tsv");
    write_tsv(&path, &[row("a.png", &layout), row("b.png", &layout)]).expect("written");
    let text = std::fs::read_to_string(&path).expect("text");
    let lines: Vec<&str> = text.lines().collect();
    let columns: Vec<&str> = lines[2].split('\t').collect();
    let parse = |text: &str| parse_tsv(text.as_bytes(), Path::new("l.tsv"), &layout);
    let with = |column: usize, value: &str| {
        let mut columns = columns.clone();
        columns[column] = value;
        format!("{}\n{}\n{}\n", lines[0], lines[1], columns.join("\t"))
    };
    for (text, says) in [
        (with(2, &columns[2].replacen('.', "x", 1)), "landmark"),
        (
            with(2, &columns[2].replacen(',', ",inf,", 1)),
            "not a usable number",
        ),
        (with(2, &format!("{},1,2", columns[2])), "60 numbers"),
        (with(3, "0,3"), "column 4 (scale)"),
        (with(3, "-1"), "must be positive"),
        (with(4, "inf"), "column 5"),
        (with(5, ""), "column 6"),
        (with(6, "1,0,1"), "column 7"),
        (with(6, "1,0,1,0,2,0"), "column 7"),
        (with(0, " "), "column 1"),
        (with(0, "a.png\textra\textra"), "9 tab-separated"),
        (with(6, "\t1,0"), "column 8 (occlusion) has 2 flags"),
        (
            with(6, "\t1,0,x"),
            "column 8 (occlusion): the flag of landmark 2 is `x`",
        ),
        (with(6, "\t1,0.5"), "landmark 1 is `0.5`"),
        (
            format!("{}\n{}\nb.png\t1,2", lines[0], lines[1]),
            "2 tab-separated",
        ),
    ] {
        let error = parse(&text).expect_err(says).to_string();
        assert!(
            error.starts_with("l.tsv:3: ") && error.contains(says),
            "{says}: {error}"
        );
    }
    // The first line of an annotation file without a header is a face like the others: damaged, it is reported and not taken for a header.
    let mut damaged = columns.clone();
    damaged[3] = "o.3";
    assert!(
        parse(&damaged.join("\t"))
            .expect_err("scale")
            .to_string()
            .contains("l.tsv:1:")
    );
    let other = Layout::builtin("wflw98").expect("built in");
    let error = parse_tsv(text.as_bytes(), Path::new("l.tsv"), &other)
        .expect_err("layout")
        .to_string();
    assert!(error.contains("cofw29"), "{error}");
    assert!(parse("").is_err() && parse(lines[0]).is_err());
    assert!(parse_tsv(&[0xff, 0xfe], Path::new("l.tsv"), &layout).is_err());

    // What is tolerated: Windows line ends, a byte order mark, blank lines, the paths of the authors' machines.
    for (theirs, ours) in [
        (
            r"\\msr-facestore\share\set\rawImages\sub\a.png",
            "sub/a.png",
        ),
        ("./rawImages/a.png", "a.png"),
        (r"sub\a.png", "sub/a.png"),
    ] {
        let text = format!(
            "\u{feff}{}\r\n\r\n{}\r\n",
            lines[0],
            with(0, theirs).lines().last().expect("line")
        );
        let rows = parse(&text).expect(theirs);
        assert_eq!(
            (rows.len(), rows[0].path.as_str(), rows[0].line),
            (1, ours, 3)
        );
    }
}

#[test]
fn damaged_lists_never_panic() {
    let layout = Layout::builtin("cofw29").expect("built in");
    let folder = Folder::new("damaged");
    let path = folder.0.join("list.tsv");
    write_tsv(&path, &[row("a.png", &layout)]).expect("written");
    let good = std::fs::read(&path).expect("bytes");
    let mut rng = sample_rng(13, 0, 0);
    let alphabet = b"\t\t\n,,.-+e0123456789 \"\r\xff\xc3xninf\0";
    let (mut fine, mut refused) = (0, 0);
    for _ in 0..5000 {
        let mut bytes = good.clone();
        for _ in 0..1 + rng.random::<u32>() % 4 {
            let at = rng.random::<u64>() as usize % bytes.len();
            let byte = alphabet[rng.random::<u64>() as usize % alphabet.len()];
            match rng.random::<u32>() % 4 {
                0 => bytes[at] = byte,
                1 => bytes.insert(at, byte),
                2 => {
                    bytes.remove(at);
                }
                _ => bytes.truncate(at.max(1)),
            }
        }
        match parse_tsv(&bytes, Path::new("l.tsv"), &layout) {
            Ok(rows) => {
                fine += 1;
                for row in rows {
                    assert_eq!(row.landmarks.len(), layout.points);
                    assert!(row.crop.scale > 0.0 && row.crop.scale.is_finite());
                    // What is accepted can be drawn.
                    let plan = FacePlan::new(&row.crop, 100, &layout, 64, &Draws::default());
                    let points = plan.apply(&row.landmarks, &layout);
                    let maps = edge_maps(&points, &layout.edges, 64);
                    assert!(maps.iter().all(|v| v.is_finite()));
                }
            }
            Err(error) => {
                refused += 1;
                assert!(error.to_string().starts_with("l.tsv:"), "{error}");
            }
        }
    }
    assert!(
        fine > 100 && refused > 100,
        "{fine} accepted, {refused} refused"
    );
}

#[test]
fn images_of_every_kind_decode() {
    use image::{DynamicImage, GrayImage, ImageBuffer, ImageFormat, Luma, Rgba, RgbaImage};
    let encode = |image: DynamicImage, format: ImageFormat| {
        let mut bytes = std::io::Cursor::new(Vec::new());
        image.write_to(&mut bytes, format).expect("encodes");
        bytes.into_inner()
    };
    let name = Path::new("wrong-extension.txt");
    let gray = DynamicImage::ImageLuma8(GrayImage::from_pixel(3, 2, Luma([9])));
    let rgba = DynamicImage::ImageRgba8(RgbaImage::from_pixel(3, 2, Rgba([1, 2, 3, 0])));
    let deep = DynamicImage::ImageLuma16(ImageBuffer::from_pixel(3, 2, Luma([0x0909_u16])));
    for (image, format, expected) in [
        (gray.clone(), ImageFormat::Png, [9, 9, 9]),
        (rgba, ImageFormat::Png, [1, 2, 3]),
        (deep, ImageFormat::Png, [9, 9, 9]),
        (gray.clone(), ImageFormat::Bmp, [9, 9, 9]),
        (gray.clone(), ImageFormat::Jpeg, [9, 9, 9]),
    ] {
        let decoded = decode_bytes(&encode(image, format), name).expect("decodes");
        assert_eq!(decoded.dimensions(), (3, 2));
        assert_eq!(decoded.get_pixel(2, 1).0, expected, "{format:?}");
    }

    // A JPEG that says it lies on its side: an APP1 block with the one EXIF entry, orientation 6 (turn right).
    let jpeg = encode(gray, ImageFormat::Jpeg);
    let exif = b"Exif\0\0MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0";
    let mut turned = jpeg[..2].to_vec();
    turned.extend([0xff, 0xe1, 0, exif.len() as u8 + 2]);
    turned.extend(exif);
    turned.extend(&jpeg[2..]);
    assert_eq!(
        decode_bytes(&turned, name).expect("decodes").dimensions(),
        (2, 3)
    );

    // Cut off, empty, not an image, absurdly large.
    for bytes in [&jpeg[..20], &[][..], b"GIF89a", b"<html>"] {
        let error = decode_bytes(bytes, name).expect_err("no image").to_string();
        assert!(error.contains("wrong-extension.txt"), "{error}");
    }
    let mut bmp = encode(
        DynamicImage::ImageLuma8(GrayImage::new(1, 1)),
        ImageFormat::Bmp,
    );
    bmp[18..22].copy_from_slice(&20_000_i32.to_le_bytes());
    assert!(
        decode_bytes(&bmp, name)
            .expect_err("large")
            .to_string()
            .contains("20000 x 1")
    );
    assert!(
        decode_file(Path::new("/does/not/exist.png"))
            .expect_err("missing")
            .to_string()
            .contains("exist.png")
    );
}

#[test]
fn augmentation_that_leaves_no_face_is_refused_by_name() {
    let published = AugmentConfig::default();
    published.validate().expect("published");
    for (name, config) in [
        (
            "scale",
            AugmentConfig {
                scale: 100.0,
                ..published.clone()
            },
        ),
        (
            "shift",
            AugmentConfig {
                shift: f64::NAN,
                ..published.clone()
            },
        ),
        (
            "rotation_degrees",
            AugmentConfig {
                rotation_degrees: 181.0,
                ..published.clone()
            },
        ),
        (
            "blur",
            AugmentConfig {
                blur: 1.1,
                ..published
            },
        ),
    ] {
        let error = config.validate().expect_err(name).to_string();
        assert!(error.contains(&format!("`{name}`")), "{error}");
    }
}
