//! The network as a list of its layers, from the configuration alone: nothing is built.
//!
//! For the table of `info`, and for holding a file against a network before memory is spent on it. A test keeps it equal to
//! what is built.

use std::collections::BTreeMap;

use crate::config::{DEPTH, FEATURE_STRIDE, StarNetConfig};
use crate::net::coords;
use crate::stem::image_channels;

/// The last part of the name of a norm's counter of batches, which published files hold and nothing here counts.
pub(crate) const COUNTER: &str = "num_batches_tracked";

/// What a layer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Conv {
        input: usize,
        output: usize,
        kernel: usize,
    },
    BatchNorm {
        channels: usize,
    },
    /// The fixed weights from edges to landmarks.
    E2h {
        points: usize,
        edges: usize,
    },
}

/// One layer.
#[derive(Debug, Clone)]
pub(crate) struct Layer {
    /// The published name of its tensors without the last part.
    pub name: String,
    pub kind: Kind,
    /// Side of its output, pixels.
    pub side: usize,
}

impl Layer {
    /// Numbers that are trained.
    pub fn parameters(&self) -> usize {
        match self.kind {
            Kind::Conv {
                input,
                output,
                kernel,
            } => output * input * kernel * kernel + output,
            Kind::BatchNorm { channels } => 2 * channels,
            Kind::E2h { .. } => 0,
        }
    }

    /// Multiplications (with the additions) of one face; norms, activations and sums are left out.
    pub fn multiply_adds(&self) -> usize {
        let per_pixel = match self.kind {
            Kind::Conv {
                input,
                output,
                kernel,
            } => output * input * kernel * kernel,
            Kind::BatchNorm { .. } => 0,
            Kind::E2h { points, edges } => points * edges,
        };
        per_pixel * self.side * self.side
    }

    /// Channels of its output.
    pub fn channels(&self) -> usize {
        match self.kind {
            Kind::Conv { output, .. } => output,
            Kind::BatchNorm { channels } => channels,
            Kind::E2h { points, .. } => points,
        }
    }

    /// The last parts of its tensors' names, and their shapes.
    pub fn tensors(&self) -> Vec<(&'static str, Vec<usize>)> {
        match self.kind {
            Kind::Conv {
                input,
                output,
                kernel,
            } => vec![
                ("weight", vec![output, input, kernel, kernel]),
                ("bias", vec![output]),
            ],
            Kind::BatchNorm { channels } => ["weight", "bias", "running_mean", "running_var"]
                .map(|part| (part, vec![channels]))
                .into(),
            Kind::E2h { points, edges } => vec![
                ("weight", vec![points, edges, 1, 1]),
                ("bias", vec![points]),
            ],
        }
    }
}

/// All layers, in the order of computation.
pub(crate) struct Layers {
    pub layers: Vec<Layer>,
    /// The skip convolutions that published files hold and the network never uses (REFERENCE N5).
    pub unused: Vec<Layer>,
}

impl Layers {
    pub fn of(config: &StarNetConfig) -> Self {
        let mut layers = Self {
            layers: Vec::new(),
            unused: Vec::new(),
        };
        Self::each(config, &mut |layer, used| {
            let list = if used {
                &mut layers.layers
            } else {
                &mut layers.unused
            };
            list.push(layer);
        });
        layers
    }

    /// Hands out one layer after another, in the order of computation, and whether the network uses it. No list of them is
    /// made: what a file says its network is may be far larger than the file.
    pub fn each(config: &StarNetConfig, see: &mut dyn FnMut(Layer, bool)) {
        let mut layers = Walk(see);
        layers.stem(config);
        let side = config.input_size / FEATURE_STRIDE;
        let (channels, points, edges) = (config.channels, config.points, config.edges.len());
        for stack in 0..config.stacks {
            layers.hourglass(config, stack, side);
            layers.block(&format!("features.{stack}.0"), channels, channels, side);
            layers.conv(
                &format!("features.{stack}.1.conv"),
                channels,
                channels,
                1,
                side,
            );
            layers.norm(&format!("features.{stack}.1.bn"), channels, side);

            let last = stack + 1 == config.stacks;
            let mut head = |name: &str, output: usize| {
                layers.conv(
                    &format!("out_{name}.{stack}.conv"),
                    channels,
                    output,
                    1,
                    side,
                );
                if !last {
                    layers.conv(
                        &format!("merge_{name}.{stack}.conv"),
                        output,
                        channels,
                        1,
                        side,
                    );
                }
            };
            head("heatmaps", points);
            if config.aam {
                head("pointmaps", points);
                head("edgemaps", edges);
            }
            if !last {
                layers.conv(
                    &format!("merge_features.{stack}.conv"),
                    channels,
                    channels,
                    1,
                    side,
                );
            }
        }
        if config.aam {
            layers.push("e2h_transform", Kind::E2h { points, edges }, side);
        }
    }

    /// The shapes of the tensors that only published files hold: unused skip convolutions, and the norms' counters of batches,
    /// which have no dimensions.
    pub fn published_only(&self) -> BTreeMap<String, Vec<usize>> {
        let unused = self.unused.iter().flat_map(|layer| {
            let named = |(part, shape)| (format!("{}.{part}", layer.name), shape);
            layer.tensors().into_iter().map(named)
        });
        let norms = self.layers.iter();
        let norms = norms.filter(|layer| matches!(layer.kind, Kind::BatchNorm { .. }));
        let counters = norms.map(|layer| (format!("{}.{COUNTER}", layer.name), Vec::new()));
        unused.chain(counters).collect()
    }
}

/// The path through a network's layers.
struct Walk<'a>(&'a mut dyn FnMut(Layer, bool));

impl Walk<'_> {
    fn push(&mut self, name: &str, kind: Kind, side: usize) {
        self.give(name, kind, side, true);
    }

    fn give(&mut self, name: &str, kind: Kind, side: usize, used: bool) {
        let name = name.into();
        (self.0)(Layer { name, kind, side }, used);
    }

    fn conv(&mut self, name: &str, input: usize, output: usize, kernel: usize, side: usize) {
        let kind = Kind::Conv {
            input,
            output,
            kernel,
        };
        self.push(name, kind, side);
    }

    fn norm(&mut self, name: &str, channels: usize, side: usize) {
        self.push(name, Kind::BatchNorm { channels }, side);
    }

    fn block(&mut self, name: &str, input: usize, output: usize, side: usize) {
        let inner = output / 2;
        self.norm(&format!("{name}.bn1"), input, side);
        self.conv(&format!("{name}.conv1.conv"), input, inner, 1, side);
        self.norm(&format!("{name}.bn2"), inner, side);
        self.conv(&format!("{name}.conv2.conv"), inner, inner, 3, side);
        self.norm(&format!("{name}.bn3"), inner, side);
        self.conv(&format!("{name}.conv3.conv"), inner, output, 1, side);
        let skip = Kind::Conv {
            input,
            output,
            kernel: 1,
        };
        let name = format!("{name}.skip_layer.conv");
        self.give(&name, skip, side, input != output);
    }

    fn stem(&mut self, config: &StarNetConfig) {
        let half = config.input_size / 2;
        let quarter = config.input_size / FEATURE_STRIDE;
        let stem = config.stem;
        self.conv("pre.0.conv", image_channels(config.coord), stem, 7, half);
        self.norm("pre.0.bn", stem, half);
        self.block("pre.1", stem, 2 * stem, half);
        self.block("pre.3", 2 * stem, 2 * stem, quarter);
        self.block("pre.4", 2 * stem, config.channels, quarter);
    }

    fn hourglass(&mut self, config: &StarNetConfig, stack: usize, side: usize) {
        let channels = config.channels;
        let extra = coords(config.coord, stack).channels();
        if extra > 0 {
            let name = format!("hgs.{stack}.coordconv.conv");
            self.conv(&name, channels + extra, channels, 1, side);
        }
        let mut name = format!("hgs.{stack}");
        for level in 0..DEPTH {
            let (here, below) = (side >> level, side >> (level + 1));
            for (part, side) in [("up1", here), ("low1", below), ("low3", below)] {
                self.block(&format!("{name}.{part}"), channels, channels, side);
            }
            name.push_str(".low2");
        }
        self.block(&name, channels, channels, side >> DEPTH);
    }
}
