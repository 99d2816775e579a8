use std::sync::Arc;

use image::{Rgb, RgbImage};
use star_data::{CropBox, DataError, Face, FaceSource, Layout, Point};

use super::*;

/// One face whose landmarks are white dots on grey.
struct Dots {
    layout: Layout,
    face: Face,
}

fn dots() -> Arc<dyn FaceSource> {
    let layout = Layout::builtin("cofw29").expect("built in");
    let places: Vec<Point> = (0..layout.points)
        .map(|i| Point::new(40.0 + 20.0 * (i % 6) as f64, 30.0 + 20.0 * (i / 6) as f64))
        .collect();
    let mut image = RgbImage::from_pixel(200, 160, Rgb([40; 3]));
    for p in &places {
        for (dx, dy) in [
            (-1, -1),
            (0, -1),
            (1, -1),
            (-1, 0),
            (0, 0),
            (1, 0),
            (-1, 1),
            (0, 1),
            (1, 1),
        ] {
            image.put_pixel(
                (p.x as i32 + dx) as u32,
                (p.y as i32 + dy) as u32,
                Rgb([255, 250, 200]),
            );
        }
    }
    let face = Face {
        name: "dots".into(),
        image,
        truth: Some(places.clone()),
        landmarks: places,
        crop: CropBox {
            scale: 0.7,
            center: Point::new(90.0, 70.0),
        },
    };
    Arc::new(Dots { layout, face })
}

impl FaceSource for Dots {
    fn layout(&self) -> &Layout {
        &self.layout
    }
    fn len(&self) -> usize {
        2
    }
    fn name(&self, index: usize) -> String {
        format!("dots {index}")
    }
    fn face(&self, _: usize) -> Result<Face, DataError> {
        Ok(self.face.clone())
    }
}

fn changed(change: Change, level: f64, seed: u64) -> Face {
    let faces = Changed::faces(dots(), change, level, seed);
    assert_eq!((faces.len(), &*faces.name(1)), (2, "dots 1"));
    faces.face(0).expect("a face")
}

/// How far the middle of the light around a landmark is from it, at most, in pixels.
fn off(face: &Face, reach: f64) -> f64 {
    let ground = 45.0;
    let of = |at: &Point| {
        let (mut sum, mut x, mut y) = (0.0, 0.0, 0.0);
        for (px, py, pixel) in face.image.enumerate_pixels() {
            let (dx, dy) = (f64::from(px) - at.x, f64::from(py) - at.y);
            let light = f64::from(pixel.0[1]) - ground;
            if dx.abs() <= reach && dy.abs() <= reach && light > 0.0 {
                (sum, x, y) = (sum + light, x + light * dx, y + light * dy);
            }
        }
        if sum > 0.0 {
            (x / sum).hypot(y / sum)
        } else {
            f64::INFINITY
        }
    };
    face.landmarks.iter().map(of).fold(0.0, f64::max)
}

#[test]
fn landmarks_and_crop_go_with_the_image() {
    let before = dots().face(0).expect("a face");
    assert!(off(&before, 4.0) < 1e-9);
    let side = |f: &Face| f.crop.scale;
    for &degrees in Change::Rotation.levels() {
        let face = changed(Change::Rotation, degrees, 0);
        assert!(off(&face, 4.0) < 0.15, "{degrees}: {}", off(&face, 4.0));
        assert_eq!(side(&face), side(&before));
        // Clockwise about the middle of the crop.
        let (was, is) = (before.landmarks[5], face.landmarks[5]);
        let (center, now) = (before.crop.center, face.crop.center);
        let (sin, cos) = degrees.to_radians().sin_cos();
        let (dx, dy) = (was.x - center.x, was.y - center.y);
        let expected = Point::new(now.x + cos * dx - sin * dy, now.y + sin * dx + cos * dy);
        assert!(is.distance(expected) < 1e-9);
        assert_eq!(face.truth, Some(face.landmarks));
    }
    // Dots are 20 pixels apart where the face is 100 wide and 80 high, sqrt(8000) = 89.4.
    for size in [64.0, 32.0] {
        let face = changed(Change::FaceSize, size, 0);
        let found = crate::eval_page::face_size(&face.landmarks);
        assert!((found / size - 1.0).abs() < 0.02, "{found}");
        assert!(
            off(&face, 0.1 * size) < 0.2,
            "{size}: {}",
            off(&face, 0.1 * size)
        );
        assert!((side(&face) / side(&before) / (size / 8000_f64.sqrt()) - 1.0).abs() < 0.02);
    }
    let larger = changed(Change::FaceSize, 200.0, 0);
    assert_eq!(larger.image, before.image);
    for (change, level) in [
        (Change::Blur, 0.04),
        (Change::Jpeg, 50.0),
        (Change::Darkness, 2.0),
        (Change::Grey, 1.0),
    ] {
        let face = changed(change, level, 0);
        assert_eq!(
            (&face.landmarks, face.crop),
            (&before.landmarks, before.crop)
        );
        assert_ne!(face.image, before.image, "{change:?}");
        assert!(off(&face, 6.0) < 0.5, "{change:?}: {}", off(&face, 6.0));
    }
}

/// The mean of all levels.
fn light(face: &Face) -> f64 {
    let levels = face.image.as_raw();
    levels.iter().map(|&v| f64::from(v)).sum::<f64>() / levels.len() as f64
}

#[test]
fn each_level_is_harder_than_the_one_before() {
    for change in [Change::Darkness, Change::Bar] {
        let lights: Vec<f64> = (change.levels().iter())
            .map(|&level| light(&changed(change, level, 3)))
            .collect();
        assert!(lights.is_sorted_by(|a, b| a > b), "{change:?}: {lights:?}");
    }
    // A bar across a crop of 140 pixels.
    let bar = changed(Change::Bar, 0.2, 3);
    let black = bar.image.pixels().filter(|p| p.0 == [0; 3]).count();
    assert!(
        [28 * 160, 28 * 200]
            .iter()
            .any(|n| black.abs_diff(*n) <= 200),
        "{black}"
    );
    let grey = changed(Change::Grey, 1.0, 0);
    assert!(
        grey.image
            .pixels()
            .all(|p| p.0[0] == p.0[1] && p.0[1] == p.0[2])
    );
    for change in Change::ALL {
        let shown: Vec<f64> = change.levels().iter().map(|&l| change.shown(l)).collect();
        assert!(shown.is_sorted() || shown.is_sorted_by(|a, b| a > b));
        assert!(
            !change
                .levels()
                .iter()
                .any(|&l| Some(l) == change.unchanged())
        );
    }
}

#[test]
fn the_seed_decides() {
    let crop = |seed| changed(Change::BoxNoise, 0.1, seed).crop;
    assert_eq!(crop(1), crop(1));
    assert_ne!(crop(1), crop(2));
    let bars: Vec<RgbImage> = (0..8)
        .map(|seed| changed(Change::Bar, 0.2, seed).image)
        .collect();
    assert_eq!(bars[3], changed(Change::Bar, 0.2, 3).image);
    assert!(bars.iter().skip(1).all(|bar| *bar != bars[0]));
}

#[test]
fn what_cannot_be_turned_is_named() {
    let mut face = dots().face(0).expect("a face");
    for scale in [1e6, f64::NAN, -1.0] {
        face.crop.scale = scale;
        let layout = Layout::builtin("cofw29").expect("built in");
        let source = Arc::new(Dots {
            layout,
            face: face.clone(),
        });
        let turned = Changed::faces(source, Change::Rotation, 30.0, 0).face(0);
        let error = turned.expect_err("no image is as large").to_string();
        assert!(error.contains("dots") && error.contains("16384"), "{error}");
    }
}
