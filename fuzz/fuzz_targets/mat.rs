//! COFW's MATLAB files.
#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;
use star_data::prepare::{CofwMat, CofwSplit};

fuzz_target!(|bytes: &[u8]| {
    if let Ok(faces) = CofwMat::from_bytes(bytes.to_vec(), Path::new("fuzz"), CofwSplit::Train) {
        for face in faces.flatten() {
            assert_eq!(face.landmarks.len(), 29);
        }
    }
});
