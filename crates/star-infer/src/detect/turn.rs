//! Faces in photos that lie on their side or upside down.

use image::{ImageBuffer, Pixel, RgbImage, imageops};
use serde::{Serialize, Serializer};
use star_data::{Affine, CropBox, CropRule, Point};

use super::{Detector, FaceBox};
use crate::error::InferError;

/// How far a face is turned in its image, clockwise, in quarters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Turn {
    /// As a face is looked at.
    #[default]
    Upright,
    /// By 90 degrees: its chin points to the left.
    Quarter,
    /// By 180 degrees: upside down.
    Half,
    /// By 270 degrees: its chin points to the right.
    ThreeQuarters,
}

impl Turn {
    /// Those that are not upright.
    const TURNED: [Self; 3] = [Self::Quarter, Self::ThreeQuarters, Self::Half];

    /// 0, 90, 180 or 270.
    pub fn degrees(self) -> u32 {
        match self {
            Self::Upright => 0,
            Self::Quarter => 90,
            Self::Half => 180,
            Self::ThreeQuarters => 270,
        }
    }

    /// Whether there is nothing to turn.
    pub fn is_upright(&self) -> bool {
        *self == Self::Upright
    }

    /// Turns a square of `side` pixels so that the face in it is upright.
    pub(crate) fn undone(self, side: u32) -> Affine {
        let last = f64::from(side) - 1.0;
        Affine::new(match self {
            Self::Upright => return Affine::IDENTITY,
            Self::Quarter => [[0.0, 1.0, 0.0], [-1.0, 0.0, last]],
            Self::Half => [[-1.0, 0.0, last], [0.0, -1.0, last]],
            Self::ThreeQuarters => [[0.0, -1.0, last], [1.0, 0.0, 0.0]],
        })
    }

    /// An image turned so that its faces are upright.
    pub fn undo<P: Pixel + 'static>(
        self,
        image: &ImageBuffer<P, Vec<P::Subpixel>>,
    ) -> ImageBuffer<P, Vec<P::Subpixel>> {
        match self {
            Self::Upright => image.clone(),
            Self::Quarter => imageops::rotate270(image),
            Self::Half => imageops::rotate180(image),
            Self::ThreeQuarters => imageops::rotate90(image),
        }
    }

    /// Where a point of the upright image is in the image as it was, which has this size.
    fn point(self, p: Point, (width, height): (u32, u32)) -> Point {
        let (right, bottom) = (f64::from(width) - 1.0, f64::from(height) - 1.0);
        match self {
            Self::Upright => p,
            Self::Quarter => Point::new(right - p.y, p.x),
            Self::Half => Point::new(right - p.x, bottom - p.y),
            Self::ThreeQuarters => Point::new(p.y, bottom - p.x),
        }
    }

    fn face(self, face: &FaceBox, size: (u32, u32)) -> FaceBox {
        let center = Point::new(face.x + face.w / 2.0, face.y + face.h / 2.0);
        let center = self.point(center, size);
        let (w, h) = match self {
            Self::Upright | Self::Half => (face.w, face.h),
            Self::Quarter | Self::ThreeQuarters => (face.h, face.w),
        };
        FaceBox {
            x: center.x - w / 2.0,
            y: center.y - h / 2.0,
            w,
            h,
            turn: self,
            ..*face
        }
    }
}

/// As degrees.
impl Serialize for Turn {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u32(self.degrees())
    }
}

/// The faces of an image and their crops, in the way up in which the most prominent one is found.
///
/// # Errors
/// As [`Detector::crops`].
pub(super) fn crops_turned(
    detector: &(impl Detector + ?Sized),
    image: &RgbImage,
    rule: &CropRule,
) -> Result<Vec<(FaceBox, CropBox)>, InferError> {
    let mut best = detector.crops(image, rule)?;
    let sure = detector.sure_score();
    if best.iter().any(|(face, _)| face.score >= sure) {
        return Ok(best);
    }
    let (calibration, size) = (detector.calibration(), image.dimensions());
    let turned = detector.detect_turned(image, &Turn::TURNED)?;
    for (turn, faces) in Turn::TURNED.into_iter().zip(turned) {
        if prominence(faces.first()) > prominence(best.first().map(|(face, _)| face)) {
            let back = |face: FaceBox| {
                let crop = calibration.crop(&face, rule)?;
                let center = turn.point(crop.center, size);
                Ok((turn.face(&face, size), CropBox { center, ..crop }))
            };
            best = faces
                .into_iter()
                .map(back)
                .collect::<Result<_, InferError>>()?;
        }
    }
    Ok(best)
}

/// Side times score.
fn prominence(face: Option<&FaceBox>) -> f64 {
    face.map_or(0.0, |face| face.w.max(face.h) * face.score)
}

#[cfg(test)]
mod tests {
    use image::Rgb;

    use super::*;
    use crate::detect::Calibration;

    /// Finds the white pixel that has a red one below it.
    struct Marks;

    impl Detector for Marks {
        fn detect(&self, image: &RgbImage) -> Result<Vec<FaceBox>, InferError> {
            let at = |x: u32, y: u32| image.get_pixel_checked(x, y).map(|p| p.0);
            let mut pixels = image.enumerate_pixels();
            let found =
                pixels.find(|&(x, y, p)| p.0 == [255; 3] && at(x, y + 1) == Some([255, 0, 0]));
            Ok(found
                .map(|(x, y, _)| FaceBox {
                    x: f64::from(x) - 2.0,
                    y: f64::from(y) - 4.0,
                    w: 4.0,
                    h: 8.0,
                    score: 3.0,
                    turn: Turn::Upright,
                })
                .into_iter()
                .collect())
        }

        fn calibration(&self) -> Calibration {
            Calibration {
                dx: 0.0,
                dy: 0.25,
                scale: 1.0,
            }
        }
    }

    #[test]
    fn what_is_found_turned_is_where_it_is_in_the_image() {
        for (below, turn) in [
            ((10, 8), Turn::Upright),
            ((9, 7), Turn::Quarter),
            ((10, 6), Turn::Half),
            ((11, 7), Turn::ThreeQuarters),
        ] {
            let mut image = RgbImage::new(24, 17);
            image.put_pixel(10, 7, Rgb([255; 3]));
            image.put_pixel(below.0, below.1, Rgb([255, 0, 0]));
            let found = Marks
                .crops_turned(&image, &CropRule::PUBLISHED)
                .expect("no failure");
            let [(face, crop)] = found[..] else {
                panic!("{turn:?}: {found:?}");
            };
            assert_eq!(face.turn, turn);
            let center = Point::new(face.x + face.w / 2.0, face.y + face.h / 2.0);
            assert_eq!(center, Point::new(10.0, 7.0), "{turn:?}");
            // Two pixels towards the red one: a quarter of the box's eight.
            let (dx, dy) = (f64::from(below.0) - 10.0, f64::from(below.1) - 7.0);
            assert_eq!(crop.center, Point::new(10.0 + 2.0 * dx, 7.0 + 2.0 * dy));
            // The network sees the red pixel below the white one.
            let view = star_data::crop_matrix(&crop, 32).then(&turn.undone(32));
            let [white, red] =
                [(10, 7), below].map(|(x, y)| view.apply(Point::new(f64::from(x), f64::from(y))));
            assert!((white.x - red.x).abs() < 1e-9 && red.y > white.y + 1.0);
            // And its middle in the middle.
            let middle = view.apply(crop.center);
            assert!(middle.distance(Point::new(15.5, 15.5)) < 1e-9);
        }
        let none = Marks.crops_turned(&RgbImage::new(9, 5), &CropRule::PUBLISHED);
        assert!(none.expect("no failure").is_empty());
    }

    /// Sees a face in every image; its score depends on how the image lies.
    struct Unsure {
        scores: [f64; 4],
        asked: std::sync::atomic::AtomicUsize,
    }

    impl Detector for Unsure {
        fn detect(&self, _: &RgbImage) -> Result<Vec<FaceBox>, InferError> {
            let looks = self
                .asked
                .fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            Ok(vec![FaceBox {
                x: 0.0,
                y: 0.0,
                w: 4.0,
                h: 4.0,
                score: self.scores[looks],
                turn: Turn::Upright,
            }])
        }

        fn calibration(&self) -> Calibration {
            crate::detect::SEETA_TO_LANDMARKS
        }

        fn sure_score(&self) -> f64 {
            5.0
        }
    }

    #[test]
    fn a_face_that_is_not_sure_may_lie_another_way() {
        for (scores, turn, looks) in [
            ([5.0, 9.0, 9.0, 9.0], Turn::Upright, 1),
            ([4.0, 3.0, 2.0, 6.0], Turn::Half, 4),
            ([4.0, 3.0, 2.0, 4.0], Turn::Upright, 4),
        ] {
            let detector = Unsure {
                scores,
                asked: 0.into(),
            };
            let image = RgbImage::new(9, 7);
            let found = detector.crops_turned(&image, &CropRule::PUBLISHED);
            assert_eq!(found.expect("no failure")[0].0.turn, turn);
            assert_eq!(detector.asked.into_inner(), looks);
        }
    }
}
