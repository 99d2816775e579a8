//! Photometric augmentation of a crop in training: occlusion, blur, gamma, noise and grey, in this order (REFERENCE A1 to A5).
//!
//! Each takes its random numbers as arguments, so that recorded ones can be fed in. Images are RGB.

mod blur;
mod gamma;
mod gray;
mod noise;
mod occlusion;

pub use blur::{blur, blur_size};
pub use gamma::{gamma, gamma_from_draws, gamma_table};
pub use gray::gray;
pub use noise::{noise, noise_strength};
pub use occlusion::{Rectangle, occlude, occlusion_rectangle};

use image::RgbImage;

/// The random numbers of the photometric augmentation of one sample; what is `None` or `false` is left out. Draws are uniform in [0, 1).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PhotometricDraws {
    /// Height, width, and the place of the black rectangle.
    pub occlusion: Option<[f64; 4]>,
    /// Decides the side of the box filter.
    pub blur: Option<f64>,
    /// Brighter or darker, and how much.
    pub gamma: Option<[f64; 2]>,
    /// Noise, blended in.
    pub noise: Option<NoiseDraws>,
    /// Whether colour is taken away.
    pub gray: bool,
}

/// The random numbers of the noise.
#[derive(Clone, Debug, PartialEq)]
pub struct NoiseDraws {
    /// How much of the noise is mixed in, uniform in [0, 1).
    pub strength: f64,
    /// One uniform byte for each channel of each pixel.
    pub bytes: Vec<u8>,
}

impl PhotometricDraws {
    /// Applies the drawn changes in their fixed order.
    pub fn apply(&self, image: &mut RgbImage) {
        if let Some(draws) = self.occlusion {
            occlude(image, draws);
        }
        if let Some(draw) = self.blur {
            blur(image, blur_size(image.height(), draw));
        }
        if let Some(draws) = self.gamma {
            gamma(image, gamma_from_draws(draws));
        }
        if let Some(draws) = &self.noise {
            noise(image, noise_strength(draws.strength), &draws.bytes);
        }
        if self.gray {
            gray(image);
        }
    }
}
