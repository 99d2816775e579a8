//! Reading golden sets, comparing tensors, and the networks with formula weights.

#![allow(dead_code)] // Each test binary uses its own part.

pub mod formula;
pub mod heap;
pub mod published;

use std::collections::BTreeSet;
use std::path::PathBuf;

use burn::backend::{Autodiff, Flex};
use burn::tensor::backend::Backend;
use burn::tensor::{DType, Tensor, TensorData};
use safetensors::SafeTensors;
use safetensors::tensor::Dtype;

pub type Plain = Flex;
pub type Diff = Autodiff<Flex>;

/// Where the golden sets are.
pub fn golden_dir() -> PathBuf {
    match std::env::var_os("STAR_GOLDEN_DIR") {
        Some(dir) => dir.into(),
        None => PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden"),
    }
}

/// The path of a file of the golden sets, which must exist.
pub fn golden_file(name: &str) -> PathBuf {
    let path = golden_dir().join(name);
    assert!(
        path.is_file(),
        "{} is missing: a golden set is a folder with all its files (STAR_GOLDEN_DIR)",
        path.display()
    );
    path
}

/// One golden set: arrays and scalars.
pub struct Golden {
    bytes: Vec<u8>,
    pub json: serde_json::Value,
}

impl Golden {
    pub fn open(name: &str) -> Self {
        let bytes = std::fs::read(golden_file(&format!("{name}.safetensors"))).unwrap();
        let json = std::fs::read(golden_file(&format!("{name}.json"))).unwrap();
        Self {
            bytes,
            json: serde_json::from_slice(&json).unwrap(),
        }
    }

    fn file(&self) -> SafeTensors<'_> {
        SafeTensors::deserialize(&self.bytes).unwrap()
    }

    /// All keys, sorted.
    pub fn keys(&self) -> BTreeSet<String> {
        self.file().names().into_iter().map(String::from).collect()
    }

    /// The parts of keys before the first slash.
    pub fn cases(&self) -> BTreeSet<String> {
        let first = |key: String| key.split('/').next().unwrap_or_default().to_string();
        self.keys().into_iter().map(first).collect()
    }

    /// Keys under `prefix/`, without it.
    pub fn under(&self, prefix: &str) -> Vec<String> {
        let prefix = format!("{prefix}/");
        let keys = self.keys().into_iter();
        keys.filter_map(|key| key.strip_prefix(&prefix).map(String::from))
            .collect()
    }

    pub fn has(&self, key: &str) -> bool {
        self.file().tensor(key).is_ok()
    }

    pub fn data(&self, key: &str) -> TensorData {
        let file = self.file();
        let view = file.tensor(key).unwrap_or_else(|e| panic!("{key}: {e}"));
        let dtype = match view.dtype() {
            Dtype::F64 => DType::F64,
            Dtype::F32 => DType::F32,
            Dtype::I64 => DType::I64,
            Dtype::I32 => DType::I32,
            Dtype::U8 => DType::U8,
            other => panic!("{key}: {other:?}"),
        };
        TensorData::from_bytes_vec(view.data().to_vec(), view.shape().to_vec(), dtype)
    }

    pub fn shape(&self, key: &str) -> Vec<usize> {
        self.data(key).shape.to_vec()
    }

    pub fn values(&self, key: &str) -> Vec<f64> {
        self.data(key).iter::<f64>().collect()
    }

    pub fn tensor<B: Backend, const D: usize>(&self, key: &str) -> Tensor<B, D> {
        Tensor::from_data(self.data(key).convert::<f32>(), &Default::default())
    }

    /// `image_u8_bhwc_bgr` of a case as the network's input.
    pub fn images<B: Backend>(&self, case: &str) -> Tensor<B, 4> {
        let images: Tensor<B, 4> = self.tensor(&format!("{case}/image_u8_bhwc_bgr"));
        ((images - 127.5) / 127.5).permute([0, 3, 1, 2])
    }

    /// A number of the JSON file, by the keys on the way to it.
    pub fn number(&self, path: &[&str]) -> f64 {
        let mut value = &self.json;
        for key in path {
            value = &value[key];
        }
        value
            .as_f64()
            .unwrap_or_else(|| panic!("{path:?} is no number but {value}"))
    }
}

pub fn floats<B: Backend, const D: usize>(tensor: Tensor<B, D>) -> Vec<f64> {
    tensor.into_data().iter::<f64>().collect()
}

/// Numbers in ±1 that are the same in every run, whatever other tests draw.
#[derive(Clone)]
pub struct Draws {
    seed: u64,
    drawn: u64,
}

impl Draws {
    pub fn new(seed: u64) -> Self {
        Self { seed, drawn: 0 }
    }

    pub fn numbers(&mut self, shape: &[usize]) -> TensorData {
        let first = self.drawn;
        self.drawn += shape.iter().product::<usize>() as u64;
        let number = |i| 2.0 * formula::uniform("numbers", self.seed, i) - 1.0;
        let values: Vec<f32> = (first..self.drawn).map(|i| number(i) as f32).collect();
        TensorData::new(values, shape.to_vec())
    }

    pub fn tensor<B: Backend, const D: usize>(&mut self, shape: [usize; D]) -> Tensor<B, D> {
        Tensor::from_data(self.numbers(&shape), &Default::default())
    }
}

/// The largest difference.
pub fn distance(a: &[f64], b: &[f64]) -> f64 {
    assert_eq!(a.len(), b.len(), "different lengths");
    a.iter().zip(b).fold(0.0, |worst, (a, b)| {
        let d = (a - b).abs();
        if d.is_nan() {
            f64::INFINITY
        } else {
            d.max(worst)
        }
    })
}

/// Fails where two arrays differ by more than `tolerance`; gives the difference.
#[track_caller]
pub fn assert_close(what: &str, found: &[f64], expected: &[f64], tolerance: f64) -> f64 {
    let d = distance(found, expected);
    assert!(
        d <= tolerance,
        "{what}: off by {d:.3e}, more than {tolerance:.1e}"
    );
    d
}

/// A tolerance for values computed in f32: `factor` units in the last place of the largest value, and a little.
pub fn relative(expected: &[f64], factor: f64) -> f64 {
    let largest = expected.iter().fold(0.0f64, |m, v| m.max(v.abs()));
    factor * largest * f64::from(f32::EPSILON) + 1e-6
}

/// Mean, maximum and (biased) standard deviation of every map of `[batch, maps, h, w]`.
pub fn map_stats<B: Backend>(maps: Tensor<B, 4>) -> Vec<f64> {
    let [_, _, h, w] = maps.dims();
    floats(maps)
        .chunks(h * w)
        .flat_map(|map| {
            let n = map.len() as f64;
            let mean = map.iter().sum::<f64>() / n;
            let max = map.iter().fold(f64::NEG_INFINITY, |m, v| m.max(*v));
            let var = map.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n;
            [mean, max, var.sqrt()]
        })
        .collect()
}
