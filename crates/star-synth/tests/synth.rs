//! What synthetic faces promise.

use star_data::{Face, FaceSource, Layout, Point};
use star_synth::{SynthConfig, SynthFaces};

fn faces(change: impl FnOnce(&mut SynthConfig)) -> SynthFaces {
    faces_of("wflw98", change)
}

fn faces_of(layout: &str, change: impl FnOnce(&mut SynthConfig)) -> SynthFaces {
    let mut config = SynthConfig::default();
    change(&mut config);
    SynthFaces::new(config, Layout::builtin(layout).unwrap()).unwrap()
}

fn layouts() -> Vec<Layout> {
    Layout::builtin_names()
        .map(|name| Layout::builtin(name).unwrap())
        .collect()
}

fn same(a: &Face, b: &Face) -> bool {
    a.image == b.image && a.landmarks == b.landmarks && a.truth == b.truth && a.crop == b.crop
}

#[test]
fn every_layout_has_its_points() {
    for layout in layouts() {
        let faces = faces_of(&layout.name, |_| ());
        assert_eq!(faces.layout(), &layout);
        for index in 0..20 {
            let face = faces.face(index).unwrap();
            assert_eq!(face.landmarks.len(), layout.points);
            assert_eq!(face.truth.as_ref().unwrap().len(), layout.points);
            assert_eq!(faces.tangents(index).unwrap().len(), layout.points);
            assert_eq!(face.truth.unwrap(), faces.truth(index));
        }
    }
}

#[test]
fn a_face_is_a_function_of_seed_and_index() {
    let one = faces(|_| {});
    let other_seed = faces(|c| c.seed = 1);
    let first: Vec<Face> = (0..12).map(|i| one.face(i).unwrap()).collect();
    for (i, face) in first.iter().enumerate() {
        assert!(same(face, &faces(|_| {}).face(i).unwrap()));
        assert!(!same(face, &other_seed.face(i).unwrap()));
        assert!(!same(face, &first[(i + 1) % 12]));
    }
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                for i in (0..12).rev() {
                    assert!(same(&first[i], &one.face(i).unwrap()));
                }
            });
        }
    });
}

/// The layout must not change the image, and the annotator must not change the truth.
#[test]
fn images_do_not_depend_on_the_annotation() {
    let all: Vec<SynthFaces> = layouts()
        .iter()
        .map(|l| faces_of(&l.name, |_| ()))
        .collect();
    let sloppy = faces(|c| c.noise_along = 0.1);
    for index in 0..8 {
        let images: Vec<Face> = all.iter().map(|f| f.face(index).unwrap()).collect();
        assert!(images.iter().all(|f| f.image == images[0].image));
        let other = sloppy.face(index).unwrap();
        let usual = faces(|_| {}).face(index).unwrap();
        assert_eq!(other.image, usual.image);
        assert_eq!(other.truth, usual.truth);
        assert_ne!(other.landmarks, usual.landmarks);
    }
}

/// The mean face, turned upright and scaled by its own eyes, is its own mirror image under the layout's mirror pairs, and left is left.
#[test]
fn mirror_pairs_are_mirror_images() {
    for layout in layouts() {
        let faces = faces_of(&layout.name, |_| ());
        let norm = layout.norm(None).unwrap();
        let mean_of = |points: &[Point], group: &[usize]| {
            let n = group.len() as f64;
            Point::new(
                group.iter().map(|&i| points[i].x).sum::<f64>() / n,
                group.iter().map(|&i| points[i].y).sum::<f64>() / n,
            )
        };
        let count = 3000;
        let mut mean = vec![Point::default(); layout.points];
        for index in 0..count {
            let truth = faces.truth(index);
            let (l, r) = (mean_of(&truth, &norm.left), mean_of(&truth, &norm.right));
            let d = l.distance(r);
            assert!(
                r.x > l.x,
                "{}: face {index} has its right eye left",
                layout.name
            );
            let (c, s) = ((r.x - l.x) / d, (r.y - l.y) / d);
            for (m, p) in mean.iter_mut().zip(&truth) {
                let (x, y) = (p.x - (l.x + r.x) / 2.0, p.y - (l.y + r.y) / 2.0);
                m.x += (c * x + s * y) / d / f64::from(count as u32);
                m.y += (c * y - s * x) / d / f64::from(count as u32);
            }
        }
        for (i, p) in mean.iter().enumerate() {
            let q = mean[layout.mirror[i]];
            let error = p.distance(Point::new(-q.x, q.y));
            assert!(
                error < 0.03,
                "{}: point {i} at {p:?}, its mirror {} at {q:?}",
                layout.name,
                layout.mirror[i]
            );
        }
        let apart = (0..layout.points)
            .flat_map(|i| (0..i).map(move |j| (i, j)))
            .map(|(i, j)| mean[i].distance(mean[j]))
            .fold(f64::INFINITY, f64::min);
        assert!(
            apart > 0.01,
            "{}: two points of the mean face are {apart} apart",
            layout.name
        );
    }
}

/// 1-based numbers as in the papers: who is above, left of, between whom.
#[test]
fn points_are_where_the_layouts_have_them() {
    let mean = |name: &str| -> Vec<Point> {
        let faces = faces_of(name, |c| {
            (c.yaw, c.pitch, c.roll, c.expression) = (0.0, 0.0, 0.0, 0.0);
        });
        let mut sum = vec![Point::default(); faces.layout().points];
        for index in 0..200 {
            for (s, p) in sum.iter_mut().zip(faces.truth(index)) {
                *s = Point::new(s.x + p.x / 200.0, s.y + p.y / 200.0);
            }
        }
        sum
    };
    let rightwards = |p: &[Point], order: &[usize]| order.windows(2).all(|w| p[w[0]].x < p[w[1]].x);
    let downwards = |p: &[Point], order: &[usize]| order.windows(2).all(|w| p[w[0]].y < p[w[1]].y);

    let w = mean("wflw98");
    assert!(rightwards(&w, &(2..=30).collect::<Vec<_>>()));
    assert!((0..33).all(|i| w[16].y >= w[i].y));
    assert!(rightwards(&w, &[33, 34, 35, 36, 37, 42, 43, 44, 45, 46]));
    assert!(rightwards(&w, &[33, 41, 40, 39, 38, 50, 49, 48, 47, 46]));
    for (upper, lower) in [
        (34, 41),
        (35, 40),
        (36, 39),
        (37, 38),
        (43, 49),
        (44, 48),
        (45, 47),
    ] {
        assert!(w[upper].y < w[lower].y);
    }
    assert!(downwards(&w, &[51, 52, 53, 54, 57]));
    assert!(rightwards(&w, &[55, 56, 57, 58, 59]));
    assert!(rightwards(&w, &[60, 61, 62, 63, 64, 68, 69, 70, 71, 72]));
    assert!(rightwards(&w, &[60, 67, 66, 65, 64, 68, 75, 74, 73, 72]));
    assert!(downwards(&w, &[62, 96, 66]) && downwards(&w, &[70, 97, 74]));
    assert!(rightwards(&w, &[76, 77, 78, 79, 80, 81, 82]));
    assert!(rightwards(&w, &[76, 87, 86, 85, 84, 83, 82]));
    assert!(rightwards(&w, &[76, 88, 89, 90, 91, 92, 82]));
    assert!(rightwards(&w, &[88, 95, 94, 93, 92]));
    assert!(downwards(&w, &[57, 79, 90, 94, 85, 16]));

    let i = mean("ibug68");
    assert!(rightwards(&i, &(1..=15).collect::<Vec<_>>()));
    assert!(rightwards(&i, &(17..=26).collect::<Vec<_>>()));
    assert!(downwards(&i, &[27, 28, 29, 30, 33, 51, 62, 66, 57, 8]));
    assert!(rightwards(&i, &[31, 32, 33, 34, 35]));
    assert!(rightwards(&i, &[36, 37, 38, 39, 42, 43, 44, 45]));
    assert!(rightwards(&i, &[36, 41, 40, 39, 42, 47, 46, 45]));
    assert!(downwards(&i, &[37, 41]) && downwards(&i, &[44, 46]));
    assert!(rightwards(&i, &[48, 49, 50, 51, 52, 53, 54]));
    assert!(rightwards(&i, &[48, 59, 58, 57, 56, 55, 54]));
    assert!(rightwards(&i, &[48, 60, 61, 62, 63, 64, 54]));
    assert!(rightwards(&i, &[60, 67, 66, 65, 64]));

    let c = mean("cofw29");
    assert!(rightwards(&c, &[0, 2, 3, 1]) && rightwards(&c, &[0, 4, 2, 3, 6, 1]));
    assert!(downwards(&c, &[4, 5, 12, 16, 13]) && downwards(&c, &[6, 7, 14, 17, 15]));
    assert!(rightwards(&c, &[8, 16, 10, 11, 17, 9]));
    assert!(rightwards(&c, &[18, 20, 19]) && downwards(&c, &[20, 21, 24, 25, 26, 27, 28]));
    assert!(rightwards(&c, &[22, 24, 23]));
}

#[test]
fn faces_are_in_their_images_and_crops() {
    let faces = faces(|_| {});
    let (mut inside, mut total) = (0, 0);
    for index in 0..300 {
        let face = faces.face(index).unwrap();
        let (w, h) = face.image.dimensions();
        assert!((160..=224).contains(&w) && w == h);
        for p in face.truth.unwrap() {
            assert!(p.x.is_finite() && p.y.is_finite());
            let within = |v: f64| v > 0.0 && v < f64::from(w) - 1.0;
            inside += usize::from(within(p.x) && within(p.y));
            total += 1;
        }
        let half = 100.0 * face.crop.scale;
        for p in face.landmarks {
            assert!(
                (p.x - face.crop.center.x).abs() < half && (p.y - face.crop.center.y).abs() < half
            );
        }
    }
    assert!(
        inside as f64 > 0.99 * f64::from(total),
        "{inside} of {total}"
    );
}

#[test]
fn the_crop_jitters_only_when_asked_to() {
    let steady = faces(|_| {});
    let shaky = faces(|c| c.crop_jitter = 0.05);
    let mut shift = 0.0;
    for index in 0..200 {
        let (a, b) = (steady.face(index).unwrap(), shaky.face(index).unwrap());
        assert_eq!(a.landmarks, b.landmarks);
        shift += ((a.crop.center.x - b.crop.center.x) / (200.0 * a.crop.scale)).powi(2);
    }
    let deviation = (shift / 200.0).sqrt();
    assert!((0.04..0.06).contains(&deviation), "{deviation}");
}

/// The annotation noise has the deviations asked for, measured against the tangents that the experiment uses.
#[test]
fn annotation_noise_has_the_deviations_asked_for() {
    // Small noise, so that a contour's curvature does not count.
    let (along, across, corner) = (0.010, 0.004, 0.006);
    for layout in layouts() {
        let faces = faces_of(&layout.name, |c| {
            (c.noise_along, c.noise_across, c.noise_corner) = (along, across, corner);
        });
        let mut sums = [(0.0f64, 0u32); 3];
        let mut add = |k: usize, v: f64| {
            sums[k].0 += v * v;
            sums[k].1 += 1;
        };
        for index in 0..500 {
            let face = faces.face(index).unwrap();
            let unit = faces.eye_distance(index);
            let truth = face.truth.unwrap();
            for ((p, t), tangent) in face
                .landmarks
                .iter()
                .zip(&truth)
                .zip(faces.tangents(index).unwrap())
            {
                let (dx, dy) = ((p.x - t.x) / unit, (p.y - t.y) / unit);
                match tangent {
                    Some(d) => {
                        assert!((d.x.hypot(d.y) - 1.0).abs() < 1e-9);
                        add(0, dx * d.x + dy * d.y);
                        add(1, dy * d.x - dx * d.y);
                    }
                    None => {
                        add(2, dx);
                        add(2, dy);
                    }
                }
            }
        }
        for ((sum, count), wanted) in sums.into_iter().zip([along, across, corner]) {
            assert!(count > 1000);
            let measured = (sum / f64::from(count)).sqrt();
            assert!(
                (measured / wanted - 1.0).abs() < 0.1,
                "{}: {measured} instead of {wanted}",
                layout.name
            );
        }
    }
}

/// The default slide is large enough for curvature to show across: the larger deviation must still be along the contour by far.
#[test]
fn default_annotation_noise_is_mostly_along() {
    let faces = faces(|_| {});
    let (mut along, mut across, mut count) = (0.0f64, 0.0f64, 0.0f64);
    for index in 0..300 {
        let face = faces.face(index).unwrap();
        let unit = faces.eye_distance(index);
        let truth = face.truth.unwrap();
        for ((p, t), tangent) in face
            .landmarks
            .iter()
            .zip(&truth)
            .zip(faces.tangents(index).unwrap())
        {
            if let Some(d) = tangent {
                let (dx, dy) = ((p.x - t.x) / unit, (p.y - t.y) / unit);
                along += (dx * d.x + dy * d.y).powi(2);
                across += (dy * d.x - dx * d.y).powi(2);
                count += 1.0;
            }
        }
    }
    let (along, across): (f64, f64) = (along / count, across / count);
    let (along, across) = (along.sqrt(), across.sqrt());
    assert!((0.026..0.033).contains(&along), "along {along}");
    assert!((0.005..0.012).contains(&across), "across {across}");
}

/// Without noise the annotation is the truth.
#[test]
fn no_noise_leaves_the_truth() {
    let faces = faces(|c| (c.noise_along, c.noise_across, c.noise_corner) = (0.0, 0.0, 0.0));
    for index in 0..20 {
        let face = faces.face(index).unwrap();
        let truth = face.truth.unwrap();
        assert!(
            face.landmarks
                .iter()
                .zip(&truth)
                .all(|(a, b)| a.distance(*b) < 1e-9)
        );
    }
}

fn luma(face: &Face, p: Point) -> f64 {
    let (w, h) = face.image.dimensions();
    let x = p.x.round().clamp(0.0, f64::from(w) - 1.0) as u32;
    let y = p.y.round().clamp(0.0, f64::from(h) - 1.0) as u32;
    let [r, g, b] = face.image.get_pixel(x, y).0.map(f64::from);
    0.299 * r + 0.587 * g + 0.114 * b
}

fn between(a: Point, b: Point, t: f64) -> Point {
    Point::new(a.x + (b.x - a.x) * t, a.y + (b.y - a.y) * t)
}

/// What is drawn is where the truth says: pupils are dark, eye whites are not, brows are darker than the skin above, lips change colour
/// at their contour.
#[test]
fn features_are_drawn_at_the_landmarks() {
    let faces = faces(|c| {
        (c.occlusion, c.degrade, c.yaw, c.expression) = (0.0, 0.0, 20.0, 0.3);
        (c.image_min, c.image_max) = (400, 400);
    });
    let (mut eyes, mut brows, mut lips, mut total) = (0, 0, 0, 0);
    let count = 200;
    for index in 0..count {
        let face = faces.face(index).unwrap();
        let p = face.truth.clone().unwrap();
        for (pupil, outer, inner, top, bottom) in [(96, 60, 64, 62, 66), (97, 72, 68, 70, 74)] {
            if p[top].distance(p[bottom]) < 0.2 * p[outer].distance(p[inner]) {
                continue;
            }
            total += 1;
            let dark = luma(&face, p[pupil]);
            // Left and right of the iris.
            let white = [0.14, 0.86].map(|t| luma(&face, between(p[outer], p[inner], t)));
            eyes += usize::from(white[0].max(white[1]) > dark + 25.0);
        }
        // The outer lip is followed just inside and just outside.
        let middle = between(p[76], p[82], 0.5);
        let edge = [77, 78, 80, 81, 83, 84, 86, 87].iter().filter(|&&i| {
            let inside = between(p[i], between(p[79], p[85], 0.5), 0.12);
            let outside = between(p[i], middle, -0.15);
            (luma(&face, inside) - luma(&face, outside)).abs() > 4.0
        });
        lips += edge.count();
        let brow = between(p[35], p[40], 0.5);
        let above = between(p[35], p[40], -1.2);
        brows += usize::from((luma(&face, brow) - luma(&face, above)).abs() > 6.0);
    }
    assert!(total > 350, "{total}");
    assert!(eyes * 100 >= total * 98, "eyes {eyes} of {total}");
    assert!(lips * 100 >= 8 * count * 90, "lips {lips} of {}", 8 * count);
    assert!(brows * 100 >= count * 97, "brows {brows} of {count}");
}

#[test]
fn impossible_settings_name_the_key() {
    type Change = fn(&mut SynthConfig);
    let cases: [(&str, Change); 5] = [
        ("image_min", |c| c.image_min = 300),
        ("image_min", |c| c.image_min = 3),
        ("noise_along", |c| c.noise_along = -0.1),
        ("yaw", |c| c.yaw = f64::NAN),
        ("crop_margin", |c| c.crop_margin = 0.0),
    ];
    for (key, change) in cases {
        let mut config = SynthConfig::default();
        change(&mut config);
        let message = SynthFaces::new(config, Layout::builtin("wflw98").unwrap())
            .unwrap_err()
            .to_string();
        assert!(message.contains(key), "{message} lacks {key}");
    }
    assert!(toml::from_str::<SynthConfig>("seed = 3\n").is_ok());
    let unknown = toml::from_str::<SynthConfig>("sead = 3\n")
        .unwrap_err()
        .to_string();
    assert!(unknown.contains("sead"), "{unknown}");
}
