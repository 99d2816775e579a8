//! Detected boxes for annotated faces: what evaluating "nothing given but the photo" needs.

use std::sync::Arc;

use rayon::prelude::*;
use star_data::{CropBox, CropRule, DataError, Face, FaceSource, Layout, Point};

use super::{Detector, FaceBox};
use crate::{error::TrainError, evaluate::PredictedFace};

/// A detected face is the annotated one if their landmarks' boxes overlap at least this much (intersection over union).
const LEAST_OVERLAP: f64 = 0.3;

/// Among detected boxes the one of the annotated face, if there is one: the best overlap of the landmarks' boxes.
pub fn best_box<'a>(
    detector: &dyn Detector,
    found: &'a [FaceBox],
    landmarks: &[Point],
) -> Option<&'a FaceBox> {
    let crop = CropRule::LISTS.crop_of_points(landmarks).ok()?;
    let side = star_data::crop::CROP_UNIT * crop.scale;
    let annotated = FaceBox {
        x: crop.center.x - side / 2.0,
        y: crop.center.y - side / 2.0,
        w: side,
        h: side,
        score: 0.0,
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
) -> Result<Vec<Option<CropBox>>, TrainError> {
    (0..faces.len())
        .into_par_iter()
        .map(|index| {
            let face = faces.face(index)?;
            let found = detector.detect(&face.image)?;
            best_box(detector, &found, &face.landmarks)
                .map(|found| detector.calibration().crop(found, rule))
                .transpose()
        })
        .collect()
}

/// The crops of a second pass: for each of `len` faces the box of its predicted points; None for faces that were not predicted.
pub fn crops_of_predictions(
    predicted: &[PredictedFace],
    len: usize,
    rule: &CropRule,
) -> Vec<Option<CropBox>> {
    let mut crops = vec![None; len];
    for face in predicted {
        if let Some(crop) = crops.get_mut(face.index) {
            *crop = rule.crop_of_points(&face.predicted).ok();
        }
    }
    crops
}

/// The faces of a source that have a crop, seen through that crop instead of their own.
pub struct Recropped {
    source: Arc<dyn FaceSource>,
    /// Index in the source, and the crop.
    faces: Vec<(usize, CropBox)>,
}

impl Recropped {
    /// `crops` has one entry for each face of `source`; faces without one are left out.
    pub fn new(source: Arc<dyn FaceSource>, crops: &[Option<CropBox>]) -> Self {
        let faces = crops
            .iter()
            .take(source.len())
            .enumerate()
            .filter_map(|(index, crop)| Some((index, (*crop)?)))
            .collect();
        Self { source, faces }
    }

    /// The same faces through their own crops, for a fair comparison.
    pub fn with_own_crops(&self) -> Result<Self, DataError> {
        let own = |&(index, _): &(usize, CropBox)| Ok((index, self.source.face(index)?.crop));
        Ok(Self {
            source: self.source.clone(),
            faces: self
                .faces
                .iter()
                .map(own)
                .collect::<Result<_, DataError>>()?,
        })
    }
}

impl FaceSource for Recropped {
    fn layout(&self) -> &Layout {
        self.source.layout()
    }

    fn len(&self) -> usize {
        self.faces.len()
    }

    fn name(&self, index: usize) -> String {
        match self.faces.get(index) {
            Some((index, _)) => self.source.name(*index),
            None => format!("face {index}"),
        }
    }

    fn face(&self, index: usize) -> Result<Face, DataError> {
        let Some(&(index, crop)) = self.faces.get(index) else {
            return Err(DataError::Invalid(format!(
                "there is no face {index} among {}",
                self.faces.len()
            )));
        };
        Ok(Face {
            crop,
            ..self.source.face(index)?
        })
    }

    fn tangents(&self, index: usize) -> Option<Vec<Option<Point>>> {
        self.source.tangents(self.faces.get(index)?.0)
    }
}
