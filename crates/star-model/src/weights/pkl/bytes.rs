//! Reading numbers out of bytes that may end at any moment.

use crate::weights::malformed::Malformed;

/// A position in some bytes; every read may fail, none can panic.
#[derive(Debug, Clone)]
pub struct Bytes<'a> {
    rest: &'a [u8],
}

impl<'a> Bytes<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// From `offset` on.
    pub fn at(bytes: &'a [u8], offset: usize) -> Result<Self, Malformed> {
        let rest = bytes.get(offset..).ok_or_else(ends_early)?;
        Ok(Self { rest })
    }

    /// Bytes that are left.
    pub fn left(&self) -> usize {
        self.rest.len()
    }

    pub fn take(&mut self, count: usize) -> Result<&'a [u8], Malformed> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or_else(ends_early)?;
        self.rest = rest;
        Ok(taken)
    }

    pub fn skip(&mut self, count: usize) -> Result<(), Malformed> {
        self.take(count).map(|_| ())
    }

    /// Up to the next line feed, which is consumed but not returned.
    pub fn line(&mut self) -> Result<&'a [u8], Malformed> {
        let length = self.rest.iter().position(|&byte| byte == b'\n');
        let line = self.take(length.ok_or_else(ends_early)?)?;
        self.skip(1)?;
        Ok(line)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let (taken, rest) = self.rest.split_first_chunk().ok_or_else(ends_early)?;
        self.rest = rest;
        Ok(*taken)
    }

    pub fn u8(&mut self) -> Result<u8, Malformed> {
        self.array::<1>().map(|[byte]| byte)
    }

    pub fn u16(&mut self) -> Result<u16, Malformed> {
        self.array().map(u16::from_le_bytes)
    }

    pub fn u32(&mut self) -> Result<u32, Malformed> {
        self.array().map(u32::from_le_bytes)
    }

    pub fn u64(&mut self) -> Result<u64, Malformed> {
        self.array().map(u64::from_le_bytes)
    }
}

fn ends_early() -> Malformed {
    Malformed("it ends too early, or points outside itself".into())
}
