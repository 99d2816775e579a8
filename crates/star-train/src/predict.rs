//! One picture in, landmarks out: points in image pixels, how sure each is, and a score.

use burn::tensor::{Tensor, TensorData, backend::Backend};
use image::RgbImage;
use serde::Serialize;
use star_data::{CropBox, Point, crop_matrix, sample::network_input, warp::warp};
use star_model::StarNet;

use crate::{covariance::Covariance, error::TrainError, readout::Readout};

/// Heatmap cells around a landmark within which mass counts as agreeing with it.
const NEAR_CELLS: f64 = 3.0;

/// What the network says of one face.
#[derive(Clone, Debug, Serialize)]
pub struct Prediction {
    /// In layout order, image pixels.
    pub points: Vec<Point>,
    /// Spread of each point's heatmap, image pixels squared.
    pub covariance: Vec<Covariance>,
    /// For each point the share of its heatmap's mass within three cells of it, 0 to 1: how far the map agrees with itself.
    pub scores: Vec<f64>,
    /// Mean of `scores`.
    pub score: f64,
}

/// Predicts the faces of one picture, each given by its crop, in one batch.
///
/// # Errors
/// A crop without size.
pub fn predict<B: Backend>(
    net: &StarNet<B>,
    image: &RgbImage,
    crops: &[CropBox],
    device: &B::Device,
) -> Result<Vec<Prediction>, TrainError> {
    let size = net.config().input_size;
    let side = size as u32;
    let mut input = Vec::with_capacity(crops.len() * 3 * size * size);
    for crop in crops {
        let picture = warp(image, &crop_matrix(crop, side), side, side)?;
        input.extend(network_input(&picture));
    }
    let images =
        Tensor::<B, 4>::from_data(TensorData::new(input, [crops.len(), 3, size, size]), device);
    let output = net.forward_last(images);
    let [_, points, height, width] = output.heatmaps.dims();
    let readout = Readout::of(&output);
    let maps: Vec<f64> = output.heatmaps.into_data().iter::<f64>().collect();

    crops
        .iter()
        .enumerate()
        .map(|(face, crop)| {
            let to_image = crop_matrix(crop, side)
                .invert()
                .ok_or_else(|| TrainError::Invalid("the box has no size".into()))?;
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

/// Share of a map's mass within [`NEAR_CELLS`] of its centre of mass (normalised, `align_corners = true`: the decoder's grid).
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
