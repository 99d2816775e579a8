//! What a network that has learnt nothing but the average face would score: the figure to beat.

use star_data::{FaceSource, Point, crop_matrix};

use crate::error::EvalError;

use crate::evaluate::{EvalOptions, EvalSet, PredictedFace, score};

/// Faces that the mean is taken over; more change the third digit.
const ENOUGH: usize = 500;

/// NME on `set` of predicting, in every crop, the mean position of each training landmark.
///
/// # Errors
/// A face that cannot be read.
pub fn mean_shape_nme(
    train: &dyn FaceSource,
    set: &EvalSet,
    options: &EvalOptions,
) -> Result<f64, EvalError> {
    let size = options.input_size as u32;
    let count = train.len().min(ENOUGH);
    let mut mean = vec![Point::default(); train.layout().points];
    for i in 0..count {
        let face = train.face(i * train.len() / count)?;
        let to_crop = crop_matrix(&face.crop, size);
        for (m, p) in mean.iter_mut().zip(&face.landmarks) {
            let p = to_crop.apply(*p);
            m.x += p.x / count as f64;
            m.y += p.y / count as f64;
        }
    }

    let mut faces = Vec::with_capacity(set.faces.len());
    for index in 0..set.faces.len() {
        let face = set.faces.face(index)?;
        let matrix = crop_matrix(&face.crop, size);
        let to_image = matrix
            .invert()
            .ok_or_else(|| EvalError::Invalid(format!("{}: the crop has no size", face.name)))?;
        faces.push(PredictedFace {
            index,
            predicted: to_image.apply_all(&mean),
            covariance: Vec::new(),
            annotated: face.landmarks,
            truth: None,
            name: face.name,
            matrix,
        });
    }
    Ok(score("mean shape", &faces, set, options)?.nme)
}
