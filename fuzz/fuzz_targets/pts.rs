//! iBUG's `.pts` files.
#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;
use star_data::prepare::parse_pts;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(points) = parse_pts(bytes, Path::new("fuzz"), 68) {
        assert_eq!(points.len(), 68);
    }
});
