//! Reading the golden vectors: a folder of `NAME.safetensors` and `NAME.json`.
#![allow(dead_code)] // each test binary uses a part

use std::path::PathBuf;

use burn::{
    backend::{Autodiff, Flex},
    tensor::{Tensor, TensorData, backend::Backend},
};
use safetensors::{Dtype, SafeTensors};
use serde_json::Value;

pub type Inner = Flex;
pub type Ad = Autodiff<Flex>;

/// One set of golden vectors.
pub struct Golden {
    bytes: Vec<u8>,
    pub json: Value,
}

impl Golden {
    /// Reads a set from `STAR_GOLDEN_DIR`, else from the fixtures.
    pub fn load(name: &str) -> Self {
        let dir = std::env::var_os("STAR_GOLDEN_DIR")
            .map(PathBuf::from)
            .unwrap_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden"));
        let read = |file: String| {
            let path = dir.join(file);
            std::fs::read(&path)
                .unwrap_or_else(|e| panic!("golden vectors {}: {e}", path.display()))
        };
        let json = serde_json::from_slice(&read(format!("{name}.json"))).expect("golden JSON");
        Self {
            bytes: read(format!("{name}.safetensors")),
            json,
        }
    }

    /// All arrays' names.
    pub fn names(&self) -> Vec<String> {
        let set = SafeTensors::deserialize(&self.bytes).expect("golden arrays");
        set.names().into_iter().map(|n| n.to_string()).collect()
    }

    /// Shape and values of an array, if the set has it.
    pub fn find(&self, name: &str) -> Option<(Vec<usize>, Vec<f64>)> {
        let set = SafeTensors::deserialize(&self.bytes).expect("golden arrays");
        let view = set.tensor(name).ok()?;
        let values = match view.dtype() {
            Dtype::F32 => view
                .data()
                .as_chunks()
                .0
                .iter()
                .map(|&b| f32::from_le_bytes(b) as f64)
                .collect(),
            Dtype::F64 => view
                .data()
                .as_chunks()
                .0
                .iter()
                .map(|&b| f64::from_le_bytes(b))
                .collect(),
            other => panic!("{name}: unexpected dtype {other:?}"),
        };
        Some((view.shape().to_vec(), values))
    }

    pub fn get(&self, name: &str) -> (Vec<usize>, Vec<f64>) {
        self.find(name)
            .unwrap_or_else(|| panic!("golden array {name} is missing"))
    }
}

/// A number of the JSON, where NaN and infinities are strings.
pub fn number(v: &Value) -> f64 {
    match v {
        Value::Number(n) => n.as_f64().expect("number"),
        Value::String(s) => s.parse().unwrap_or_else(|_| panic!("not a number: {s}")),
        Value::Null => f64::NAN,
        other => panic!("not a number: {other}"),
    }
}

pub fn numbers(v: &Value) -> Vec<f64> {
    v.as_array().expect("list").iter().map(number).collect()
}

pub fn object(v: &Value) -> &serde_json::Map<String, Value> {
    v.as_object().expect("object")
}

pub fn tensor<B: Backend, const D: usize>(values: &[f64], shape: [usize; D]) -> Tensor<B, D> {
    let values: Vec<f32> = values.iter().map(|&v| v as f32).collect();
    Tensor::from_data(TensorData::new(values, shape), &B::Device::default())
}

pub fn values<B: Backend, const D: usize>(t: Tensor<B, D>) -> Vec<f64> {
    t.into_data().iter::<f64>().collect()
}

/// |a - b| / |b| (L2), or |a - b| where b is 0.
pub fn relative_error(a: &[f64], b: &[f64]) -> f64 {
    assert_eq!(a.len(), b.len());
    let distance = a
        .iter()
        .zip(b)
        .map(|(a, b)| (a - b).powi(2))
        .sum::<f64>()
        .sqrt();
    let size = b.iter().map(|b| b * b).sum::<f64>().sqrt();
    if size > 0.0 {
        distance / size
    } else {
        distance
    }
}
