//! The coordinate channels of a coord-conv (CoordConv, Liu et al. 2018; with boundary channels as in AWing, Wang et al. 2019).

use burn::tensor::backend::Backend;
use burn::tensor::{Tensor, TensorData};

use crate::shapes::assert_shapes;

/// Channels added to every coord-conv's input: row, column, radius.
pub const COORD_CHANNELS: usize = 3;
/// Channels added where there is a previous stack: row and column where its last landmark's heatmap is lit.
pub const BOUNDARY_CHANNELS: usize = 2;
/// Where a heatmap counts as lit.
pub const BOUNDARY_THRESHOLD: f64 = 0.05;

/// Appends the coordinate channels to `x [batch, c, h, w]`.
///
/// In this order, which published weights depend on: the row coordinate (-1 at the top to 1 at the bottom), the column
/// coordinate, the distance to the centre divided by its largest value; and, if `heatmaps [batch, n, h, w]` of the
/// previous stack are given, the row and the column coordinate once more, zero where the **last** heatmap is at most
/// 0.05. That threshold is a step: no gradient passes, and a pixel near 0.05 can jump.
///
/// Returns `[batch, c + 3, h, w]` or `[batch, c + 5, h, w]`.
///
/// # Panics
/// If `heatmaps` are of another batch or size than `x`, or none.
pub fn append_coords<B: Backend>(x: Tensor<B, 4>, heatmaps: Option<Tensor<B, 4>>) -> Tensor<B, 4> {
    let x_shape = x.dims();
    let [batch, _, height, width] = x_shape;
    let coords = coord_channels::<B>(height, width, &x.device());
    let mut parts = vec![
        x,
        coords
            .clone()
            .expand([batch, COORD_CHANNELS, height, width]),
    ];
    if let Some(heatmaps) = heatmaps {
        let of = heatmaps.dims();
        let points = of[1];
        assert_shapes(
            points > 0 && of == [batch, points, height, width],
            "coordinate channels",
            "heatmaps must be of the input's batch and size, and at least one",
            &[("input", &x_shape), ("heatmaps", &of)],
        );
        let lit = heatmaps
            .detach()
            .narrow(1, points - 1, 1)
            // The f32 nearest to 0.05 is a little larger than 0.05: it counts as lit.
            .greater_equal_elem(BOUNDARY_THRESHOLD)
            .float();
        parts.push(lit * coords.narrow(1, 0, BOUNDARY_CHANNELS));
    }
    Tensor::cat(parts, 1)
}

/// Row, column and radius of the pixel at a row and column of a map of `[height, width]`.
pub fn coordinates(at: [usize; 2], size: [usize; 2]) -> [f32; COORD_CHANNELS] {
    let along = |i: usize, len: usize| i as f32 / (len.max(2) - 1) as f32 * 2.0 - 1.0;
    let [y, x] = [0, 1].map(|axis| along(at[axis], size[axis]));
    // The first pixel is at (-1, -1), and no other is further away.
    [y, x, (y * y + x * x).sqrt() / std::f32::consts::SQRT_2]
}

/// Row, column and radius, `[1, 3, height, width]`.
fn coord_channels<B: Backend>(height: usize, width: usize, device: &B::Device) -> Tensor<B, 4> {
    let area = height * width;
    let mut values = vec![0f32; COORD_CHANNELS * area];
    for pixel in 0..area {
        let at = coordinates([pixel / width, pixel % width], [height, width]);
        for (channel, value) in at.into_iter().enumerate() {
            values[channel * area + pixel] = value;
        }
    }
    Tensor::from_data(
        TensorData::new(values, [1, COORD_CHANNELS, height, width]),
        device,
    )
}
