//! Weights with everything needed to use them inside: network, layout, where they come from, what their covariances are worth.

use std::{collections::BTreeMap, path::Path};

use burn::tensor::backend::Backend;
use star_data::{CropRule, Layout};
use star_model::{
    ModelError, Prepared, StarNet, StarNetConfig,
    weights::{LoadedWeights, load_weights, load_weights_bytes, replace_entry, save_weights},
};

use crate::{
    covariance_scales::CovarianceScales,
    error::InferError,
    predict::{Refined, View, predict_passes},
};

const LAYOUT_KEY: &str = "star.layout";
const CROP_KEY: &str = "star.crop";
const PROVENANCE_KEY: &str = "star.provenance";
const COVARIANCE_KEY: &str = "star.covariance";

/// A network that was read from a file and is ready to predict: [`TrainedNet::prepare`].
pub struct PreparedNet<B: Backend> {
    /// The network, for predicting only.
    pub net: Prepared<B>,
    /// Its landmarks.
    pub layout: Layout,
    /// How the crops that it was trained on follow from a face's box.
    pub crop: CropRule,
    /// Which weights of which run these are.
    pub provenance: String,
    /// What its covariances are multiplied by; None leaves them as the heatmaps have them.
    pub covariance_scales: Option<CovarianceScales>,
}

/// A network that was read from a file.
pub struct TrainedNet<B: Backend> {
    /// The network, in evaluation.
    pub net: StarNet<B>,
    /// What it was built from.
    pub config: StarNetConfig,
    /// Its landmarks.
    pub layout: Layout,
    /// How the crops that it was trained on follow from a face's box.
    pub crop: CropRule,
    /// Which weights of which run these are.
    pub provenance: String,
    /// What its covariances are multiplied by; None leaves them as the heatmaps have them.
    pub covariance_scales: Option<CovarianceScales>,
}

/// What a weights file says besides the numbers.
#[derive(Clone, Copy, Debug)]
pub struct WeightsInfo<'a> {
    /// What the network is built from.
    pub config: &'a StarNetConfig,
    /// Its landmarks.
    pub layout: &'a Layout,
    /// How crops follow from boxes.
    pub crop: &'a CropRule,
}

/// Writes weights, whole or not at all; `provenance` says which weights of which run they are. They have no covariance scales, which are
/// measured on weights that are done: [`write_covariance_scales`].
///
/// # Errors
/// When the file cannot be written.
pub fn write_weights<B: Backend>(
    net: &StarNet<B>,
    info: WeightsInfo,
    provenance: &str,
    path: &Path,
) -> Result<(), InferError> {
    let crop = serde_json::to_string(info.crop).map_err(|e| InferError::WeightsFile {
        path: path.into(),
        what: e.to_string(),
    })?;
    let extra = BTreeMap::from([
        (LAYOUT_KEY.to_owned(), info.layout.to_toml()),
        (CROP_KEY.to_owned(), crop),
        (PROVENANCE_KEY.to_owned(), provenance.to_owned()),
    ]);
    Ok(save_weights(net, info.config, &extra, path)?)
}

/// Writes the weights file `from` with these covariance scales inside to `to`, whole or not at all; the two may be the same. All else stays
/// as it is, bit for bit.
///
/// # Errors
/// A file that is no weights file of ours; scales for another number of points; a place that cannot be written.
pub fn write_covariance_scales(
    from: &Path,
    scales: &CovarianceScales,
    to: &Path,
) -> Result<(), InferError> {
    let io = |path: &Path, source| ModelError::Io {
        path: path.into(),
        source,
    };
    let bytes = star_files::read_file(from, star_files::LARGE).map_err(|e| io(from, e))?;
    let text = scales.to_json().map_err(|what| InferError::WeightsFile {
        path: to.into(),
        what,
    })?;
    let calibrated = replace_entry(&bytes, from, COVARIANCE_KEY, Some(text))?;
    star_files::write_atomic(to, &calibrated).map_err(|e| io(to, e))?;
    Ok(())
}

/// Reads weights.
///
/// # Errors
/// A file that is missing, damaged or not ours; the message says which.
pub fn read_weights<B: Backend>(
    path: &Path,
    device: &B::Device,
) -> Result<TrainedNet<B>, InferError> {
    trained_net(load_weights::<B>(path, device)?, path)
}

/// Reads weights that are in memory; `name` stands for the file's name in messages.
///
/// # Errors
/// Bytes that are damaged or not ours.
pub fn read_weights_bytes<B: Backend>(
    bytes: &[u8],
    name: &Path,
    device: &B::Device,
) -> Result<TrainedNet<B>, InferError> {
    trained_net(load_weights_bytes::<B>(bytes, name, device)?, name)
}

fn trained_net<B: Backend>(
    loaded: LoadedWeights<B>,
    path: &Path,
) -> Result<TrainedNet<B>, InferError> {
    let layout = loaded.extra.get(LAYOUT_KEY).ok_or_else(|| InferError::WeightsFile {
        path: path.into(),
        what: "has no landmark layout inside. Published weights get one by `star model import X.pkl --layout NAME`.".into(),
    })?;
    let layout = Layout::from_toml_str(layout, path)?;
    let config = &loaded.config;
    if layout.points != config.points || (config.aam && layout.edge_points() != config.edges) {
        return Err(InferError::WeightsFile {
            path: path.into(),
            what: format!(
                "its network has {} points and {} edges, but the layout inside, {}, has {} and {}, or other points on them: one of the \
                 two was changed. Import the weights again with their own layout.",
                config.points,
                config.edges.len(),
                layout.name,
                layout.points,
                layout.edges.len()
            ),
        });
    }
    let crop = match loaded.extra.get(CROP_KEY) {
        None => CropRule::default(),
        Some(text) => serde_json::from_str(text).map_err(|e| InferError::WeightsFile {
            path: path.into(),
            what: format!("its crop rule cannot be read: {e}"),
        })?,
    };
    let covariance_scales = loaded.extra.get(COVARIANCE_KEY);
    let covariance_scales = covariance_scales
        .map(|text| CovarianceScales::from_json(text, config.points))
        .transpose()
        .map_err(|what| InferError::WeightsFile {
            path: path.into(),
            what: format!(
                "{what}. The file is damaged or was changed by hand: take another copy of it, or export or train it again."
            ),
        })?;
    Ok(TrainedNet {
        crop,
        covariance_scales,
        net: loaded.net,
        config: loaded.config,
        layout,
        provenance: loaded
            .extra
            .get(PROVENANCE_KEY)
            .cloned()
            .unwrap_or_default(),
    })
}

impl<B: Backend> TrainedNet<B> {
    /// Lays the weights out for predicting.
    pub fn prepare(self) -> PreparedNet<B> {
        PreparedNet {
            net: self.net.into_prepared(),
            layout: self.layout,
            crop: self.crop,
            provenance: self.provenance,
            covariance_scales: self.covariance_scales,
        }
    }

    /// Whether all of it can be taken for a network of this shape and layout: whatever the input size, and points of the same names where
    /// both layouts have names.
    pub fn is_for(&self, config: &StarNetConfig, layout: &Layout) -> bool {
        let same = StarNetConfig {
            input_size: config.input_size,
            ..self.config.clone()
        };
        let unnamed = self.layout.names.is_empty() || layout.names.is_empty();
        same.to_string() == config.to_string()
            && self.layout.points == layout.points
            && (unnamed || self.layout.names == layout.names)
    }
}

impl<B: Backend> PreparedNet<B> {
    /// As [`predict_passes`], with the covariances multiplied by the file's scales, if it has any.
    ///
    /// # Errors
    /// As there.
    pub fn predict_passes(
        &self,
        views: &[View],
        rule: &CropRule,
        passes: usize,
        batch: usize,
        device: &B::Device,
    ) -> Result<Vec<Refined>, InferError> {
        let mut all = predict_passes(&self.net, views, rule, passes, batch, device)?;
        if let Some(scales) = &self.covariance_scales {
            for face in &mut all {
                scales.apply(&mut face.prediction.covariance);
            }
        }
        Ok(all)
    }

    /// The faces that the weights were selected on, where their provenance says so (`.. weights of epoch 3, NME 4.2 % on held-out`).
    pub fn selected_on(&self) -> Option<&str> {
        let (_, faces) = self.provenance.rsplit_once(" % on ")?;
        Some(faces)
    }
}
