//! Detected boxes for annotated faces: what evaluating "nothing given but the photo" needs.

use std::sync::Arc;

use rayon::prelude::*;
use star_data::{CropBox, CropRule, FaceSource, Norm, Point, Recropped, Subset};

use star_infer::detect::{Detector, FaceBox, Turn};

use crate::{error::EvalError, evaluate::MissedFaces, metrics::normaliser};

/// A detected face is the annotated one if their landmarks' boxes overlap at least this much (intersection over union).
const LEAST_OVERLAP: f64 = 0.3;

/// Among detected boxes the one of the annotated face, if there is one: the best overlap of the landmarks' boxes.
pub fn best_box<'a>(
    detector: &dyn Detector,
    found: &'a [FaceBox],
    landmarks: &[Point],
) -> Option<&'a FaceBox> {
    let crop = CropRule::PUBLISHED.crop_of_points(landmarks).ok()?;
    let side = star_data::crop::CROP_UNIT * crop.scale;
    let annotated = FaceBox {
        x: crop.center.x - side / 2.0,
        y: crop.center.y - side / 2.0,
        w: side,
        h: side,
        score: 0.0,
        turn: Turn::Upright,
    };
    found
        .iter()
        .map(|face| {
            let expected = detector.calibration().landmark_box(face);
            (face, annotated.overlap(&expected))
        })
        .filter(|(_, overlap)| *overlap >= LEAST_OVERLAP)
        .max_by(|a, b| a.1.total_cmp(&b.1))
        .map(|(face, _)| face)
}

/// For each face of a source the crop of its detected box; None where the detector missed it. Faces are done in parallel.
///
/// # Errors
/// A face that cannot be read; a detector that fails.
pub fn crops_for_faces(
    detector: &dyn Detector,
    faces: &dyn FaceSource,
    rule: &CropRule,
) -> Result<Vec<Option<CropBox>>, EvalError> {
    (0..faces.len())
        .into_par_iter()
        .map(|index| {
            let face = faces.face(index)?;
            let found = detector.detect(&face.image)?;
            let best = best_box(detector, &found, &face.landmarks);
            Ok(best
                .map(|found| detector.calibration().crop(found, rule))
                .transpose()?)
        })
        .collect()
}

/// The faces of a source that have a crop, once seen through it and once through their own, for a fair comparison. `crops` has one entry for
/// each face.
///
/// # Errors
/// When there are more crops than faces.
pub fn found_faces(
    source: Arc<dyn FaceSource>,
    crops: &[Option<CropBox>],
) -> Result<FoundFaces, EvalError> {
    let (found, crops): (Vec<usize>, Vec<CropBox>) = (crops.iter().enumerate())
        .filter_map(|(index, crop)| Some((index, (*crop)?)))
        .unzip();
    let own: Arc<dyn FaceSource> = Arc::new(Subset::new(source, found)?);
    let detected = Arc::new(Recropped::new(own.clone(), crops)?);
    Ok(FoundFaces { own, detected })
}

/// The same faces through two kinds of crops.
pub struct FoundFaces {
    /// The faces found, in the annotation file's crops.
    pub own: Arc<dyn FaceSource>,
    /// The same in the detector's crops.
    pub detected: Arc<dyn FaceSource>,
}

/// Counts the faces without a crop. `crops` has one entry for each face; those whose normaliser is zero are no failures.
///
/// # Errors
/// A face that cannot be read.
pub fn missed_faces(
    source: &dyn FaceSource,
    crops: &[Option<CropBox>],
    norm: &Norm,
) -> Result<MissedFaces, EvalError> {
    let mut counts = vec![false; crops.len()];
    let mut missed = MissedFaces::default();
    for (index, _) in crops.iter().enumerate().filter(|(_, crop)| crop.is_none()) {
        missed.all += 1;
        if normaliser(&source.face(index)?.landmarks, norm).is_some() {
            missed.counted += 1;
            counts[index] = true;
        }
    }
    let of_subset = |faces: &[usize]| {
        let counted = faces.iter().filter(|&&i| counts.get(i) == Some(&true));
        counted.count()
    };
    missed.subsets = (source.subsets().into_iter())
        .map(|(name, faces)| (name, of_subset(&faces)))
        .collect();
    Ok(missed)
}
