//! A network's numbers as the graph needs them: norms behind a convolution multiplied into it, the others as scale and shift.

use std::collections::HashMap;

use burn::tensor::TensorData;
use burn::tensor::backend::Backend;
use star_model::{StarNet, batch_norm::EPSILON, named_tensors};

use crate::error::OnnxError;

/// All tensors by their published names.
pub struct Weights(HashMap<String, TensorData>);

/// A convolution.
pub struct Conv {
    /// `[output, input, kernel, kernel]`
    pub weight: Vec<f32>,
    pub bias: Vec<f32>,
    pub dims: [usize; 4],
}

/// A norm in evaluation: `x * scale + shift`, a number a channel.
pub struct Norm {
    pub scale: Vec<f32>,
    pub shift: Vec<f32>,
}

impl Weights {
    pub fn of<B: Backend>(net: &StarNet<B>) -> Self {
        Self(named_tensors(net).into_iter().collect())
    }

    pub fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// The convolution `name`, with the norm of its output, if there is one, multiplied in.
    pub fn conv(&self, name: &str, norm: Option<&str>) -> Result<Conv, OnnxError> {
        let [weight, bias] = ["weight", "bias"].map(|part| format!("{name}.{part}"));
        let shape = self.0.get(&weight).map(|data| &data.shape[..]);
        let Some(&[output, input, height, width]) = shape else {
            return Err(OnnxError::Tensor(weight));
        };
        let dims = [output, input, height, width];
        let mut weight = self.numbers(&weight, dims.iter().product())?;
        let mut bias = self.numbers(&bias, output)?;
        if let Some(norm) = norm {
            let Norm { scale, shift } = self.norm(norm)?;
            if scale.len() != output {
                return Err(OnnxError::Tensor(name.into()));
            }
            let length = input * height * width;
            for (weights, scale) in weight.chunks_exact_mut(length.max(1)).zip(&scale) {
                weights.iter_mut().for_each(|weight| *weight *= scale);
            }
            for ((bias, scale), shift) in bias.iter_mut().zip(&scale).zip(&shift) {
                *bias = *bias * scale + shift;
            }
        }
        Ok(Conv { weight, bias, dims })
    }

    /// The norm `name` by its running statistics.
    pub fn norm(&self, name: &str) -> Result<Norm, OnnxError> {
        let weight = format!("{name}.weight");
        let channels = self.0.get(&weight).map_or(0, TensorData::num_elements);
        let part = |part| self.numbers(&format!("{name}.{part}"), channels);
        let mean = part("running_mean")?;
        let mut scale = self.numbers(&weight, channels)?;
        for (scale, variance) in scale.iter_mut().zip(part("running_var")?) {
            *scale /= (variance + EPSILON as f32).sqrt();
        }
        let mut shift = part("bias")?;
        for ((shift, mean), scale) in shift.iter_mut().zip(mean).zip(&scale) {
            *shift -= mean * scale;
        }
        Ok(Norm { scale, shift })
    }

    fn numbers(&self, name: &str, count: usize) -> Result<Vec<f32>, OnnxError> {
        let data = self.0.get(name);
        let data = data.filter(|data| data.num_elements() == count);
        let data = data.ok_or_else(|| OnnxError::Tensor(name.into()))?;
        Ok(data.iter::<f32>().collect())
    }
}
