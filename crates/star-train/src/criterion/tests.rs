//! What is not labelled gives no loss and no gradient.

use burn::{
    backend::{Autodiff, Flex},
    tensor::{Distribution, Tensor, TensorData},
};
use star_data::{Batch, targets::UNKNOWN};
use star_model::StackOutput;

use super::Criterion;
use crate::recipe::{LandmarkLoss, LossRecipe};

type B = Autodiff<Flex>;

const SIDE: usize = 8;

/// Maps and landmarks of two faces as a network would give them, and what they are compared with.
struct Case {
    heatmaps: Tensor<B, 4>,
    landmarks: Tensor<B, 3>,
    point_maps: Tensor<B, 4>,
    edge_maps: Tensor<B, 4>,
    targets: Tensor<B, 3>,
    point_targets: Tensor<B, 4>,
    edge_targets: Tensor<B, 4>,
}

fn maps(channels: usize) -> Tensor<B, 4> {
    let shape = [2, channels, SIDE, SIDE];
    Tensor::random(shape, Distribution::Uniform(0.01, 0.9), &Default::default())
}

fn points(count: usize) -> Tensor<B, 3> {
    let spread = Distribution::Uniform(-0.8, 0.8);
    Tensor::random([2, count, 2], spread, &Default::default())
}

impl Case {
    /// Three landmarks and two edges.
    fn new() -> Self {
        Self {
            heatmaps: maps(3),
            landmarks: points(3),
            point_maps: maps(3),
            edge_maps: maps(2),
            targets: points(3),
            point_targets: maps(3),
            edge_targets: maps(2),
        }
    }

    /// The same without landmark 1 and edge 0.
    fn without(&self) -> Self {
        let two = |t: &Tensor<B, 4>| {
            let parts = [t.clone().narrow(1, 0, 1), t.clone().narrow(1, 2, 1)];
            Tensor::cat(parts.to_vec(), 1)
        };
        let two_points = |t: &Tensor<B, 3>| {
            let parts = [t.clone().narrow(1, 0, 1), t.clone().narrow(1, 2, 1)];
            Tensor::cat(parts.to_vec(), 1)
        };
        Self {
            heatmaps: two(&self.heatmaps),
            landmarks: two_points(&self.landmarks),
            point_maps: two(&self.point_maps),
            edge_maps: self.edge_maps.clone().narrow(1, 1, 1),
            targets: two_points(&self.targets),
            point_targets: two(&self.point_targets),
            edge_targets: self.edge_targets.clone().narrow(1, 1, 1),
        }
    }

    /// With landmark 1 and edge 0 not labelled, as a batch has it: targets of landmarks are empty, those of edges unknown.
    fn unlabelled(&self) -> (Self, Tensor<B, 2>) {
        let flags = |values: Vec<f32>| {
            let each = values.len() / 2;
            Tensor::<B, 2>::from_data(TensorData::new(values, [2, each]), &Default::default())
        };
        let points = flags(vec![1.0, 0.0, 1.0, 1.0, 0.0, 1.0]);
        let edges = flags(vec![0.0, 1.0, 0.0, 1.0]);
        let case = Self {
            heatmaps: self.heatmaps.clone(),
            landmarks: self.landmarks.clone(),
            point_maps: self.point_maps.clone(),
            edge_maps: self.edge_maps.clone(),
            targets: self.targets.clone() * points.clone().reshape([2, 3, 1]),
            point_targets: self.point_targets.clone() * points.clone().reshape([2, 3, 1, 1]),
            edge_targets: unknown_where(self.edge_targets.clone(), edges.reshape([2, 2, 1, 1])),
        };
        (case, points)
    }

    /// The losses of both faces, and the gradients of heatmaps, point maps, edge maps and landmarks.
    fn run(self, labelled: Option<Tensor<B, 2>>, loss: LandmarkLoss) -> [Vec<f32>; 5] {
        let recipe = LossRecipe {
            landmarks: loss,
            ..LossRecipe::default()
        };
        let criterion = Criterion::new(&recipe);
        let heatmaps = self.heatmaps.require_grad();
        let point_maps = self.point_maps.require_grad();
        let edge_maps = self.edge_maps.require_grad();
        let landmarks = self.landmarks.require_grad();
        let output = StackOutput {
            landmarks: landmarks.clone(),
            heatmaps: heatmaps.clone(),
            point_maps: Some(point_maps.clone()),
            edge_maps: Some(edge_maps.clone()),
        };
        let batch = Batch {
            images: Tensor::zeros([2, 3, 4, 4], &Default::default()),
            landmarks: self.targets,
            labelled,
            truth: None,
            point_maps: Some(self.point_targets),
            edge_maps: Some(self.edge_targets),
            indices: vec![0, 1],
            names: vec![String::new(); 2],
            matrices: Vec::new(),
            flipped: Vec::new(),
        };
        let (total, table) = criterion.forward(&[output], &batch, &criterion.terms(1, true));
        let gradients = total.backward();
        let of = |t: Option<Tensor<Flex, 4>>| match t {
            Some(t) => values(t),
            None => Vec::new(),
        };
        [
            values(table.values),
            of(heatmaps.grad(&gradients)),
            of(point_maps.grad(&gradients)),
            of(edge_maps.grad(&gradients)),
            landmarks.grad(&gradients).map(values).unwrap_or_default(),
        ]
    }
}

/// Targets with [`UNKNOWN`] where `known` is 0.
fn unknown_where(targets: Tensor<B, 4>, known: Tensor<B, 4>) -> Tensor<B, 4> {
    let unknown = (known.clone() - 1.0) * -f64::from(UNKNOWN);
    targets * known + unknown
}

fn values<const D: usize>(t: Tensor<Flex, D>) -> Vec<f32> {
    t.into_data().to_vec().expect("floats")
}

fn near(what: &str, ours: &[f32], theirs: &[f32]) {
    assert_eq!(ours.len(), theirs.len(), "{what}");
    for (a, b) in ours.iter().zip(theirs) {
        assert!((a - b).abs() <= 1e-5 * b.abs().max(1e-2), "{what}: {a} {b}");
    }
}

/// The channels of `[2, channels, ..]` that are kept; of the others, whose gradient must be 0, none.
fn kept(gradient: &[f32], keep: &[bool]) -> Vec<f32> {
    let each = gradient.len() / 2 / keep.len();
    let mut values = Vec::new();
    for (part, keep) in gradient.chunks_exact(each.max(1)).zip(keep.iter().cycle()) {
        if *keep {
            values.extend_from_slice(part);
        } else {
            assert!(part.iter().all(|g| *g == 0.0), "a gradient without a label");
        }
    }
    values
}

#[test]
fn gradients_with_a_missing_point_are_those_without_it() {
    let points = [true, false, true];
    for loss in [
        LandmarkLoss::Star,
        LandmarkLoss::SmoothL1,
        LandmarkLoss::Wing,
    ] {
        let case = Case::new();
        let (unlabelled, labels) = case.unlabelled();
        let [losses, heatmaps, maps, edges, landmarks] = unlabelled.run(Some(labels), loss);
        let [w_losses, w_heatmaps, w_maps, w_edges, w_landmarks] = case.without().run(None, loss);
        near("losses", &losses, &w_losses);
        near("heatmaps", &kept(&heatmaps, &points), &w_heatmaps);
        near("point maps", &kept(&maps, &points), &w_maps);
        near("edge maps", &kept(&edges, &[false, true]), &w_edges);
        near("landmarks", &kept(&landmarks, &points), &w_landmarks);
        // It is not as if nothing had been taken out.
        let [all, ..] = case.run(None, loss);
        assert!(all.iter().zip(&losses).any(|(a, b)| (a - b).abs() > 1e-3));
    }
}

#[test]
fn a_face_whose_edges_are_unknown_has_no_edge_loss() {
    let (case, labels) = Case::new().unlabelled();
    let known = Tensor::zeros([2, 2, 1, 1], &Default::default());
    let case = Case {
        edge_targets: unknown_where(case.edge_targets.clone() * 0.0, known),
        ..case
    };
    let [losses, _, _, edges, _] = case.run(Some(labels), LandmarkLoss::Star);
    // Rows: star, points, edges, of two faces each.
    assert!(losses[4..].iter().all(|l| l.abs() < 1e-12), "{losses:?}");
    assert!(edges.iter().all(|g| *g == 0.0));
}

#[test]
fn unknown_cells_of_an_edge_give_nothing_and_the_others_what_they_did() {
    let case = Case::new();
    let (_, labels) = case.unlabelled();
    // The left half of every edge map is unknown. Targets are far below what weighs more, so that each cell stands for itself.
    let half: Vec<f32> = (0..2 * 2 * SIDE * SIDE)
        .map(|i| f32::from(u8::from(i % SIDE >= SIDE / 2)))
        .collect();
    let shape = [2, 2, SIDE, SIDE];
    let half = Tensor::<B, 4>::from_data(TensorData::new(half, shape), &Default::default());
    let faint = case.edge_targets.clone() * 0.1;
    let run = |edge_maps: Tensor<B, 4>, edge_targets: Tensor<B, 4>| {
        let case = Case {
            edge_maps,
            edge_targets,
            ..Case::new()
        };
        let [losses, _, _, edges, _] = case.run(Some(labels.clone()), LandmarkLoss::Star);
        (losses[4..].to_vec(), edges)
    };
    let partly = unknown_where(faint.clone(), half.clone());
    let (losses, gradients) = run(case.edge_maps.clone(), partly.clone());
    let (whole_losses, whole_gradients) = run(case.edge_maps.clone(), faint);
    let known = values(half.clone().inner());
    for ((g, whole), known) in gradients.iter().zip(&whole_gradients).zip(&known) {
        // Half the cells: each is twice as much of the mean.
        let expected = 2.0 * whole * known;
        assert!(
            (g - expected).abs() <= 1e-5 * expected.abs().max(1e-4),
            "{g} {expected}"
        );
    }
    assert!(losses.iter().zip(&whole_losses).all(|(a, b)| a != b));
    // Whatever is predicted where nothing is known.
    let (other, _) = run(case.edge_maps * half.clone() + (half - 1.0) * -0.7, partly);
    near("losses", &other, &losses);
}
