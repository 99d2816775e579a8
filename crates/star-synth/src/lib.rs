//! Synthetic faces: made from a seed, with landmarks whose true places are known.
//!
//! ```
//! use star_data::{FaceSource, Layout};
//! use star_synth::{SynthConfig, SynthFaces};
//!
//! let faces = SynthFaces::new(SynthConfig { faces: 10, ..SynthConfig::default() }, Layout::builtin("wflw98")?)?;
//! let face = faces.face(3)?;
//! assert_eq!(face.landmarks.len(), 98);
//! assert_eq!(face.truth, Some(faces.truth(3)));
//! # Ok::<(), star_data::DataError>(())
//! ```
//!
//! A simple head in three dimensions is given an identity, an expression and a pose, and projected. Its curves (jaw, brows, lids, nose,
//! lips) are drawn as they are, and every layout takes its landmarks from the same curves. The *annotation* then moves the truth the
//! way people do: much along a contour, little across it, so that what the STAR loss is about can be measured.
//!
//! The faces are no portraits, and a network trained on them is no good on photographs. They are for trying the program without a data
//! set, for tests, and for experiments that need the truth.

#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod annotate;
mod camera;
mod config;
mod dice;
mod head;
mod look;
mod paint;
mod person;
mod sites;
mod spline;
mod track;

pub use config::SynthConfig;

use self::{
    dice::{Dice, Stream},
    head::Head,
    look::Look,
    person::Person,
    sites::Site,
};
use star_data::{
    BoxSide, CropBox, CropRule, DataError, Face, FaceSource, Layout, Point, crop::CROP_UNIT,
};

/// Synthetic faces as a [`FaceSource`]. Face `i` is a pure function of the settings and `i`: the same on every call, thread and run.
#[derive(Clone, Debug)]
pub struct SynthFaces {
    config: SynthConfig,
    layout: Layout,
    sites: Vec<Site>,
}

impl SynthFaces {
    /// Checks the settings and finds the layout's points on the drawn curves. Nothing is drawn yet.
    ///
    /// # Errors
    /// When a setting is out of its limits or the layout is not one of `wflw98`, `ibug68`, `cofw29`.
    pub fn new(config: SynthConfig, layout: Layout) -> Result<Self, DataError> {
        config.validate()?;
        let sites = sites::sites(&layout)?;
        Ok(Self {
            config,
            layout,
            sites,
        })
    }

    /// Its settings.
    pub fn config(&self) -> &SynthConfig {
        &self.config
    }

    fn head(&self, index: usize) -> (Person, Head) {
        let mut dice = Dice::new(self.config.seed, index, Stream::Shape);
        let person = Person::roll_dice(&self.config, &mut dice);
        let head = Head::new(&person);
        (person, head)
    }

    /// The true landmarks of face `index` in layout order, image pixels, without drawing it.
    pub fn truth(&self, index: usize) -> Vec<Point> {
        let (_, head) = self.head(index);
        self.sites.iter().map(|&site| head.place(site)).collect()
    }

    /// Distance between the outer eye corners of face `index`, pixels: the unit of the annotation noise.
    pub fn eye_distance(&self, index: usize) -> f64 {
        self.head(index).1.eye_distance
    }

    fn crop(&self, landmarks: &[Point], dice: &mut Dice) -> Result<CropBox, DataError> {
        let mut crop = self.crop_rule().crop_of_points(landmarks)?;
        if self.config.crop_jitter > 0.0 {
            let width = CROP_UNIT * crop.scale;
            crop.center.x += dice.normal(self.config.crop_jitter) * width;
            crop.center.y += dice.normal(self.config.crop_jitter) * width;
            crop.scale *= (1.0 + dice.normal(self.config.crop_jitter)).max(0.2);
        }
        Ok(crop)
    }
}

impl FaceSource for SynthFaces {
    fn layout(&self) -> &Layout {
        &self.layout
    }

    fn len(&self) -> usize {
        self.config.faces
    }

    fn name(&self, index: usize) -> String {
        format!("synthetic/{}/{index:06}", self.config.seed)
    }

    /// The tangents at the true landmarks; `None` for points that are well defined in both directions (corners, tips, pupils).
    fn tangents(&self, index: usize) -> Option<Vec<Option<Point>>> {
        let (_, head) = self.head(index);
        Some(self.sites.iter().map(|&site| head.tangent(site)).collect())
    }

    fn crop_rule(&self) -> CropRule {
        CropRule {
            side: BoxSide::Longest,
            margin: self.config.crop_margin,
        }
    }

    /// Draws face `index`; any index will do, also past [`FaceSource::len`].
    fn face(&self, index: usize) -> Result<Face, DataError> {
        let (person, head) = self.head(index);
        let truth: Vec<Point> = self.sites.iter().map(|&site| head.place(site)).collect();
        let mut hand = Dice::new(self.config.seed, index, Stream::Annotation);
        let landmarks = annotate::annotate(&head, &self.sites, &self.config, &mut hand);
        let crop = self.crop(&landmarks, &mut hand)?;
        let mut dice = Dice::new(self.config.seed, index, Stream::Look);
        let look = Look::roll_dice(&self.config, &mut dice);
        Ok(Face {
            name: self.name(index),
            image: paint::draw(&head, &look, person.size, &mut dice),
            landmarks,
            truth: Some(truth),
            crop,
        })
    }
}
