//! Work over a map's rows, by several threads where that pays.

use rayon::prelude::*;

/// Multiply-adds below which one thread is done before another has woken up.
const LEAST_WORK: usize = 1 << 19;
/// Pixels worked on together: with 256 channels of them they stay in the second cache.
const MOST_ROWS: usize = 96;
/// Parts of a small map. A multiple of few threads, and not so many that weights are gone through again and again.
const PARTS: usize = 4;

/// What a pass over memory costs for each number, in multiply-adds: about as many as the product makes while one is fetched.
pub const PASS: usize = 8;

/// Calls `of` for each block of rows of `y`, `[rows, length]`, with the number of the block's first row. `work` is the multiply-adds of
/// it all. The blocks do not depend on the number of threads.
pub fn by_rows(y: &mut [f32], length: usize, work: usize, of: impl Fn(usize, &mut [f32]) + Sync) {
    let rows = y.len() / length;
    // Multiples of what a product takes at a time: 6 rows or 8.
    let block = rows.div_ceil(PARTS).next_multiple_of(24).min(MOST_ROWS);
    by_blocks(y, block * length, work, |i, y| of(i * block, y));
}

/// The same for blocks of a given length.
pub fn by_blocks(y: &mut [f32], block: usize, work: usize, of: impl Fn(usize, &mut [f32]) + Sync) {
    if work < LEAST_WORK {
        y.chunks_mut(block).enumerate().for_each(|(i, y)| of(i, y));
    } else {
        y.par_chunks_mut(block)
            .enumerate()
            .for_each(|(i, y)| of(i, y));
    }
}
