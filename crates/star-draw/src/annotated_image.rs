//! A photo with everything drawn over it, as pixels or as an SVG that stands alone.

use base64::{Engine, prelude::BASE64_STANDARD};
use image::{RgbImage, codecs::jpeg::JpegEncoder, imageops};

use super::{canvas::Canvas, legend, overlay::Overlay, svg::Svg};
use crate::error::DrawError;

/// Of the photo inside an SVG: no difference is seen, at a fifth of the size of a PNG.
const JPEG_QUALITY: u8 = 90;

/// A photo, the faces drawn over it, and whether a strip below explains the ellipses.
pub struct AnnotatedImage<'a> {
    /// The photo.
    pub image: &'a RgbImage,
    /// For the SVG: what it shows.
    pub title: &'a str,
    /// The faces, drawn in this order.
    pub overlays: &'a [Overlay<'a>],
    /// The ellipses' standard deviations, for the legend; None for no legend. Very small images have no room for one.
    pub legend: Option<f64>,
}

impl AnnotatedImage<'_> {
    fn strip(&self) -> Option<(u32, f64)> {
        Some((legend::height(self.image.width())?, self.legend?))
    }

    /// The pixels: those of the photo, and the legend below them.
    pub fn to_image(&self) -> RgbImage {
        let (width, height) = self.image.dimensions();
        let Some((high, sigmas)) = self.strip() else {
            return super::draw_overlays(self.image, self.overlays);
        };
        let mut framed = RgbImage::from_pixel(width, height + high, image::Rgb(legend::BACKGROUND));
        imageops::replace(&mut framed, self.image, 0, 0);
        let mut canvas = Canvas::new(&framed);
        for overlay in self.overlays {
            overlay.draw_on(&mut canvas);
        }
        let mut drawn = canvas.into_image();
        // What reached into the strip is wiped off it.
        for (_, y, pixel) in drawn.enumerate_pixels_mut() {
            if y >= height {
                pixel.0 = legend::BACKGROUND;
            }
        }
        let mut canvas = Canvas::new(&drawn);
        legend::draw(&mut canvas, height, width, high, sigmas);
        canvas.into_image()
    }

    /// An SVG with the photo inside, as JPEG.
    ///
    /// # Errors
    /// A photo larger than a JPEG can be (65,535 pixels a side).
    pub fn to_svg(&self) -> Result<String, DrawError> {
        let (width, height) = self.image.dimensions();
        let mut jpeg = Vec::new();
        JpegEncoder::new_with_quality(&mut jpeg, JPEG_QUALITY)
            .encode_image(self.image)
            .map_err(|source| DrawError::Encode {
                title: self.title.to_owned(),
                source,
            })?;
        let href = format!("data:image/jpeg;base64,{}", BASE64_STANDARD.encode(&jpeg));
        let (w, h) = (width.to_string(), height.to_string());

        let mut svg = Svg::new();
        svg.element("image", &[("width", &w), ("height", &h), ("href", &href)]);
        for overlay in self.overlays {
            overlay.draw_on(&mut svg);
        }
        let mut whole = height;
        if let Some((high, sigmas)) = self.strip() {
            let [r, g, b] = legend::BACKGROUND;
            svg.element(
                "rect",
                &[
                    ("y", &h),
                    ("width", &w),
                    ("height", &high.to_string()),
                    ("fill", &format!("#{r:02x}{g:02x}{b:02x}")),
                ],
            );
            legend::draw(&mut svg, height, width, high, sigmas);
            whole += high;
        }
        Ok(svg.finish(f64::from(width), f64::from(whole), self.title, ""))
    }
}
