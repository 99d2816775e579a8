//! Everything here against what the published program computes.

mod golden_tests {
    pub mod decoder;
    pub mod modules;
    pub mod networks;
}
mod support;
