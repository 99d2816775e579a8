//! A face before it is cropped, and where faces come from.

use image::RgbImage;

use crate::{
    crop::{CropBox, CropRule},
    error::DataError,
    layout::Layout,
    point::Point,
};

/// One annotated face in its image. Everything is in pixels of `image`.
#[derive(Clone, Debug)]
pub struct Face {
    /// The image's path as its annotation file names it, or a made-up name for a synthetic face.
    pub name: String,
    /// The decoded image.
    pub image: RgbImage,
    /// The landmarks as annotated, in layout order; [`Point::MISSING`] where one is not labelled.
    pub landmarks: Vec<Point>,
    /// The landmarks as they truly are. Only synthetic faces know them.
    pub truth: Option<Vec<Point>>,
    /// What the network sees of it.
    pub crop: CropBox,
}

/// A list of faces that can be fetched in any order, from several threads at once.
pub trait FaceSource: Send + Sync {
    /// The layout of all faces.
    fn layout(&self) -> &Layout;
    /// How many faces there are.
    fn len(&self) -> usize;
    /// Whether there is no face.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
    /// What to call face `index` in messages and reports.
    fn name(&self, index: usize) -> String;
    /// Decodes or draws face `index`.
    ///
    /// # Errors
    /// When the image is missing or cannot be decoded; the message names its path.
    fn face(&self, index: usize) -> Result<Face, DataError>;
    /// For each landmark of face `index` that lies on a contour, the contour's unit tangent there, in image pixels.
    ///
    /// Only synthetic faces know it; with it an error splits into a part along the contour and one across.
    fn tangents(&self, _index: usize) -> Option<Vec<Option<Point>>> {
        None
    }
    /// For each landmark of face `index` whether something hides it, where that is known.
    fn hidden(&self, _index: usize) -> Option<Vec<bool>> {
        None
    }
    /// The parts that papers give figures for, by name, as indices of faces.
    fn subsets(&self) -> Vec<(String, Vec<usize>)> {
        Vec::new()
    }
    /// For each face the number of its group: a held-out part has all faces of a group or none ([`crate::split_held_out`]). Every face is
    /// in a group of its own unless the source says otherwise.
    ///
    /// # Errors
    /// When it takes a look at the images and one cannot be read.
    fn groups(&self) -> Result<Vec<usize>, DataError> {
        Ok((0..self.len()).collect())
    }
    /// How the crops of these faces follow from the landmarks, as far as can be told: what a network trained on them expects.
    fn crop_rule(&self) -> CropRule {
        CropRule::default()
    }
}
