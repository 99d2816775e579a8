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

    /// The weighted sum to differentiate (scalar, `[1]`), and the table of its parts.
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
        for stack in outputs {
            rows.push(match &self.landmarks {
                LandmarkCriterion::Star(loss) => {
                    loss.per_sample(stack.heatmaps.clone(), batch.landmarks.clone())
                }
                LandmarkCriterion::SmoothL1(loss) => {
                    mean_of_points(loss.pointwise(stack.landmarks.clone(), batch.landmarks.clone()))
                }
                LandmarkCriterion::Wing(loss) => {
                    mean_of_points(loss.pointwise(stack.landmarks.clone(), batch.landmarks.clone()))
                }
            });
            for (maps, targets) in [
                (&stack.point_maps, &batch.point_maps),
                (&stack.edge_maps, &batch.edge_maps),
            ] {
                if let (Some(maps), Some(targets)) = (maps, targets) {
                    rows.push(self.maps.per_sample(maps.clone(), targets.clone()));
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

/// `[batch, points, 1]` -> `[batch]`
fn mean_of_points<B: Backend>(losses: Tensor<B, 3>) -> Tensor<B, 1> {
    losses.flatten::<2>(1, 2).mean_dim(1).squeeze_dim(1)
}
