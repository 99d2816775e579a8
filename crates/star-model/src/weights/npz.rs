//! NumPy archives: a zip of `.npy` files, entries stored as they are.

use std::path::Path;

use burn::tensor::{DType, TensorData};

use super::crc32::crc32;
use super::state::PublishedState;
use super::write_file;
use crate::error::ModelError;

const LOCAL: u32 = 0x0403_4b50;
const CENTRAL: u32 = 0x0201_4b50;
const END: u32 = 0x0605_4b50;
/// Stored entries ask for version 1.0 of the format.
const VERSION: u16 = 10;
/// 1 January 1980, the earliest that a zip can say: the same weights make the same file.
const DATE: u16 = 0x21;
/// An array's numbers begin at a multiple of this.
const ALIGNMENT: usize = 64;

/// Writes a published state as an archive that `numpy.load` reads, each tensor under its name; whole or not at all.
///
/// Tensors keep their type; NumPy has no bf16, so those become f32.
///
/// # Errors
/// [`ModelError::Io`] if the file cannot be written, [`ModelError::Format`] if there is more than a zip's 4 GiB or 65,535 entries,
/// or a tensor of a type that NumPy lacks.
pub fn write_npz(state: &PublishedState, path: impl AsRef<Path>) -> Result<(), ModelError> {
    let path = path.as_ref();
    let bytes = archive(state).map_err(|what| ModelError::Format {
        path: path.into(),
        what,
    })?;
    write_file(path, &bytes)
}

fn archive(state: &PublishedState) -> Result<Vec<u8>, String> {
    let too_large =
        || "a NumPy archive ends at 4 GiB and 65,535 tensors: write safetensors".to_owned();
    let small = |n: usize| u32::try_from(n).map_err(|_| too_large());
    let mut file = Vec::new();
    let mut directory = Vec::new();
    for (name, data) in state.tensors() {
        let content = npy(data).ok_or_else(|| format!("`{name}` is of type {:?}", data.dtype))?;
        let name = format!("{name}.npy");
        let offset = small(file.len())?;

        // What the entry's own header and its line in the directory share.
        let mut fields = Vec::new();
        for short in [VERSION, 0, 0, 0, DATE] {
            fields.extend(short.to_le_bytes());
        }
        let size = small(content.len())?;
        for long in [crc32(&content), size, size] {
            fields.extend(long.to_le_bytes());
        }
        let length = u16::try_from(name.len()).map_err(|_| too_large())?;
        for short in [length, 0] {
            fields.extend(short.to_le_bytes());
        }

        file.extend(LOCAL.to_le_bytes());
        file.extend_from_slice(&fields);
        file.extend(name.as_bytes());
        file.extend(content);

        directory.extend(CENTRAL.to_le_bytes());
        directory.extend(VERSION.to_le_bytes());
        directory.extend_from_slice(&fields);
        // No comment, first disk, no attributes.
        directory.extend([0; 2 + 2 + 2 + 4]);
        directory.extend(offset.to_le_bytes());
        directory.extend(name.as_bytes());
    }
    let count = u16::try_from(state.tensors().len()).map_err(|_| too_large())?;
    let (start, size) = (small(file.len())?, small(directory.len())?);
    file.extend(directory);
    file.extend(END.to_le_bytes());
    for short in [0, 0, count, count] {
        file.extend(short.to_le_bytes());
    }
    file.extend(size.to_le_bytes());
    file.extend(start.to_le_bytes());
    file.extend(0u16.to_le_bytes());
    Ok(file)
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
