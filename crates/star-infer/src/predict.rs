//! Images in, landmarks out: points in image pixels, how sure each is, and a score.

use burn::tensor::{Tensor, TensorData, backend::Backend};
use image::RgbImage;
use serde::Serialize;
use star_data::{
    Affine, Covariance, CropBox, CropRule, Point, crop_matrix, sample::network_input, warp::warp,
};
use star_model::Prepared;

use crate::{detect::Turn, error::InferError, host::to_host, passes::in_passes, readout::Readout};

/// Heatmap cells around a landmark within which mass counts as agreeing with it.
const NEAR_CELLS: f64 = 3.0;

/// What the network says of one face.
#[derive(Clone, Debug, Serialize)]
pub struct Prediction {
    /// In layout order, image pixels.
    pub points: Vec<Point>,
    /// Spread of each point, image pixels squared: its heatmap's, or that times its scale ([`crate::PreparedNet::predict_passes`]).
    pub covariance: Vec<Covariance>,
    /// For each point the fraction of its heatmap's mass within three cells of it, 0 to 1: how far the map agrees with itself.
    pub scores: Vec<f64>,
    /// Mean of `scores`.
    pub score: f64,
}

/// A face to predict: a square of an image.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    /// The image.
    pub image: &'a RgbImage,
    /// The square that the network is to see of it.
    pub crop: CropBox,
    /// How far the face in it is turned.
    pub turn: Turn,
}

impl<'a> View<'a> {
    /// A square whose face is not turned.
    pub fn upright(image: &'a RgbImage, crop: CropBox) -> Self {
        let turn = Turn::Upright;
        Self { image, crop, turn }
    }

    /// From the image's pixels to those that the network sees, `side` by `side`.
    fn matrix(&self, side: u32) -> Affine {
        let square = crop_matrix(&self.crop, side);
        match self.turn {
            Turn::Upright => square,
            turn => square.then(&turn.undone(side)),
        }
    }
}

/// What the network says, and the crop that it saw last.
#[derive(Clone, Debug)]
pub struct Refined {
    /// What the network says.
    pub prediction: Prediction,
    /// The square that the network saw of it.
    pub crop: CropBox,
}

/// Predicts faces of any number of images, `batch` at a time. Covariances are those of the heatmaps;
/// [`PreparedNet::predict_passes`](crate::PreparedNet::predict_passes) gives calibrated ones.
///
/// With more than one pass each face is cropped again by `rule` around the points of the pass before; where they have no box
/// (all in one place, or not finite) the crop stays.
///
/// # Errors
/// A crop without size.
pub fn predict_passes<B: Backend>(
    net: &Prepared<B>,
    views: &[View],
    rule: &CropRule,
    passes: usize,
    batch: usize,
    device: &B::Device,
) -> Result<Vec<Refined>, InferError> {
    let mut all = Vec::with_capacity(views.len());
    for some in views.chunks(batch.max(1)) {
        let mut crops: Vec<Option<CropBox>> = some.iter().map(|view| Some(view.crop)).collect();
        // The crops that the network saw last.
        let seen = |crops: &[Option<CropBox>]| -> Vec<View> {
            let faces = some.iter().zip(crops);
            faces
                .map(|(view, crop)| View {
                    crop: crop.unwrap_or(view.crop),
                    ..*view
                })
                .collect()
        };
        let predictions = in_passes(
            &mut crops,
            rule,
            passes,
            |prediction: &Prediction| &prediction.points,
            |crops| predict_batch(net, &seen(crops), device),
        )?;
        all.extend(
            predictions
                .into_iter()
                .zip(seen(&crops))
                .map(|(prediction, view)| Refined {
                    prediction,
                    crop: view.crop,
                }),
        );
    }
    Ok(all)
}

/// Predicts the faces of one image, each given by its crop, in one batch. Covariances are those of the heatmaps.
///
/// # Errors
/// A crop without size.
pub fn predict<B: Backend>(
    net: &Prepared<B>,
    image: &RgbImage,
    crops: &[CropBox],
    device: &B::Device,
) -> Result<Vec<Prediction>, InferError> {
    let views: Vec<View> = crops
        .iter()
        .map(|&crop| View::upright(image, crop))
        .collect();
    predict_batch(net, &views, device)
}

fn predict_batch<B: Backend>(
    net: &Prepared<B>,
    views: &[View],
    device: &B::Device,
) -> Result<Vec<Prediction>, InferError> {
    if views.is_empty() {
        return Ok(Vec::new());
    }
    let size = net.config().input_size;
    let side = size as u32;
    let mut input = Vec::with_capacity(views.len() * 3 * size * size);
    for view in views {
        let crop = warp(view.image, &view.matrix(side), side, side)?;
        input.extend(network_input(&crop));
    }
    let images =
        Tensor::<B, 4>::from_data(TensorData::new(input, [views.len(), 3, size, size]), device);
    let output = net.forward(images);
    let [_, points, height, width] = output.heatmaps.dims();
    let readout = Readout::of(&output)?;
    let maps: Vec<f64> = to_host(output.heatmaps)?;

    views
        .iter()
        .enumerate()
        .map(|(face, view)| {
            let to_image = view.matrix(side).invert().ok_or(InferError::EmptyBox)?;
            let each = face * points..(face + 1) * points;
            let scores: Vec<f64> = each
                .map(|i| {
                    let map = &maps[i * height * width..][..height * width];
                    concentration(map, width, readout.landmarks[i])
                })
                .collect();
            Ok(Prediction {
                points: readout.points(face, side, &to_image),
                covariance: readout.covariance(face, side, &to_image),
                score: scores.iter().sum::<f64>() / points as f64,
                scores,
            })
        })
        .collect()
}

/// Fraction of a map's mass within [`NEAR_CELLS`] of its centre of mass (normalised, `align_corners = true`: the decoder's grid).
fn concentration(map: &[f64], width: usize, [x, y]: [f64; 2]) -> f64 {
    let height = map.len() / width;
    let cell = |v: f64, n: usize| (v + 1.0) / 2.0 * (n as f64 - 1.0);
    let (cx, cy) = (cell(x, width), cell(y, height));
    let (mut near, mut all) = (0.0, 0.0);
    for (row, values) in map.chunks_exact(width).enumerate() {
        for (column, value) in values.iter().enumerate() {
            all += value;
            if (column as f64 - cx).hypot(row as f64 - cy) <= NEAR_CELLS {
                near += value;
            }
        }
    }
    if all > 0.0 { near / all } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn concentration_is_one_for_a_peak_and_small_for_a_flat_map() {
        let mut map = vec![0.0; 32 * 32];
        map[5 * 32 + 9] = 2.0;
        let at = |i: f64| 2.0 * i / 31.0 - 1.0;
        assert_eq!(concentration(&map, 32, [at(9.0), at(5.0)]), 1.0);
        assert!(concentration(&vec![1.0; 32 * 32], 32, [0.0, 0.0]) < 0.05);
        assert_eq!(concentration(&vec![0.0; 32 * 32], 32, [0.0, 0.0]), 0.0);
    }
}
