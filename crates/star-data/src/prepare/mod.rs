//! From a dataset as it is handed out to the annotation files that training reads.
//!
//! Preparing reads every image once, so that a damaged one is found now and not in epoch 3. It never changes the dataset (COFW's images,
//! which are inside its annotation files, are written to the annotation files' folder), and the
//! same dataset gives the same bytes.

mod cofw;
mod cofw_mat;
mod custom;
mod found;
mod ibug300w;
mod labels;
mod pts;
mod report;
mod wflw;
mod write;

pub use cofw::prepare_cofw;
pub use cofw_mat::{CofwFace, CofwMat, CofwSplit};
pub use custom::{CustomConfig, PointsFile, find_points, parse_points, prepare_custom};
pub use ibug300w::prepare_300w;
pub use labels::{
    ConvertConfig, ConvertReport, LabelFormat, Labels, Object, convert, parse_labels, read_labels,
};
pub use pts::{parse_pts, read_pts};
pub use report::{Complaint, PrepareReport, SplitReport, Spread};
pub use wflw::prepare_wflw;

use serde::{Deserialize, Serialize};

use crate::crop::CropRule;

/// Settings of preparing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PrepareConfig {
    /// How scale and centre follow from the landmarks' box. [`CropRule::PUBLISHED`] and [`CropRule::DEMO`] are the published conventions.
    pub crop: CropRule,
}
