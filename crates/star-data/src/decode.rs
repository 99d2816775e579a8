//! An image file to RGB, upright.

mod sniff;

use std::{
    fs::File,
    io::{Cursor, Read},
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
};

use image::{ColorType, ImageDecoder, ImageFormat, ImageReader, Limits, RgbImage};

use self::sniff::End;
use crate::error::DataError;

/// The longest side of an image that is decoded, in pixels.
pub const MAX_SIDE: u32 = 16_384;
/// The most pixels an image may have.
pub const MAX_PIXELS: u64 = 128 * 1024 * 1024;
/// Bytes after which most files have said their size.
const HEAD: u64 = 64 * 1024;
/// What a file may hold besides its pixels (profiles, text), unpacked, in bytes.
const MAX_EXTRAS: u64 = 64 * 1024 * 1024;
/// Images with fewer pixels are decoded however small their file is.
const FREE_PIXELS: u64 = 1024 * 1024;
/// No photograph is packed more tightly: a blank JPEG has about 350 pixels in a byte, a blank PNG of one bit about 8,000.
const MAX_PIXELS_IN_A_BYTE: u64 = 10_000;
/// What is shown where a cut-off image has no pixels: the middle grey that libjpeg puts there too.
const MISSING: u8 = 128;

/// An image, and whether all of it was there.
#[derive(Clone, Debug)]
pub struct Decoded {
    /// Upright (EXIF orientation applied).
    pub image: RgbImage,
    /// The file ends before the image does. What is missing is middle grey, or coarse in a progressive JPEG.
    pub truncated: bool,
}

/// As [`decode_file_reporting`], for who does not mind an image that is cut off.
///
/// # Errors
/// As [`decode_file_reporting`].
pub fn decode_file(path: &Path) -> Result<RgbImage, DataError> {
    decode_file_reporting(path).map(|decoded| decoded.image)
}

/// Reads an image file: see [`decode_reporting`].
///
/// # Errors
/// When the file cannot be read, and as [`decode_reporting`].
pub fn decode_file_reporting(path: &Path) -> Result<Decoded, DataError> {
    let bytes =
        star_files::read_file(path, star_files::IMAGE).map_err(|e| DataError::io(path, e))?;
    decode_reporting(&bytes, path)
}

/// As [`decode_reporting`], for who does not mind an image that is cut off.
///
/// # Errors
/// As [`decode_reporting`].
pub fn decode_bytes(bytes: &[u8], path: &Path) -> Result<RgbImage, DataError> {
    decode_reporting(bytes, path).map(|decoded| decoded.image)
}

/// Decodes an image by its content, whatever its name says: JPEG (grey, colour, CMYK; progressive too), PNG, BMP or WebP.
///
/// As the published program's reader does (REFERENCE C6), the EXIF orientation is applied, an alpha channel is dropped, 16 bits become
/// their upper 8, and a JPEG that is cut off is used as far as it goes; so is a PNG here. CMYK becomes RGB as in Pillow.
///
/// # Errors
/// When the content is no such image, is damaged or cut off before its first pixel, or is larger than [`MAX_SIDE`] or
/// [`MAX_PIXELS`]; memory for pixels is asked for after that is checked. `path` is for the message.
pub fn decode_reporting(bytes: &[u8], path: &Path) -> Result<Decoded, DataError> {
    guarded(path, || decode(bytes, sniff::format(bytes)?))
}

/// Width and height in pixels as the file's header has them, before EXIF turns the image: what memory it will need.
///
/// # Errors
/// When [`decode_reporting`] would refuse it for what its header says; no memory for pixels is asked for.
pub fn size_in_header(bytes: &[u8], path: &Path) -> Result<(u32, u32), DataError> {
    guarded(path, || {
        let format = sniff::format(bytes)?;
        let smaller = sniff::without_profile(bytes, format);
        let opened = open(smaller.as_deref().unwrap_or(bytes), format, false);
        Ok(opened?.dimensions())
    })
}

/// [`size_in_header`] of a file, of which no more is read than it takes.
///
/// # Errors
/// As there; a file that cannot be read.
pub fn size_in_file(path: &Path) -> Result<(u32, u32), DataError> {
    let head = || -> std::io::Result<Vec<u8>> {
        star_files::ordinary(path)?;
        let mut head = Vec::new();
        File::open(path)?.take(HEAD).read_to_end(&mut head)?;
        Ok(head)
    };
    let head = head().map_err(|e| DataError::io(path, e))?;
    // Behind long comments, or of more pixels than so few bytes can have.
    size_in_header(&head, path).or_else(|_| {
        let bytes =
            star_files::read_file(path, star_files::IMAGE).map_err(|e| DataError::io(path, e))?;
        size_in_header(&bytes, path)
    })
}

/// The decoders are fuzzed, but a panic in one of them must not end a run of days.
fn guarded<T>(path: &Path, work: impl FnOnce() -> Result<T, String>) -> Result<T, DataError> {
    let fail = |message: String| DataError::Image {
        path: path.to_path_buf(),
        message,
    };
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(done) => done.map_err(fail),
        Err(_) => Err(fail(
            "is damaged so that its decoder gave up; is the download complete?".into(),
        )),
    }
}

fn decode(bytes: &[u8], format: ImageFormat) -> Result<Decoded, String> {
    let smaller = sniff::without_profile(bytes, format);
    let bytes = smaller.as_deref().unwrap_or(bytes);
    let usable = match sniff::end(bytes, format) {
        End::Whole => return decode_as_is(bytes, format, false),
        End::NoPixels => {
            return Err("is cut off before its first pixel; is the download complete?".into());
        }
        End::Cut { usable } => usable,
    };
    let first = decode_as_is(bytes, format, true);
    if first.is_ok() || format != ImageFormat::Jpeg {
        return first;
    }
    // A progressive JPEG that ends in the middle of a header is refused, but not if it seems to end before that header.
    let mended = [&bytes[..usable], &[0xff, 0xd9]].concat();
    decode_as_is(&mended, format, true).or(first)
}

/// A decoder that has read the header and found nothing too large in it.
fn open(bytes: &[u8], format: ImageFormat, truncated: bool) -> Result<impl ImageDecoder, String> {
    if let Some((width, height)) = sniff::png_size(bytes, format) {
        // The PNG decoder makes room for a row as soon as it is opened.
        check_size(width, height, bytes.len())?;
    }
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    let mut limits = Limits::no_limits();
    limits.max_alloc = Some(MAX_EXTRAS);
    reader.limits(limits);
    let decoder = reader
        .into_decoder()
        .map_err(|e| unreadable(&e, truncated))?;
    let (width, height) = decoder.dimensions();
    check_size(width, height, bytes.len())?;
    Ok(decoder)
}

fn unreadable(error: &image::ImageError, truncated: bool) -> String {
    let cut = if truncated { "; it is cut off" } else { "" };
    format!("cannot be decoded ({error}){cut}")
}

/// `truncated` says that pixels may be missing and that this is no reason to fail.
fn decode_as_is(bytes: &[u8], format: ImageFormat, truncated: bool) -> Result<Decoded, String> {
    let mut decoder = open(bytes, format, truncated)?;
    let (width, height) = decoder.dimensions();
    // A damaged EXIF block is no reason to lose the image.
    let orientation = decoder.orientation().ok();
    let color = decoder.color_type();
    let size = usize::try_from(decoder.total_bytes()).map_err(|e| e.to_string())?;
    let mut pixels = vec![MISSING; size];
    let result = decoder.read_image(&mut pixels);
    let whole = result.is_ok();
    if let Err(error) = result {
        // The rows before the cut are there.
        let usable = truncated && format == ImageFormat::Png;
        if !usable {
            return Err(unreadable(&error, truncated));
        }
    }
    if truncated && pixels.iter().all(|&v| v == MISSING) {
        return Err("is cut off before its first pixel; is the download complete?".into());
    }
    // The PNG decoder turns 16-bit numbers into this machine's order only once it has them all.
    let upper_first = cfg!(target_endian = "big") || !whole;
    let rgb = to_rgb(pixels, color, upper_first)
        .ok_or_else(|| format!("has pixels of a kind that is not read ({color:?})"))?;
    let image = RgbImage::from_raw(width, height, rgb)
        .ok_or_else(|| String::from("has another number of pixels than it says"))?;
    let mut image = image::DynamicImage::ImageRgb8(image);
    if let Some(orientation) = orientation {
        image.apply_orientation(orientation);
    }
    Ok(Decoded {
        image: image.into_rgb8(),
        truncated,
    })
}

/// Refuses what is empty, absurdly large, or far larger than its file can be.
fn check_size(width: u32, height: u32, bytes: usize) -> Result<(), String> {
    let pixels = u64::from(width) * u64::from(height);
    if pixels == 0 {
        return Err("has no pixels".into());
    }
    if width > MAX_SIDE || height > MAX_SIDE || pixels > MAX_PIXELS {
        return Err(format!(
            "{width} x {height} pixels is more than is decoded ({MAX_SIDE} a side, {MAX_PIXELS} in all); make it smaller"
        ));
    }
    let room = (bytes as u64).saturating_mul(MAX_PIXELS_IN_A_BYTE);
    if pixels > FREE_PIXELS && pixels > room {
        return Err(format!(
            "claims {width} x {height} pixels in {bytes} bytes, which no photograph does; is the download complete?"
        ));
    }
    Ok(())
}

/// Any pixels that the decoders give to 8-bit RGB; `upper_first` says which byte of a 16-bit number is the upper one.
fn to_rgb(pixels: Vec<u8>, color: ColorType, upper_first: bool) -> Option<Vec<u8>> {
    let upper = usize::from(!upper_first);
    // Bytes of a pixel, and where in them red, green and blue are.
    let (step, places) = match color {
        ColorType::Rgb8 => return Some(pixels),
        ColorType::L8 => (1, [0, 0, 0]),
        ColorType::La8 => (2, [0, 0, 0]),
        ColorType::Rgba8 => (4, [0, 1, 2]),
        ColorType::L16 => (2, [upper; 3]),
        ColorType::La16 => (4, [upper; 3]),
        ColorType::Rgb16 => (6, [upper, 2 + upper, 4 + upper]),
        ColorType::Rgba16 => (8, [upper, 2 + upper, 4 + upper]),
        _ => return None,
    };
    let rgb = (pixels.chunks_exact(step)).flat_map(|pixel| places.map(|place| pixel[place]));
    Some(rgb.collect())
}
