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

/// Below any fraction of a map that is not none of it.
const LEAST_KNOWN: f64 = 1e-9;

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

    /// The mean loss of each sample over what of its maps is known, `[batch]`. `known` is 1 there and 0 elsewhere, of the maps' shape or 1 along
    /// a side.
    fn map_loss<B: Backend>(
        &self,
        maps: Tensor<B, 4>,
        targets: Tensor<B, 4>,
        known: Option<Tensor<B, 4>>,
    ) -> Tensor<B, 1> {
        let Some(known) = known else {
            return self.maps.per_sample(maps, targets);
        };
        // What is not known is compared with its target, which is empty, as if it were empty: no loss and no gradient.
        let batch = maps.dims()[0];
        let losses = self.maps.per_sample(maps * known.clone(), targets);
        let fraction = known.reshape([batch as i32, -1]).mean_dim(1);
        // A sample of which nothing is known has a loss of 0.
        losses * fraction.clamp_min(LEAST_KNOWN).recip().squeeze_dim(1)
    }

    /// The weighted sum to differentiate (scalar, `[1]`), and the table of its parts. What of a batch is not labelled gives no loss: a
    /// sample's losses are means over its labelled landmarks, their maps, and the cells of edge maps that are known.
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
        let labelled = batch.labelled.as_ref();
        let (mut known_maps, mut known_cells, mut edges) = (None, None, batch.edge_maps.clone());
        if let Some(labelled) = labelled {
            let [samples, points] = labelled.dims();
            known_maps = Some(labelled.clone().reshape([samples, points, 1, 1]));
            known_cells = edges
                .clone()
                .map(|edges| edges.greater_equal_elem(0.0).float());
            edges = edges.map(|edges| edges.clamp_min(0.0));
        }
        for stack in outputs {
            let losses = self.landmarks.pointwise(stack, batch.landmarks.clone());
            rows.push(mean_of_labelled(losses, labelled));
            for (maps, targets, known) in [
                (&stack.point_maps, &batch.point_maps, &known_maps),
                (&stack.edge_maps, &edges, &known_cells),
            ] {
                if let (Some(maps), Some(targets)) = (maps, targets) {
                    rows.push(self.map_loss(maps.clone(), targets.clone(), known.clone()));
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
        Some(labelled) => {
            let count = labelled.clone().sum_dim(1).clamp_min(1.0);
            (losses * labelled.clone()).sum_dim(1) / count
        }
    };
    mean.squeeze_dim(1)
}

#[cfg(test)]
mod tests;
