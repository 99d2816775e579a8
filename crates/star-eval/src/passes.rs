//! Several passes over an annotated set.

use std::sync::Arc;

use burn::tensor::backend::Backend;
use star_data::{CropRule, Recropped};
use star_infer::passes::in_passes;
use star_model::Prepared;

use crate::{
    error::EvalError,
    evaluate::{EvalOptions, EvalSet, PredictedFace, Progress, predict_set},
};

/// As [`predict_set`], `passes` times; each pass after the first crops by `rule` from the landmarks that the one before predicted, as
/// [`predict_passes`](star_infer::predict_passes) does.
///
/// # Errors
/// A face that cannot be read.
pub fn predict_in_passes<B: Backend>(
    net: &Prepared<B>,
    set: &EvalSet,
    options: &EvalOptions,
    rule: &CropRule,
    passes: usize,
    device: &B::Device,
    progress: Progress,
) -> Result<Vec<PredictedFace>, EvalError> {
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
            predict_set(net, &again, options, device, progress)
        },
    )
}
