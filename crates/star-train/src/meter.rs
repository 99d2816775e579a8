//! Losses read back from the device: sums over an epoch, and the watch for values that are not numbers.

use burn::tensor::backend::Backend;
use serde::{Deserialize, Serialize};

use star_infer::to_host;

use crate::{criterion::LossTable, error::TrainError};

/// Means of the losses since the epoch began. Part of a checkpoint, so that a resumed epoch reports what a whole one would.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Meter {
    sums: Vec<f64>,
    faces: usize,
}

impl Meter {
    /// Mean of each term over the faces seen; empty before the first.
    pub fn means(&self) -> Vec<f64> {
        self.sums.iter().map(|s| s / self.faces as f64).collect()
    }

    /// The optimised sum: each term's mean times its weight.
    pub fn weighted(&self, terms: &[(String, f64)]) -> f64 {
        self.means()
            .iter()
            .zip(terms)
            .map(|(mean, (_, weight))| mean * weight)
            .sum()
    }

    fn add(&mut self, values: &[f32], terms: usize) {
        let batch = values.len() / terms.max(1);
        self.sums.resize(terms, 0.0);
        for (sum, row) in self.sums.iter_mut().zip(values.chunks_exact(batch.max(1))) {
            *sum += row.iter().map(|v| f64::from(*v)).sum::<f64>();
        }
        self.faces += batch;
    }
}

/// One step's losses, a line of `steps.jsonl`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StepLosses {
    /// Counted from 1 since the run began.
    pub step: usize,
    /// The optimised sum.
    pub loss: f64,
    /// Mean of each term over the batch, unweighted.
    pub losses: Vec<f64>,
}

/// Tables of recent steps that are still on the device, with what is needed to name a face in them.
pub struct Pending<B: Backend> {
    tables: Vec<(usize, Vec<String>, LossTable<B>)>,
}

impl<B: Backend> Default for Pending<B> {
    fn default() -> Self {
        Self { tables: Vec::new() }
    }
}

impl<B: Backend> Pending<B> {
    /// Keeps a step's table until the next [`Self::read`]; copies nothing.
    pub fn push(&mut self, step: usize, faces: Vec<String>, table: LossTable<B>) {
        self.tables.push((step, faces, table));
    }

    /// Steps waiting to be read.
    pub fn waiting(&self) -> usize {
        self.tables.len()
    }

    /// Faces of the steps that are waiting.
    pub fn faces(&self) -> usize {
        self.tables.iter().map(|(_, faces, _)| faces.len()).sum()
    }

    /// Reads all waiting tables into `meter`; returns each step's losses.
    ///
    /// # Errors
    /// A loss that is NaN or infinite: the message names the step, the loss and the faces. A device that failed.
    pub fn read(
        &mut self,
        meter: &mut Meter,
        terms: &[(String, f64)],
    ) -> Result<Vec<StepLosses>, TrainError> {
        let mut steps = Vec::with_capacity(self.tables.len());
        for (step, faces, table) in self.tables.drain(..) {
            let values: Vec<f32> = to_host(table.values)?;
            if let Some(error) = not_finite(&values, terms, &faces, step) {
                return Err(error);
            }
            let mut this_step = Meter::default();
            this_step.add(&values, terms.len());
            steps.push(StepLosses {
                step,
                loss: this_step.weighted(terms),
                losses: this_step.means(),
            });
            meter.add(&values, terms.len());
        }
        Ok(steps)
    }
}

/// The error that a step's losses are, if one is not a number: of a few faces, or of weights that have diverged.
fn not_finite(
    values: &[f32],
    terms: &[(String, f64)],
    faces: &[String],
    step: usize,
) -> Option<TrainError> {
    let batch = faces.len();
    let (place, value) = values.iter().enumerate().find(|(_, v)| !v.is_finite())?;
    let term = &terms[place / batch].0;
    let row = &values[place / batch * batch..][..batch];
    let bad: Vec<&str> = row
        .iter()
        .zip(faces)
        .filter(|(v, _)| !v.is_finite())
        .map(|(_, name)| name.as_str())
        .collect();
    Some(if bad.len() == batch {
        TrainError::Diverged(format!(
            "training stopped at step {step}: the loss {term} is {value} for all {batch} faces of the batch, so the weights themselves have \
             diverged."
        ))
    } else {
        TrainError::NotFinite(format!(
            "training stopped at step {step}: the loss {term} is {value} for {} of {batch} faces: {}. Check these faces' images and landmarks; \
             once they are mended, --resume goes on from the last checkpoint.",
            bad.len(),
            bad.join(", ")
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn terms() -> Vec<(String, f64)> {
        vec![("a".into(), 0.5), ("b".into(), 2.0)]
    }

    #[test]
    fn means_and_weighted_sum() {
        let mut meter = Meter::default();
        meter.add(&[1.0, 3.0, 10.0, 20.0], 2);
        meter.add(&[5.0, 30.0], 2);
        assert_eq!(meter.means(), [3.0, 20.0]);
        assert_eq!(meter.weighted(&terms()), 41.5);
    }

    #[test]
    fn a_bad_value_is_traced_to_its_loss_and_face() {
        let faces = vec!["x.png".to_owned(), "y.png".to_owned()];
        let error = |values: &[f32]| not_finite(values, &terms(), &faces, 7);
        let message = error(&[1.0, 1.0, 1.0, f32::NAN]).expect("NaN").to_string();
        assert!(
            message.contains("step 7") && message.contains("loss b") && message.contains("y.png"),
            "{message}"
        );
        assert!(!message.contains("x.png"), "{message}");
        assert!(error(&[1.0; 4]).is_none());
        assert!(matches!(
            error(&[1.0, 1.0, f32::NAN, f32::NAN]),
            Some(TrainError::Diverged(_))
        ));
    }
}
