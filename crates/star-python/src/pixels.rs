//! Images in and out: rows of RGB bytes from the top.

use std::path::{Path, PathBuf};

use image::RgbImage;
use pyo3::{PyResult, Python, exceptions::PyValueError, pybacked::PyBackedBytes, pyfunction};

use crate::failure::raised;

/// An image as it comes from Python: bytes, width, height.
pub type Given = (PyBackedBytes, u32, u32);
/// An image as it goes there.
pub type Taken = (Vec<u8>, u32, u32);

/// Python's side has checked the shape, so that this fails for nobody who calls it.
pub fn image((bytes, width, height): &Given) -> PyResult<RgbImage> {
    RgbImage::from_raw(*width, *height, bytes.to_vec()).ok_or_else(|| {
        PyValueError::new_err(format!(
            "{} bytes are no RGB image of {width} x {height} pixels",
            bytes.len()
        ))
    })
}

/// Of an image that is done with.
pub fn taken(image: RgbImage) -> Taken {
    let (width, height) = image.dimensions();
    (image.into_raw(), width, height)
}

/// Decodes a JPEG, PNG, BMP or WebP file, upright.
#[pyfunction]
pub fn read_image(py: Python<'_>, path: PathBuf) -> PyResult<Taken> {
    let decoded = py.detach(|| star_infer::decode_file(Path::new(&path)));
    decoded.map(taken).map_err(raised)
}
