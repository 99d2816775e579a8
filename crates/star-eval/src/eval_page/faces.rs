//! Crops of faces with their points, inside the page.

use std::io::Cursor;

use image::{RgbImage, codecs::jpeg::JpegEncoder};
use star_data::{FaceSource, Layout};

use star_draw::{ContactSheet, Palette, SheetOptions, Tile, svg::escape};

use crate::error::EvalError;

use crate::evaluate::PredictedFace;

/// Side of an image, pixels: twice what it takes on the page, for screens with small pixels.
const SIDE: u32 = 288;
/// Of 100. Below, landmarks smear.
const JPEG_QUALITY: u8 = 82;

/// A face on the page.
pub(super) struct Shown<'a> {
    pub face: &'a PredictedFace,
    /// A fraction; not finite for a face without finite landmarks.
    pub nme: f64,
    /// Place in the order of errors, the largest first, from 1.
    pub rank: usize,
}

/// The faces as a grid.
///
/// # Errors
/// An image that cannot be read again.
pub(super) fn grid(faces: &[Shown], images: &dyn FaceSource) -> Result<String, EvalError> {
    let mut html = String::from("<ul class=\"faces\">\n");
    for shown in faces {
        let name = escape(&shown.face.name);
        let error = if shown.nme.is_finite() {
            format!("NME {:.2} %", shown.nme * 100.0)
        } else {
            "no finite landmarks".into()
        };
        html += &format!(
            "<li><figure><img src=\"{}\" width=\"{SIDE}\" height=\"{SIDE}\" alt=\"{name}: predicted and annotated points, {error}\">\
             <figcaption><b>{}</b> <span>#{}</span><br>{name}</figcaption></figure></li>\n",
            image(shown.face, images)?,
            error.trim_start_matches("NME "),
            shown.rank,
        );
    }
    html += "</ul>\n";
    Ok(html)
}

/// What the colours mean.
pub(super) fn key() -> String {
    let Palette {
        points, reference, ..
    } = Palette::default();
    let dot = |[r, g, b]: [u8; 3], text: &str| {
        format!("<span class=\"key\" style=\"background:rgb({r},{g},{b})\"></span>{text}")
    };
    format!(
        "<p>{} &ensp; {}</p>\n",
        dot(points, "predicted, with the layout's edges"),
        dot(reference, "annotated")
    )
}

fn image(face: &PredictedFace, images: &dyn FaceSource) -> Result<String, EvalError> {
    let source = images.face(face.index)?;
    let layout: &Layout = images.layout();
    let mut sheet = ContactSheet::new(SheetOptions {
        columns: 1,
        tile: SIDE,
        gutter: 0,
        border: 0,
        ..SheetOptions::default()
    });
    sheet.push(&Tile {
        reference: &face.annotated,
        edges: &layout.edges,
        ..Tile::new(&source.image, source.crop, &face.predicted)
    });
    data_uri(&sheet.render()).map_err(|e| EvalError::Invalid(format!("{}: {e}", face.name)))
}

fn data_uri(image: &RgbImage) -> Result<String, image::ImageError> {
    let mut bytes = Cursor::new(Vec::new());
    JpegEncoder::new_with_quality(&mut bytes, JPEG_QUALITY).encode_image(image)?;
    Ok(format!(
        "data:image/jpeg;base64,{}",
        base64(bytes.get_ref())
    ))
}

/// RFC 4648, with padding.
fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let byte = |i: usize| u32::from(chunk.get(i).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for i in 0..4 {
            if i <= chunk.len() {
                let letter = bits >> (18 - 6 * i) & 63;
                text.push(char::from(LETTERS[letter as usize]));
            } else {
                text.push('=');
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_that_of_the_rfc() {
        for (bytes, text) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"),
        ] {
            assert_eq!(base64(bytes.as_bytes()), text);
        }
        assert_eq!(base64(&[255, 254, 253]), "//79");
    }
}
