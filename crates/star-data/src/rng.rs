//! Seeded randomness that does not depend on threads or on the order of work.

use rand::{Rng, SeedableRng};
use rand_pcg::Pcg64Mcg;

/// The generator of everything random about one sample: the same (seed, epoch, index) always draws the same.
pub fn sample_rng(seed: u64, epoch: u64, index: u64) -> Pcg64Mcg {
    Pcg64Mcg::seed_from_u64(mix(&[seed, epoch, index]))
}

/// One well-spread number from several (a chain of splitmix64 finalisers): any change of any part changes all bits.
pub fn mix(parts: &[u64]) -> u64 {
    parts
        .iter()
        .fold(0, |state, &part| splitmix64(state ^ part))
}

fn splitmix64(x: u64) -> u64 {
    let z = x.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// The numbers `0..len` in a random order that only the generator decides.
///
/// Written out, because `rand` reserves the right to change how its own shuffle uses the generator, and an order that changed
/// with an upgrade would make a resumed run another run.
pub fn permutation(len: usize, rng: &mut impl Rng) -> Vec<usize> {
    let mut order: Vec<usize> = (0..len).collect();
    for last in (1..len).rev() {
        let range = last as u128 + 1;
        let pick = (u128::from(rng.next_u64()) * range) >> 64;
        order.swap(last, pick as usize);
    }
    order
}
