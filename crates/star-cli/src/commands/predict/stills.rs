//! Images that have nothing to do with each other: all their faces go through the network together.

use burn::tensor::backend::Backend;
use star_data::CropRule;
use star_infer::{InferError, PreparedNet, Refined, View, detect::Turn};

use super::{
    BATCH,
    ahead::Ready,
    done::{Done, DoneFace},
};
use crate::error::CliError;

/// The network and how it is asked.
pub struct Network<'a, B: Backend> {
    pub trained: &'a PreparedNet<B>,
    pub rule: CropRule,
    pub passes: usize,
    pub device: &'a B::Device,
}

impl<B: Backend> Network<'_, B> {
    pub fn ask(&self, views: &[View]) -> Result<Vec<Refined>, InferError> {
        (self.trained).predict_passes(views, &self.rule, self.passes, BATCH, self.device)
    }

    pub fn predict(&self, images: Vec<Ready>) -> Result<Vec<Done>, CliError> {
        let views: Vec<View> = images
            .iter()
            .flat_map(|p| {
                p.faces.iter().map(|(crop, detected)| View {
                    image: &p.image,
                    crop: *crop,
                    turn: detected.map_or(Turn::Upright, |face| face.turn),
                })
            })
            .collect();
        let mut answers = self.ask(&views)?.into_iter();
        Ok(images
            .into_iter()
            .map(|ready| Done {
                faces: ready
                    .faces
                    .iter()
                    .zip(answers.by_ref())
                    .map(|((_, detected), answer)| DoneFace {
                        track: None,
                        detected: *detected,
                        crop: answer.crop,
                        prediction: answer.prediction,
                    })
                    .collect(),
                path: ready.path,
                image: ready.image,
            })
            .collect())
    }
}
