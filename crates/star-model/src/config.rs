//! What network to build.

use burn::config::Config;

use crate::error::ModelError;

/// Levels of each hourglass.
pub const DEPTH: usize = 4;
/// Input pixels on the side of one feature-map pixel.
pub const FEATURE_STRIDE: usize = 4;
/// Input pixels on the side of one pixel of the innermost map: the input's side is a multiple of it.
pub const INNERMOST_STRIDE: usize = FEATURE_STRIDE << DEPTH;
/// Far above every published network (4 stacks, 256 channels, 98 points): limits for numbers that come out of files.
const MAX_STACKS: usize = 64;
/// A face of this size takes about a gigabyte in the published network. It is the one number that weights do not bound by their own size.
const MAX_INPUT_SIZE: usize = 1024;
pub(crate) const MAX_COUNT: usize = 16_384;

/// The network of STAR and ADNet (stacked hourglasses), by its numbers.
#[derive(Config, Debug, PartialEq)]
pub struct StarNetConfig {
    /// Landmarks.
    pub points: usize,
    /// The points on each edge, in the order of the edge maps; only used with `aam`.
    pub edges: Vec<Vec<usize>>,
    /// Hourglasses, one after another.
    #[config(default = 4)]
    pub stacks: usize,
    /// Channels of the hourglasses, even.
    #[config(default = 256)]
    pub channels: usize,
    /// Channels of the first convolution, even; the rest of the stem has twice as many.
    #[config(default = 64)]
    pub stem: usize,
    /// Side of the square input, pixels, a multiple of 64. Weights do not depend on it.
    #[config(default = 256)]
    pub input_size: usize,
    /// Coordinate channels in front of the stem and of every hourglass.
    #[config(default = true)]
    pub coord: bool,
    /// Point and edge maps that mask the heatmaps (the anisotropic attention module).
    #[config(default = true)]
    pub aam: bool,
}

impl StarNetConfig {
    /// Checks the numbers.
    ///
    /// # Errors
    /// [`ModelError::Config`] naming the first value that makes no network, and its limits.
    pub fn validate(&self) -> Result<(), ModelError> {
        let fail = |what: String| Err(ModelError::Config(what));
        for (name, value, limit) in [
            ("points", self.points, MAX_COUNT),
            ("stacks", self.stacks, MAX_STACKS),
            ("channels", self.channels, MAX_COUNT),
            ("stem", self.stem, MAX_COUNT),
            ("input_size", self.input_size, MAX_INPUT_SIZE),
            ("number of edges", self.edges.len(), MAX_COUNT),
        ] {
            if value > limit {
                return fail(format!("{name} is {value}, more than {limit}"));
            }
        }
        if self.points == 0 {
            return fail("points is 0; there must be at least 1".into());
        }
        if self.stacks == 0 {
            return fail("stacks is 0; there must be at least 1".into());
        }
        for (name, value) in [("channels", self.channels), ("stem", self.stem)] {
            if value < 2 || value % 2 != 0 {
                return fail(format!("{name} is {value}; it must be even, at least 2"));
            }
        }
        if self.input_size == 0 || !self.input_size.is_multiple_of(INNERMOST_STRIDE) {
            return fail(format!(
                "input_size is {}; it must be a multiple of {INNERMOST_STRIDE}",
                self.input_size
            ));
        }
        if self.aam && self.edges.is_empty() {
            return fail("aam is on but there are no edges: give the layout [[edges]], or set model.aam = false".into());
        }
        for (e, edge) in self.edges.iter().enumerate() {
            if let Some(point) = edge.iter().find(|&&point| point >= self.points) {
                return fail(format!(
                    "edge {e} holds point {point}, but there are only {} points",
                    self.points
                ));
            }
        }
        Ok(())
    }

    /// Checks that a batch can be trained on.
    ///
    /// # Errors
    /// [`ModelError::BatchTooSmall`] for a batch of one where the innermost map is 1x1: its batch norms would divide by 0.
    pub fn check_batch(&self, batch: usize) -> Result<(), ModelError> {
        let innermost = self.input_size / INNERMOST_STRIDE;
        if batch * innermost * innermost > 1 {
            Ok(())
        } else {
            Err(ModelError::BatchTooSmall {
                input_size: self.input_size,
            })
        }
    }

    /// Side of the heatmaps, pixels.
    pub fn heatmap_size(&self) -> usize {
        self.input_size / FEATURE_STRIDE
    }
}
