//! What is minimised: three losses on each stack, weighted.

use burn::tensor::{Tensor, backend::AutodiffBackend, backend::Backend};
use star_data::Batch;
use star_loss::{AWingLoss, SmoothL1Loss, StarLoss, WingLoss};
use star_model::StackOutput;

use crate::recipe::{LandmarkLoss, LossRecipe};

/// Every loss of one step, by term and sample, still on the device.
///
/// Kept by sample so that a loss that is not a number can be traced to its face without running anything again.
#[derive(Clone, Debug)]
pub struct LossTable<B: Backend> {
    /// `[terms, batch]`, unweighted; rows in the order of the terms given to [`Criterion::forward`].
    pub values: Tensor<B, 2>,
}

/// The losses of a recipe.
#[derive(Clone, Debug)]
pub struct Criterion {
    landmarks: LandmarkCriterion,
    maps: AWingLoss,
    point_weight: f64,
    edge_weight: f64,
}

#[derive(Clone, Debug)]
enum LandmarkCriterion {
    Star(StarLoss),
    SmoothL1(SmoothL1Loss),
    Wing(WingLoss),
}

impl Criterion {
    /// From the recipe's choice of losses and weights.
    pub fn new(recipe: &LossRecipe) -> Self {
        let landmarks = match recipe.landmarks {
            LandmarkLoss::Star => LandmarkCriterion::Star(recipe.star.init()),
            LandmarkLoss::SmoothL1 => LandmarkCriterion::SmoothL1(SmoothL1Loss::default()),
            LandmarkLoss::Wing => LandmarkCriterion::Wing(WingLoss::default()),
        };
        Self {
            landmarks,
            maps: AWingLoss::default(),
            point_weight: recipe.point_weight,
            edge_weight: recipe.edge_weight,
        }
    }

    /// The names of a table's rows and their weights: stack i of n weighs `2^i / 2^(n-1)` (REFERENCE S7).
    pub fn terms(&self, stacks: usize, aam: bool) -> Vec<(String, f64)> {
        let name = match self.landmarks {
            LandmarkCriterion::Star(_) => "star",
            LandmarkCriterion::SmoothL1(_) => "smoothl1",
            LandmarkCriterion::Wing(_) => "wing",
        };
        (0..stacks)
            .flat_map(|i| {
                let weight = 2f64.powi(i as i32 - (stacks as i32 - 1));
                let mut terms = vec![(format!("stack{i}/{name}"), weight)];
                if aam {
                    terms.push((format!("stack{i}/points"), weight * self.point_weight));
                    terms.push((format!("stack{i}/edges"), weight * self.edge_weight));
                }
                terms
            })
            .collect()
    }

    /// The mean loss of each sample's labelled maps, `[batch]`.
    fn map_loss<B: Backend>(
        &self,
        maps: Tensor<B, 4>,
        targets: Tensor<B, 4>,
        labelled: Option<&Tensor<B, 2>>,
    ) -> Tensor<B, 1> {
        let Some(labelled) = labelled else {
            return self.maps.per_sample(maps, targets);
        };
        // Maps without a label are compared with their target, which is empty, as empty maps: no loss and no gradient.
        let [batch, channels, ..] = maps.dims();
        let maps = maps * labelled.clone().reshape([batch, channels, 1, 1]);
        let losses = self.maps.per_sample(maps, targets);
        losses * (count(labelled).recip() * channels as f64).squeeze_dim(1)
    }

    /// The weighted sum to differentiate (scalar, `[1]`), and the table of its parts. What of a batch is not labelled gives no loss: a
    /// sample's losses are means over its labelled landmarks, and over the edges all of whose landmarks are.
    ///
    /// # Panics
    /// When `outputs` and `terms` come from different networks.
    pub fn forward<B: AutodiffBackend>(
        &self,
        outputs: &[StackOutput<B>],
        batch: &Batch<B>,
        terms: &[(String, f64)],
    ) -> (Tensor<B, 1>, LossTable<B::InnerBackend>) {
        let mut rows: Vec<Tensor<B, 1>> = Vec::with_capacity(terms.len());
        let points = (batch.labelled.as_ref()).map(|labelled| labelled.points.clone());
        let edges = (batch.labelled.as_ref()).and_then(|labelled| labelled.edges.clone());
        for stack in outputs {
            let losses = self.landmarks.pointwise(stack, batch.landmarks.clone());
            rows.push(mean_of_labelled(losses, points.as_ref()));
            for (maps, targets, labelled) in [
                (&stack.point_maps, &batch.point_maps, &points),
                (&stack.edge_maps, &batch.edge_maps, &edges),
            ] {
                if let (Some(maps), Some(targets)) = (maps, targets) {
                    rows.push(self.map_loss(maps.clone(), targets.clone(), labelled.as_ref()));
                }
            }
        }
        assert_eq!(rows.len(), terms.len(), "terms are of another network");

        let total = rows
            .iter()
            .zip(terms)
            .map(|(row, (_, weight))| row.clone().mean().mul_scalar(*weight))
            .reduce(|a, b| a + b)
            .expect("a network has at least one stack");
        let values = Tensor::stack::<2>(rows.into_iter().map(Tensor::inner).collect(), 0);
        (total, LossTable { values })
    }
}

impl LandmarkCriterion {
    /// `[batch, points]`
    fn pointwise<B: Backend>(&self, stack: &StackOutput<B>, targets: Tensor<B, 3>) -> Tensor<B, 2> {
        let flat = |losses: Tensor<B, 3>| losses.flatten::<2>(1, 2);
        match self {
            Self::Star(loss) => loss.pointwise(stack.heatmaps.clone(), targets),
            Self::SmoothL1(loss) => flat(loss.pointwise(stack.landmarks.clone(), targets)),
            Self::Wing(loss) => flat(loss.pointwise(stack.landmarks.clone(), targets)),
        }
    }
}

/// `[batch, points]` -> `[batch]`, the mean over the points that are labelled: all of them, unless `labelled` `[batch, points]` says
/// otherwise.
fn mean_of_labelled<B: Backend>(
    losses: Tensor<B, 2>,
    labelled: Option<&Tensor<B, 2>>,
) -> Tensor<B, 1> {
    let mean = match labelled {
        None => losses.mean_dim(1),
        Some(labelled) => (losses * labelled.clone()).sum_dim(1) / count(labelled),
    };
    mean.squeeze_dim(1)
}

/// Of each sample the labelled channels, at least 1: `[batch, channels]` -> `[batch, 1]`
fn count<B: Backend>(labelled: &Tensor<B, 2>) -> Tensor<B, 2> {
    labelled.clone().sum_dim(1).clamp_min(1.0)
}

#[cfg(test)]
mod tests;
