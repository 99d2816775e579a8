//! The recipe's `train.precision`, and whether a device has it.

use burn::tensor::{
    DType,
    backend::{Backend, DTypeUsage},
};
use serde::{Deserialize, Serialize};
use star_model::{Bf16Support, Compute};

use crate::error::TrainError;

/// What the convolutions of a training step multiply. Weights, norms, losses, covariances and Adam are `f32` in any case, and so is
/// every evaluation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// `f32`, never less.
    F32,
    /// `f32`; a GPU may round factors to 10 bits where its tensor cores ask for it.
    #[default]
    Tf32,
    /// `bf16`, of 8 bits.
    Bf16,
}

impl Precision {
    /// As recipes write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::Tf32 => "tf32",
            Self::Bf16 => "bf16",
        }
    }

    /// How the network is to be trained on a device.
    ///
    /// # Errors
    /// When the device cannot keep to it.
    pub fn on<B: Backend>(self, device: &B::Device) -> Result<Compute, TrainError> {
        let refuse = |why: &str| {
            Err(TrainError::Recipe(format!(
                "train.precision = \"{}\" on {}: {why}",
                self.name(),
                plain_name(&B::name(device))
            )))
        };
        match self {
            // Burn 0.21 picks kernels by their speed alone.
            Self::F32 if B::dtype_usage(device, DType::F32).contains(DTypeUsage::Accelerated) => {
                refuse(
                    "its tensor cores multiply f32 after rounding it, and nothing switches that off. \
                     Set \"tf32\" (the default), which allows it, or train on another backend",
                )
            }
            Self::F32 | Self::Tf32 => Ok(Compute::F32),
            Self::Bf16 if Bf16Support::of::<B>(device) == Bf16Support::None => refuse(
                "it does not know bf16. Set \"tf32\" (the default), or train with --backend cuda; --backend flex rounds as bf16 does, \
                 to try a recipe with",
            ),
            Self::Bf16 => Ok(Compute::Bf16),
        }
    }
}

/// The backend in `autodiff<fusion<cubecl<cuda>>>`.
fn plain_name(name: &str) -> &str {
    let inner = ["autodiff<", "fusion<", "cubecl<"];
    let name = (inner.iter()).fold(name, |name, outer| name.strip_prefix(outer).unwrap_or(name));
    name.split(['<', '>']).next().unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::plain_name;

    #[test]
    fn names_that_people_type() {
        for (burns, ours) in [
            ("autodiff<fusion<cubecl<cuda>>>", "cuda"),
            ("fusion<cubecl<wgpu<wgsl>>>", "wgpu"),
            ("autodiff<ndarray>", "ndarray"),
            ("flex", "flex"),
        ] {
            assert_eq!(plain_name(burns), ours);
        }
    }
}
