//! How much memory a file may ask for.

use super::malformed::Malformed;

/// What reading may take, as a multiple of the file. The smallest network there is, whose file is almost all description, needs
/// most of it (`tests/hostile_files.rs`); files of many numbers need a small part.
const FILE_TIMES: usize = 4;
/// And for any file: the first few entries of every list.
const ALWAYS: usize = 16 << 10;

/// Memory, bytes, that may still be taken. Everything whose size a file decides is charged before it is taken.
#[derive(Debug)]
pub struct Budget {
    left: usize,
}

impl Budget {
    pub fn of_file(size: usize) -> Self {
        Self {
            left: size.saturating_mul(FILE_TIMES).saturating_add(ALWAYS),
        }
    }

    /// `count` things of `size` bytes.
    pub fn charge(&mut self, count: usize, size: usize) -> Result<(), Malformed> {
        let left = count
            .checked_mul(size)
            .and_then(|bytes| self.left.checked_sub(bytes));
        self.left = left.ok_or_else(|| {
            Malformed(
                "it asks for far more memory than a checkpoint of its size can need: it is damaged, or made to do harm".into(),
            )
        })?;
        Ok(())
    }

    /// A list that is paid for is not needed any more.
    pub fn give_back<T>(&mut self, list: Vec<T>) {
        self.left += list.capacity() * size_of::<T>();
    }

    /// Appends to a list that grows by halves: while it is copied it takes at most 5/3 of what has been charged for it.
    pub fn push<T>(&mut self, list: &mut Vec<T>, item: T) -> Result<(), Malformed> {
        if list.len() == list.capacity() {
            let more = (list.len() / 2).max(1);
            self.charge(more, size_of::<T>())?;
            list.reserve_exact(more);
        }
        list.push(item);
        Ok(())
    }
}
