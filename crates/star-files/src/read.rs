//! Whole files into memory, if they are files and of a size that can be meant.

use std::{
    fs::{self, File, Metadata},
    io::{self, Read},
    path::Path,
};

/// The most bytes of a text that a person writes: recipes, layouts, points of a face. Reading TOML takes up to 100 times its size.
pub const SMALL: u64 = 1 << 20;
/// The most bytes of a text that this program writes: scores of a set, logs of a run.
pub const TEXT: u64 = 1 << 30;
/// The most bytes of an image file: more than the largest image that is decoded has pixels, at three bytes each.
pub const IMAGE: u64 = 512 << 20;
/// The most bytes of annotations or weights: a million faces of 98 landmarks are 2 GB, the published networks' checkpoints 0.2 GB.
pub const LARGE: u64 = 8 << 30;

/// What the system knows of a file.
///
/// # Errors
/// A path that leads nowhere; one that leads to a pipe, a socket or a device.
pub fn ordinary(path: &Path) -> io::Result<Metadata> {
    let about = fs::metadata(path)?;
    // Of folders the system says what they are, when they are read.
    if about.is_file() || about.is_dir() {
        return Ok(about);
    }
    Err(io::Error::new(
        io::ErrorKind::InvalidInput,
        "is a pipe, a socket or a device, not a file; write what it gives into a file first",
    ))
}

/// Reads a file of at most `most` bytes.
///
/// # Errors
/// A file that cannot be read; one that is larger, before anything of it is read; a pipe, a socket or a device, which could go on for ever
/// or wait for ever.
pub fn read_file(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let about = ordinary(path)?;
    crate::note_input(path);
    let too_large = |bytes: u64| {
        io::Error::new(
            io::ErrorKind::FileTooLarge,
            format!("has {bytes} bytes or more; at most {most} are read, is this the right file?"),
        )
    };
    if about.len() > most {
        return Err(too_large(about.len()));
    }
    let mut bytes = Vec::with_capacity(usize::try_from(about.len()).unwrap_or_default());
    // It may be growing.
    File::open(path)?.take(most + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most {
        return Err(too_large(bytes.len() as u64));
    }
    Ok(bytes)
}

/// Reads a text of at most `most` bytes.
///
/// # Errors
/// As [`read_file`]; bytes that are no UTF-8.
pub fn read_text(path: &Path, most: u64) -> io::Result<String> {
    String::from_utf8(read_file(path, most)?).map_err(|_| {
        io::Error::new(
            io::ErrorKind::InvalidData,
            "is not UTF-8 text; save it as UTF-8",
        )
    })
}
