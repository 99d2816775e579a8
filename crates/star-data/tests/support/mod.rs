//! Reads the golden vectors.

use std::path::PathBuf;

use image::RgbImage;
use safetensors::SafeTensors;
use serde_json::Value;
use star_data::{Affine, Point};

/// The folder of the golden vectors: `STAR_GOLDEN_DIR`, or the fixtures beside this file.
pub fn golden_dir() -> PathBuf {
    std::env::var_os("STAR_GOLDEN_DIR").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden"),
        PathBuf::from,
    )
}

fn read(name: &str) -> Vec<u8> {
    let path = golden_dir().join(name);
    std::fs::read(&path)
        .unwrap_or_else(|e| panic!("golden file {} cannot be read: {e}", path.display()))
}

/// `NAME.safetensors` and `NAME.json`.
pub struct Golden {
    bytes: Vec<u8>,
    pub json: Value,
}

impl Golden {
    pub fn load(name: &str) -> Self {
        let json = serde_json::from_slice(&read(&format!("{name}.json"))).expect("golden JSON");
        Self {
            bytes: read(&format!("{name}.safetensors")),
            json,
        }
    }

    fn tensors(&self) -> SafeTensors<'_> {
        SafeTensors::deserialize(&self.bytes).expect("golden safetensors")
    }

    pub fn has(&self, key: &str) -> bool {
        self.tensors().tensor(key).is_ok()
    }

    /// All keys, sorted.
    pub fn keys(&self) -> Vec<String> {
        let tensors = self.tensors();
        let mut keys: Vec<String> = tensors.names().into_iter().map(String::from).collect();
        keys.sort();
        keys
    }

    /// What stands before `suffix` in the keys that end with it.
    pub fn cases(&self, prefix: &str, suffix: &str) -> Vec<String> {
        let cases: Vec<String> = (self.keys().iter())
            .filter_map(|key| Some(key.strip_prefix(prefix)?.strip_suffix(suffix)?.to_string()))
            .collect();
        assert!(!cases.is_empty(), "no golden case {prefix}*{suffix}");
        cases
    }

    pub fn shape(&self, key: &str) -> Vec<usize> {
        let tensors = self.tensors();
        let tensor = tensors
            .tensor(key)
            .unwrap_or_else(|e| panic!("golden key {key}: {e}"));
        tensor.shape().to_vec()
    }

    /// Any number type as f64.
    pub fn numbers(&self, key: &str) -> Vec<f64> {
        let tensors = self.tensors();
        let tensor = tensors
            .tensor(key)
            .unwrap_or_else(|e| panic!("golden key {key}: {e}"));
        let data = tensor.data();
        use safetensors::Dtype::{F32, F64, I32, U8};
        match tensor.dtype() {
            U8 => data.iter().map(|&v| f64::from(v)).collect(),
            F32 => words(data)
                .map(|w| f64::from(f32::from_le_bytes(w)))
                .collect(),
            I32 => words(data)
                .map(|w| f64::from(i32::from_le_bytes(w)))
                .collect(),
            F64 => words(data).map(f64::from_le_bytes).collect(),
            other => panic!("golden key {key} has type {other:?}"),
        }
    }

    pub fn bytes(&self, key: &str) -> Vec<u8> {
        self.numbers(key).into_iter().map(|v| v as u8).collect()
    }

    /// `[.., 2]`.
    pub fn points(&self, key: &str) -> Vec<Point> {
        assert_eq!(self.shape(key).last(), Some(&2), "{key} is not points");
        let values = self.numbers(key);
        values
            .chunks_exact(2)
            .map(|p| Point::new(p[0], p[1]))
            .collect()
    }

    /// `[.., 3, 3]`; `None` where the map is not affine.
    pub fn matrices_if_affine(&self, key: &str) -> Vec<Option<Affine>> {
        assert!(self.shape(key).ends_with(&[3, 3]), "{key} is not matrices");
        let values = self.numbers(key);
        let affine = |m: &[f64]| {
            (m[6..9] == [0.0, 0.0, 1.0])
                .then(|| Affine::new([[m[0], m[1], m[2]], [m[3], m[4], m[5]]]))
        };
        values.chunks_exact(9).map(affine).collect()
    }

    /// `[.., 3, 3]`.
    pub fn matrices(&self, key: &str) -> Vec<Affine> {
        self.matrices_if_affine(key)
            .into_iter()
            .map(|m| m.unwrap_or_else(|| panic!("{key} is not affine")))
            .collect()
    }

    pub fn matrix(&self, key: &str) -> Affine {
        self.matrices(key)[0]
    }

    /// `[h, w, 3]` BGR, as an RGB image.
    pub fn image(&self, key: &str) -> RgbImage {
        let shape = self.shape(key);
        assert_eq!(shape.len(), 3, "{key} is not an image");
        image_from_bgr(&self.bytes(key), shape[1], shape[0])
    }
}

fn words<const N: usize>(data: &[u8]) -> impl Iterator<Item = [u8; N]> {
    data.chunks_exact(N)
        .map(|w| w.try_into().expect("whole words"))
}

pub fn image_from_bgr(bgr: &[u8], width: usize, height: usize) -> RgbImage {
    let rgb = bgr
        .chunks_exact(3)
        .flat_map(|p| [p[2], p[1], p[0]])
        .collect();
    RgbImage::from_raw(width as u32, height as u32, rgb).expect("image size")
}

/// Swaps red and blue of bytes in pixel order.
pub fn swap_red_blue(bytes: &[u8]) -> Vec<u8> {
    bytes
        .chunks_exact(3)
        .flat_map(|p| [p[2], p[1], p[0]])
        .collect()
}

pub fn number(value: &Value) -> f64 {
    value
        .as_f64()
        .unwrap_or_else(|| panic!("{value} is not a number"))
}

pub fn numbers(value: &Value) -> Vec<f64> {
    value
        .as_array()
        .unwrap_or_else(|| panic!("{value} is not a list"))
        .iter()
        .map(number)
        .collect()
}

pub fn object(value: &Value) -> &serde_json::Map<String, Value> {
    value
        .as_object()
        .unwrap_or_else(|| panic!("{value} is not an object"))
}

/// Largest and mean absolute difference; the lengths must agree and there must be something to compare.
pub fn difference(ours: &[f64], theirs: &[f64]) -> (f64, f64) {
    assert_eq!(ours.len(), theirs.len(), "lengths differ");
    assert!(!ours.is_empty(), "nothing to compare");
    let mut max = 0.0_f64;
    let mut sum = 0.0;
    for (a, b) in ours.iter().zip(theirs) {
        let d = (a - b).abs();
        assert!(d.is_finite(), "{a} against {b}");
        max = max.max(d);
        sum += d;
    }
    (max, sum / ours.len() as f64)
}

pub fn assert_close(what: &str, ours: &[f64], theirs: &[f64], tolerance: f64) {
    let (max, _) = difference(ours, theirs);
    assert!(
        max <= tolerance,
        "{what}: off by {max}, more than {tolerance}"
    );
}

pub fn assert_points_close(what: &str, ours: &[Point], theirs: &[Point], tolerance: f64) {
    let flat = |points: &[Point]| points.iter().flat_map(|p| [p.x, p.y]).collect::<Vec<_>>();
    assert_close(what, &flat(ours), &flat(theirs), tolerance);
}

/// f32 storage and f32 arithmetic of the published program: relative to the matrix's own size.
pub fn assert_matrix_close(what: &str, ours: &Affine, theirs: &Affine, relative: f64) {
    for (a, b) in ours.rows.iter().flatten().zip(theirs.rows.iter().flatten()) {
        let tolerance = relative * (1.0 + b.abs());
        assert!(
            (a - b).abs() <= tolerance,
            "{what}: {ours:?} against {theirs:?}"
        );
    }
}

pub fn levels(image: &RgbImage) -> Vec<f64> {
    image.as_raw().iter().map(|&v| f64::from(v)).collect()
}
