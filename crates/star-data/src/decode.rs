//! A picture file to RGB, upright.

use std::{io::Cursor, path::Path};

use image::{DynamicImage, ImageDecoder, ImageReader, Limits, RgbImage};

use crate::error::DataError;

/// The longest side of a picture that is decoded, in pixels.
pub const MAX_SIDE: u32 = 16_384;
/// The most pixels a picture may have.
pub const MAX_PIXELS: u64 = 256 * 1024 * 1024;

/// Reads a picture file: see [`decode_bytes`].
///
/// # Errors
/// When the file cannot be read, and as [`decode_bytes`].
pub fn decode_file(path: &Path) -> Result<RgbImage, DataError> {
    let bytes = std::fs::read(path).map_err(|e| DataError::io(path, e))?;
    decode_bytes(&bytes, path)
}

/// Decodes a picture by its content, whatever its name says: JPEG, PNG, BMP or WebP; grey, colour, 8 or 16 bit.
///
/// The EXIF orientation is applied, as in the published program (REFERENCE C6); an alpha channel is dropped.
///
/// # Errors
/// When the content is no such picture, is cut off, or is larger than [`MAX_SIDE`] or [`MAX_PIXELS`]. `path` is for the message.
pub fn decode_bytes(bytes: &[u8], path: &Path) -> Result<RgbImage, DataError> {
    let fail = |message: String| DataError::Image {
        path: path.to_path_buf(),
        message,
    };
    let reader = ImageReader::new(Cursor::new(bytes))
        .with_guessed_format()
        .map_err(|e| DataError::io(path, e))?;
    if reader.format().is_none() {
        return Err(fail(
            "not a JPEG, PNG, BMP or WebP picture; is the download complete?".into(),
        ));
    }
    let unreadable = |e: image::ImageError| fail(format!("cannot be decoded ({e})"));
    let mut decoder = reader.into_decoder().map_err(unreadable)?;
    let (width, height) = decoder.dimensions();
    let pixels = u64::from(width) * u64::from(height);
    if width > MAX_SIDE || height > MAX_SIDE || pixels > MAX_PIXELS {
        return Err(fail(format!(
            "{width} x {height} pixels is more than is decoded ({MAX_SIDE} a side, {MAX_PIXELS} in all); make it smaller"
        )));
    }
    if pixels == 0 {
        return Err(fail("has no pixels".into()));
    }
    let mut limits = Limits::no_limits();
    // Four 16-bit channels and room for the decoder's own buffers.
    limits.max_alloc = Some(MAX_PIXELS * 16);
    decoder.set_limits(limits).map_err(unreadable)?;
    // A damaged EXIF block is no reason to lose the picture.
    let orientation = decoder.orientation().ok();
    let mut image = DynamicImage::from_decoder(decoder).map_err(unreadable)?;
    if let Some(orientation) = orientation {
        image.apply_orientation(orientation);
    }
    Ok(image.into_rgb8())
}
