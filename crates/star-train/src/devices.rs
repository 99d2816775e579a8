//! The gradients of a step: on one device as they are, on several by a copy of the network on each.
//!
//! As in Burn's own strategy for several devices: every device has a thread, gets the network of the step and a part of the batch, and its
//! gradients are added up on the first device, where the optimiser steps. Parts weigh by their faces, so the sum is the gradient of the
//! whole batch's mean. Batch norms see the part that is on their device, not the whole batch as the paper's synchronised ones do; the running
//! statistics become the mean of the devices'. docs/gpu.md has what that means.

use std::{
    ops::Range,
    sync::mpsc::{Receiver, Sender, channel},
    thread::JoinHandle,
};

use burn::{
    module::Module,
    optim::{GradientsAccumulator, GradientsParams},
    tensor::{Tensor, backend::AutodiffBackend},
};
use star_data::HostBatch;
use star_model::{StarNet, Statistics, average_statistics};

use crate::{
    criterion::{Criterion, LossTable},
    error::TrainError,
};

/// What a step gives.
pub struct Gradients<B: AutodiffBackend> {
    /// Gradients of the whole batch.
    pub params: GradientsParams,
    /// Of the whole batch, on the first device.
    pub table: LossTable<B::InnerBackend>,
    /// The batch's faces, by name.
    pub faces: Vec<String>,
}

/// Where steps are computed. The first device holds the network.
pub struct Devices<B: AutodiffBackend> {
    first: B::Device,
    objective: Objective,
    /// One a device; none where there is only one device.
    replicas: Vec<Replica<B>>,
}

/// What is minimised.
#[derive(Clone)]
struct Objective {
    criterion: Criterion,
    terms: Vec<(String, f64)>,
}

impl<B: AutodiffBackend> Devices<B> {
    /// # Errors
    /// When there is no device.
    pub fn new(
        devices: &[B::Device],
        criterion: Criterion,
        terms: Vec<(String, f64)>,
    ) -> Result<Self, TrainError> {
        let first = devices
            .first()
            .ok_or_else(|| TrainError::Invalid("no device to train on".into()))?;
        let objective = Objective { criterion, terms };
        let replicas = match devices {
            [_] => Vec::new(),
            several => several
                .iter()
                .map(|device| Replica::start(device.clone(), first.clone(), objective.clone()))
                .collect::<Result<_, _>>()?,
        };
        Ok(Self {
            first: first.clone(),
            objective,
            replicas,
        })
    }

    /// The first.
    pub fn first(&self) -> &B::Device {
        &self.first
    }

    /// Forward and backward of a batch. Moves the running statistics of `net`, nothing else of it.
    ///
    /// # Errors
    /// When a device's thread is gone.
    pub fn gradients(
        &self,
        net: &StarNet<B>,
        batch: HostBatch,
    ) -> Result<Gradients<B>, TrainError> {
        let parts = self.parts(net, batch.len());
        if let [] | [_] = parts[..] {
            let (loss, table, faces) = self.objective.forward(net, batch, &self.first);
            let params = GradientsParams::from_grads(loss.backward(), net);
            return Ok(Gradients {
                params,
                table,
                faces,
            });
        }
        let fractions: Vec<f64> = (parts.iter())
            .map(|part| part.len() as f64 / batch.len() as f64)
            .collect();
        for ((replica, part), fraction) in self.replicas.iter().zip(&parts).zip(&fractions) {
            replica.order(Order {
                net: net.unshared(),
                batch: batch.part(part.clone()),
                fraction: *fraction,
            })?;
        }
        let mut sum = GradientsAccumulator::new();
        let (mut tables, mut statistics) = (Vec::new(), Vec::new());
        // In the order of devices, so that the same run gives the same sums.
        for (replica, fraction) in self.replicas.iter().zip(&fractions) {
            let part = replica.answer()?;
            sum.accumulate(net, part.params);
            tables.push(part.table);
            statistics.push((*fraction, part.statistics));
        }
        average_statistics(net.clone(), statistics);
        Ok(Gradients {
            params: sum.grads(),
            table: LossTable {
                values: Tensor::cat(tables, 1),
            },
            faces: batch.names,
        })
    }

    /// A batch's parts, one a device, as even as can be. A batch too small for all devices goes to fewer, since batch norms need two values.
    fn parts(&self, net: &StarNet<B>, faces: usize) -> Vec<Range<usize>> {
        let least = if net.check_batch(1).is_ok() { 1 } else { 2 };
        split(faces, self.replicas.len().min(faces / least))
    }
}

/// 0..faces in `parts` ranges whose lengths differ by at most one; the first are the longer ones.
fn split(faces: usize, parts: usize) -> Vec<Range<usize>> {
    let parts = parts.max(1);
    let (each, more) = (faces / parts, faces % parts);
    (0..parts)
        .scan(0, |begin, part| {
            let range = *begin..*begin + each + usize::from(part < more);
            *begin = range.end;
            Some(range)
        })
        .collect()
}

impl Objective {
    /// The batch's loss, its parts and its faces' names.
    fn forward<B: AutodiffBackend>(
        &self,
        net: &StarNet<B>,
        batch: HostBatch,
        device: &B::Device,
    ) -> (Tensor<B, 1>, LossTable<B::InnerBackend>, Vec<String>) {
        let batch = batch.into_device::<B>(device);
        let outputs = net.forward(batch.images.clone());
        let (loss, table) = self.criterion.forward(&outputs, &batch, &self.terms);
        (loss, table, batch.names)
    }
}

/// A device's thread.
///
/// One for the whole run: backends keep a queue for each thread that uses them, and what they have learnt about its operations.
struct Replica<B: AutodiffBackend> {
    /// Only absent while it ends.
    orders: Option<Sender<Order<B>>>,
    answers: Receiver<Part<B>>,
    thread: Option<JoinHandle<()>>,
}

struct Order<B: AutodiffBackend> {
    /// Fractions nothing that changes with other devices' copies.
    net: StarNet<B>,
    batch: HostBatch,
    /// Of the batch.
    fraction: f64,
}

/// A device's part of a step, on the first device.
struct Part<B: AutodiffBackend> {
    params: GradientsParams,
    table: Tensor<B::InnerBackend, 2>,
    statistics: Statistics<B>,
}

impl<B: AutodiffBackend> Replica<B> {
    fn start(
        device: B::Device,
        first: B::Device,
        objective: Objective,
    ) -> Result<Self, TrainError> {
        let (orders, inbox) = channel::<Order<B>>();
        let (outbox, answers) = channel();
        let thread = std::thread::Builder::new()
            .name(format!("star-device-{device:?}"))
            .spawn(move || {
                for order in inbox {
                    if outbox.send(objective.part(order, &device, &first)).is_err() {
                        return;
                    }
                }
            })
            .map_err(|e| TrainError::Invalid(format!("no thread for a device: {e}")))?;
        Ok(Self {
            orders: Some(orders),
            answers,
            thread: Some(thread),
        })
    }

    fn order(&self, order: Order<B>) -> Result<(), TrainError> {
        let orders = self.orders.as_ref().ok_or_else(gone)?;
        orders.send(order).map_err(|_| gone())
    }

    fn answer(&self) -> Result<Part<B>, TrainError> {
        self.answers.recv().map_err(|_| gone())
    }
}

fn gone() -> TrainError {
    TrainError::Invalid("a device's thread has failed; its own message is above".into())
}

impl<B: AutodiffBackend> Drop for Replica<B> {
    fn drop(&mut self) {
        drop(self.orders.take());
        if let Some(thread) = self.thread.take() {
            // If it panicked, whoever waited for its answer has said so.
            let _ = thread.join();
        }
    }
}

impl Objective {
    fn part<B: AutodiffBackend>(
        &self,
        order: Order<B>,
        device: &B::Device,
        first: &B::Device,
    ) -> Part<B> {
        let net = order.net.fork(device);
        let (loss, table, _) = self.forward(&net, order.batch, device);
        let loss = loss.mul_scalar(order.fraction);
        let params = GradientsParams::from_grads(loss.backward(), &net);
        Part {
            params: params.to_device(first, &net),
            table: table.values.to_device(first),
            statistics: Statistics::of(&net, first),
        }
    }
}

#[cfg(test)]
mod tests;
