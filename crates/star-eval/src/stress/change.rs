//! The same faces made harder in one way: image, landmarks and crop change together.

use std::{io::Cursor, sync::Arc};

use image::{
    Rgb, RgbImage,
    codecs::jpeg::JpegEncoder,
    imageops::{self, FilterType},
};
use rand::RngExt;
use star_data::{
    Affine, CropBox, CropRule, DataError, Face, FaceSource, Layout, Point, Recropped,
    crop::CROP_UNIT,
    decode::{MAX_SIDE, decode_bytes},
    photometric::{blur, gamma, gray},
    rng::sample_rng,
    warp::warp,
};

use super::Change;

/// How far around its crop a turned face's image reaches, in widths of the crop: what a second pass may look at.
const REACH: f64 = 1.5;
/// How far from the crop's middle a bar's middle lies at most, in widths of the crop.
const BAR_RANGE: f64 = 0.3;
/// Sets the streams of the bars apart from others of the same seed.
const BAR_STREAM: u64 = u64::from_be_bytes(*b"the bars");

/// Faces of a source, changed. The same seed changes a face in the same way, always.
pub struct Changed {
    source: Arc<dyn FaceSource>,
    change: Change,
    level: f64,
    seed: u64,
}

impl Changed {
    /// `source` with every face changed by so much.
    pub fn faces(
        source: Arc<dyn FaceSource>,
        change: Change,
        level: f64,
        seed: u64,
    ) -> Arc<dyn FaceSource> {
        match change {
            Change::BoxNoise => Arc::new(Recropped::jittered(source, level, seed)),
            _ => Arc::new(Self {
                source,
                change,
                level,
                seed,
            }),
        }
    }
}

impl FaceSource for Changed {
    fn layout(&self) -> &Layout {
        self.source.layout()
    }

    fn len(&self) -> usize {
        self.source.len()
    }

    fn name(&self, index: usize) -> String {
        self.source.name(index)
    }

    fn face(&self, index: usize) -> Result<Face, DataError> {
        let mut face = self.source.face(index)?;
        let level = self.level;
        match self.change {
            // A matter of crops: see `Changed::faces`.
            Change::BoxNoise => {}
            Change::Rotation => turn(&mut face, level)?,
            Change::FaceSize => shrink(&mut face, level),
            Change::Blur => {
                let side = width(&face.crop) * level;
                // An odd side leaves everything in its place.
                blur(&mut face.image, 2 * (side / 2.0).round() as u32 + 1);
            }
            Change::Jpeg => face.image = through_jpeg(&face, level)?,
            Change::Darkness => gamma(&mut face.image, level),
            Change::Bar => {
                let mut rng = sample_rng(self.seed, BAR_STREAM, index as u64);
                let (upright, place) = (rng.random::<bool>(), rng.random::<f64>());
                cover(&mut face, upright, (2.0 * place - 1.0) * BAR_RANGE, level);
            }
            Change::Grey => gray(&mut face.image),
        }
        Ok(face)
    }

    fn hidden(&self, index: usize) -> Option<Vec<bool>> {
        self.source.hidden(index)
    }

    fn subsets(&self) -> Vec<(String, Vec<usize>)> {
        self.source.subsets()
    }

    fn groups(&self) -> Result<Vec<usize>, DataError> {
        self.source.groups()
    }

    fn crop_rule(&self) -> CropRule {
        self.source.crop_rule()
    }
}

/// Pixels.
fn width(crop: &CropBox) -> f64 {
    CROP_UNIT * crop.scale
}

/// Turns the face clockwise about the middle of its crop, which keeps its size.
fn turn(face: &mut Face, degrees: f64) -> Result<(), DataError> {
    let side = (width(&face.crop) * REACH).ceil();
    if !(1.0..=f64::from(MAX_SIDE)).contains(&side) {
        return Err(DataError::Invalid(format!(
            "{}: a crop of {} pixels cannot be turned; an image has at most {MAX_SIDE}",
            face.name,
            width(&face.crop)
        )));
    }
    let center = face.crop.center;
    let middle = (side - 1.0) / 2.0;
    let map = Affine::rotation_about(center, degrees.to_radians(), 1.0)
        .then(&Affine::translation(middle - center.x, middle - center.y));
    face.image = warp(&face.image, &map, side as u32, side as u32)?;
    move_points(face, |p| map.apply(p));
    Ok(())
}

/// Makes the image smaller until the face has this size in pixels (the root of its landmarks' box's area); smaller faces stay.
fn shrink(face: &mut Face, size: f64) {
    let now = crate::eval_page::face_size(&face.landmarks);
    if now.is_nan() || now <= size {
        return;
    }
    let factor = size / now;
    let (w, h) = face.image.dimensions();
    let smaller = |length: u32| ((f64::from(length) * factor).round() as u32).max(1);
    let (to_w, to_h) = (smaller(w), smaller(h));
    // Averages over what becomes one pixel, as a camera would.
    face.image = imageops::resize(&face.image, to_w, to_h, FilterType::Triangle);
    let (sx, sy) = (
        f64::from(to_w) / f64::from(w),
        f64::from(to_h) / f64::from(h),
    );
    face.crop.scale *= (sx * sy).sqrt();
    move_points(face, |p| {
        Point::new((p.x + 0.5) * sx - 0.5, (p.y + 0.5) * sy - 0.5)
    });
}

fn move_points(face: &mut Face, map: impl Fn(Point) -> Point) {
    for points in [Some(&mut face.landmarks), face.truth.as_mut()]
        .into_iter()
        .flatten()
    {
        for point in points {
            *point = map(*point);
        }
    }
    face.crop.center = map(face.crop.center);
}

fn through_jpeg(face: &Face, quality: f64) -> Result<RgbImage, DataError> {
    let mut bytes = Cursor::new(Vec::new());
    JpegEncoder::new_with_quality(&mut bytes, quality as u8)
        .encode_image(&face.image)
        .map_err(|e| DataError::Image {
            path: face.name.clone().into(),
            message: format!("cannot be written as JPEG: {e}"),
        })?;
    decode_bytes(bytes.get_ref(), face.name.as_ref())
}

/// A black bar across the crop, `level` of its width thick, its middle `offset` widths beside the crop's.
fn cover(face: &mut Face, upright: bool, offset: f64, level: f64) {
    let side = width(&face.crop);
    let Point { x, y } = face.crop.center;
    let middle = offset * side + if upright { x } else { y };
    let half = level * side / 2.0;
    let inside = |v: u32| (f64::from(v) - middle).abs() <= half;
    for (x, y, pixel) in face.image.enumerate_pixels_mut() {
        if inside(if upright { x } else { y }) {
            *pixel = Rgb([0; 3]);
        }
    }
}
