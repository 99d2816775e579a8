//! Images are read, and looked for faces, ahead of the network: a bounded number, in parallel, in order.

use std::{
    path::{Path, PathBuf},
    sync::mpsc::{Receiver, sync_channel},
    thread::Scope,
};

use image::RgbImage;
use rayon::prelude::*;
use star_data::{
    CropBox, CropRule,
    decode::{Decoded, decode_file_reporting},
};
use star_infer::detect::{Detector, FaceBox};

use super::item::{Faces, GivenBox, Item, Source};
use crate::error::CliError;

/// Images that are in memory together, times two: one chunk is read while the other is predicted.
const MOST_IMAGES: usize = 16;
/// Pixels that a chunk may have, one image aside, however large it is.
const MOST_PIXELS: u64 = 48 * 1024 * 1024;

/// An image in memory and the crops of its faces; the detector's box beside a crop that is made of one.
pub struct Ready {
    pub path: PathBuf,
    pub image: RgbImage,
    /// The file ends before the image does.
    pub truncated: bool,
    pub faces: Vec<(CropBox, Option<FaceBox>)>,
}

/// An image that is ready, or what is wrong with it.
pub type Prepared = Result<Ready, CliError>;

/// How faces are found.
pub struct Prepare<'a> {
    /// None leaves images without faces: somebody else looks for them.
    pub detector: Option<&'a dyn Detector>,
    pub boxes: &'a [GivenBox],
    pub max_faces: Option<usize>,
    pub upright_only: bool,
    pub rule: CropRule,
}

impl Prepare<'_> {
    fn prepare(&self, item: Item) -> Prepared {
        let (path, image, truncated) = match item.source {
            Source::File(path) => {
                let Decoded { image, truncated } = decode_file_reporting(&path)?;
                (path, image, truncated)
            }
            Source::Frame { name, image } => (name, image, false),
            Source::Broken { name, message } => {
                return Err(CliError::Usage(format!("{}: {message}", name.display())));
            }
        };
        let faces = match item.faces {
            Faces::Crops(crops) => crops.into_iter().map(|crop| (crop, None)).collect(),
            Faces::Boxes => self
                .boxes
                .iter()
                .map(|b| Ok((self.crop_of(b, &image, &path)?, None)))
                .collect::<Result<_, CliError>>()?,
            Faces::Find => match self.detector {
                Some(detector) => self
                    .find(detector, &image, &path)?
                    .into_iter()
                    .map(|(face, crop)| (crop, Some(face)))
                    .collect(),
                None => Vec::new(),
            },
        };
        Ok(Ready {
            path,
            image,
            truncated,
            faces,
        })
    }

    /// The most prominent faces of an image.
    fn find(
        &self,
        detector: &dyn Detector,
        image: &RgbImage,
        path: &Path,
    ) -> Result<Vec<(FaceBox, CropBox)>, CliError> {
        let found = if self.upright_only {
            detector.crops(image, &self.rule)
        } else {
            detector.crops_turned(image, &self.rule)
        };
        let mut faces = found.map_err(|e| CliError::Usage(format!("{}: {e}", path.display())))?;
        faces.truncate(self.max_faces.unwrap_or(usize::MAX));
        Ok(faces)
    }

    fn crop_of(&self, face: &GivenBox, image: &RgbImage, path: &Path) -> Result<CropBox, CliError> {
        let (width, height) = (f64::from(image.width()), f64::from(image.height()));
        let &GivenBox { x, y, w, h } = face;
        if x >= width || y >= height || x + w <= 0.0 || y + h <= 0.0 {
            return Err(CliError::Usage(format!(
                "{}: the box {x},{y},{w},{h} lies outside the image, which is {width} x {height} pixels. Write --box as x,y,w,h with \
                 x and y the top left corner.",
                path.display()
            )));
        }
        Ok(self.rule.crop_of_box(x, y, w, h)?)
    }
}

/// Starts reading; the chunks come in the order of the items. Dropping the receiver ends it.
pub fn start<'scope>(
    scope: &'scope Scope<'scope, '_>,
    items: impl Iterator<Item = Item> + Send + 'scope,
    prepare: &'scope Prepare<'scope>,
) -> Receiver<Vec<Prepared>> {
    // Without room between: the next chunk is handed over when the one before is done.
    let (sender, receiver) = sync_channel(0);
    scope.spawn(move || {
        let mut items = items.peekable();
        while items.peek().is_some() {
            let (mut chunk, mut pixels) = (Vec::new(), 0);
            while chunk.len() < MOST_IMAGES && pixels < MOST_PIXELS {
                let Some(item) = items.next() else { break };
                pixels += item.pixels();
                chunk.push(item);
            }
            let ready = chunk.into_par_iter().map(|i| prepare.prepare(i)).collect();
            if sender.send(ready).is_err() {
                return;
            }
        }
    });
    receiver
}
