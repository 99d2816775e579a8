//! Published checkpoints.
#![no_main]

use std::{io::Write, path::Path};

use burn::backend::Flex;
use libfuzzer_sys::fuzz_target;
use star_model::{PklWeights, import_pkl};

fuzz_target!(|bytes: &[u8]| {
    let mut file = tempfile::NamedTempFile::new().expect("a folder for temporary files");
    file.write_all(bytes).expect("room for it");
    let path: &Path = file.path();
    if let Ok(loaded) = import_pkl::<Flex>(path, PklWeights::Net, &Default::default()) {
        assert!(loaded.config.validate().is_ok());
    }
});
