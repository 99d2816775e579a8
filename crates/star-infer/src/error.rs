//! What can go wrong between a photo and its landmarks.

use std::path::PathBuf;

/// Why there are no landmarks.
#[derive(Debug, thiserror::Error)]
pub enum InferError {
    /// An image, a layout or a crop that cannot be used.
    #[error(transparent)]
    Data(#[from] star_data::DataError),
    /// Weights that cannot be read or written.
    #[error(transparent)]
    Model(#[from] star_model::ModelError),
    /// A weights file that lacks something besides the numbers, or has it in a form that cannot be read.
    #[error("{}: {what}", path.display())]
    WeightsFile {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it, and what to do.
        what: String,
    },
    /// The face detector failed.
    #[error("the face detector failed: {0}")]
    Detector(String),
    /// Something failed on the device; its memory may have run out.
    #[error("the device failed: {0}")]
    Device(String),
    /// A crop that has no size.
    #[error("the box has no size")]
    EmptyBox,
}

impl InferError {
    /// The same with the image's name, where it is the detector's.
    #[must_use]
    pub fn on_image(self, image: &std::path::Path) -> Self {
        match self {
            Self::Detector(what) => Self::Detector(format!("{}: {what}", image.display())),
            other => other,
        }
    }
}
