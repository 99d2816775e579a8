//! Weights with everything needed to use them inside: network, layout, where they come from.

use std::{collections::BTreeMap, path::Path};

use burn::tensor::backend::Backend;
use star_data::{CropRule, Layout};
use star_model::{
    Prepared, StarNet, StarNetConfig,
    weights::{LoadedWeights, load_weights, load_weights_bytes, save_weights},
};

use crate::error::InferError;

const LAYOUT_KEY: &str = "star.layout";
const CROP_KEY: &str = "star.crop";
const PROVENANCE_KEY: &str = "star.provenance";

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

/// Writes weights, whole or not at all; `provenance` says which weights of which run they are.
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
    Ok(TrainedNet {
        crop,
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
            net: self.net.prepare(),
            layout: self.layout,
            crop: self.crop,
            provenance: self.provenance,
        }
    }

    /// The network, if it is the one that a recipe describes.
    ///
    /// # Errors
    /// A network of another shape or layout.
    pub fn net_for(
        self,
        config: &StarNetConfig,
        layout: &Layout,
    ) -> Result<StarNet<B>, InferError> {
        let same = StarNetConfig {
            input_size: config.input_size,
            ..self.config.clone()
        };
        if same.to_string() != config.to_string() || self.layout.points != layout.points {
            return Err(InferError::OtherNetwork {
                found: self.config.to_string(),
                expected: config.to_string(),
            });
        }
        Ok(self.net)
    }
}

impl<B: Backend> PreparedNet<B> {
    /// The faces that the weights were selected on, where their provenance says so (`.. weights of epoch 3, NME 4.2 % on held-out`).
    pub fn selected_on(&self) -> Option<&str> {
        let (_, faces) = self.provenance.rsplit_once(" % on ")?;
        Some(faces)
    }
}
