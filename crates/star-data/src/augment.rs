//! What is random about a training sample: first all random numbers, by name, then what they do.

use rand::{Rng, RngExt};
use rand_distr::{Distribution, Normal};
use serde::{Deserialize, Serialize};

use crate::{
    affine::Affine,
    crop::CropBox,
    crop::crop_matrix,
    error::DataError,
    face::Face,
    layout::Layout,
    photometric::{NoiseDraws, PhotometricDraws},
    point::Point,
};

/// What a drawn scale of 0 or less becomes; nothing else is clamped (REFERENCE A7).
const SMALLEST_SCALE: f64 = 0.01;

/// How strongly training samples are varied. The defaults are the published ones (REFERENCE A7, A9).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AugmentConfig {
    /// Off: every sample is its plain crop.
    pub enabled: bool,
    /// How often a sample is varied at all; the other rates apply to those that are.
    pub probability: f64,
    /// How often it is mirrored.
    pub flip: f64,
    /// Standard deviation of the rotation about the crop's centre, in degrees.
    pub rotation_degrees: f64,
    /// Standard deviation of the scale, around 1.
    pub scale: f64,
    /// Standard deviation of the shift in either direction, as a fraction of the crop.
    pub shift: f64,
    /// How often a black rectangle covers a part.
    pub occlusion: f64,
    /// How often it is blurred.
    pub blur: f64,
    /// How often its brightness changes.
    pub gamma: f64,
    /// How often noise is mixed in.
    pub noise: f64,
    /// How often its colour is taken away.
    pub gray: f64,
}

impl Default for AugmentConfig {
    fn default() -> Self {
        Self {
            enabled: true,
            probability: 1.0,
            flip: 0.5,
            rotation_degrees: 18.0,
            scale: 0.1,
            shift: 0.05,
            occlusion: 0.4,
            blur: 0.3,
            gamma: 0.2,
            noise: 0.2,
            gray: 0.2,
        }
    }
}

impl AugmentConfig {
    /// No variation: for validation and test.
    pub fn off() -> Self {
        Self {
            enabled: false,
            ..Self::default()
        }
    }

    /// Checks the rates and the spreads once, so that drawing cannot fail.
    ///
    /// # Errors
    /// When a rate is not in [0, 1] or a spread is negative or beyond all use; the message names it.
    pub fn validate(&self) -> Result<(), DataError> {
        for (name, rate) in [
            ("probability", self.probability),
            ("flip", self.flip),
            ("occlusion", self.occlusion),
            ("blur", self.blur),
            ("gamma", self.gamma),
            ("noise", self.noise),
            ("gray", self.gray),
        ] {
            if !(0.0..=1.0).contains(&rate) {
                return Err(DataError::Invalid(format!(
                    "augmentation rate `{name}` is {rate:?}; it must be between 0 (never) and 1 (always)"
                )));
            }
        }
        // Above these no face is left in the crop.
        for (name, spread, limit) in [
            ("rotation_degrees", self.rotation_degrees, 180.0),
            ("scale", self.scale, 1.0),
            ("shift", self.shift, 1.0),
        ] {
            if !(0.0..=limit).contains(&spread) {
                return Err(DataError::Invalid(format!(
                    "augmentation spread `{name}` is {spread:?}; it must be from 0 to {limit}"
                )));
            }
        }
        Ok(())
    }
}

/// The random geometry of a sample.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GeometryDraws {
    /// To the right and down, as fractions of `size - 1`.
    pub shift: [f64; 2],
    /// In radians, clockwise on the screen.
    pub angle: f64,
    /// Factor of the size of the face in the crop.
    pub scale: f64,
}

impl GeometryDraws {
    /// Crop pixels to crop pixels: rotation and scale about the middle, then the shift (REFERENCE A7).
    pub fn matrix(&self, size: u32) -> Affine {
        let last = f64::from(size) - 1.0;
        let scale = if self.scale > 0.0 {
            self.scale
        } else {
            SMALLEST_SCALE
        };
        let [dx, dy] = self.shift.map(|fraction| fraction * last);
        Affine::rotation_about(Point::new(last / 2.0, last / 2.0), self.angle, scale)
            .then(&Affine::translation(dx, dy))
    }
}

/// All random numbers of one sample. The default changes nothing.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Draws {
    /// Whether the face is mirrored.
    pub flip: bool,
    /// Rotation, scale and shift; none for a face as it is.
    pub geometry: Option<GeometryDraws>,
    /// What changes the pixels.
    pub photometric: PhotometricDraws,
}

impl Draws {
    /// Draws for a crop of `size` x `size`. `config` must have passed [`AugmentConfig::validate`].
    pub fn draw(config: &AugmentConfig, size: u32, rng: &mut impl Rng) -> Self {
        if !config.enabled || !happens(config.probability, rng) {
            return Self::default();
        }
        let flip = happens(config.flip, rng);
        let geometry = GeometryDraws {
            shift: [
                normal(0.0, config.shift, rng),
                normal(0.0, config.shift, rng),
            ],
            angle: normal(0.0, config.rotation_degrees.to_radians(), rng),
            scale: normal(1.0, config.scale, rng),
        };
        let occlusion = happens(config.occlusion, rng).then(|| rng.random());
        let blur = happens(config.blur, rng).then(|| rng.random());
        let gamma = happens(config.gamma, rng).then(|| rng.random());
        let noise = happens(config.noise, rng).then(|| {
            let strength = rng.random();
            let mut bytes = vec![0; size as usize * size as usize * 3];
            rng.fill_bytes(&mut bytes);
            NoiseDraws { strength, bytes }
        });
        let gray = happens(config.gray, rng);
        Self {
            flip,
            geometry: Some(geometry),
            photometric: PhotometricDraws {
                occlusion,
                blur,
                gamma,
                noise,
                gray,
            },
        }
    }
}

fn happens(rate: f64, rng: &mut impl Rng) -> bool {
    rng.random::<f64>() < rate
}

fn normal(mean: f64, deviation: f64, rng: &mut impl Rng) -> f64 {
    // A deviation that is not finite is refused at the door; without one the mean is all there is.
    Normal::new(mean, deviation).map_or(mean, |n| n.sample(rng))
}

/// Where a face's image and its landmarks go in the crop: flip, crop and random geometry in one map each.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FacePlan {
    /// Whether the face is mirrored.
    pub flip: bool,
    /// Original pixels to crop pixels, for the image.
    pub image: Affine,
    /// Original pixels to crop pixels, for the landmarks. Differs from `image` only for a mirrored face of a layout whose
    /// annotations count from 1 (REFERENCE A6).
    pub points: Affine,
}

impl FacePlan {
    /// Plans the face in an image of width `width` with the given crop.
    pub fn new(crop: &CropBox, width: u32, layout: &Layout, size: u32, draws: &Draws) -> Self {
        let geometry = draws
            .geometry
            .map_or(Affine::IDENTITY, |draws| draws.matrix(size));
        if !draws.flip {
            let map = crop_matrix(crop, size).then(&geometry);
            return Self {
                flip: false,
                image: map,
                points: map,
            };
        }
        let image_mirror = Affine::mirror(f64::from(width) - 1.0);
        let points_mirror = Affine::mirror(f64::from(width) - layout.flip_offset);
        let crop = CropBox {
            scale: crop.scale,
            center: points_mirror.apply(crop.center),
        };
        let after = crop_matrix(&crop, size).then(&geometry);
        Self {
            flip: true,
            image: image_mirror.then(&after),
            points: points_mirror.then(&after),
        }
    }

    /// Plans `face`; see [`FacePlan::new`].
    pub fn of(face: &Face, layout: &Layout, size: u32, draws: &Draws) -> Self {
        Self::new(&face.crop, face.image.width(), layout, size, draws)
    }

    /// A whole face's landmarks in crop pixels; a mirrored face's points trade places.
    pub fn apply(&self, landmarks: &[Point], layout: &Layout) -> Vec<Point> {
        if self.flip {
            (layout.mirror.iter())
                .map(|&from| self.points.apply(landmarks[from]))
                .collect()
        } else {
            self.points.apply_all(landmarks)
        }
    }
}
