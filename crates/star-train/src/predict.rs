//! One picture in, landmarks out: points in image pixels, how sure each is, and a score.

use burn::tensor::{Tensor, TensorData, backend::Backend};
use image::RgbImage;
use serde::Serialize;
use star_data::{
    CropBox, Point, crop::denormalise_point, crop_matrix, sample::network_input, warp::warp,
};
use star_loss::heatmap_stats;
use star_model::StarNet;

use crate::{error::TrainError, report::Spread};

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

/// A symmetric 2x2 matrix.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Covariance {
    pub xx: f64,
    pub xy: f64,
    pub yy: f64,
}

impl From<Covariance> for Spread {
    fn from(Covariance { xx, xy, yy }: Covariance) -> Self {
        Self { xx, xy, yy }
    }
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
    let stats = heatmap_stats(output.heatmaps.clone());
    let [_, points, height, width] = output.heatmaps.dims();

    let read = |data: TensorData| -> Vec<f64> { data.iter::<f64>().collect() };
    let landmarks = read(output.landmarks.into_data());
    let maps = read(output.heatmaps.into_data());
    let (xx, xy, yy) = (
        read(stats.cov_xx.into_data()),
        read(stats.cov_xy.into_data()),
        read(stats.cov_yy.into_data()),
    );

    crops
        .iter()
        .enumerate()
        .map(|(face, crop)| {
            let to_image = crop_matrix(crop, side)
                .invert()
                .ok_or_else(|| TrainError::Invalid("the box has no size".into()))?;
            // From normalised units to image pixels: half the crop, then the crop's scale.
            let unit = size as f64 / 2.0 * to_image.determinant().abs().sqrt();
            let each = face * points..(face + 1) * points;
            let normalised = |i: usize| [landmarks[2 * i], landmarks[2 * i + 1]];
            let scores: Vec<f64> = each
                .clone()
                .map(|i| {
                    let map = &maps[i * height * width..][..height * width];
                    concentration(map, width, normalised(i))
                })
                .collect();
            Ok(Prediction {
                points: each
                    .clone()
                    .map(|i| to_image.apply(denormalise_point(normalised(i), side)))
                    .collect(),
                covariance: each
                    .map(|i| Covariance {
                        xx: xx[i] * unit * unit,
                        xy: xy[i] * unit * unit,
                        yy: yy[i] * unit * unit,
                    })
                    .collect(),
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
