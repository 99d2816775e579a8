//! Layouts; one that is accepted survives being written.
#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;
use star_data::Layout;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(layout) = Layout::from_toml_bytes(bytes, Path::new("fuzz")) {
        let again = Layout::from_toml_str(&layout.to_toml(), Path::new("written"));
        assert_eq!(again.expect("its own TOML"), layout);
    }
});
