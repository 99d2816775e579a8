//! Everything here against what the published program computes.

#[path = "golden_tests/decoder.rs"]
mod decoder;
#[path = "golden_tests/modules.rs"]
mod modules;
#[path = "golden_tests/networks.rs"]
mod networks;
mod support;
