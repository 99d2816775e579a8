//! Reads the golden vectors (tests/golden, or STAR_GOLDEN_DIR; its README has the schema).

use std::path::{Path, PathBuf};

use burn::tensor::{DType, Tensor, TensorData, backend::Backend};
use safetensors::{Dtype, SafeTensors};
use serde_json::Value;

/// A file of the golden set. Without STAR_GOLDEN_DIR, files that another crate tests too are read from its fixtures.
pub fn golden_file(name: &str) -> PathBuf {
    let own = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let folders = match std::env::var_os("STAR_GOLDEN_DIR") {
        Some(dir) => vec![PathBuf::from(dir)],
        None => ["", "../star-data", "../star-model"]
            .map(|c| own.join(c).join("tests/golden"))
            .to_vec(),
    };
    folders
        .iter()
        .map(|folder| folder.join(name))
        .find(|path| path.exists())
        .unwrap_or_else(|| panic!("golden file {name} is in none of {folders:?}"))
}

/// `NAME.safetensors` and `NAME.json`.
pub struct Golden {
    bytes: Vec<u8>,
    pub json: Value,
}

impl Golden {
    pub fn open(name: &str) -> Self {
        let read = |path: &Path| std::fs::read(path).expect("golden file");
        Self {
            bytes: read(&golden_file(&format!("{name}.safetensors"))),
            json: serde_json::from_slice(&read(&golden_file(&format!("{name}.json"))))
                .expect("golden JSON"),
        }
    }

    fn file(&self) -> SafeTensors<'_> {
        SafeTensors::deserialize(&self.bytes).expect("golden safetensors")
    }

    /// Names of the arrays under `prefix`, without it.
    pub fn under(&self, prefix: &str) -> Vec<String> {
        let mut names: Vec<String> = self
            .file()
            .names()
            .into_iter()
            .filter_map(|name| name.strip_prefix(prefix).map(String::from))
            .collect();
        names.sort();
        assert!(!names.is_empty(), "no golden array under {prefix}");
        names
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

    pub fn values(&self, key: &str) -> Vec<f64> {
        self.data(key).iter::<f64>().collect()
    }

    pub fn tensor<B: Backend, const D: usize>(&self, key: &str) -> Tensor<B, D> {
        Tensor::from_data(self.data(key).convert::<f32>(), &Default::default())
    }
}

/// A number of the JSON, where NaN and infinities are strings.
pub fn number(value: &Value) -> f64 {
    match value {
        Value::String(text) => text.parse().expect("nan, inf or -inf"),
        other => other
            .as_f64()
            .unwrap_or_else(|| panic!("{other} is no number")),
    }
}

#[track_caller]
pub fn assert_close(what: &str, found: f64, expected: f64, tolerance: f64) {
    let same = found == expected || (found.is_nan() && expected.is_nan());
    assert!(
        same || (found - expected).abs() <= tolerance,
        "{what}: {found} instead of {expected} (tolerance {tolerance:e})"
    );
}

/// Bytes of the images array `[batch, h, w, 3]` (BGR) as the network's input.
pub fn input<B: Backend>(golden: &Golden, key: &str) -> Tensor<B, 4> {
    let images: Tensor<B, 4> = golden.tensor(key);
    ((images - 127.5) / 127.5).permute([0, 3, 1, 2])
}
