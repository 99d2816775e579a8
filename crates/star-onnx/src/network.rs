//! The network as a graph, from the image to the last stack's heatmaps.

use burn::tensor::backend::Backend;
use star_model::coord::{BOUNDARY_CHANNELS, BOUNDARY_THRESHOLD, COORD_CHANNELS, coordinates};
use star_model::{DEPTH, StarNet, StarNetConfig, batch_norm::EPSILON};

use crate::error::OnnxError;
use crate::graph::{Attribute, Float, Graph, border};
use crate::proto::GraphProto;
use crate::readout::read_out;
use crate::weights::Weights;
use crate::{IMAGE, OUTPUTS, Options};

pub fn graph<B: Backend>(net: &StarNet<B>, options: &Options) -> Result<GraphProto, OnnxError> {
    let config = net.config();
    let mut writer = Writer {
        graph: Graph::default(),
        weights: Weights::of(net),
        config,
        float: if options.half { Float::F16 } else { Float::F32 },
    };
    let heatmaps = writer.network()?;
    let (size, side, points) = (config.input_size, config.heatmap_size(), config.points);
    let mut graph = writer.graph;
    let [landmarks, _, covariance] = OUTPUTS;
    read_out(&mut graph, &heatmaps, [points, side], landmarks, covariance)?;
    let input = border(
        IMAGE,
        &[3, size, size],
        "blue, green, red of the crop, each (value - 127.5) / 127.5",
    );
    let outputs: [(&[usize], &str); 3] = [
        (
            &[points, 2],
            "(x, y) of each point: -1 and 1 are the outer borders of the crop's first and last pixels",
        ),
        (
            &[points, side, side],
            "what the landmarks are read off, not normalised",
        ),
        (
            &[points, 2, 2],
            "of each heatmap as a distribution, in the unit of the landmarks, squared: times (size / 2)^2 in pixels of the crop",
        ),
    ];
    let outputs = OUTPUTS.iter().zip(outputs);
    let outputs = outputs.map(|(name, (sides, meaning))| border(name, sides, meaning));
    Ok(graph.finish("star", vec![input], outputs.collect()))
}

struct Writer<'a> {
    graph: Graph,
    weights: Weights,
    config: &'a StarNetConfig,
    /// Of the features.
    float: Float,
}

/// The coordinate channels for every image of a batch, `[batch, 3, side, side]`.
struct Coordinates {
    image: String,
    features: String,
}

/// A stack's maps.
struct Maps {
    /// f32, before the mask.
    heatmaps: String,
    /// Point maps and edge maps, with attention.
    aam: Option<[String; 2]>,
}

impl Writer<'_> {
    /// The last stack's heatmaps, f32.
    fn network(&mut self) -> Result<String, OnnxError> {
        let [_, heatmaps, _] = OUTPUTS;
        let stacks = self.config.stacks;
        let coords = match self.config.coord {
            true => Some(self.coordinates()?),
            false => None,
        };
        let mut x = self.stem(coords.as_ref())?;
        let mut previous: Option<String> = None;
        for stack in 0..stacks {
            let y = self.hourglass(stack, &x, coords.as_ref(), previous.as_deref())?;
            let y = self.block(&format!("features.{stack}.0"), &y)?;
            let name = format!("features.{stack}.1");
            let features =
                self.conv_norm_relu(&format!("{name}.conv"), &format!("{name}.bn"), &y, 1)?;
            let last = stack + 1 == stacks;
            let masked = last && self.config.aam;
            let maps = self.maps(stack, &features, (last && !masked).then_some(heatmaps))?;
            if masked {
                return self.mask(&maps, heatmaps);
            }
            if !last {
                x = self.merge(stack, &x, &features, &maps)?;
            }
            previous = Some(maps.heatmaps);
        }
        previous.ok_or_else(|| OnnxError::Tensor("out_heatmaps.0.conv.weight".into()))
    }

    fn stem(&mut self, coords: Option<&Coordinates>) -> Result<String, OnnxError> {
        let mut x = IMAGE.to_owned();
        if self.float == Float::F16 {
            x = self.graph.cast(&x, Float::F16, "image.f16");
        }
        if let Some(coords) = coords {
            x = self.concatenate(&[&x, &coords.image], "pre.coordinates");
        }
        let x = self.conv_norm_relu("pre.0.conv", "pre.0.bn", &x, 2)?;
        let x = self.block("pre.1", &x)?;
        let x = self.pool(&x, "pre.2");
        let x = self.block("pre.3", &x)?;
        self.block("pre.4", &x)
    }

    fn hourglass(
        &mut self,
        stack: usize,
        x: &str,
        coords: Option<&Coordinates>,
        previous: Option<&str>,
    ) -> Result<String, OnnxError> {
        let mut name = format!("hgs.{stack}");
        let mut x = x.to_owned();
        if let Some(coords) = coords {
            let mut parts = vec![x, coords.features.clone()];
            if let Some(heatmaps) = previous {
                parts.push(self.lit(heatmaps, &name)?);
            }
            let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
            let parts = self.concatenate(&parts, &format!("{name}.coordinates"));
            x = self.conv(&format!("{name}.coordconv.conv"), None, &parts, 1)?;
        }
        let mut levels = Vec::with_capacity(DEPTH);
        for _ in 0..DEPTH {
            let skip = self.block(&format!("{name}.up1"), &x)?;
            let small = self.pool(&x, &format!("{name}.pool"));
            x = self.block(&format!("{name}.low1"), &small)?;
            levels.push((name.clone(), skip));
            name.push_str(".low2");
        }
        x = self.block(&name, &x)?;
        for (name, skip) in levels.into_iter().rev() {
            let small = self.block(&format!("{name}.low3"), &x)?;
            let large = self.enlarge(&small, &format!("{name}.up2"))?;
            x = self.add(&skip, &large, &format!("{name}.out"));
        }
        Ok(x)
    }

    /// Norm, ReLU, convolution, three times, and the input added. The norms behind the first two convolutions are part of them.
    fn block(&mut self, name: &str, x: &str) -> Result<String, OnnxError> {
        let y = self.norm(&format!("{name}.bn1"), x)?;
        let y = self.relu(&y);
        let y =
            self.conv_norm_relu(&format!("{name}.conv1.conv"), &format!("{name}.bn2"), &y, 1)?;
        let y =
            self.conv_norm_relu(&format!("{name}.conv2.conv"), &format!("{name}.bn3"), &y, 1)?;
        let y = self.conv(&format!("{name}.conv3.conv"), None, &y, 1)?;
        let skip = format!("{name}.skip_layer.conv");
        let x = if self.weights.has(&format!("{skip}.weight")) {
            self.conv(&skip, None, x, 1)?
        } else {
            x.to_owned()
        };
        Ok(self.add(&y, &x, &format!("{name}.out")))
    }

    /// What is read off a stack's features; `heatmaps` names the graph's output, if these are it.
    fn maps(
        &mut self,
        stack: usize,
        features: &str,
        heatmaps: Option<&str>,
    ) -> Result<Maps, OnnxError> {
        let last = stack + 1 == self.config.stacks;
        let name = format!("out_heatmaps.{stack}");
        let mut heat = self.conv(&format!("{name}.conv"), None, features, 1)?;
        if self.float == Float::F16 {
            heat = self.graph.cast(&heat, Float::F32, &format!("{name}.f32"));
        }
        // Sums over thousands of pixels: f32 in any file.
        let ones = self.graph.repeated(1.0, self.config.points, Float::F32)?;
        let zeros = self.graph.repeated(0.0, self.config.points, Float::F32)?;
        let epsilon = [Attribute::Float("epsilon", EPSILON as f32)];
        let normal = self.graph.node(
            "InstanceNormalization",
            &[&heat, &ones, &zeros],
            &format!("{name}.norm"),
            &epsilon,
        );
        let own = format!("{name}.relu");
        let heatmaps = heatmaps.unwrap_or(&own);
        let heatmaps = self.graph.node("Relu", &[&normal], heatmaps, &[]);
        let aam = if self.config.aam {
            let names = ["point", "edge"].map(|what| format!("out_{what}maps.{stack}"));
            let [points, edges] = names.map(|name| {
                if last {
                    self.exact_sigmoid(&name, features)
                } else {
                    self.sigmoid(&name, features)
                }
            });
            Some([points?, edges?])
        } else {
            None
        };
        Ok(Maps { heatmaps, aam })
    }

    fn sigmoid(&mut self, name: &str, features: &str) -> Result<String, OnnxError> {
        let y = self.conv(&format!("{name}.conv"), None, features, 1)?;
        let output = format!("{name}.sigmoid");
        Ok(self.graph.node("Sigmoid", &[&y], &output, &[]))
    }

    /// The sigmoid by its definition, f32. ONNX Runtime's operator is an approximation, good beside 1 and not beside values that are
    /// small themselves: with it, landmarks of maps with a small mask everywhere were off by 1.6e-4.
    fn exact_sigmoid(&mut self, name: &str, features: &str) -> Result<String, OnnxError> {
        let mut y = self.conv(&format!("{name}.conv"), None, features, 1)?;
        let named = |what: &str| format!("{name}.{what}");
        if self.float == Float::F16 {
            y = self.graph.cast(&y, Float::F32, &named("f32"));
        }
        let y = self.graph.node("Neg", &[&y], &named("negative"), &[]);
        let y = self.graph.node("Exp", &[&y], &named("exponential"), &[]);
        let one = self.graph.number(1.0)?;
        let y = self
            .graph
            .node("Add", &[&y, &one], &named("denominator"), &[]);
        let output = named("sigmoid");
        Ok(self.graph.node("Reciprocal", &[&y], &output, &[]))
    }

    /// Heatmaps times what their point and its edges say, f32.
    fn mask(&mut self, maps: &Maps, output: &str) -> Result<String, OnnxError> {
        let Some([points, edges]) = &maps.aam else {
            return Ok(maps.heatmaps.clone());
        };
        let edges = self.conv_as(Float::F32, "e2h_transform", None, edges, 1)?;
        let mask = self.graph.node("Mul", &[&edges, points], "mask", &[]);
        let inputs = [mask.as_str(), &maps.heatmaps];
        Ok(self.graph.node("Mul", &inputs, output, &[]))
    }

    /// The next stack's input.
    fn merge(
        &mut self,
        stack: usize,
        x: &str,
        features: &str,
        maps: &Maps,
    ) -> Result<String, OnnxError> {
        let mut heatmaps = maps.heatmaps.clone();
        if self.float == Float::F16 {
            heatmaps = self
                .graph
                .cast(&heatmaps, Float::F16, &format!("{heatmaps}.f16"));
        }
        let mut parts = vec![("features", features), ("heatmaps", &heatmaps)];
        if let Some([points, edges]) = &maps.aam {
            parts.extend([("pointmaps", points.as_str()), ("edgemaps", edges)]);
        }
        let mut x = x.to_owned();
        for (what, maps) in parts {
            let name = format!("merge_{what}.{stack}");
            let y = self.conv(&format!("{name}.conv"), None, maps, 1)?;
            x = self.add(&x, &y, &format!("{name}.out"));
        }
        Ok(x)
    }

    /// Row, column and radius for every image of the batch: of the image's pixels and of the features'.
    fn coordinates(&mut self) -> Result<Coordinates, OnnxError> {
        let shape = self.graph.node("Shape", &[IMAGE], "image.shape", &[]);
        let [zero, one] = [0, 1].map(|at| self.graph.integers(&[at]));
        let batch = self
            .graph
            .node("Slice", &[&shape, &zero, &one, &zero], "batch", &[]);
        Ok(Coordinates {
            image: self.coordinates_of(self.config.input_size, &batch)?,
            features: self.coordinates_of(self.config.heatmap_size(), &batch)?,
        })
    }

    fn coordinates_of(&mut self, side: usize, batch: &str) -> Result<String, OnnxError> {
        let one = self.coordinate_channels(side, COORD_CHANNELS)?;
        let sides = [COORD_CHANNELS, side, side].map(|side| side as i64);
        let sides = self.graph.integers(&sides);
        let axis = [Attribute::Int("axis", 0)];
        let shape = format!("coordinates.{side}.shape");
        let shape = self.graph.node("Concat", &[batch, &sides], &shape, &axis);
        let output = format!("coordinates.{side}.batch");
        Ok(self.graph.node("Expand", &[&one, &shape], &output, &[]))
    }

    /// Row and column where the last heatmap of the stack before is lit, else 0: `[batch, 2, side, side]`.
    fn lit(&mut self, heatmaps: &str, name: &str) -> Result<String, OnnxError> {
        let last = self.config.points as i64;
        let [from, to, axis] = [last - 1, last, 1].map(|at| self.graph.integers(&[at]));
        let map = format!("{name}.lit.heatmap");
        let map = self
            .graph
            .node("Slice", &[heatmaps, &from, &to, &axis], &map, &[]);
        let threshold = self.graph.number(BOUNDARY_THRESHOLD as f32)?;
        let lit = format!("{name}.lit");
        let lit = self
            .graph
            .node("GreaterOrEqual", &[&map, &threshold], &lit, &[]);
        let lit = self
            .graph
            .cast(&lit, self.float, &format!("{name}.lit.number"));
        let coords = self.coordinate_channels(self.config.heatmap_size(), BOUNDARY_CHANNELS)?;
        let output = format!("{name}.lit.coordinates");
        Ok(self.graph.node("Mul", &[&lit, &coords], &output, &[]))
    }

    /// The first few of row, column and radius, `[1, channels, side, side]`.
    fn coordinate_channels(&mut self, side: usize, channels: usize) -> Result<String, OnnxError> {
        let mut values = vec![0f32; channels * side * side];
        for pixel in 0..side * side {
            let at = coordinates([pixel / side, pixel % side], [side, side]);
            for (channel, value) in at.into_iter().take(channels).enumerate() {
                values[channel * side * side + pixel] = value;
            }
        }
        let name = format!("coordinates.{side}.{channels}");
        self.graph
            .floats(&name, &[1, channels, side, side], &values, self.float)
    }

    fn conv(
        &mut self,
        name: &str,
        norm: Option<&str>,
        x: &str,
        stride: i64,
    ) -> Result<String, OnnxError> {
        self.conv_as(self.float, name, norm, x, stride)
    }

    fn conv_as(
        &mut self,
        float: Float,
        name: &str,
        norm: Option<&str>,
        x: &str,
        stride: i64,
    ) -> Result<String, OnnxError> {
        let conv = self.weights.conv(name, norm)?;
        let [output, _, height, width] = conv.dims;
        let [weight, bias] = ["weight", "bias"].map(|part| format!("{name}.{part}"));
        self.graph
            .floats(&weight, &conv.dims, &conv.weight, float)?;
        self.graph.floats(&bias, &[output], &conv.bias, float)?;
        let [h, w] = [height, width].map(|side| side as i64);
        let attributes = [
            Attribute::Ints("kernel_shape", &[h, w]),
            Attribute::Ints("pads", &[h / 2, w / 2, h / 2, w / 2]),
            Attribute::Ints("strides", &[stride, stride]),
        ];
        Ok(self
            .graph
            .node("Conv", &[x, &weight, &bias], name, &attributes))
    }

    fn conv_norm_relu(
        &mut self,
        name: &str,
        norm: &str,
        x: &str,
        stride: i64,
    ) -> Result<String, OnnxError> {
        let y = self.conv(name, Some(norm), x, stride)?;
        Ok(self.relu(&y))
    }

    /// A norm that no convolution is in front of. As ONNX has norms, with a mean of 0 and a variance of 1 behind which only scale
    /// and shift are left: runtimes know how to fuse it.
    fn norm(&mut self, name: &str, x: &str) -> Result<String, OnnxError> {
        let norm = self.weights.norm(name)?;
        let channels = norm.scale.len();
        let scale = format!("{name}.scale");
        let shift = format!("{name}.shift");
        self.graph
            .floats(&scale, &[channels], &norm.scale, self.float)?;
        self.graph
            .floats(&shift, &[channels], &norm.shift, self.float)?;
        let mean = self.graph.repeated(0.0, channels, self.float)?;
        let variance = self.graph.repeated(1.0, channels, self.float)?;
        let inputs = &[x, &scale, &shift, &mean, &variance];
        let epsilon = [Attribute::Float("epsilon", 0.0)];
        Ok(self
            .graph
            .node("BatchNormalization", inputs, name, &epsilon))
    }

    fn relu(&mut self, x: &str) -> String {
        self.graph.node("Relu", &[x], &format!("{x}.relu"), &[])
    }

    fn add(&mut self, x: &str, y: &str, output: &str) -> String {
        self.graph.node("Add", &[x, y], output, &[])
    }

    fn concatenate(&mut self, parts: &[&str], output: &str) -> String {
        let axis = [Attribute::Int("axis", 1)];
        self.graph.node("Concat", parts, output, &axis)
    }

    /// The largest of 2x2 pixels.
    fn pool(&mut self, x: &str, output: &str) -> String {
        let attributes = [
            Attribute::Ints("kernel_shape", &[2, 2]),
            Attribute::Ints("strides", &[2, 2]),
        ];
        self.graph.node("MaxPool", &[x], output, &attributes)
    }

    /// Every pixel four times.
    fn enlarge(&mut self, x: &str, output: &str) -> Result<String, OnnxError> {
        let scales =
            self.graph
                .floats("constant.enlarge", &[4], &[1.0, 1.0, 2.0, 2.0], Float::F32)?;
        let attributes = [
            Attribute::Text("mode", "nearest"),
            Attribute::Text("coordinate_transformation_mode", "asymmetric"),
            Attribute::Text("nearest_mode", "floor"),
        ];
        Ok(self
            .graph
            .node("Resize", &[x, "", &scales], output, &attributes))
    }
}
