//! Images that follow each other.

use std::path::PathBuf;

use burn::tensor::backend::Backend;
use star_data::CropBox;
use star_infer::{
    View,
    detect::{Detector, SeetaFace},
    track::Tracker,
};

use super::{
    ahead::Ready,
    done::{Done, DoneFace},
    stills::Network,
};
use crate::error::CliError;

pub struct Video<'a, B: Backend> {
    pub network: Network<'a, B>,
    pub detector: &'a SeetaFace,
    pub tracker: Tracker,
    pub max_faces: Option<usize>,
    /// Folder and size of the frame before.
    pub place: Option<(PathBuf, (u32, u32))>,
}

impl<B: Backend> Video<'_, B> {
    pub fn predict(&mut self, frames: Vec<Ready>) -> Result<Vec<Done>, CliError> {
        frames.into_iter().map(|f| self.frame(f)).collect()
    }

    fn frame(&mut self, Ready { path, image, .. }: Ready) -> Result<Done, CliError> {
        // Another folder, or another size, is another video.
        let folder = path.parent().map(PathBuf::from).unwrap_or_default();
        let place = Some((folder, image.dimensions()));
        if self.place != place {
            self.tracker.reset();
            self.place = place;
        }
        let found = self.tracker.frame(
            |crops: &[CropBox]| {
                let view = |&crop| View::upright(&image, crop);
                self.network
                    .ask(&crops.iter().map(view).collect::<Vec<_>>())
            },
            || {
                let mut faces = self
                    .detector
                    .crops(&image, &self.network.rule)
                    .map_err(|e| e.on_image(&path))?;
                faces.truncate(self.max_faces.unwrap_or(usize::MAX));
                Ok(faces)
            },
        )?;
        let faces = found
            .into_iter()
            .map(|face| DoneFace {
                track: Some(face.id),
                detected: face.detected,
                crop: face.crop,
                prediction: face.prediction,
            })
            .collect();
        Ok(Done { path, image, faces })
    }
}
