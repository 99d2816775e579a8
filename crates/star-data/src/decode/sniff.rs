//! What a file is, by its first bytes, and whether it goes on to its end.

use image::ImageFormat;

/// The format of an image that is decoded.
///
/// # Errors
/// What the bytes look like instead.
pub(super) fn format(bytes: &[u8]) -> Result<ImageFormat, String> {
    if bytes.is_empty() {
        return Err("is empty (0 bytes); is the download complete?".into());
    }
    let known = image::guess_format(bytes).ok();
    match known {
        Some(
            format @ (ImageFormat::Jpeg | ImageFormat::Png | ImageFormat::Bmp | ImageFormat::WebP),
        ) => Ok(format),
        _ => Err(format!(
            "is no image that is read (JPEG, PNG, BMP, WebP): {}",
            looks_like(bytes)
        )),
    }
}

/// Says what it is and what to do about it.
fn looks_like(bytes: &[u8]) -> String {
    let starts = |magic: &[u8]| bytes.starts_with(magic);
    let brand = match bytes.get(4..12) {
        Some([b'f', b't', b'y', b'p', brand @ ..]) => Some(brand),
        _ => None,
    };
    let image = match brand {
        Some(b"heic" | b"heix" | b"hevc" | b"heim" | b"heis" | b"mif1" | b"msf1") => Some("HEIC"),
        Some(b"avif" | b"avis") => Some("AVIF"),
        Some(_) => return "it looks like a film (MP4 or QuickTime); save a frame as PNG".into(),
        None if starts(b"GIF8") => Some("GIF"),
        None if starts(b"II*\0") || starts(b"MM\0*") || starts(b"II+\0") || starts(b"MM\0+") => {
            Some("TIFF")
        }
        None if starts(b"\0\0\0\x0cjP  ") || starts(b"\xff\x4f\xff\x51") => Some("JPEG 2000"),
        None if starts(b"\0\0\0\x0cJXL ") || starts(b"\xff\x0a") => Some("JPEG XL"),
        None if starts(b"8BPS") => Some("Photoshop"),
        None if starts(b"P5") || starts(b"P6") => Some("PNM"),
        None => None,
    };
    if let Some(name) = image {
        return format!("it looks like {name}; convert it to JPEG or PNG");
    }
    if starts(b"%PDF") {
        return "it looks like a PDF".into();
    }
    if starts(b"PK\x03\x04") || starts(b"\x1f\x8b") || starts(b"Rar!") || starts(b"7z\xbc\xaf") {
        return "it looks like an archive; unpack it".into();
    }
    let head: String = String::from_utf8_lossy(&bytes[..bytes.len().min(256)])
        .trim_start_matches('\u{feff}')
        .trim_start()
        .to_ascii_lowercase();
    if head.starts_with("<!doctype html") || head.starts_with("<html") {
        return "it looks like a web page; the download went wrong".into();
    }
    if head.starts_with("<svg") || head.starts_with("<?xml") {
        return "it looks like SVG or XML".into();
    }
    if bytes.iter().all(|&b| b == 0) {
        return "it is all zeros; the download or the disk went wrong".into();
    }
    // A file that goes on may be cut within a letter by the look at its head.
    let text = |c: char| !c.is_control() || c.is_whitespace();
    if head.chars().filter(|&c| c != '\u{fffd}').all(text) && !head.contains('\u{fffd}') {
        return "it looks like text".into();
    }
    "its first bytes are of no known kind; is the download complete?".into()
}

/// Width and height of a PNG.
pub(super) fn png_size(bytes: &[u8], format: ImageFormat) -> Option<(u32, u32)> {
    if format != ImageFormat::Png {
        return None;
    }
    Some((big_u32(bytes, 16)?, big_u32(bytes, 20)?))
}

fn big_u32(bytes: &[u8], at: usize) -> Option<u32> {
    let four = bytes.get(at..at.checked_add(4)?)?;
    Some(u32::from_be_bytes(four.try_into().ok()?))
}

/// How far a file goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// To the mark at its end, or it is of a kind without one.
    Whole,
    /// It is cut off; the first `usable` bytes are not in the middle of a header.
    Cut { usable: usize },
    /// It is cut off before the pixels begin.
    NoPixels,
}

/// Looks for the mark at the end of the image. Only JPEG and PNG have one.
pub(super) fn end(bytes: &[u8], format: ImageFormat) -> End {
    match format {
        ImageFormat::Jpeg => jpeg_end(bytes),
        ImageFormat::Png if png_ends(bytes).is_none() => End::Cut {
            usable: bytes.len(),
        },
        _ => End::Whole,
    }
}

/// Walks the segments to the end mark. A thumbnail inside a segment has an end mark of its own, which does not count.
fn jpeg_end(bytes: &[u8]) -> End {
    const END: u8 = 0xd9;
    const SCAN: u8 = 0xda;
    let mut at = 2;
    let mut in_pixels = false;
    let cut = |usable: usize, in_pixels: bool| {
        if in_pixels {
            End::Cut { usable }
        } else {
            End::NoPixels
        }
    };
    loop {
        let rest = bytes.get(at..).unwrap_or(&[]);
        let Some(offset) = rest.windows(2).position(|w| w[0] == 0xff && w[1] != 0xff) else {
            return cut(bytes.len(), in_pixels);
        };
        let mark = at + offset;
        at = mark + 2;
        match rest[offset + 1] {
            END => return End::Whole,
            // A stuffed byte, restart marks, marks without content.
            0x00 | 0x01 | 0xd0..=0xd8 => {}
            kind => {
                let Some(&[high, low]) = bytes.get(at..at + 2) else {
                    return cut(mark, in_pixels);
                };
                at += usize::from(u16::from_be_bytes([high, low]));
                if at >= bytes.len() {
                    return cut(mark, in_pixels);
                }
                in_pixels |= kind == SCAN;
            }
        }
    }
}

/// The chunks of a PNG, name and all of its bytes, as far as they are whole.
fn png_chunks(bytes: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    let mut at = 8_usize;
    std::iter::from_fn(move || {
        let length = usize::try_from(big_u32(bytes, at)?).ok()?;
        // Length, name and checksum are four bytes each.
        let next = at.checked_add(length)?.checked_add(12)?;
        let chunk = bytes.get(at..next)?;
        at = next;
        Some((&chunk[4..8], chunk))
    })
}

/// Whether there is the whole of the last.
fn png_ends(bytes: &[u8]) -> Option<()> {
    png_chunks(bytes)
        .any(|(name, _)| name == b"IEND")
        .then_some(())
}

/// A PNG without its colour profile, which is not used: it is compressed, and its decoder would unpack gigabytes of it. None where there is
/// no profile.
pub(super) fn without_profile(bytes: &[u8], format: ImageFormat) -> Option<Vec<u8>> {
    let is_profile = |name: &[u8]| name == b"iCCP";
    if format != ImageFormat::Png || !png_chunks(bytes).any(|(name, _)| is_profile(name)) {
        return None;
    }
    let mut kept = bytes.get(..8)?.to_vec();
    let mut read = 8;
    for (name, chunk) in png_chunks(bytes) {
        read += chunk.len();
        if !is_profile(name) {
            kept.extend(chunk);
        }
    }
    // What is left of a file that is cut off.
    kept.extend(bytes.get(read..)?);
    Some(kept)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_colour_profile_is_left_out_and_nothing_else() {
        let chunk = |name: &[u8; 4], data: &[u8]| -> Vec<u8> {
            let length = (data.len() as u32).to_be_bytes();
            [&length[..], name, data, &[1, 2, 3, 4]].concat()
        };
        let magic = b"\x89PNG\r\n\x1a\n".to_vec();
        let [head, profile, pixels, end] = [
            chunk(b"IHDR", &[0; 13]),
            chunk(b"iCCP", &[7; 999]),
            chunk(b"IDAT", &[9; 50]),
            chunk(b"IEND", &[]),
        ];
        let plain = [&magic[..], &head, &pixels, &end].concat();
        let with = [&magic[..], &head, &profile, &pixels, &end].concat();
        assert_eq!(
            without_profile(&with, ImageFormat::Png),
            Some(plain.clone())
        );
        assert_eq!(without_profile(&plain, ImageFormat::Png), None);
        assert_eq!(without_profile(&with, ImageFormat::Jpeg), None);
        // Cut off in the middle of its pixels.
        let cut = &with[..with.len() - 40];
        assert_eq!(
            without_profile(cut, ImageFormat::Png).as_deref(),
            Some(&plain[..plain.len() - 40])
        );
        assert_eq!((png_ends(cut), png_ends(&with)), (None, Some(())));
    }
}
