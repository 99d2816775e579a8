//! Samples side by side, first in memory, then as tensors. The only file of this crate that knows burn.

use burn::tensor::{Tensor, TensorData, backend::Backend};

use crate::{
    affine::Affine,
    point::Point,
    sample::{Sample, extend_network_input},
    targets::MAP_FACTOR,
};

/// A batch in ordinary memory. b samples of size S with n landmarks and e edges, c = S / 4 cells a side.
#[derive(Clone, Debug, Default)]
pub struct HostBatch {
    /// S, in pixels.
    pub size: usize,
    /// n.
    pub points: usize,
    /// e; 0 where maps were not asked for.
    pub edges: usize,
    /// `[b, 3, S, S]`, BGR in [-1, 1].
    pub images: Vec<f32>,
    /// `[b, n, 2]` in [-1, 1].
    pub landmarks: Vec<f32>,
    /// `[b, n]` 1 where a landmark is labelled, 0 where it is not.
    pub labelled: Vec<f32>,
    /// `[b]` times n landmarks in crop pixels, wherever they are: what figures are computed against.
    pub crop_landmarks: Vec<Vec<Point>>,
    /// `[b, n, 2]`, not clamped; only when every face of the batch knows its truth.
    pub truth: Option<Vec<f32>>,
    /// Point maps as profiles: `[b, n, c]` along y; empty where maps were not asked for.
    pub point_rows: Vec<f32>,
    /// `[b, n, c]` along x.
    pub point_columns: Vec<f32>,
    /// `[b, e, c, c]`, [`UNKNOWN`](crate::targets::UNKNOWN) where labels are missing.
    pub edge_maps: Vec<f32>,
    /// `[b]` which faces of the source these are.
    pub indices: Vec<usize>,
    /// `[b]` what they are called.
    pub names: Vec<String>,
    /// `[b]` original pixels to crop pixels, for landmarks.
    pub matrices: Vec<Affine>,
    /// `[b]` whether the sample is mirrored, its mirror pairs swapped.
    pub flipped: Vec<bool>,
}

impl HostBatch {
    /// Puts samples of one [`SampleMaker`](crate::SampleMaker) side by side.
    pub fn from_samples(samples: Vec<Sample>) -> Self {
        let mut batch = Self::default();
        let count = samples.len();
        for sample in samples {
            batch.push(sample, count);
        }
        batch
    }

    /// Appends a sample to those of the same maker. The first one makes room for `count` in all.
    ///
    /// Only here a crop becomes numbers for the network, at the place where they stay: they are most of a batch's memory.
    pub(crate) fn push(&mut self, sample: Sample, count: usize) {
        if self.is_empty() {
            let cells = sample.cells();
            self.size = sample.size as usize;
            self.points = sample.landmarks.len();
            self.edges = sample.edge_maps.len() / (cells * cells).max(1);
            self.images.reserve_exact(count * 3 * self.size * self.size);
            self.landmarks.reserve_exact(count * self.points * 2);
            self.truth = sample.truth.is_some().then(Vec::new);
            let profiles = &sample.point_profiles;
            self.point_rows.reserve_exact(count * profiles.rows.len());
            self.point_columns
                .reserve_exact(count * profiles.columns.len());
            self.edge_maps.reserve_exact(count * sample.edge_maps.len());
        }
        extend_network_input(&mut self.images, &sample.crop);
        self.landmarks.extend(sample.landmarks.iter().flatten());
        self.labelled.extend_from_slice(&sample.labelled);
        self.truth = (self.truth.take().zip(sample.truth)).map(|(mut all, one)| {
            all.extend(one.iter().flatten());
            all
        });
        self.point_rows
            .extend_from_slice(&sample.point_profiles.rows);
        self.point_columns
            .extend_from_slice(&sample.point_profiles.columns);
        self.edge_maps.extend_from_slice(&sample.edge_maps);
        self.crop_landmarks.push(sample.crop_landmarks);
        self.indices.push(sample.index);
        self.names.push(sample.name);
        self.matrices.push(sample.matrix);
        self.flipped.push(sample.flipped);
    }

    /// b.
    pub fn len(&self) -> usize {
        self.indices.len()
    }

    /// Whether there is no sample.
    pub fn is_empty(&self) -> bool {
        self.indices.is_empty()
    }

    /// The samples of `range`, as a batch of their own.
    ///
    /// # Panics
    /// If there are fewer samples.
    pub fn part(&self, range: std::ops::Range<usize>) -> Self {
        fn part<T: Clone>(all: &[T], range: &std::ops::Range<usize>, samples: usize) -> Vec<T> {
            let each = all.len() / samples.max(1);
            all[range.start * each..range.end * each].to_vec()
        }
        let samples = self.len();
        Self {
            size: self.size,
            points: self.points,
            edges: self.edges,
            images: part(&self.images, &range, samples),
            landmarks: part(&self.landmarks, &range, samples),
            labelled: part(&self.labelled, &range, samples),
            crop_landmarks: part(&self.crop_landmarks, &range, samples),
            truth: self.truth.as_ref().map(|all| part(all, &range, samples)),
            point_rows: part(&self.point_rows, &range, samples),
            point_columns: part(&self.point_columns, &range, samples),
            edge_maps: part(&self.edge_maps, &range, samples),
            indices: part(&self.indices, &range, samples),
            names: part(&self.names, &range, samples),
            matrices: part(&self.matrices, &range, samples),
            flipped: part(&self.flipped, &range, samples),
        }
    }

    /// c.
    pub fn cells(&self) -> usize {
        self.size / MAP_FACTOR
    }

    /// The network's input alone, `[b, 3, S, S]`.
    pub fn images<B: Backend>(&self, device: &B::Device) -> Tensor<B, 4> {
        let shape = [self.len(), 3, self.size, self.size];
        Tensor::from_data(TensorData::new(self.images.clone(), shape), device)
    }

    /// The whole batch on a device. Nothing is copied before the upload; the point maps are multiplied out on the device.
    pub fn into_device<B: Backend>(self, device: &B::Device) -> Batch<B> {
        let (b, n, e, s, c) = (self.len(), self.points, self.edges, self.size, self.cells());
        let rank3 = |data: Vec<f32>, shape: [usize; 3]| {
            Tensor::<B, 3>::from_data(TensorData::new(data, shape), device)
        };
        let rank4 = |data: Vec<f32>, shape: [usize; 4]| {
            Tensor::<B, 4>::from_data(TensorData::new(data, shape), device)
        };
        let point_maps = (!self.point_rows.is_empty()).then(|| {
            let rows = rank4(self.point_rows, [b, n, c, 1]);
            let columns = rank4(self.point_columns, [b, n, 1, c]);
            rows * columns
        });
        let labelled = (self.labelled.contains(&0.0))
            .then(|| Tensor::<B, 2>::from_data(TensorData::new(self.labelled, [b, n]), device));
        Batch {
            labelled,
            images: rank4(self.images, [b, 3, s, s]),
            landmarks: rank3(self.landmarks, [b, n, 2]),
            truth: self.truth.map(|truth| rank3(truth, [b, n, 2])),
            point_maps,
            edge_maps: (!self.edge_maps.is_empty()).then(|| rank4(self.edge_maps, [b, e, c, c])),
            indices: self.indices,
            names: self.names,
            matrices: self.matrices,
            flipped: self.flipped,
        }
    }

    /// As [`HostBatch::into_device`], keeping the batch in memory too.
    pub fn to_device<B: Backend>(&self, device: &B::Device) -> Batch<B> {
        self.clone().into_device(device)
    }
}

/// A batch on a device. b samples of size S with n landmarks and e edges.
#[derive(Clone, Debug)]
pub struct Batch<B: Backend> {
    /// `[b, 3, S, S]`, BGR in [-1, 1].
    pub images: Tensor<B, 4>,
    /// `[b, n, 2]` in [-1, 1].
    pub landmarks: Tensor<B, 3>,
    /// `[b, n]` 1 where a landmark is labelled, 0 where it is not and must give no loss; `None` where all are.
    pub labelled: Option<Tensor<B, 2>>,
    /// `[b, n, 2]`, not clamped; synthetic faces only.
    pub truth: Option<Tensor<B, 3>>,
    /// `[b, n, S/4, S/4]`; `None` where maps were not asked for.
    pub point_maps: Option<Tensor<B, 4>>,
    /// `[b, e, S/4, S/4]`; where `labelled` is there, negative cells are unknown and must give no loss. Also `None` for a layout without edges.
    pub edge_maps: Option<Tensor<B, 4>>,
    /// `[b]` which faces of the source these are.
    pub indices: Vec<usize>,
    /// `[b]` what they are called.
    pub names: Vec<String>,
    /// `[b]` original pixels to crop pixels, for landmarks.
    pub matrices: Vec<Affine>,
    /// `[b]` whether the sample is mirrored.
    pub flipped: Vec<bool>,
}

impl<B: Backend> Batch<B> {
    /// Puts samples of one [`SampleMaker`](crate::SampleMaker) on a device.
    pub fn from_samples(samples: Vec<Sample>, device: &B::Device) -> Self {
        HostBatch::from_samples(samples).into_device(device)
    }
}
