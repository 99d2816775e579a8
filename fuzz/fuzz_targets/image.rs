//! Images of any kind.
#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;
use star_data::decode::decode_reporting;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(decoded) = decode_reporting(bytes, Path::new("fuzz")) {
        assert!(decoded.image.width() > 0 && decoded.image.height() > 0);
    }
});
