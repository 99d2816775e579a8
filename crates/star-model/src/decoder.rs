//! From heatmaps to points.

use burn::tensor::backend::Backend;
use burn::tensor::{Tensor, TensorData};

use crate::compute::rounds_products;

/// The least sum a heatmap is divided by.
pub(crate) const MIN_SUM: f64 = 1e-6;

/// Soft-argmax: the centre of mass of each heatmap.
///
/// `heatmaps [batch, points, h, w]` -> `[batch, points, 2]`, (x, y) with -1 at the centre of the first pixel and 1 at the
/// centre of the last one. (Landmark labels put ±1 at the image's borders instead; the network learns the difference.)
/// An empty heatmap gives (0, 0).
pub fn decode<B: Backend>(heatmaps: Tensor<B, 4>) -> Tensor<B, 3> {
    let rounds = rounds_products::<B>(&heatmaps.device());
    decode_by(if rounds { one_by_one } else { by_matrix }, heatmaps)
}

/// `[maps, pixels]`, the grid `[pixels, 3]` -> `[maps, 3]`: sums of the maps times x, y and 1.
type Sums<B> = fn(Tensor<B, 2>, Tensor<B, 2>) -> Tensor<B, 2>;

/// All three sums in one product, and one pass over the maps.
fn by_matrix<B: Backend>(maps: Tensor<B, 2>, grid: Tensor<B, 2>) -> Tensor<B, 2> {
    // With a batch of one in front: Burn's CPU backend is faster so.
    maps.unsqueeze::<3>()
        .matmul(grid.unsqueeze::<3>())
        .squeeze_dim(0)
}

/// For devices that round the factors of matrix products: TF32 moves the grid's pixels by up to 2.4e-4, 0.03 pixels of a crop of 256.
fn one_by_one<B: Backend>(maps: Tensor<B, 2>, grid: Tensor<B, 2>) -> Tensor<B, 2> {
    let [pixels, _] = grid.dims();
    let along = |k: usize| {
        let grid = grid.clone().narrow(1, k, 1).reshape([1, pixels]);
        (maps.clone() * grid).sum_dim(1)
    };
    Tensor::cat(vec![along(0), along(1), maps.clone().sum_dim(1)], 1)
}

fn decode_by<B: Backend>(sums: Sums<B>, heatmaps: Tensor<B, 4>) -> Tensor<B, 3> {
    let [batch, points, height, width] = heatmaps.dims();
    let grid = moment_grid::<B>(height, width, &heatmaps.device());
    let maps = heatmaps.reshape([batch * points, height * width]);
    let sums = sums(maps, grid).reshape([batch, points, 3]);
    let mass = sums.clone().narrow(2, 2, 1).clamp_min(MIN_SUM);
    sums.narrow(2, 0, 2) / mass
}

/// x, y and 1 of every pixel, `[height * width, 3]`
fn moment_grid<B: Backend>(height: usize, width: usize, device: &B::Device) -> Tensor<B, 2> {
    let along = |i: usize, len: usize| 2.0 * i as f32 / (len.max(2) - 1) as f32 - 1.0;
    let mut values = Vec::with_capacity(3 * height * width);
    for row in 0..height {
        for column in 0..width {
            values.extend([along(column, width), along(row, height), 1.0]);
        }
    }
    Tensor::from_data(TensorData::new(values, [height * width, 3]), device)
}

#[cfg(all(test, feature = "flex"))]
mod tests;
