//! Losses of heatmaps in training on Burn's CPU backend `flex`: a map is read once while it lies in the cache, and its gradient is written once.
//!
//! `None` for tensors of other backends, or not of `f32`; Burn's operations take over there, and give the same to rounding.

mod awing;
mod moments;

pub(crate) use awing::per_sample as awing;
pub(crate) use moments::{overview, sums};

use burn::{
    backend::{Flex, flex::FlexTensor},
    tensor::{Tensor, backend::Backend},
};
use star_flex::{Floats, Tracked, as_ref, own, tensor, tracked};

/// Numbers worked on together: two vectors of AVX2, one of AVX-512.
const LANES: usize = 16;

/// A tensor's numbers, whether it has gradients or not.
fn floats<B: Backend, const D: usize>(x: &Tensor<B, D>) -> Option<Floats> {
    match as_ref::<_, Tensor<Flex, D>>(x) {
        Some(x) => star_flex::floats(x),
        None => Floats::of(&tracked(x)?.into_primitive().tensor().primitive),
    }
}

/// A tensor without gradients, of the backend that was asked for.
fn constant<B: Backend, const D: usize>(values: FlexTensor) -> Option<Tensor<B, D>> {
    let plain = tensor::<D>(values);
    own(plain.clone()).or_else(|| own(Tracked::<D>::from_inner(plain)))
}

/// The sum of lanes, in double precision.
fn total(lanes: [f32; LANES]) -> f64 {
    lanes.iter().map(|&lane| f64::from(lane)).sum()
}

#[cfg(test)]
mod tests;
