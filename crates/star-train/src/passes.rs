//! A second look: crops made anew from the landmarks of the first answer.

use std::sync::Arc;

use burn::tensor::backend::Backend;
use star_data::{CropBox, CropRule, DataError, Recropped};
use star_model::StarNet;

use crate::{
    error::TrainError,
    evaluate::{EvalOptions, EvalSet, PredictedFace, predict_set},
    observer::Observer,
};

/// As [`predict_set`], `passes` times; each pass after the first crops by `rule` from the landmarks that the one before predicted.
///
/// # Errors
/// A face that cannot be read, or landmarks that all fell on one place.
pub fn predict_in_passes<B: Backend>(
    net: &StarNet<B>,
    set: &EvalSet,
    options: &EvalOptions,
    rule: &CropRule,
    passes: usize,
    device: &B::Device,
    observer: &mut dyn Observer,
) -> Result<Vec<PredictedFace>, TrainError> {
    let mut faces = predict_set(net, set, options, device, observer)?;
    for _ in 1..passes {
        let crops: Vec<CropBox> = (faces.iter())
            .map(|face| rule.crop_of_points(&face.predicted))
            .collect::<Result<_, DataError>>()?;
        let again = EvalSet {
            title: set.title.clone(),
            faces: Arc::new(Recropped::new(set.faces.clone(), crops)?),
        };
        faces = predict_set(net, &again, options, device, observer)?;
    }
    Ok(faces)
}
