//! Photo in, faces out: the detector, the network and its read-out behind one type.

use std::path::Path;

use burn::tensor::backend::Backend;
use image::RgbImage;
use star_data::{Covariance, CropBox, CropRule, Layout, Point};

use crate::{
    covariance_scales::CovarianceScales,
    detect::{Detector, FaceBox, SeetaFace, Turn},
    error::InferError,
    predict::View,
    track::{TrackConfig, Tracker},
    weights_file::{PreparedNet, TrainedNet, read_weights},
};

/// Faces that go through the network together.
const BATCH: usize = 16;

/// A face of an image with its landmarks.
#[derive(Clone, Debug)]
pub struct LandmarkedFace {
    /// The detector's box, in pixels; none where the box was given or the face was followed from the frame before.
    pub detected: Option<FaceBox>,
    /// The square of the image that the network saw.
    pub crop: CropBox,
    /// The landmarks in the order of the layout, in image pixels; pixel centres are at integers.
    pub points: Vec<Point>,
    /// The covariance of each landmark, in image pixels squared: how far it may be off. Its shape and direction are its heatmap's (the paper's
    /// section 3: the large axis is the ambiguous direction); its size too where the weights are not calibrated
    /// ([`Landmarker::covariance_scales`]), and is then often several times too large.
    pub covariance: Vec<Covariance>,
    /// For each landmark how far its heatmap agrees with itself, 0 to 1.
    pub scores: Vec<f64>,
    /// The mean of `scores`: below a half it is mostly no face.
    pub score: f64,
}

/// Finds faces and their landmarks.
///
/// ```
/// # use star_infer::{Flex, Landmarker, Pretrained};
/// # let photo = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/astronaut.jpg");
/// # let decode_file = |_: &std::path::Path| star_infer::decode_file(photo.as_ref());
/// let landmarker = Landmarker::<Flex>::pretrained(Pretrained::Ibug68Small, &Default::default())?;
/// let faces = landmarker.faces(&decode_file("photo.jpg".as_ref())?)?;
/// # assert_eq!(faces.len(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// It holds the network's weights and the detector's model; make one and share it (it is `Send`; wrap it in a mutex, or give each thread
/// its own, where several threads predict).
pub struct Landmarker<B: Backend> {
    trained: PreparedNet<B>,
    detector: SeetaFace,
    device: B::Device,
    passes: usize,
    most_faces: usize,
    upright_only: bool,
}

impl<B: Backend> Landmarker<B> {
    /// A network that ships with this crate.
    ///
    /// # Errors
    /// [`InferError::Device`] where the device fails.
    #[cfg(feature = "pretrained")]
    pub fn pretrained(
        which: crate::pretrained::Pretrained,
        device: &B::Device,
    ) -> Result<Self, InferError> {
        Self::new(which.read(device)?, device)
    }

    /// A weights file, such as `weights/best.safetensors` of a training run.
    ///
    /// # Errors
    /// A file that is missing, damaged or not ours; the message says which.
    pub fn open(weights: impl AsRef<Path>, device: &B::Device) -> Result<Self, InferError> {
        Self::new(read_weights(weights.as_ref(), device)?, device)
    }

    /// A network that is in memory.
    ///
    /// # Errors
    /// [`InferError::Detector`] where the detector's model cannot be read.
    pub fn new(trained: TrainedNet<B>, device: &B::Device) -> Result<Self, InferError> {
        Ok(Self {
            trained: trained.prepare(),
            detector: SeetaFace::new()?,
            device: device.clone(),
            passes: 1,
            most_faces: usize::MAX,
            upright_only: false,
        })
    }

    /// Looks at each face this often (at least once); each time after the first its crop is made of the landmarks found before. Two cost
    /// twice the time and help where the detector's boxes are loose.
    #[must_use]
    pub fn passes(mut self, passes: usize) -> Self {
        self.passes = passes.max(1);
        self
    }

    /// Another threshold or image size for the detector.
    #[must_use]
    pub fn detector(mut self, detector: SeetaFace) -> Self {
        self.detector = detector;
        self
    }

    /// Leaves covariances as the heatmaps have them, whatever the weights file says of their size.
    #[must_use]
    pub fn raw_covariance(mut self) -> Self {
        self.trained.covariance_scales = None;
        self
    }

    /// What covariances are multiplied by; None for weights that are not calibrated.
    pub fn covariance_scales(&self) -> Option<&CovarianceScales> {
        self.trained.covariance_scales.as_ref()
    }

    /// Another width of the network's view, over the longer side of the landmarks' box (the weights say which side and which width they
    /// were trained with). One that is not positive is an error of each prediction.
    #[must_use]
    pub fn margin(mut self, margin: f64) -> Self {
        self.trained.crop.margin = margin;
        self
    }

    /// Looks for upright faces only. Otherwise an image in which none is sure is looked at turned by a quarter, a half and three quarters as
    /// well ([`FaceBox::turn`]); in videos only upright ones are found either way.
    #[must_use]
    pub fn upright_only(mut self) -> Self {
        self.upright_only = true;
        self
    }

    /// Keeps only this many of the faces that the detector finds in an image, the most prominent.
    #[must_use]
    pub fn most_faces(mut self, most: usize) -> Self {
        self.most_faces = most;
        self
    }

    /// How the network's view follows from a box.
    pub fn crop_rule(&self) -> CropRule {
        self.trained.crop
    }

    /// Which weights of which run these are.
    pub fn provenance(&self) -> &str {
        &self.trained.provenance
    }

    /// The landmarks' names, edges and mirror pairs.
    pub fn layout(&self) -> &Layout {
        &self.trained.layout
    }

    /// The faces of an image, the most prominent first. None is an answer, not an error.
    ///
    /// # Errors
    /// A detector or a device that fails.
    pub fn faces(&self, image: &RgbImage) -> Result<Vec<LandmarkedFace>, InferError> {
        Ok(self.batch(&[image])?.pop().unwrap_or_default())
    }

    /// The faces of several images, whose faces go through the network together: one list for each image.
    ///
    /// # Errors
    /// As [`Self::faces`].
    pub fn batch(&self, images: &[&RgbImage]) -> Result<Vec<Vec<LandmarkedFace>>, InferError> {
        let mut found = Vec::new();
        let mut counts = Vec::new();
        for image in images {
            let crops = self.find(image, !self.upright_only)?;
            counts.push(crops.len());
            found.extend(
                crops
                    .into_iter()
                    .map(|(face, crop)| (*image, crop, Some(face))),
            );
        }
        let mut faces = self.predict(found)?.into_iter();
        Ok(counts
            .into_iter()
            .map(|count| faces.by_ref().take(count).collect())
            .collect())
    }

    /// The faces in boxes that are known: each of left, top, width and height in pixels, around the face's landmarks. One face a box.
    ///
    /// # Errors
    /// A box without area; a device that fails.
    pub fn faces_in_boxes(
        &self,
        image: &RgbImage,
        boxes: &[[f64; 4]],
    ) -> Result<Vec<LandmarkedFace>, InferError> {
        let views = boxes
            .iter()
            .map(|&[x, y, w, h]| Ok((image, self.trained.crop.crop_of_box(x, y, w, h)?, None)))
            .collect::<Result<Vec<_>, InferError>>()?;
        self.predict(views)
    }

    /// A tracker's settings for [`Self::follow`]: this network's crops, the other defaults.
    pub fn track_config(&self) -> TrackConfig {
        TrackConfig {
            rule: self.trained.crop,
            ..TrackConfig::default()
        }
    }

    /// The faces of the next frame of the video that `tracker` follows, each with a number that it keeps while it is followed. The
    /// detector is asked only when there is no face to follow or one was lost.
    ///
    /// # Errors
    /// As [`Self::faces`].
    pub fn follow(
        &self,
        tracker: &mut Tracker,
        frame: &RgbImage,
    ) -> Result<Vec<(usize, LandmarkedFace)>, InferError> {
        let Self {
            trained,
            passes,
            device,
            ..
        } = self;
        let faces = tracker.frame(
            |crops| {
                let views: Vec<View> = crops
                    .iter()
                    .map(|&crop| View::upright(frame, crop))
                    .collect();
                trained.predict_passes(&views, &trained.crop, *passes, BATCH, device)
            },
            || self.find(frame, false),
        )?;
        Ok(faces
            .into_iter()
            .map(|face| {
                let found = LandmarkedFace {
                    detected: face.detected,
                    crop: face.crop,
                    points: face.prediction.points,
                    covariance: face.prediction.covariance,
                    scores: face.prediction.scores,
                    score: face.prediction.score,
                };
                (face.id, found)
            })
            .collect())
    }

    /// Follows faces from frame to frame; `frames_per_second` is what its smoothing needs to know.
    pub fn video(&self, frames_per_second: f64) -> Video<'_, B> {
        Video {
            landmarker: self,
            tracker: Tracker::new(TrackConfig {
                frames_per_second,
                ..self.track_config()
            }),
        }
    }

    /// The detector's faces and what the network sees of them.
    fn find(&self, image: &RgbImage, turned: bool) -> Result<Vec<(FaceBox, CropBox)>, InferError> {
        let rule = &self.trained.crop;
        let mut faces = if turned {
            self.detector.crops_turned(image, rule)?
        } else {
            self.detector.crops(image, rule)?
        };
        faces.truncate(self.most_faces);
        Ok(faces)
    }

    fn predict(
        &self,
        faces: Vec<(&RgbImage, CropBox, Option<FaceBox>)>,
    ) -> Result<Vec<LandmarkedFace>, InferError> {
        let views: Vec<View> = faces
            .iter()
            .map(|&(image, crop, detected)| View {
                image,
                crop,
                turn: detected.map_or(Turn::Upright, |face| face.turn),
            })
            .collect();
        let Self {
            trained,
            passes,
            device,
            ..
        } = self;
        let refined = trained.predict_passes(&views, &trained.crop, *passes, BATCH, device)?;
        Ok(refined
            .into_iter()
            .zip(faces)
            .map(|(found, (_, _, detected))| LandmarkedFace {
                detected,
                crop: found.crop,
                points: found.prediction.points,
                covariance: found.prediction.covariance,
                scores: found.prediction.scores,
                score: found.prediction.score,
            })
            .collect())
    }
}

/// A video whose frames are shown one after the other.
pub struct Video<'a, B: Backend> {
    landmarker: &'a Landmarker<B>,
    tracker: Tracker,
}

impl<B: Backend> Video<'_, B> {
    /// The faces of the next frame: [`Landmarker::follow`].
    ///
    /// # Errors
    /// As [`Landmarker::faces`].
    pub fn next(&mut self, frame: &RgbImage) -> Result<Vec<(usize, LandmarkedFace)>, InferError> {
        self.landmarker.follow(&mut self.tracker, frame)
    }
}
