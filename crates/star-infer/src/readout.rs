//! From a network's output to points and spreads in image pixels.

use burn::tensor::backend::Backend;
use star_data::{Affine, Covariance, Point, crop::denormalise_point};
use star_loss::heatmap_stats;
use star_model::StackOutput;

use crate::error::InferError;

use crate::host::to_host;

/// Landmarks and heatmap covariances of a batch, off the device.
pub struct Readout {
    /// `[batch * points]` (x, y) in -1..1.
    pub landmarks: Vec<[f64; 2]>,
    /// `[batch * points]`, in the same unit squared.
    covariance: Vec<Covariance>,
    /// Points a face.
    points: usize,
}

impl Readout {
    /// # Errors
    /// When the device failed.
    pub fn of<B: Backend>(output: &StackOutput<B>) -> Result<Self, InferError> {
        let stats = heatmap_stats(output.heatmaps.clone());
        let landmarks: Vec<f64> = to_host(output.landmarks.clone())?;
        let (xx, xy, yy): (Vec<f64>, Vec<f64>, Vec<f64>) = (
            to_host(stats.cov_xx)?,
            to_host(stats.cov_xy)?,
            to_host(stats.cov_yy)?,
        );
        Ok(Self {
            points: output.heatmaps.dims()[1],
            landmarks: landmarks.chunks_exact(2).map(|p| [p[0], p[1]]).collect(),
            covariance: xx
                .into_iter()
                .zip(xy)
                .zip(yy)
                .map(|((xx, xy), yy)| Covariance { xx, xy, yy })
                .collect(),
        })
    }

    /// The points of face `face` of the batch; `size` is the side of the crop and `to_image` its inverse.
    pub fn points(&self, face: usize, size: u32, to_image: &Affine) -> Vec<Point> {
        let landmarks = &self.landmarks[face * self.points..][..self.points];
        let points = landmarks.iter();
        points
            .map(|&p| to_image.apply(denormalise_point(p, size)))
            .collect()
    }

    /// The covariances of its heatmaps.
    ///
    /// Heatmaps are read on the decoder's grid, labels on the image's (REFERENCE C1); training makes the one say the other,
    /// so a unit of either is half a crop.
    pub fn covariance(&self, face: usize, size: u32, to_image: &Affine) -> Vec<Covariance> {
        let unit = f64::from(size) / 2.0;
        let covariance = &self.covariance[face * self.points..][..self.points];
        let covariance = covariance.iter();
        covariance
            .map(|c| c.scaled(unit * unit).mapped(to_image))
            .collect()
    }
}
