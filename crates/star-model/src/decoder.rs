//! From heatmaps to points.

use burn::tensor::backend::Backend;
use burn::tensor::{Tensor, TensorData};

/// The least sum a heatmap is divided by.
const MIN_SUM: f64 = 1e-6;

/// Soft-argmax: the centre of mass of each heatmap.
///
/// `heatmaps [batch, points, h, w]` -> `[batch, points, 2]`, (x, y) with -1 at the centre of the first pixel and 1 at the
/// centre of the last one. (Landmark labels put ±1 at the image's borders instead; the network learns the difference.)
/// An empty heatmap gives (0, 0).
pub fn decode<B: Backend>(heatmaps: Tensor<B, 4>) -> Tensor<B, 3> {
    let [batch, points, height, width] = heatmaps.dims();
    // x, y and 1 as the columns of a matrix: all three sums in one product, and one pass over the maps.
    let grid = moment_grid::<B>(height, width, &heatmaps.device());
    let sums = heatmaps
        .reshape([1, batch * points, height * width])
        .matmul(grid)
        .reshape([batch, points, 3]);
    let mass = sums.clone().narrow(2, 2, 1).clamp_min(MIN_SUM);
    sums.narrow(2, 0, 2) / mass
}

/// `[1, height * width, 3]`
fn moment_grid<B: Backend>(height: usize, width: usize, device: &B::Device) -> Tensor<B, 3> {
    let along = |i: usize, len: usize| 2.0 * i as f32 / (len.max(2) - 1) as f32 - 1.0;
    let mut values = Vec::with_capacity(3 * height * width);
    for row in 0..height {
        for column in 0..width {
            values.extend([along(column, width), along(row, height), 1.0]);
        }
    }
    Tensor::from_data(TensorData::new(values, [1, height * width, 3]), device)
}
