//! NumPy archives: a zip of `.npy` files, entries stored as they are.

use std::io::{Cursor, Write};
use std::path::Path;

use burn::tensor::{DType, TensorData};
use zip::write::{SimpleFileOptions, ZipWriter};
use zip::{CompressionMethod, DateTime};

use super::state::PublishedState;
use super::write_file;
use crate::error::ModelError;

/// An array's numbers begin at a multiple of this.
const ALIGNMENT: usize = 64;

/// Writes a published state as an archive that `numpy.load` reads, each tensor under its name; whole or not at all.
///
/// Tensors keep their type; NumPy has no bf16, so those become f32.
///
/// # Errors
/// [`ModelError::Io`] if the file cannot be written, [`ModelError::Format`] for a tensor of more than
/// 4 GiB, or of a type that NumPy lacks.
pub fn write_npz(state: &PublishedState, path: impl AsRef<Path>) -> Result<(), ModelError> {
    let path = path.as_ref();
    let bytes = archive(state).map_err(|what| ModelError::Format {
        path: path.into(),
        what,
    })?;
    write_file(path, &bytes)
}

fn archive(state: &PublishedState) -> Result<Vec<u8>, String> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    // All of 1 January 1980, the earliest that a zip can say: the same weights make the same file.
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Stored)
        .last_modified_time(DateTime::default());
    for (name, data) in state.tensors() {
        let content = npy(data).ok_or_else(|| format!("`{name}` is of type {:?}", data.dtype))?;
        if u32::try_from(content.len()).is_err() {
            return Err(format!(
                "`{name}` is larger than the 4 GiB of a NumPy array in an archive: write safetensors"
            ));
        }
        zip.start_file(format!("{name}.npy"), options)
            .map_err(|e| e.to_string())?;
        zip.write_all(&content).map_err(|e| e.to_string())?;
    }
    Ok(zip.finish().map_err(|e| e.to_string())?.into_inner())
}

/// One array as a `.npy` file of version 1.0.
fn npy(data: &TensorData) -> Option<Vec<u8>> {
    let converted;
    let (kind, data) = match data.dtype {
        DType::F64 => ("<f8", data),
        DType::F32 => ("<f4", data),
        DType::F16 => ("<f2", data),
        DType::I64 => ("<i8", data),
        DType::BF16 => {
            converted = data.clone().convert::<f32>();
            ("<f4", &converted)
        }
        _ => return None,
    };
    // A Python tuple: (), (64,), (64, 3, 7, 7).
    let shape: String = data.shape.iter().map(|d| format!("{d}, ")).collect();
    let shape = match data.shape.len() {
        1 => shape.trim_end().to_owned(),
        _ => shape.trim_end_matches(", ").to_owned(),
    };
    let mut header = format!("{{'descr': '{kind}', 'fortran_order': False, 'shape': ({shape}), }}");
    const PREFIX: usize = 10;
    let unpadded = PREFIX + header.len() + 1;
    let padding = unpadded.next_multiple_of(ALIGNMENT) - unpadded;
    header.extend(std::iter::repeat_n(' ', padding));
    header.push('\n');

    let mut file = b"\x93NUMPY\x01\x00".to_vec();
    file.extend(u16::try_from(header.len()).ok()?.to_le_bytes());
    file.extend(header.as_bytes());
    file.extend_from_slice(data.as_bytes());
    Some(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_array_is_what_numpy_writes() {
        // What numpy.save writes for np.array([[1, 2]], "<f4"), with a 64-byte aligned header.
        let file = npy(&TensorData::new(vec![1f32, 2.0], [1, 2])).unwrap();
        assert_eq!(&file[..8], b"\x93NUMPY\x01\x00");
        let length = usize::from(u16::from_le_bytes([file[8], file[9]]));
        assert_eq!((10 + length) % 64, 0);
        let header = std::str::from_utf8(&file[10..10 + length]).unwrap();
        assert!(
            header.starts_with("{'descr': '<f4', 'fortran_order': False, 'shape': (1, 2), }"),
            "{header}"
        );
        assert!(header.ends_with('\n'));
        assert_eq!(
            &file[10 + length..],
            [1f32.to_le_bytes(), 2f32.to_le_bytes()].concat()
        );
    }

    #[test]
    fn shapes_are_tuples() {
        for (shape, text) in [(vec![], "()"), (vec![3], "(3,)"), (vec![1, 3], "(1, 3)")] {
            let count = shape.iter().product::<usize>();
            let data = TensorData::new(vec![0f32; count], shape);
            let file = String::from_utf8_lossy(&npy(&data).unwrap()).into_owned();
            assert!(file.contains(&format!("'shape': {text}, }}")), "{file}");
        }
    }
}
