//! What a network is made of and what it costs.

use std::fmt;

use crate::config::StarNetConfig;
use crate::layers::{Kind, Layers};

/// One layer of a network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LayerInfo {
    /// Its published name.
    pub name: String,
    /// Such as `conv 3x3`.
    pub kind: String,
    /// Channels, height and width of its output.
    pub output: [usize; 3],
    /// Trained numbers.
    pub parameters: usize,
    /// Multiplications with their additions, for one face; 0 for norms.
    pub multiply_adds: usize,
}

/// A network's layers and their sums.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelInfo {
    /// In the order of computation.
    pub layers: Vec<LayerInfo>,
    /// Trained numbers.
    pub used_parameters: usize,
    /// Running means and variances of the batch norms, which are not trained but moved.
    pub running_statistics: usize,
    /// Those and the ones of the skip convolutions that published files hold but no network uses.
    pub stored_parameters: usize,
    /// How many such convolutions there are.
    pub unused_convolutions: usize,
    /// Multiplications with their additions, for one face.
    pub multiply_adds: usize,
}

/// The table of a network, at the configured input size; nothing is built for it.
pub fn info(config: &StarNetConfig) -> ModelInfo {
    let Layers { layers, unused } = Layers::of(config);
    let unused_parameters: usize = unused.iter().map(|layer| layer.parameters()).sum();
    let running_statistics = layers
        .iter()
        .map(|layer| match layer.kind {
            Kind::BatchNorm { channels } => 2 * channels,
            _ => 0,
        })
        .sum();
    let layers: Vec<LayerInfo> = layers
        .into_iter()
        .map(|layer| LayerInfo {
            kind: match layer.kind {
                Kind::Conv { kernel, .. } => format!("conv {kernel}x{kernel}"),
                Kind::BatchNorm { .. } => "batch norm".into(),
                Kind::E2h { .. } => "edges to landmarks".into(),
            },
            output: [layer.channels(), layer.side, layer.side],
            parameters: layer.parameters(),
            multiply_adds: layer.multiply_adds(),
            name: layer.name,
        })
        .collect();
    let used_parameters: usize = layers.iter().map(|layer| layer.parameters).sum();
    ModelInfo {
        used_parameters,
        running_statistics,
        stored_parameters: used_parameters + unused_parameters,
        unused_convolutions: unused.len(),
        multiply_adds: layers.iter().map(|layer| layer.multiply_adds).sum(),
        layers,
    }
}

impl fmt::Display for ModelInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.layers.iter().map(|layer| layer.name.len());
        let wide = names.max().unwrap_or(0).max("layer".len());
        writeln!(
            f,
            "{:wide$}  {:18}  {:>15}  {:>12}  {:>15}",
            "layer", "kind", "output", "parameters", "multiply-adds"
        )?;
        for layer in &self.layers {
            let [channels, height, width] = layer.output;
            writeln!(
                f,
                "{:wide$}  {:18}  {:>15}  {:>12}  {:>15}",
                layer.name,
                layer.kind,
                format!("{channels}x{height}x{width}"),
                layer.parameters,
                layer.multiply_adds
            )?;
        }
        writeln!(
            f,
            "parameters: {:.2} M used (and {:.2} M running statistics), {:.2} M in a published file (with {} unused skip convolutions)",
            self.used_parameters as f64 / 1e6,
            self.running_statistics as f64 / 1e6,
            self.stored_parameters as f64 / 1e6,
            self.unused_convolutions
        )?;
        write!(
            f,
            "multiply-adds: {:.2} G a face",
            self.multiply_adds as f64 / 1e9
        )
    }
}
