//! The networks that ship, inside the crate.

use std::path::Path;

use burn::tensor::backend::Backend;

use crate::{
    error::InferError,
    weights_file::{TrainedNet, read_weights_bytes},
};

/// Which of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pretrained {
    /// 68 points of the iBUG layout, 0.24 million parameters; `models/ibug68-small.md` has its figures, limits and terms.
    Ibug68Small,
}

impl Pretrained {
    /// The name of its file.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ibug68Small => "ibug68-small",
        }
    }

    /// Its weights file.
    pub fn bytes(self) -> &'static [u8] {
        match self {
            Self::Ibug68Small => include_bytes!("../../../models/ibug68-small.safetensors"),
        }
    }

    /// The network.
    ///
    /// # Errors
    /// Where the device fails.
    pub fn read<B: Backend>(self, device: &B::Device) -> Result<TrainedNet<B>, InferError> {
        let name = format!("{}.safetensors", self.name());
        read_weights_bytes(self.bytes(), Path::new(&name), device)
    }
}
