//! The anisotropic attention module (ADNet, Huang et al. 2021, section 3.3).

use burn::module::{Module, RunningState};
use burn::tensor::activation::sigmoid;
use burn::tensor::backend::Backend;
use burn::tensor::{Tensor, TensorData};

use crate::conv::ConvConfig;
use crate::conv_block::ConvBlock;
use crate::mode::Mode;
use crate::shapes::assert_shapes;

/// From edge maps to landmark maps: each landmark sees the sum of the edges it lies on, or 1 if it lies on none.
///
/// A fixed 1x1 convolution. Its weights say which point is on which edge; they travel with the published weights as
/// buffers, so they are held alike: seen by visitors and records, never by an optimiser.
#[derive(Module, Debug)]
pub struct E2h<B: Backend> {
    /// `[points, edges, 1, 1]`
    pub weight: RunningState<Tensor<B, 4>>,
    /// `[points]`
    pub bias: RunningState<Tensor<B, 1>>,
}

impl<B: Backend> E2h<B> {
    /// `edges`: the points on each edge, each below `points` (others are left out).
    pub fn new(points: usize, edges: &[Vec<usize>], device: &B::Device) -> Self {
        let mut weight = vec![0f32; points * edges.len()];
        let mut bias = vec![1f32; points];
        for (e, edge) in edges.iter().enumerate() {
            for &point in edge.iter().filter(|&&point| point < points) {
                weight[point * edges.len() + e] = 1.0;
                bias[point] = 0.0;
            }
        }
        let weight = TensorData::new(weight, [points, edges.len(), 1, 1]);
        Self {
            weight: RunningState::new(Tensor::from_data(weight, device)),
            bias: RunningState::new(Tensor::from_data(TensorData::new(bias, [points]), device)),
        }
    }

    /// `[batch, edges, h, w]` -> `[batch, points, h, w]`
    ///
    /// # Panics
    /// If there is another number of edge maps than of edges.
    pub fn forward(&self, edges: Tensor<B, 4>) -> Tensor<B, 4> {
        // Constants of the layout: loaded ones would be tracked, and then trained, as parameters are.
        let (weight, bias) = (self.weight.value().detach(), self.bias.value().detach());
        crate::convolve::assert_convolvable(edges.dims(), weight.dims(), bias.dims());
        crate::convolve::convolve(edges, weight, Some(bias), 1)
    }

    pub(crate) fn unshared(&self) -> Self {
        Self {
            weight: RunningState::new(self.weight.value_sync()),
            bias: RunningState::new(self.bias.value_sync()),
        }
    }
}

/// Point and edge heads of all stacks, and their projections into the next stack.
#[derive(Module, Debug)]
pub struct Aam<B: Backend> {
    /// Which landmarks lie on which edges.
    pub e2h_transform: E2h<B>,
    /// One a stack.
    pub out_edgemaps: Vec<ConvBlock<B>>,
    /// One a stack.
    pub out_pointmaps: Vec<ConvBlock<B>>,
    /// One between two stacks.
    pub merge_edgemaps: Vec<ConvBlock<B>>,
    /// One between two stacks.
    pub merge_pointmaps: Vec<ConvBlock<B>>,
}

/// The maps of one stack.
#[derive(Debug, Clone)]
pub struct AamMaps<B: Backend> {
    /// `[batch, points, h, w]` in 0..1
    pub point_maps: Tensor<B, 4>,
    /// `[batch, edges, h, w]` in 0..1
    pub edge_maps: Tensor<B, 4>,
}

impl<B: Backend> Aam<B> {
    /// For `stacks` stacks whose features have `channels` channels.
    pub fn new(
        points: usize,
        edges: &[Vec<usize>],
        stacks: usize,
        channels: usize,
        device: &B::Device,
    ) -> Self {
        let several = |count: usize, input: usize, output: usize| {
            (0..count)
                .map(|_| ConvBlock::plain(ConvConfig::new(input, output, 1), device))
                .collect()
        };
        let between = stacks.saturating_sub(1);
        Self {
            e2h_transform: E2h::new(points, edges, device),
            out_edgemaps: several(stacks, channels, edges.len()),
            out_pointmaps: several(stacks, channels, points),
            merge_edgemaps: several(between, edges.len(), channels),
            merge_pointmaps: several(between, points, channels),
        }
    }

    /// The maps of stack `stack` from its features `[batch, channels, h, w]`.
    ///
    /// # Panics
    /// If there is no such stack, or the features have another number of channels.
    pub fn maps(&self, stack: usize, features: Tensor<B, 4>, mode: Mode) -> AamMaps<B> {
        AamMaps {
            point_maps: sigmoid(self.out_pointmaps[stack].forward(features.clone(), mode)),
            edge_maps: sigmoid(self.out_edgemaps[stack].forward(features, mode)),
        }
    }

    /// What the heatmaps `[batch, points, h, w]` are multiplied by.
    ///
    /// # Panics
    /// If the maps are not those of one batch, or not as many as there are points and edges.
    pub fn mask(&self, maps: &AamMaps<B>) -> Tensor<B, 4> {
        let of_edges = self.e2h_transform.forward(maps.edge_maps.clone());
        let (edges, points) = (maps.edge_maps.dims(), maps.point_maps.dims());
        assert_shapes(
            of_edges.dims() == points,
            "mask",
            "point and edge maps must be of one batch, one size and this layout",
            &[("points", &points), ("edges", &edges)],
        );
        of_edges * maps.point_maps.clone()
    }

    /// What the maps add to the next stack's input, `[batch, channels, h, w]`.
    ///
    /// # Panics
    /// If stack `stack` is the last one or there is none, if the maps are not those of one batch, or not as many as there are
    /// points and edges.
    pub fn merge(&self, stack: usize, maps: AamMaps<B>, mode: Mode) -> Tensor<B, 4> {
        let (points, edges) = (maps.point_maps.dims(), maps.edge_maps.dims());
        assert_shapes(
            (points[0], &points[2..]) == (edges[0], &edges[2..]),
            "merge",
            "point and edge maps must be of one batch and one size",
            &[("points", &points), ("edges", &edges)],
        );
        self.merge_pointmaps[stack].forward(maps.point_maps, mode)
            + self.merge_edgemaps[stack].forward(maps.edge_maps, mode)
    }

    pub(crate) fn unshared(&self) -> Self {
        Self {
            e2h_transform: self.e2h_transform.unshared(),
            ..self.clone()
        }
    }
}
