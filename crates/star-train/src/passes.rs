//! Several passes: crops made anew from the landmarks of the pass before.

use std::sync::Arc;

use burn::tensor::backend::Backend;
use star_data::{CropBox, CropRule, Point, Recropped};
use star_model::StarNet;

use crate::{
    error::TrainError,
    evaluate::{EvalOptions, EvalSet, PredictedFace, predict_set},
    observer::Observer,
};

/// Runs `predict` `passes` times (at least once) on as many faces as there are `crops`; each time after the first a face's crop is that
/// of `rule` around the landmarks before. Landmarks without a box (all in one place, or none finite) leave the crop as it was.
///
/// # Errors
/// Those of `predict`.
pub(crate) fn in_passes<T>(
    crops: &mut [Option<CropBox>],
    rule: &CropRule,
    passes: usize,
    landmarks: impl Fn(&T) -> &[Point],
    mut predict: impl FnMut(&[Option<CropBox>]) -> Result<Vec<T>, TrainError>,
) -> Result<Vec<T>, TrainError> {
    let mut found = predict(crops)?;
    for _ in 1..passes {
        for (crop, face) in crops.iter_mut().zip(&found) {
            if let Ok(again) = rule.crop_of_points(landmarks(face)) {
                *crop = Some(again);
            }
        }
        found = predict(crops)?;
    }
    Ok(found)
}

/// As [`predict_set`], `passes` times; each pass after the first crops by `rule` from the landmarks that the one before predicted, as
/// [`predict_passes`](crate::predict_passes) does.
///
/// # Errors
/// A face that cannot be read.
pub fn predict_in_passes<B: Backend>(
    net: &StarNet<B>,
    set: &EvalSet,
    options: &EvalOptions,
    rule: &CropRule,
    passes: usize,
    device: &B::Device,
    observer: &mut dyn Observer,
) -> Result<Vec<PredictedFace>, TrainError> {
    // None: the set's own crop.
    let mut crops = vec![None; set.faces.len()];
    in_passes(
        &mut crops,
        rule,
        passes,
        |face: &PredictedFace| &face.predicted,
        |crops| {
            let again = EvalSet {
                title: set.title.clone(),
                faces: Arc::new(Recropped::where_given(set.faces.clone(), crops.to_vec())?),
            };
            predict_set(net, &again, options, device, observer)
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn landmarks_without_a_box_leave_the_crop_as_it_was() {
        let spread = vec![Point::new(10.0, 20.0), Point::new(50.0, 40.0)];
        let collapsed = vec![Point::new(7.0, 7.0); 2];
        let lost = vec![Point::new(f64::NAN, f64::NAN); 2];
        let first = CropBox {
            scale: 0.5,
            center: Point::new(1.0, 2.0),
        };
        let mut crops = [None, Some(first), Some(first), None];
        let seen = [&spread, &spread, &collapsed, &lost];
        let mut passes = 0;
        in_passes(
            &mut crops,
            &CropRule::LISTS,
            3,
            |face: &&Vec<Point>| face,
            |crops| {
                passes += 1;
                assert_eq!((crops[2], crops[3]), (Some(first), None));
                Ok(seen.to_vec())
            },
        )
        .expect("nothing fails");
        assert_eq!(passes, 3);
        let again = CropRule::LISTS.crop_of_points(&spread).ok();
        assert_eq!(crops, [again, again, Some(first), None]);
    }
}
