//! Landmarks of one's own as CSV.
#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;
use star_data::{Layout, prepare::parse_points};

fuzz_target!(|bytes: &[u8]| {
    let layout = Layout::builtin("cofw29").expect("built in");
    if let Ok(file) = parse_points(bytes, Path::new("fuzz.csv"), &layout) {
        assert!(file.faces.iter().all(|face| face.len() == layout.points));
    }
});
