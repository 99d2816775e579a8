//! From a data set as it is handed out to the TSV lists that training reads.
//!
//! Preparing reads every picture once, so that a damaged one is found now and not in epoch 3. It never changes the data set, and the
//! same data set gives the same bytes.

mod custom;
mod gather;
mod ibug300w;
mod lists;
mod pts;
mod report;
mod wflw;

pub use custom::{CustomConfig, find_points, prepare_custom};
pub use ibug300w::prepare_300w;
pub use pts::{parse_pts, read_pts};
pub use report::{Complaint, PrepareReport, SplitReport, Spread};
pub use wflw::prepare_wflw;

use serde::{Deserialize, Serialize};

use crate::crop::CropRule;

/// Settings of preparing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PrepareConfig {
    /// How scale and centre follow from the landmarks' box. [`CropRule::LISTS`] and [`CropRule::DEMO`] are the published conventions.
    pub crop: CropRule,
}
