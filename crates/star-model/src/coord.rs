//! The coordinate channels of a coord-conv (CoordConv, Liu et al. 2018; with boundary channels as in AWing, Wang et al. 2019).

use burn::tensor::backend::Backend;
use burn::tensor::{Tensor, TensorData};

use crate::shapes::assert_shapes;

/// Channels added to every coord-conv's input: row, column, radius.
pub const COORD_CHANNELS: usize = 3;
/// Channels added where there is a previous stack: row and column where its last landmark's heatmap is lit.
pub const BOUNDARY_CHANNELS: usize = 2;
/// Where a heatmap counts as lit.
const BOUNDARY_THRESHOLD: f64 = 0.05;

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

/// Row, column and radius, `[1, 3, height, width]`.
fn coord_channels<B: Backend>(height: usize, width: usize, device: &B::Device) -> Tensor<B, 4> {
    let along = |i: usize, len: usize| i as f32 / (len.max(2) - 1) as f32 * 2.0 - 1.0;
    let area = height * width;
    let mut values = vec![0f32; COORD_CHANNELS * area];
    let mut furthest = 0f32;
    for row in 0..height {
        for column in 0..width {
            let (y, x) = (along(row, height), along(column, width));
            let radius = (y * y + x * x).sqrt();
            let at = row * width + column;
            values[at] = y;
            values[area + at] = x;
            values[2 * area + at] = radius;
            furthest = furthest.max(radius);
        }
    }
    if furthest > 0.0 {
        for radius in &mut values[2 * area..] {
            *radius /= furthest;
        }
    }
    Tensor::from_data(
        TensorData::new(values, [1, COORD_CHANNELS, height, width]),
        device,
    )
}
