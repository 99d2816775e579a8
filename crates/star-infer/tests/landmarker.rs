//! What a program that embeds this crate relies on.

use std::path::Path;

use image::RgbImage;
use star_infer::{Flex, LandmarkedFace, Landmarker, Pretrained, track::Tracker};

fn photo() -> RgbImage {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/astronaut.jpg");
    star_data::decode::decode_file(&path).expect("a photo")
}

fn landmarker() -> Landmarker<Flex> {
    Landmarker::pretrained(Pretrained::Ibug68Small, &Default::default()).expect("built in")
}

/// The largest distance between points of two answers, pixels.
fn apart(a: &LandmarkedFace, b: &LandmarkedFace) -> f64 {
    assert_eq!(a.points.len(), b.points.len());
    let pairs = a.points.iter().zip(&b.points);
    pairs.map(|(a, b)| a.distance(*b)).fold(0.0, f64::max)
}

#[test]
fn a_photo_has_one_face_of_68_points() {
    let landmarker = landmarker();
    let faces = landmarker.faces(&photo()).expect("an answer");
    assert_eq!(faces.len(), 1);
    let face = &faces[0];
    assert_eq!(landmarker.layout().name, "ibug68");
    assert_eq!((face.points.len(), face.covariance.len()), (68, 68));
    assert!(face.score > 0.5, "{}", face.score);
    let found = face.detected.expect("a box");
    let inside = face.points.iter().filter(|p| {
        (found.x..=found.x + found.w).contains(&p.x)
            && (found.y - found.h..=found.y + 2.0 * found.h).contains(&p.y)
    });
    assert!(inside.count() > 60);
    assert!(face.covariance.iter().all(|c| c.axes().large > 0.0));
}

#[test]
fn covariances_are_multiplied_by_the_scales_of_the_weights() {
    let photo = photo();
    let calibrated = landmarker();
    let scales = calibrated.covariance_scales().expect("it ships calibrated");
    let scales = scales.scales().to_vec();
    let raw = landmarker().raw_covariance();
    assert!(raw.covariance_scales().is_none());
    let crop = [[175.0, 65.0, 120.0, 120.0]];
    let of_box = |l: &Landmarker<Flex>| l.faces_in_boxes(&photo, &crop).expect("an answer");
    let in_video = |l: &Landmarker<Flex>| {
        let faces = l.video(25.0).next(&photo).expect("an answer");
        faces.into_iter().map(|(_, face)| face).collect::<Vec<_>>()
    };
    let found = |l: &Landmarker<Flex>| l.faces(&photo).expect("an answer");
    for (after, before) in [
        (of_box(&calibrated), of_box(&raw)),
        (in_video(&calibrated), in_video(&raw)),
        (found(&calibrated), found(&raw)),
    ] {
        let (after, before) = (&after[0], &before[0]);
        assert_eq!(after.points, before.points);
        let pairs = after.covariance.iter().zip(&before.covariance);
        for ((after, before), &scale) in pairs.zip(&scales) {
            assert_eq!(*after, before.scaled(scale));
        }
    }
}

#[test]
fn batches_give_what_single_images_give() {
    let landmarker = landmarker();
    let (photo, empty) = (photo(), RgbImage::new(64, 64));
    let alone = landmarker.faces(&photo).expect("an answer");
    let together = landmarker
        .batch(&[&photo, &empty, &photo])
        .expect("an answer");
    assert_eq!(together.len(), 3);
    assert!(together[1].is_empty());
    for faces in [&together[0], &together[2]] {
        assert_eq!(faces.len(), 1);
        // Products of another size add up in another order.
        assert!(apart(&faces[0], &alone[0]) < 1e-2);
    }
}

#[test]
fn a_given_box_is_used_and_one_without_area_refused() {
    let landmarker = landmarker();
    let photo = photo();
    let found = &landmarker.faces(&photo).expect("an answer")[0];
    let (mut low, mut high) = ([f64::MAX; 2], [f64::MIN; 2]);
    for p in &found.points {
        low = [low[0].min(p.x), low[1].min(p.y)];
        high = [high[0].max(p.x), high[1].max(p.y)];
    }
    let face_box = [low[0], low[1], high[0] - low[0], high[1] - low[1]];
    let again = landmarker
        .faces_in_boxes(&photo, &[face_box])
        .expect("an answer");
    assert!(again[0].detected.is_none());
    let size = face_box[2].max(face_box[3]);
    assert!(apart(&again[0], found) < 0.1 * size);
    assert!(
        landmarker
            .faces_in_boxes(&photo, &[[5.0, 5.0, 0.0, 0.0]])
            .is_err()
    );
}

#[test]
fn a_face_keeps_its_number_from_frame_to_frame() {
    let landmarker = landmarker();
    let photo = photo();
    let mut video = landmarker.video(25.0);
    for _ in 0..3 {
        let faces = video.next(&photo).expect("an answer");
        assert_eq!(faces.iter().map(|(id, _)| *id).collect::<Vec<_>>(), [1]);
    }
}

#[test]
fn it_goes_to_another_thread() {
    let landmarker = landmarker();
    let answer = std::thread::spawn(move || landmarker.faces(&photo()).map(|f| f.len()));
    assert_eq!(answer.join().expect("no panic").expect("an answer"), 1);
}

#[test]
fn a_tracker_of_ones_own_follows_as_a_video_does() {
    let landmarker = landmarker();
    let photo = photo();
    let mut tracker = Tracker::new(landmarker.track_config());
    let mut video = landmarker.video(25.0);
    for _ in 0..3 {
        let ours = landmarker.follow(&mut tracker, &photo).expect("an answer");
        let theirs = video.next(&photo).expect("an answer");
        assert_eq!(ours.len(), 1);
        assert_eq!((ours[0].0, theirs[0].0), (1, 1));
        assert_eq!(ours[0].1.points, theirs[0].1.points);
    }
}

#[test]
fn the_margin_is_the_views_width_and_a_bad_one_an_error() {
    let box_of_100 = [[200.0, 80.0, 100.0, 90.0]];
    let view = |landmarker: &Landmarker<Flex>| {
        let faces = landmarker.faces_in_boxes(&photo(), &box_of_100)?;
        Ok::<_, star_infer::InferError>(faces[0].crop.scale * star_data::crop::CROP_UNIT)
    };
    let usual = landmarker();
    assert_eq!(usual.crop_rule().margin, 1.2);
    assert!((view(&usual).expect("a view") - 120.0).abs() < 1e-9);
    assert!((view(&usual.margin(1.5)).expect("a view") - 150.0).abs() < 1e-9);
    for bad in [0.0, -1.0, f64::NAN] {
        let error = view(&landmarker().margin(bad)).expect_err("no view");
        assert!(error.to_string().contains("margin"), "{error}");
    }
}

/// Two portraits side by side.
#[test]
fn the_most_prominent_faces_are_kept() {
    let photo = photo();
    let mut two = RgbImage::new(2 * photo.width(), photo.height());
    image::imageops::replace(&mut two, &photo, 0, 0);
    image::imageops::replace(&mut two, &photo, i64::from(photo.width()), 0);
    let all = landmarker().faces(&two).expect("an answer");
    assert_eq!(all.len(), 2);
    let one = landmarker().most_faces(1);
    let kept = one.faces(&two).expect("an answer");
    assert_eq!(kept.len(), 1);
    assert_eq!(kept[0].detected, all[0].detected);
    let mut tracker = Tracker::new(one.track_config());
    assert_eq!(one.follow(&mut tracker, &two).expect("an answer").len(), 1);
}
