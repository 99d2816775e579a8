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
    let mut seen = vec![0_usize; mean.len()];
    for i in 0..count {
        let face = train.face(i * train.len() / count)?;
        let to_crop = crop_matrix(&face.crop, size);
        let points = face.landmarks.iter().map(|p| to_crop.apply(*p));
        for ((m, seen), p) in mean.iter_mut().zip(&mut seen).zip(points) {
            if p.is_labelled() {
                *m = Point::new(m.x + p.x, m.y + p.y);
                *seen += 1;
            }
        }
    }
    // A landmark that no face has labelled is predicted at the crop's corner.
    for (m, seen) in mean.iter_mut().zip(seen) {
        let n = seen.max(1) as f64;
        *m = Point::new(m.x / n, m.y / n);
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use star_data::{CropBox, DataError, Face, Layout};

    use super::*;

    /// Faces in a row, one pixel from point to point; those from `moved` on lie 8 pixels lower.
    struct Rows {
        layout: Layout,
        faces: usize,
        moved: usize,
    }

    impl FaceSource for Rows {
        fn layout(&self) -> &Layout {
            &self.layout
        }
        fn len(&self) -> usize {
            self.faces
        }
        fn name(&self, index: usize) -> String {
            format!("{index}.jpg")
        }
        fn face(&self, index: usize) -> Result<Face, DataError> {
            let y = if index < self.moved { 0.0 } else { 8.0 };
            Ok(Face {
                name: self.name(index),
                image: Default::default(),
                landmarks: (0..self.layout.points)
                    .map(|i| Point::new(i as f64, y))
                    .collect(),
                truth: None,
                crop: CropBox {
                    scale: 0.32,
                    center: Point::new(15.0, 4.0),
                },
            })
        }
    }

    /// Annotation files are often sorted: of a long one the mean is over faces from its beginning to its end.
    #[test]
    fn the_mean_is_over_the_whole_annotation_file() {
        let layout = Layout::builtin("cofw29").expect("built in");
        let rows = |faces, moved| Rows {
            layout: layout.clone(),
            faces,
            moved,
        };
        let set = EvalSet {
            title: "faces".into(),
            faces: Arc::new(rows(1, 1)),
        };
        let options = EvalOptions {
            input_size: 64,
            batch_size: 1,
            workers: 1,
            norm: String::new(),
            threshold: 0.1,
        };
        let unit = {
            let face = set.faces.face(0).expect("a face");
            layout.norm(None).expect("a norm").distance(&face.landmarks)
        };
        // A quarter of the faces are 8 pixels lower: the mean is 2 pixels lower.
        for faces in [8, 4 * ENOUGH] {
            let train = rows(faces, faces - faces / 4);
            let nme = mean_shape_nme(&train, &set, &options).expect("faces");
            assert!((nme * unit - 2.0).abs() < 1e-9, "{faces}: {nme}");
        }
    }
}
