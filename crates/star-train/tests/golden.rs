//! The protocol against the published program's golden vectors.

#[path = "golden_tests/dataset.rs"]
mod dataset;
#[path = "golden_tests/figures.rs"]
mod figures;
#[path = "../../star-model/tests/support/formula.rs"]
mod formula;
#[path = "golden_tests/network.rs"]
mod network;
#[path = "golden_tests/optimiser.rs"]
mod optimiser;
mod support;
