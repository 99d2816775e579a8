//! Memory for maps, used again from layer to layer and from call to call.

use std::{
    ops::{Deref, DerefMut},
    sync::{Mutex, PoisonError},
};

/// Memory that nobody uses at the moment.
#[derive(Debug, Default)]
pub struct Memory(Mutex<Vec<Vec<f32>>>);

impl Memory {
    /// `len` numbers: whatever was there before.
    pub fn take(&self, len: usize) -> Buffer<'_> {
        let mut free = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // The smallest that is large enough: a small map in a large one's memory would let the next large one ask for more.
        let fits = (free.iter().enumerate())
            .filter(|(_, memory)| memory.len() >= len)
            .min_by_key(|(_, memory)| memory.len())
            .map(|(i, _)| i);
        let numbers = match fits {
            Some(i) if free[i].len() <= 2 * len => free.swap_remove(i),
            _ => {
                drop(free);
                vec![0.0; len]
            }
        };
        Buffer {
            numbers,
            len,
            home: self,
        }
    }
}

/// Memory that goes home when it is dropped.
#[derive(Debug)]
pub struct Buffer<'a> {
    /// At least `len`.
    numbers: Vec<f32>,
    len: usize,
    home: &'a Memory,
}

impl Deref for Buffer<'_> {
    type Target = [f32];
    fn deref(&self) -> &[f32] {
        &self.numbers[..self.len]
    }
}

impl DerefMut for Buffer<'_> {
    fn deref_mut(&mut self) -> &mut [f32] {
        &mut self.numbers[..self.len]
    }
}

impl Drop for Buffer<'_> {
    fn drop(&mut self) {
        let numbers = std::mem::take(&mut self.numbers);
        let mut free = self.home.0.lock().unwrap_or_else(PoisonError::into_inner);
        free.push(numbers);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_used_again() {
        let memory = Memory::default();
        let first = memory.take(100).as_ptr();
        let again = memory.take(60);
        assert_eq!((again.as_ptr(), again.len()), (first, 60));
        // Not a hundred numbers for ten.
        assert_ne!(memory.take(10).as_ptr(), first);
        drop(again);
        assert_eq!(memory.take(100).as_ptr(), first);
    }
}
