//! Predicting on Burn's CPU backend `flex`, without its tensors between an image and its maps.
//!
//! Maps are `[height, width, channels]`, so that a block of pixels is a matrix as it lies there. Start at [`Network`].

mod block;
mod heads;
mod hourglass;
mod memory;
mod network;
mod pointwise;
mod pool;
mod product;
mod split;
mod stem;
mod taps;
mod weights;
mod winograd;

pub use network::Network;

/// Numbers from -1 to 1 for tests, the same at every run.
#[cfg(test)]
fn numbers(len: usize, seed: u32) -> Vec<f32> {
    let mut state = seed;
    let next = |_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / 8_388_608.0 - 1.0
    };
    (0..len).map(next).collect()
}
