//! The hourglass (Newell et al. 2016): down to a small map and up again, with a skip branch at every size.

use burn::module::Module;
use burn::tensor::Tensor;
use burn::tensor::backend::Backend;
use burn::tensor::module::{interpolate, max_pool2d};
use burn::tensor::ops::{InterpolateMode, InterpolateOptions};

use crate::conv::ConvConfig;
use crate::conv_block::ConvBlock;
use crate::coord::{BOUNDARY_CHANNELS, COORD_CHANNELS, append_coords};
use crate::mode::Mode;
use crate::residual::ResBlock;
use crate::shapes::assert_shapes;

/// What one size of an hourglass does around the next smaller one.
#[derive(Module, Debug)]
pub struct HourglassLevel<B: Backend> {
    /// The skip branch at this size.
    pub up1: ResBlock<B>,
    /// Behind the pooling, before the smaller hourglass.
    pub low1: ResBlock<B>,
    /// Behind the smaller hourglass, before enlarging.
    pub low3: ResBlock<B>,
}

/// An hourglass of a few levels, each of half the size of the one above, with `innermost` at its bottom.
#[derive(Module, Debug)]
pub struct Hourglass<B: Backend> {
    /// 1x1 over the input with its coordinate channels.
    pub coordconv: Option<ConvBlock<B>>,
    /// The largest first.
    pub levels: Vec<HourglassLevel<B>>,
    /// At the smallest size.
    pub innermost: ResBlock<B>,
}

/// Which extra channels an hourglass sees in front.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Coords {
    /// None: it has no coord-conv.
    None,
    /// Row, column and radius: the first stack.
    Plain,
    /// And those of the previous stack's last heatmap: the other stacks.
    Boundary,
}

impl Coords {
    /// How many channels that is.
    pub fn channels(self) -> usize {
        match self {
            Self::None => 0,
            Self::Plain => COORD_CHANNELS,
            Self::Boundary => COORD_CHANNELS + BOUNDARY_CHANNELS,
        }
    }
}

impl<B: Backend> Hourglass<B> {
    /// `depth` levels of `channels` channels.
    pub fn new(depth: usize, channels: usize, coords: Coords, device: &B::Device) -> Self {
        let block = || ResBlock::new(channels, channels, device);
        Self {
            coordconv: (coords != Coords::None).then(|| {
                let config = ConvConfig::new(channels + coords.channels(), channels, 1);
                ConvBlock::plain(config, device)
            }),
            levels: (0..depth)
                .map(|_| HourglassLevel {
                    up1: block(),
                    low1: block(),
                    low3: block(),
                })
                .collect(),
            innermost: block(),
        }
    }

    /// `x [batch, channels, h, w]`, `previous` the heatmaps `[batch, points, h, w]` of the stack before (only looked at if
    /// there is a coord-conv with boundary channels) -> `[batch, channels, h, w]`
    ///
    /// # Panics
    /// If `h` or `w` is no multiple of 2^depth or 0, if `x` has another number of channels, or `previous` is missing where it is
    /// needed or of another batch or size.
    pub fn forward(
        &self,
        x: Tensor<B, 4>,
        previous: Option<Tensor<B, 4>>,
        mode: Mode,
    ) -> Tensor<B, 4> {
        let side = 1 << self.levels.len();
        let [.., h, w] = x.dims();
        assert_shapes(
            h.min(w) > 0 && h % side == 0 && w % side == 0,
            "hourglass",
            "height and width must be multiples of the step from the largest map to the smallest",
            &[("input", &x.dims()), ("step", &[side])],
        );
        let mut x = match &self.coordconv {
            Some(conv) => conv.forward(append_coords(x, previous), mode),
            None => x,
        };
        let mut skips = Vec::with_capacity(self.levels.len());
        for level in &self.levels {
            skips.push(level.up1.forward(x.clone(), mode));
            x = level.low1.forward(max_pool(x), mode);
        }
        x = self.innermost.forward(x, mode);
        for level in self.levels.iter().rev() {
            x = upsample(level.low3.forward(x, mode));
            if let Some(skip) = skips.pop() {
                x = skip + x;
            }
        }
        x
    }

    pub(crate) fn unshared(&self) -> Self {
        Self {
            coordconv: self.coordconv.clone(),
            levels: self
                .levels
                .iter()
                .map(|level| HourglassLevel {
                    up1: level.up1.unshared(),
                    low1: level.low1.unshared(),
                    low3: level.low3.unshared(),
                })
                .collect(),
            innermost: self.innermost.unshared(),
        }
    }
}

/// The maximum of 2x2 pixels; an odd last row or column is left out.
pub fn max_pool<B: Backend>(x: Tensor<B, 4>) -> Tensor<B, 4> {
    #[cfg(feature = "flex")]
    if let Some(y) = crate::flex::max_pool(&x) {
        return y;
    }
    max_pool2d(x, [2, 2], [2, 2], [0, 0], [1, 1], false)
}

/// Every pixel four times.
pub fn upsample<B: Backend>(x: Tensor<B, 4>) -> Tensor<B, 4> {
    let [_, _, h, w] = x.dims();
    interpolate(
        x,
        [2 * h, 2 * w],
        InterpolateOptions::new(InterpolateMode::Nearest),
    )
}
