//! The whole network.

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::Tensor;
use burn::tensor::backend::Backend;

use crate::compute::Compute;
use crate::config::{DEPTH, StarNetConfig};
use crate::conv::ConvConfig;
use crate::conv_block::ConvBlock;
use crate::decoder::decode;
use crate::error::ModelError;
use crate::heads::{Aam, instance_norm_relu};
use crate::hourglass::{Coords, Hourglass};
use crate::mode::Mode;
use crate::residual::ResBlock;
use crate::shapes::assert_shapes;
use crate::stem::{IMAGE_CHANNELS, Stem};

/// What is done to an hourglass's output before maps are read off it.
#[derive(Module, Debug)]
pub struct Features<B: Backend> {
    /// A block.
    pub block: ResBlock<B>,
    /// 1x1, batch norm, ReLU.
    pub conv: ConvBlock<B>,
}

/// The network of STAR (Zhou et al. 2023) and ADNet: stacked hourglasses that each give landmarks.
///
/// Built by [`StarNetConfig::init`]. Cloning shares the running statistics of batch norms between the copies, as everywhere
/// in Burn: use [`unshared`](Self::unshared) for a copy that is to live on its own.
#[derive(Module, Debug)]
pub struct StarNet<B: Backend> {
    /// Image to features.
    pub stem: Stem<B>,
    /// One a stack.
    pub hgs: Vec<Hourglass<B>>,
    /// One a stack.
    pub features: Vec<Features<B>>,
    /// One a stack.
    pub out_heatmaps: Vec<ConvBlock<B>>,
    /// Point and edge maps, all stacks.
    pub aam: Option<Aam<B>>,
    /// One between two stacks.
    pub merge_features: Vec<ConvBlock<B>>,
    /// One between two stacks.
    pub merge_heatmaps: Vec<ConvBlock<B>>,
    #[module(skip)]
    config: StarNetConfig,
    #[module(skip)]
    training: Compute,
}

/// What one stack gives.
#[derive(Debug, Clone)]
pub struct StackOutput<B: Backend> {
    /// `[batch, points, 2]`, (x, y) in -1..1.
    pub landmarks: Tensor<B, 3>,
    /// What the landmarks were read off: `[batch, points, S/4, S/4]`, not negative, not normalised.
    pub heatmaps: Tensor<B, 4>,
    /// `[batch, points, S/4, S/4]` in 0..1; only with `aam`.
    pub point_maps: Option<Tensor<B, 4>>,
    /// `[batch, edges, S/4, S/4]` in 0..1; only with `aam`.
    pub edge_maps: Option<Tensor<B, 4>>,
}

impl StarNetConfig {
    /// A network with fresh weights, drawn from the backend's random numbers (seed them with `B::seed` before).
    ///
    /// The configuration should have passed [`validate`](Self::validate); otherwise the network may not run.
    pub fn init<B: Backend>(&self, device: &B::Device) -> StarNet<B> {
        let net = StarNet::new(self, device);
        // Burn draws weights at their first use; the order of uses must not decide their values.
        net.visit(&mut DrawNow);
        net
    }
}

struct DrawNow;

impl<B: Backend> ModuleVisitor<B> for DrawNow {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<B, D>>) {
        param.val();
    }
}

impl<B: Backend> StarNet<B> {
    /// With weights not drawn yet.
    pub(crate) fn new(config: &StarNetConfig, device: &B::Device) -> Self {
        let &StarNetConfig {
            points,
            stacks,
            channels,
            stem,
            coord,
            ..
        } = config;
        let several = |count: usize, input: usize, output: usize| {
            (0..count)
                .map(|_| ConvBlock::plain(ConvConfig::new(input, output, 1), device))
                .collect()
        };
        let between = stacks.saturating_sub(1);
        Self {
            stem: Stem::new(stem, channels, coord, device),
            hgs: (0..stacks)
                .map(|stack| Hourglass::new(DEPTH, channels, coords(coord, stack), device))
                .collect(),
            features: (0..stacks)
                .map(|_| Features {
                    block: ResBlock::new(channels, channels, device),
                    conv: ConvBlock::normalised(ConvConfig::new(channels, channels, 1), device),
                })
                .collect(),
            out_heatmaps: several(stacks, channels, points),
            aam: config
                .aam
                .then(|| Aam::new(points, &config.edges, stacks, channels, device)),
            merge_features: several(between, channels, channels),
            merge_heatmaps: several(between, points, channels),
            config: config.clone(),
            training: Compute::default(),
        }
    }

    /// The same network, whose convolutions multiply these numbers while it is trained. Weights do not tell: a network that is
    /// read from a file trains in `f32`.
    pub fn with_training(self, training: Compute) -> Self {
        Self { training, ..self }
    }

    /// What it was built from.
    pub fn config(&self) -> &StarNetConfig {
        &self.config
    }

    /// All stacks' outputs, the last one being the network's answer.
    ///
    /// `images [batch, 3, S, S]`: blue, green, red, each (value - 127.5) / 127.5; S is `input_size`, or any other multiple of
    /// 64. On an autodiff backend batch norms use and move their statistics ([`Mode::Train`]).
    ///
    /// # Panics
    /// If the images have another number of channels than 3, or a size that the hourglasses cannot halve.
    pub fn forward(&self, images: Tensor<B, 4>) -> Vec<StackOutput<B>> {
        let mode = Mode::of::<B>(&images.device(), self.training);
        self.forward_in(images, mode)
    }

    /// [`forward`](Self::forward) in a given mode.
    ///
    /// # Panics
    /// As there.
    pub fn forward_in(&self, images: Tensor<B, 4>, mode: Mode) -> Vec<StackOutput<B>> {
        let mut outputs = Vec::with_capacity(self.hgs.len());
        self.run(images, mode, |maps| outputs.push(maps.output()));
        outputs
    }

    /// Only the last stack's output: the others' landmarks are not decoded and their masks not made.
    ///
    /// # Panics
    /// As [`forward`](Self::forward), and if the network has no stacks, which [`StarNetConfig::validate`] forbids.
    pub fn forward_last(&self, images: Tensor<B, 4>) -> StackOutput<B> {
        let mode = Mode::of::<B>(&images.device(), self.training);
        let mut last = None;
        self.run(images, mode, |maps| last = Some(maps));
        last.expect("a validated network has at least one stack")
            .output()
    }

    fn run<'a>(&'a self, images: Tensor<B, 4>, mode: Mode, mut each: impl FnMut(StackMaps<'a, B>)) {
        assert_images(images.dims());
        let mut x = self.stem.forward(images, mode);
        let mut previous = None;
        for (stack, hourglass) in self.hgs.iter().enumerate() {
            let features = hourglass.forward(x.clone(), previous, mode);
            let features = self.features[stack].block.forward(features, mode);
            let features = self.features[stack].conv.forward(features, mode);

            let heatmaps = self.out_heatmaps[stack].forward(features.clone(), mode);
            let heatmaps = instance_norm_relu(heatmaps);
            let aam = self
                .aam
                .as_ref()
                .map(|aam| (aam, aam.maps(stack, features.clone(), mode)));

            if stack + 1 < self.hgs.len() {
                x = x + self.merge_features[stack].forward(features, mode);
                x = x + self.merge_heatmaps[stack].forward(heatmaps.clone(), mode);
                if let Some((aam, maps)) = &aam {
                    x = x + aam.merge(stack, maps.clone(), mode);
                }
            }
            // The next stack sees the heatmaps without the mask.
            previous = Some(heatmaps.clone());
            each(StackMaps { heatmaps, aam });
        }
    }

    /// [`StarNetConfig::check_batch`] of this network.
    ///
    /// # Errors
    /// As there.
    pub fn check_batch(&self, batch: usize) -> Result<(), ModelError> {
        self.config.check_batch(batch)
    }

    /// A copy that shares nothing that changes with the original: training one leaves the other alone.
    pub fn unshared(&self) -> Self {
        Self {
            stem: self.stem.unshared(),
            hgs: self.hgs.iter().map(Hourglass::unshared).collect(),
            features: self
                .features
                .iter()
                .map(|features| Features {
                    block: features.block.unshared(),
                    conv: features.conv.unshared(),
                })
                .collect(),
            aam: self.aam.as_ref().map(Aam::unshared),
            ..self.clone()
        }
    }
}

/// # Panics
/// Unless images of this shape can go through a network.
#[track_caller]
pub(crate) fn assert_images(shape: [usize; 4]) {
    let [_, channels, h, w] = shape;
    // The stem's step rounds up, its pooling down.
    let features = [h, w].map(|side| side.div_ceil(2) / 2);
    let step = 1 << DEPTH;
    assert_shapes(
        channels == IMAGE_CHANNELS && features.iter().all(|f| *f > 0 && f % step == 0),
        "network",
        "images must have 3 channels, and a size whose features can be halved as often as the hourglasses do",
        &[
            ("images", &shape),
            ("features", &features),
            ("step", &[step]),
        ],
    );
}

/// The extra channels in front of hourglass `stack`.
pub(crate) fn coords(coord: bool, stack: usize) -> Coords {
    match (coord, stack) {
        (false, _) => Coords::None,
        (true, 0) => Coords::Plain,
        (true, _) => Coords::Boundary,
    }
}

/// A stack's maps before they are put together.
struct StackMaps<'a, B: Backend> {
    heatmaps: Tensor<B, 4>,
    aam: Option<(&'a Aam<B>, crate::heads::AamMaps<B>)>,
}

impl<B: Backend> StackMaps<'_, B> {
    fn output(self) -> StackOutput<B> {
        let (heatmaps, point_maps, edge_maps) = match self.aam {
            Some((aam, maps)) => (
                aam.mask(&maps) * self.heatmaps,
                Some(maps.point_maps),
                Some(maps.edge_maps),
            ),
            None => (self.heatmaps, None, None),
        };
        StackOutput {
            landmarks: decode(heatmaps.clone()),
            heatmaps,
            point_maps,
            edge_maps,
        }
    }
}
