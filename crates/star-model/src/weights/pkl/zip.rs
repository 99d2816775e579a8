//! The zip archives that PyTorch (1.6 and later) writes: entries stored as they are, sizes perhaps in 64 bits.
//!
//! Not the `zip` crate's reader, which copies every entry and refuses checksums of 0: entries here borrow the file, so that memory stays in
//! proportion to it, and PyTorch can be told to write no checksums.

use super::bytes::Bytes;
use crate::error::shorten;
use crate::weights::budget::Budget;
use crate::weights::malformed::Malformed;

const END: &[u8] = b"PK\x05\x06";
const END_SIZE: usize = 22;
const END64: u32 = 0x0606_4b50;
const END64_LOCATOR: u32 = 0x0706_4b50;
const END64_LOCATOR_SIZE: usize = 20;
const CENTRAL: u32 = 0x0201_4b50;
const LOCAL: u32 = 0x0403_4b50;
const COMMENT_MAX: usize = u16::MAX as usize;
const ZIP64_EXTRA: u16 = 1;

/// One file in the archive.
#[derive(Debug)]
pub struct Entry<'a> {
    pub name: &'a str,
    /// Its content; what it should sum up to is checked when it is asked for.
    data: &'a [u8],
    crc: u32,
}

impl<'a> Entry<'a> {
    /// The content, if its checksum is right.
    pub fn content(&self) -> Result<&'a [u8], Malformed> {
        // PyTorch can be told to leave checksums out; it writes 0 then.
        if self.crc == 0 || crc32fast::hash(self.data) == self.crc {
            Ok(self.data)
        } else {
            let name = shorten(self.name);
            Err(Malformed(format!("`{name}` is damaged (checksum)")))
        }
    }
}

/// All entries, or `None` if `file` does not end like a zip archive.
pub fn entries<'a>(
    file: &'a [u8],
    budget: &mut Budget,
) -> Option<Result<Vec<Entry<'a>>, Malformed>> {
    let from = file.len().checked_sub(END_SIZE)?;
    let earliest = from.saturating_sub(COMMENT_MAX);
    let end = (earliest..=from)
        .rev()
        .find(|&at| file[at..].starts_with(END))?;
    Some(read_entries(file, end, budget))
}

fn read_entries<'a>(
    file: &'a [u8],
    end: usize,
    budget: &mut Budget,
) -> Result<Vec<Entry<'a>>, Malformed> {
    let mut fields = Bytes::at(file, end + 10)?;
    let mut count = u64::from(fields.u16()?);
    let _size = fields.u32()?;
    let mut directory = u64::from(fields.u32()?);
    if let Some(wide) = wide_end(file, end)? {
        (count, directory) = wide;
    }

    let mut entries = Vec::new();
    // All contents together: entries that share their bytes would be summed up again and again.
    let mut left = file.len();
    let mut central = Bytes::at(file, to_usize(directory)?)?;
    for _ in 0..count {
        if central.u32()? != CENTRAL {
            return Err(Malformed("the archive's directory is damaged".into()));
        }
        central.skip(6)?;
        let method = central.u16()?;
        central.skip(4)?;
        let crc = central.u32()?;
        let mut packed = u64::from(central.u32()?);
        let mut size = u64::from(central.u32()?);
        let [name, extra, comment] = [central.u16()?, central.u16()?, central.u16()?];
        central.skip(8)?;
        let mut local = u64::from(central.u32()?);
        let name = std::str::from_utf8(central.take(usize::from(name))?)
            .map_err(|_| Malformed("a file name in the archive is not UTF-8".into()))?;
        let extra = central.take(usize::from(extra))?;
        central.skip(usize::from(comment))?;
        widen(extra, [&mut size, &mut packed, &mut local])?;

        if method != 0 || packed != size {
            return Err(Malformed(format!(
                "`{}` is compressed, which PyTorch never does",
                shorten(name)
            )));
        }
        let mut header = Bytes::at(file, to_usize(local)?)?;
        if header.u32()? != LOCAL {
            return Err(Malformed(format!(
                "`{}` is not where the directory says",
                shorten(name)
            )));
        }
        header.skip(22)?;
        let before = usize::from(header.u16()?) + usize::from(header.u16()?);
        header.skip(before)?;
        let data = header.take(to_usize(size)?)?;
        left = left
            .checked_sub(data.len())
            .ok_or_else(|| Malformed("the archive's files overlap".into()))?;
        budget.push(&mut entries, Entry { name, data, crc })?;
    }
    Ok(entries)
}

/// Count of entries and start of the directory from the 64-bit end record, if there is one.
fn wide_end(file: &[u8], end: usize) -> Result<Option<(u64, u64)>, Malformed> {
    let Some(locator) = end.checked_sub(END64_LOCATOR_SIZE) else {
        return Ok(None);
    };
    let mut locator = Bytes::at(file, locator)?;
    if locator.u32()? != END64_LOCATOR {
        return Ok(None);
    }
    locator.skip(4)?;
    let mut record = Bytes::at(file, to_usize(locator.u64()?)?)?;
    if record.u32()? != END64 {
        return Err(Malformed("the archive's end record is damaged".into()));
    }
    record.skip(28)?;
    let count = record.u64()?;
    record.skip(8)?;
    Ok(Some((count, record.u64()?)))
}

/// Replaces the fields that do not fit 32 bits by those of the extra field, which holds just these, in this order.
fn widen(extra: &[u8], fields: [&mut u64; 3]) -> Result<(), Malformed> {
    let mut extra = Bytes::new(extra);
    while extra.left() >= 4 {
        let (id, size) = (extra.u16()?, extra.u16()?);
        let mut content = Bytes::new(extra.take(usize::from(size))?);
        if id == ZIP64_EXTRA {
            for field in fields {
                if *field == u64::from(u32::MAX) {
                    *field = content.u64()?;
                }
            }
            return Ok(());
        }
    }
    Ok(())
}

fn to_usize(value: u64) -> Result<usize, Malformed> {
    usize::try_from(value).map_err(|_| Malformed("the archive points outside itself".into()))
}
