//! The same faces seen through other crops: from a detector's boxes, from predicted landmarks, or jittered on purpose.

use std::sync::Arc;

use rand_distr::{Distribution, StandardNormal};

use crate::{
    crop::CropBox,
    crop::{CROP_UNIT, CropRule},
    error::DataError,
    face::{Face, FaceSource},
    layout::Layout,
    point::Point,
    rng::sample_rng,
};

/// Sets the streams of [`Recropped::jittered`] apart from those of training samples.
const NOISE_STREAM: u64 = u64::from_be_bytes(*b"box nois");

/// Faces of a source with crops of their own.
pub struct Recropped {
    source: Arc<dyn FaceSource>,
    crops: Crops,
}

enum Crops {
    Given(Vec<Option<CropBox>>),
    Jittered { fraction: f64, seed: u64 },
}

impl Recropped {
    /// Face i of `source` seen through `crops[i]`.
    ///
    /// # Errors
    /// When there are not as many crops as faces.
    pub fn new(source: Arc<dyn FaceSource>, crops: Vec<CropBox>) -> Result<Self, DataError> {
        Self::where_given(source, crops.into_iter().map(Some).collect())
    }

    /// Face i of `source` seen through `crops[i]`, or through the source's own crop where that is None.
    ///
    /// # Errors
    /// When there are not as many entries as faces.
    pub fn where_given(
        source: Arc<dyn FaceSource>,
        crops: Vec<Option<CropBox>>,
    ) -> Result<Self, DataError> {
        if crops.len() != source.len() {
            return Err(DataError::Invalid(format!(
                "{} crops for {} faces",
                crops.len(),
                source.len()
            )));
        }
        Ok(Self {
            source,
            crops: Crops::Given(crops),
        })
    }

    /// Crops jittered as a detector's are: the centre moves by a normal of `fraction` of the crop's width either way, the width is
    /// multiplied by e to the power of such a normal. The same seed jitters a face in the same way, always.
    pub fn jittered(source: Arc<dyn FaceSource>, fraction: f64, seed: u64) -> Self {
        Self {
            source,
            crops: Crops::Jittered { fraction, seed },
        }
    }

    fn crop(&self, index: usize, own: CropBox) -> CropBox {
        match &self.crops {
            Crops::Given(crops) => crops.get(index).copied().flatten().unwrap_or(own),
            Crops::Jittered { fraction, seed } => {
                let mut rng = sample_rng(*seed, NOISE_STREAM, index as u64);
                let mut normal = || -> f64 {
                    let value: f64 = StandardNormal.sample(&mut rng);
                    value * fraction
                };
                let width = CROP_UNIT * own.scale;
                let center = Point::new(
                    own.center.x + width * normal(),
                    own.center.y + width * normal(),
                );
                CropBox {
                    scale: own.scale * normal().exp(),
                    center,
                }
            }
        }
    }
}

impl FaceSource for Recropped {
    fn layout(&self) -> &Layout {
        self.source.layout()
    }

    fn len(&self) -> usize {
        self.source.len()
    }

    fn name(&self, index: usize) -> String {
        self.source.name(index)
    }

    fn face(&self, index: usize) -> Result<Face, DataError> {
        let mut face = self.source.face(index)?;
        face.crop = self.crop(index, face.crop);
        Ok(face)
    }

    fn tangents(&self, index: usize) -> Option<Vec<Option<Point>>> {
        self.source.tangents(index)
    }

    fn hidden(&self, index: usize) -> Option<Vec<bool>> {
        self.source.hidden(index)
    }

    fn subsets(&self) -> Vec<(String, Vec<usize>)> {
        self.source.subsets()
    }

    fn groups(&self) -> Result<Vec<usize>, DataError> {
        self.source.groups()
    }

    fn crop_rule(&self) -> CropRule {
        self.source.crop_rule()
    }
}
