//! Which square of an image the network sees, and the two ways to say where a point in that square is.

use serde::{Deserialize, Serialize};

use crate::{
    affine::Affine,
    error::DataError,
    point::{MAX_COORDINATE, Point},
};

/// The width of a crop of scale 1, in pixels of the original image; a convention of the published annotation files.
pub const CROP_UNIT: f64 = 200.0;

/// Which square of the image the network sees: `200 * scale` pixels wide around `center`.
///
/// The published TSVs carry these two values (`scale`, `center_w`, `center_h`) for each face.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CropBox {
    /// Width of the square divided by 200 pixels.
    pub scale: f64,
    /// Centre of the square, in image pixels.
    pub center: Point,
}

/// Original pixels to the pixels of a `size` x `size` crop.
///
/// The scale counts `size` pixels across while the centre lands on `(size - 1) / 2`: half a pixel of shift that the published
/// weights were trained with (REFERENCE C2).
pub fn crop_matrix(crop: &CropBox, size: u32) -> Affine {
    let size = f64::from(size);
    let k = size / (CROP_UNIT * crop.scale);
    let c = (size - 1.0) / 2.0;
    Affine::new([
        [k, 0.0, c - k * crop.center.x],
        [0.0, k, c - k * crop.center.y],
    ])
}

/// A crop pixel coordinate as a label: -1 and 1 are the outer borders of the first and last pixel (REFERENCE C1). Not clamped.
pub fn normalise(pixel: f64, size: f64) -> f64 {
    (2.0 * pixel + 1.0) / size - 1.0
}

/// The crop pixel coordinate of a label; undoes [`normalise`].
pub fn denormalise(label: f64, size: f64) -> f64 {
    ((label + 1.0) * size - 1.0) / 2.0
}

/// A point in crop pixels as a label in [-1, 1] and beyond.
pub fn normalise_point(p: Point, size: u32) -> [f64; 2] {
    let size = f64::from(size);
    [normalise(p.x, size), normalise(p.y, size)]
}

/// A label as a point in crop pixels.
pub fn denormalise_point([x, y]: [f64; 2], size: u32) -> Point {
    let size = f64::from(size);
    Point::new(denormalise(x, size), denormalise(y, size))
}

/// Which side of a box decides the width of the crop.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BoxSide {
    /// The longer side: the whole box is inside the crop when the margin is at least 1.
    #[default]
    Longest,
    /// The shorter side.
    Shortest,
    /// The square root of the area: steadier than either side when a face turns away.
    Mean,
}

/// How a face's box becomes the square crop: the crop is centred on the box and `margin` times its side wide (REFERENCE D3).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CropRule {
    /// The side of the box that the width follows from.
    pub side: BoxSide,
    /// Width of the crop divided by the side of the box.
    pub margin: f64,
}

impl Default for CropRule {
    /// The longer side and a tenth more on either end.
    fn default() -> Self {
        Self {
            side: BoxSide::Longest,
            margin: 1.2,
        }
    }
}

impl CropRule {
    /// The published annotation files: the longer side, nothing around it.
    pub const PUBLISHED: Self = Self {
        side: BoxSide::Longest,
        margin: 1.0,
    };
    /// The published demonstration: the shorter side of the landmarks' box and 5 % more.
    pub const DEMO: Self = Self {
        side: BoxSide::Shortest,
        margin: 1.05,
    };

    /// The crop of a box with its top left corner at (x, y), in pixels of the image.
    ///
    /// # Errors
    /// When the box has no area or is beyond all images, something is not finite, or the margin is not positive.
    pub fn crop_of_box(&self, x: f64, y: f64, w: f64, h: f64) -> Result<CropBox, DataError> {
        if !(self.margin.is_finite() && self.margin > 0.0) {
            return Err(DataError::Invalid(format!(
                "crop margin is {}; it must be a positive number, such as 1.2",
                self.margin
            )));
        }
        let side = match self.side {
            BoxSide::Longest => w.max(h),
            BoxSide::Shortest => w.min(h),
            BoxSide::Mean => (w * h).sqrt(),
        };
        let usable = w >= 0.0 && h >= 0.0 && side > 0.0;
        if !usable || ![x, y, w, h].iter().all(|v| v.is_finite()) {
            return Err(DataError::Invalid(format!(
                "a face box of {w} x {h} pixels at ({x}, {y}) has no area to crop"
            )));
        }
        if ![x, y, w * self.margin, h * self.margin]
            .iter()
            .all(|v| v.abs() <= MAX_COORDINATE)
        {
            return Err(DataError::Invalid(format!(
                "a face box of {w:?} x {h:?} pixels at ({x:?}, {y:?}), margin {:?}, is in no image: nothing may be beyond {MAX_COORDINATE} pixels",
                self.margin
            )));
        }
        Ok(CropBox {
            scale: side * self.margin / CROP_UNIT,
            center: Point::new(x + w / 2.0, y + h / 2.0),
        })
    }

    /// The crop of the smallest upright box around the landmarks.
    ///
    /// # Errors
    /// As [`CropRule::crop_of_box`]; also when all landmarks share one place or there are none.
    pub fn crop_of_points(&self, points: &[Point]) -> Result<CropBox, DataError> {
        let mut low = Point::new(f64::INFINITY, f64::INFINITY);
        let mut high = Point::new(f64::NEG_INFINITY, f64::NEG_INFINITY);
        for p in points {
            low = Point::new(low.x.min(p.x), low.y.min(p.y));
            high = Point::new(high.x.max(p.x), high.y.max(p.y));
        }
        self.crop_of_box(low.x, low.y, high.x - low.x, high.y - low.y)
    }
}
