//! From bytes to an image and where its faces are, a bounded number at a time.

use std::{path::PathBuf, sync::Arc};

use star_data::{
    CropBox, CropRule, DataError,
    decode::{MAX_PIXELS, decode_reporting, size_in_header},
};
use star_infer::detect::{Detector, SeetaFace};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{asked::Asked, problem::Problem};
use crate::commands::predict::{ahead::Ready, item::GivenBox};

/// Uploads that are in memory at once, whether they wait or are worked on.
const MOST_UPLOADS: usize = 16;
/// Images that are decoded, searched or predicted at once.
pub const MOST_AT_ONCE: usize = 4;
/// Pixels of those images together: as many as a single one may have.
const MOST_PIXELS: u64 = MAX_PIXELS;
/// Pixels are counted by the mebipixel.
const UNIT: u64 = 1 << 20;
/// The smallest side of a box, in pixels: less is a slip of the hand.
const LEAST_SIDE: f64 = 8.0;
/// How many times larger than the image a box may be.
const LARGEST: f64 = 4.0;

/// Bounds on memory, however many ask at once: bytes by places for uploads, pixels by permits.
pub struct Rooms {
    uploads: Semaphore,
    pixels: Arc<Semaphore>,
}

impl Default for Rooms {
    fn default() -> Self {
        Self {
            uploads: Semaphore::new(MOST_UPLOADS),
            pixels: Arc::new(Semaphore::new((MOST_PIXELS / UNIT) as usize)),
        }
    }
}

impl Rooms {
    /// A place for an upload.
    ///
    /// # Errors
    /// When all are taken: whoever asks is told to come back, and nothing is read of what they send.
    pub fn upload(&self) -> Result<tokio::sync::SemaphorePermit<'_>, Problem> {
        self.uploads.try_acquire().map_err(|_| Problem::Busy)
    }

    /// Waits until there is memory for an image. It is there until the permit is dropped.
    ///
    /// # Errors
    /// None while the server runs.
    pub async fn pixels(
        &self,
        (width, height): (u32, u32),
    ) -> Result<OwnedSemaphorePermit, Problem> {
        let least = MOST_PIXELS / MOST_AT_ONCE as u64;
        let pixels = (u64::from(width) * u64::from(height)).clamp(least, MOST_PIXELS);
        let units = pixels.div_ceil(UNIT) as u32;
        let permit = self.pixels.clone().acquire_many_owned(units).await;
        permit.map_err(|_| Problem::Busy)
    }
}

/// How images are looked at.
pub struct Looker {
    /// None where the landmarks are not of faces.
    pub detector: Option<SeetaFace>,
    pub layout: String,
    pub rule: CropRule,
    pub most_faces: usize,
}

/// Width and height of what was sent.
///
/// # Errors
/// No image; one with too many pixels.
pub fn size(bytes: &[u8], asked: &Asked) -> Result<(u32, u32), Problem> {
    size_in_header(bytes, &asked.name).map_err(unreadable)
}

impl Looker {
    /// Decodes an image and finds its faces, or takes the boxes that were given.
    ///
    /// # Errors
    /// An image that cannot be decoded; a box that cannot be meant; no box where there is no detector.
    pub fn look(&self, bytes: Vec<u8>, asked: Asked) -> Result<Ready, Problem> {
        let path: PathBuf = asked.name;
        let decoded = decode_reporting(&bytes, &path).map_err(unreadable)?;
        drop(bytes);
        let image = decoded.image;
        let size = (f64::from(image.width()), f64::from(image.height()));
        let faces = match (&self.detector, &asked.boxes[..]) {
            (Some(detector), []) => {
                let found = detector.crops_turned(&image, &self.rule).map_err(|_| {
                    Problem::Failed(
                        "the face detector failed on this image; draw a box around the face instead".into(),
                    )
                })?;
                let most = found.into_iter().take(self.most_faces);
                most.map(|(face, crop)| (crop, Some(face))).collect()
            }
            (None, []) => {
                return Err(Problem::BoxNeeded {
                    layout: self.layout.clone(),
                });
            }
            (_, boxes) => boxes
                .iter()
                .map(|given| Ok((self.crop(given, size)?, None)))
                .collect::<Result<_, Problem>>()?,
        };
        Ok(Ready {
            path,
            image,
            truncated: decoded.truncated,
            faces,
        })
    }

    fn crop(&self, given: &GivenBox, (width, height): (f64, f64)) -> Result<CropBox, Problem> {
        let &GivenBox { x, y, w, h } = given;
        let wrong = |why: String| {
            Err(Problem::Query(format!(
                "the box {x},{y},{w},{h} {why}; the image is {width} x {height} pixels"
            )))
        };
        if x >= width || y >= height || x + w <= 0.0 || y + h <= 0.0 {
            return wrong("lies outside the image".into());
        }
        if w < LEAST_SIDE || h < LEAST_SIDE {
            return wrong(format!("is smaller than {LEAST_SIDE} pixels"));
        }
        if w > LARGEST * width || h > LARGEST * height {
            return wrong("is far larger than the image".into());
        }
        let crop = self.rule.crop_of_box(x, y, w, h);
        crop.map_err(|e| Problem::Query(e.to_string()))
    }
}

/// The page says which file it was. What is wrong with it is the rest of a sentence about it, or begins with a number of its own.
fn unreadable(error: DataError) -> Problem {
    Problem::Unreadable(match error {
        DataError::Image { message, .. } if message.starts_with(|c: char| c.is_ascii_digit()) => {
            message
        }
        DataError::Image { message, .. } => format!("this file {message}"),
        other => other.to_string(),
    })
}
