use std::sync::Arc;

use star_data::{DataError, Face, Layout};

use super::*;

/// Faces that nobody looks at; the odd ones are a subset.
struct Blank(Layout, usize);

impl FaceSource for Blank {
    fn layout(&self) -> &Layout {
        &self.0
    }
    fn len(&self) -> usize {
        self.1
    }
    fn name(&self, index: usize) -> String {
        format!("{index}.jpg")
    }
    fn face(&self, index: usize) -> Result<Face, DataError> {
        Err(DataError::Invalid(format!("face {index} has no image")))
    }
    fn subsets(&self) -> Vec<(String, Vec<usize>)> {
        vec![("odd".into(), (1..self.1).step_by(2).collect())]
    }
}

/// Scores of faces on a line, one pixel from point to point, all of whose predicted points are off by this fraction of the norm's distance.
fn scores(errors: &[f64], without_normaliser: &[usize]) -> Scores {
    let layout = Layout::builtin("cofw29").expect("built in");
    let norm = layout.norm(None).expect("a norm").clone();
    let faces: Vec<PredictedFace> = (errors.iter().enumerate())
        .map(|(index, error)| {
            let annotated: Vec<Point> = if without_normaliser.contains(&index) {
                vec![Point::default(); layout.points]
            } else {
                (0..layout.points)
                    .map(|i| Point::new(i as f64, 0.0))
                    .collect()
            };
            let off = error * norm.distance(&annotated).max(1.0);
            PredictedFace {
                index,
                name: format!("{index}.jpg"),
                predicted: annotated
                    .iter()
                    .map(|p| Point::new(p.x, p.y + off))
                    .collect(),
                covariance: vec![Covariance::default(); layout.points],
                annotated,
                truth: None,
                matrix: Affine::IDENTITY,
            }
        })
        .collect();
    let set = EvalSet {
        title: "faces".into(),
        faces: Arc::new(Blank(layout, faces.len())),
    };
    let options = EvalOptions {
        input_size: 64,
        batch_size: 1,
        workers: 1,
        norm: String::new(),
        threshold: 0.1,
    };
    score("faces", &faces, &set, &options).expect("a norm")
}

fn near(a: f64, b: f64) {
    assert!((a - b).abs() < 1e-12, "{a} instead of {b}");
}

#[test]
fn landmarks_that_are_not_finite_are_failures_and_take_no_part_in_the_mean() {
    let found = scores(&[0.02, f64::NAN, 0.04, f64::INFINITY], &[]);
    // REFERENCE M4: two of four faces fail, by either rule.
    near(found.plain.fr, 0.5);
    near(found.fr, 0.5);
    let good = scores(&[0.02, 0.04], &[]);
    near(found.plain.auc, good.plain.auc / 2.0);
    near(found.auc, good.auc / 2.0);
    assert!(found.nme.is_nan(), "a mean over fewer faces");
    near(found.nme_finite.expect("two are finite"), 0.03);
    assert_eq!(found.non_finite, ["1.jpg", "3.jpg"]);
    assert!(found.excluded.is_empty());
    let odd = &found.subsets[0];
    assert_eq!((odd.faces, odd.non_finite, odd.excluded), (2, 2, 0));
    near(odd.plain.fr, 1.0);
    near(odd.fr, 1.0);
    assert!(odd.nme.is_nan());

    let table = crate::score_table(&found);
    for part in ["2 faces without finite landmarks", "3.00 %", "1.jpg, 3.jpg"] {
        assert!(table.contains(part), "no `{part}` in\n{table}");
        assert!(found.line().contains(part), "{}", found.line());
    }
    assert!(!table.contains("NaN") && !found.line().contains("NaN"));
    // All faces finite: no such mean beside the mean.
    assert_eq!(good.nme_finite, None);
    near(good.nme, 0.03);
}

#[test]
fn only_faces_without_a_normaliser_are_excluded() {
    let found = scores(&[0.02, 0.02, 0.3, f64::NAN], &[1, 3]);
    assert_eq!(found.excluded, ["1.jpg", "3.jpg"]);
    assert!(found.non_finite.is_empty());
    assert_eq!(found.faces, 4);
    near(found.nme, 0.16);
    near(found.plain.fr, 0.5);
    let odd = &found.subsets[0];
    assert_eq!((odd.faces, odd.excluded), (2, 2));
    assert!(odd.nme.is_nan() && odd.plain.fr.is_nan(), "no faces");
    assert!(crate::score_table(&found).contains("2 faces excluded"));
}

#[test]
fn missed_faces_are_failures_in_figures_of_their_own() {
    let missed = MissedFaces {
        all: 5,
        counted: 4,
        subsets: vec![("odd".into(), 1), ("lost".into(), 3)],
    };
    let found = scores(&[0.02, 0.3], &[]).with_missed(&missed);
    near(found.plain.fr, 0.5);
    let with = found.missed.expect("counted");
    assert_eq!(with.faces, 4);
    near(with.plain.fr, 5.0 / 6.0);
    near(with.published.fr, 5.0 / 6.0);
    near(with.plain.auc, found.plain.auc / 3.0);
    let odd = found.subsets[0].missed.expect("counted");
    assert_eq!(odd.faces, 1);
    near(odd.plain.fr, 1.0);
    // A subset that lost every face has a failure rate nevertheless.
    let lost = &found.subsets[1];
    assert_eq!((lost.name.as_str(), lost.faces), ("lost", 0));
    near(lost.missed.expect("counted").plain.fr, 1.0);
    let table = crate::score_table(&found);
    assert!(table.contains("missed as failures"), "{table}");
    assert!(table.contains("83.33 %"), "{table}");
}

#[test]
fn errors_along_and_across_a_contour_are_told_apart() {
    /// One face whose contours all go up to the right at 3 : 4.
    struct Sloping(Blank);

    impl FaceSource for Sloping {
        fn layout(&self) -> &Layout {
            self.0.layout()
        }
        fn len(&self) -> usize {
            1
        }
        fn name(&self, index: usize) -> String {
            self.0.name(index)
        }
        fn face(&self, index: usize) -> Result<Face, DataError> {
            self.0.face(index)
        }
        fn tangents(&self, _: usize) -> Option<Vec<Option<Point>>> {
            Some(vec![Some(Point::new(0.6, 0.8)); self.layout().points])
        }
    }

    let layout = Layout::builtin("cofw29").expect("built in");
    let norm = layout.norm(None).expect("a norm").clone();
    let truth: Vec<Point> = (0..layout.points)
        .map(|i| Point::new(i as f64, 0.0))
        .collect();
    let moved = |dx: f64, dy: f64| -> Vec<Point> {
        let moved = truth.iter().map(|p| Point::new(p.x + dx, p.y + dy));
        moved.collect()
    };
    // 10 along the contour and 5 across it.
    let face = PredictedFace {
        index: 0,
        name: "0.jpg".into(),
        predicted: moved(10.0 * 0.6 - 5.0 * 0.8, 10.0 * 0.8 + 5.0 * 0.6),
        covariance: vec![Covariance::default(); layout.points],
        annotated: moved(0.0, 2.0),
        truth: Some(truth.clone()),
        matrix: Affine::IDENTITY,
    };
    let set = EvalSet {
        title: "faces".into(),
        faces: Arc::new(Sloping(Blank(layout, 1))),
    };
    let found = truth_scores(&[face], &set, &norm).expect("the truth is known");
    let unit = norm.distance(&truth);
    near(found.nme * unit, 125f64.sqrt());
    near(found.along * unit, 10.0);
    near(found.across * unit, 5.0);
    near(found.annotations * unit, 2.0);
}

#[test]
fn scores_read_back_what_they_wrote() {
    for scores in [
        scores(&[0.02, f64::NAN, 0.04, f64::INFINITY], &[2]),
        scores(&[f64::NAN], &[]),
        scores(&[0.5], &[0]),
        scores(&[], &[]).with_missed(&MissedFaces::default()),
    ] {
        let mut scores = scores;
        scores.truth = Some(TruthScores {
            nme: f64::NAN,
            along: 0.1,
            across: f64::INFINITY,
            annotations: 0.2,
        });
        for face in &mut scores.per_face {
            face.nme_truth = Some(f64::NAN);
        }
        let text = serde_json::to_string(&scores).expect("JSON");
        let again: Scores = serde_json::from_str(&text).unwrap_or_else(|e| panic!("{e}: {text}"));
        assert_eq!(serde_json::to_string(&again).expect("JSON"), text);
    }
}
