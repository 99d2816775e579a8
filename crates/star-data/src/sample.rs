//! One face as the network is fed: cropped, varied, normalised, with its targets.

use image::RgbImage;
use multiversion::multiversion;

use crate::{
    affine::Affine,
    augment::{AugmentConfig, Draws, FacePlan},
    crop::normalise_point,
    error::DataError,
    face::Face,
    layout::Layout,
    point::Point,
    rng::sample_rng,
    targets::{MAP_FACTOR, PointProfiles, edge_maps, expand_point_maps, point_profiles},
    warp::warp_window,
    window::Window,
};

/// What a training or test sample is made of. S is the crop's size, n the number of landmarks, e the number of edges.
#[derive(Clone, Debug)]
pub struct Sample {
    /// Which face of its source it is.
    pub index: usize,
    /// The face's name, for messages.
    pub name: String,
    /// S, in pixels.
    pub size: u32,
    /// The varied crop, S x S, RGB; [`Sample::input`] is what the network gets of it.
    pub crop: RgbImage,
    /// `[n]` labels in [-1, 1], clamped (REFERENCE C3); the middle where there is none.
    pub landmarks: Vec<[f32; 2]>,
    /// `[n]` 1 where a landmark is labelled, 0 where it is not and must give no loss.
    pub labelled: Vec<f32>,
    /// `[n]` the landmarks in crop pixels, wherever they are; [`Point::MISSING`] where one is not labelled.
    pub crop_landmarks: Vec<Point>,
    /// `[n]` where the landmarks truly are, normalised as `landmarks` are but not clamped. Only synthetic faces know.
    pub truth: Option<Vec<[f32; 2]>>,
    /// The point maps as profiles; [`Sample::point_maps`] expands them. Empty where maps were not asked for.
    pub point_profiles: PointProfiles,
    /// Edge maps `[e, S/4, S/4]`, [`UNKNOWN`](crate::targets::UNKNOWN) where labels are missing. Empty where maps were not asked for.
    pub edge_maps: Vec<f32>,
    /// Original pixels to crop pixels, for landmarks; includes the mirroring of a mirrored face.
    pub matrix: Affine,
    /// Whether left and right, and with them the mirror pairs of the landmarks, are swapped.
    pub flipped: bool,
}

impl Sample {
    /// Cells of a target map along a side, S / 4.
    pub fn cells(&self) -> usize {
        self.size as usize / MAP_FACTOR
    }

    /// Network input `[3, S, S]`; see [`network_input`].
    pub fn input(&self) -> Vec<f32> {
        network_input(&self.crop)
    }

    /// The point maps `[n, S/4, S/4]`.
    pub fn point_maps(&self) -> Vec<f32> {
        expand_point_maps(&self.point_profiles, self.cells())
    }
}

/// Makes samples of a layout's faces. Checked when it is built.
#[derive(Clone, Debug)]
pub struct SampleMaker {
    layout: Layout,
    size: u32,
    augment: AugmentConfig,
    maps: bool,
}

impl SampleMaker {
    /// For crops of `size` x `size` pixels; `maps` says whether the target maps are drawn (training needs them, testing does not).
    ///
    /// # Errors
    /// When `size` is not a positive multiple of 4, or a setting of `augment` is out of range.
    pub fn new(
        layout: Layout,
        size: u32,
        augment: AugmentConfig,
        maps: bool,
    ) -> Result<Self, DataError> {
        if size == 0
            || !(size as usize).is_multiple_of(MAP_FACTOR)
            || size > crate::decode::MAX_SIDE
        {
            return Err(DataError::Invalid(format!(
                "the input size is {size}; it must be a positive multiple of {MAP_FACTOR}, such as 256"
            )));
        }
        augment.validate()?;
        Ok(Self {
            layout,
            size,
            augment,
            maps,
        })
    }

    /// The layout of its samples.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// S, in pixels.
    pub fn size(&self) -> u32 {
        self.size
    }

    /// Cells of a target map along a side, S / 4.
    pub fn cells(&self) -> usize {
        self.size as usize / MAP_FACTOR
    }

    /// Whether samples have target maps.
    pub fn makes_maps(&self) -> bool {
        self.maps
    }

    /// The sample of face `index` in `epoch`: what is random about it depends on these two and the seed alone.
    ///
    /// # Errors
    /// As [`SampleMaker::sample_with`].
    pub fn sample(
        &self,
        face: &Face,
        index: usize,
        seed: u64,
        epoch: u64,
    ) -> Result<Sample, DataError> {
        let mut rng = sample_rng(seed, epoch, index as u64);
        let draws = Draws::draw(&self.augment, self.size, &mut rng);
        self.sample_with(face, index, &draws)
    }

    /// The sample of a face with given random numbers.
    ///
    /// # Errors
    /// When the face has another number of landmarks than the layout, none is labelled, one is neither finite nor [`Point::MISSING`], or its
    /// crop box has no size.
    pub fn sample_with(
        &self,
        face: &Face,
        index: usize,
        draws: &Draws,
    ) -> Result<Sample, DataError> {
        self.check(face)?;
        let plan = FacePlan::of(face, &self.layout, self.size, draws);
        self.sample_planned(face, Window::whole(&face.image), index, &plan, draws)
    }

    /// As [`SampleMaker::sample`] of a face whose image is only there in part; `None` where the crop looks at the rest.
    pub(crate) fn sample_in_window(
        &self,
        face: &Face,
        window: Window,
        index: usize,
        seed: u64,
        epoch: u64,
    ) -> Result<Option<Sample>, DataError> {
        self.check(face)?;
        let mut rng = sample_rng(seed, epoch, index as u64);
        let draws = Draws::draw(&self.augment, self.size, &mut rng);
        let plan = FacePlan::new(&face.crop, window.width, &self.layout, self.size, &draws);
        if !window.covers(&plan.image, self.size) {
            return Ok(None);
        }
        let sample = self.sample_planned(face, window, index, &plan, &draws)?;
        Ok(Some(sample))
    }

    fn sample_planned(
        &self,
        face: &Face,
        window: Window,
        index: usize,
        plan: &FacePlan,
        draws: &Draws,
    ) -> Result<Sample, DataError> {
        let crop = self.crop_with(window, plan, draws)?;
        let crop_landmarks = plan.apply(&face.landmarks, &self.layout);
        let labelled = (crop_landmarks.iter())
            .map(|p| f32::from(u8::from(p.is_labelled())))
            .collect();
        let label = |p: &Point| normalise_point(*p, self.size);
        let truth = face.truth.as_ref().map(|truth| {
            let points = plan.apply(truth, &self.layout);
            points.iter().map(|p| label(p).map(|v| v as f32)).collect()
        });
        let (mut profiles, mut edges) = (PointProfiles::default(), Vec::new());
        if self.maps {
            profiles = point_profiles(&crop_landmarks, self.size as usize);
            edges = edge_maps(&crop_landmarks, &self.layout.edges, self.size as usize);
        }
        Ok(Sample {
            index,
            name: face.name.clone(),
            size: self.size,
            landmarks: (crop_landmarks.iter())
                .map(|p| match p.is_labelled() {
                    true => label(p).map(|v| v.clamp(-1.0, 1.0) as f32),
                    false => [0.0; 2],
                })
                .collect(),
            labelled,
            crop_landmarks,
            crop,
            truth,
            point_profiles: profiles,
            edge_maps: edges,
            matrix: plan.points,
            flipped: plan.flip,
        })
    }

    /// The crop as an image, RGB: what the network sees, for contact sheets.
    ///
    /// # Errors
    /// As [`SampleMaker::sample_with`].
    pub fn crop(&self, face: &Face, draws: &Draws) -> Result<RgbImage, DataError> {
        self.check(face)?;
        let plan = FacePlan::of(face, &self.layout, self.size, draws);
        self.crop_with(Window::whole(&face.image), &plan, draws)
    }

    fn crop_with(
        &self,
        window: Window,
        plan: &FacePlan,
        draws: &Draws,
    ) -> Result<RgbImage, DataError> {
        let mut crop = warp_window(&window, &plan.image, self.size, self.size)?;
        draws.photometric.apply(&mut crop);
        Ok(crop)
    }

    fn check(&self, face: &Face) -> Result<(), DataError> {
        let fail = |message: String| Err(DataError::Invalid(format!("{}: {message}", face.name)));
        for points in std::iter::once(&face.landmarks).chain(&face.truth) {
            if points.len() != self.layout.points {
                return fail(format!(
                    "{} landmarks, but layout {} has {}",
                    points.len(),
                    self.layout.name,
                    self.layout.points
                ));
            }
            let usable = |p: &Point| p.is_labelled() || (p.x.is_nan() && p.y.is_nan());
            if let Some(i) = points.iter().position(|p| !usable(p)) {
                return fail(format!("landmark {i} is not a finite number"));
            }
        }
        if !face.landmarks.iter().any(|p| p.is_labelled()) {
            return fail("no landmark is labelled; leave the face out".into());
        }
        let scale = face.crop.scale;
        if !(scale.is_finite() && scale > 0.0) {
            return fail(format!("the crop's scale is {scale}; it must be positive"));
        }
        Ok(())
    }
}

/// An RGB crop as network input: planes `[3, height, width]` in the order blue, green, red, (level - 127.5) / 127.5.
pub fn network_input(crop: &RgbImage) -> Vec<f32> {
    let mut input = Vec::new();
    extend_network_input(&mut input, crop);
    input
}

/// Appends [`network_input`] to those of other crops.
pub(crate) fn extend_network_input(inputs: &mut Vec<f32>, crop: &RgbImage) {
    let (pixels, _) = crop.as_raw().as_chunks();
    extend_planes(inputs, pixels);
}

#[multiversion(targets("x86_64+avx2"))]
fn extend_planes(inputs: &mut Vec<f32>, pixels: &[[u8; 3]]) {
    let value = |level: &u8| (f32::from(*level) - 127.5) / 127.5;
    inputs.reserve(3 * pixels.len());
    inputs.extend(pixels.iter().map(|[_, _, blue]| value(blue)));
    inputs.extend(pixels.iter().map(|[_, green, _]| value(green)));
    inputs.extend(pixels.iter().map(|[red, _, _]| value(red)));
}
