//! Annotation files.
#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;
use star_data::{Layout, tsv::parse_tsv};

fuzz_target!(|bytes: &[u8]| {
    let layout = Layout::builtin("cofw29").expect("built in");
    if let Ok(rows) = parse_tsv(bytes, Path::new("fuzz"), &layout) {
        assert!(rows.iter().all(|row| row.landmarks.len() == layout.points));
    }
});
