//! Decoded faces kept in memory, cut to what crops look at, up to a number of bytes.

use std::sync::{
    Arc, OnceLock,
    atomic::{AtomicUsize, Ordering},
};

use image::{RgbImage, imageops};

use crate::{
    crop::CROP_UNIT,
    error::DataError,
    face::{Face, FaceSource},
    sample::{Sample, SampleMaker},
    window::Window,
};

/// Side of what is kept, over the width of the crop: rotated and shifted crops need more than the crop itself.
const KEPT: f64 = 1.8;

/// Faces of one source by index.
///
/// Once full it keeps what it has: every epoch asks for every face once, so that making room for one would only push out another that is
/// asked for just as soon. Samples made from it are those made from the files, bit for bit: a crop that looks beyond what was kept is made
/// from the file.
pub(crate) struct FaceCache {
    faces: Vec<OnceLock<Arc<KeptFace>>>,
    free: AtomicUsize,
}

/// A face whose image is cut.
struct KeptFace {
    /// `image` is the cut; everything else is in pixels of the whole image.
    face: Face,
    left: u32,
    top: u32,
    width: u32,
    height: u32,
}

impl FaceCache {
    pub fn new(faces: usize, bytes: usize) -> Self {
        Self {
            faces: (0..faces).map(|_| OnceLock::new()).collect(),
            free: AtomicUsize::new(bytes),
        }
    }

    /// The sample of face `index` in `epoch`.
    pub fn sample(
        &self,
        source: &dyn FaceSource,
        maker: &SampleMaker,
        index: usize,
        seed: u64,
        epoch: u64,
    ) -> Result<Sample, DataError> {
        let kept = self.faces.get(index).and_then(OnceLock::get);
        if let Some(kept) = kept
            && let Some(sample) =
                maker.sample_in_window(&kept.face, kept.window(), index, seed, epoch)?
        {
            return Ok(sample);
        }
        let face = source.face(index)?;
        let sample = maker.sample(&face, index, seed, epoch)?;
        if kept.is_none() {
            self.keep(index, face);
        }
        Ok(sample)
    }

    fn keep(&self, index: usize, face: Face) {
        let kept = KeptFace::cut(face);
        let bytes = kept.face.image.as_raw().len();
        let take = |free: usize| free.checked_sub(bytes);
        if self
            .free
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, take)
            .is_err()
        {
            return;
        }
        if let Some(place) = self.faces.get(index)
            && place.set(Arc::new(kept)).is_err()
        {
            // Another thread was quicker.
            self.free.fetch_add(bytes, Ordering::Relaxed);
        }
    }
}

impl KeptFace {
    fn cut(face: Face) -> Self {
        let (width, height) = face.image.dimensions();
        let half = CROP_UNIT * face.crop.scale * KEPT / 2.0;
        let span = |center: f64, length: u32| {
            let clamp = |v: f64| v.clamp(0.0, f64::from(length)) as u32;
            let first = clamp((center - half).floor());
            (first, clamp((center + half).ceil()).max(first))
        };
        let (left, right) = span(face.crop.center.x, width);
        let (top, bottom) = span(face.crop.center.y, height);
        let image: RgbImage =
            imageops::crop_imm(&face.image, left, top, right - left, bottom - top).to_image();
        Self {
            face: Face { image, ..face },
            left,
            top,
            width,
            height,
        }
    }

    fn window(&self) -> Window<'_> {
        Window {
            pixels: &self.face.image,
            left: self.left,
            top: self.top,
            width: self.width,
            height: self.height,
        }
    }
}
