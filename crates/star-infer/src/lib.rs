//! Photo in, faces out: where the faces are, their landmarks, how sure each is.
//!
//! ```
//! use star_infer::{Flex, Landmarker, Pretrained, decode_file};
//!
//! # let photo = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/astronaut.jpg");
//! let image = decode_file(photo.as_ref())?;
//! let landmarker = Landmarker::<Flex>::pretrained(Pretrained::Ibug68Small, &Default::default())?;
//! for face in landmarker.faces(&image)? {
//!     println!("score {:.2}", face.score);
//!     for (point, covariance) in face.points.iter().zip(&face.covariance) {
//!         println!("{:.1} {:.1} {:.2}", point.x, point.y, covariance.axes().large.sqrt());
//!     }
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! [`Landmarker`] is the door: from a network that ships or a weights file, faces found or given, single images, batches or video. Behind it
//! lie the [detector](detect), the [network's read-out](mod@predict), [tracking](track) and the [weights file](weights_file). Points are in
//! image pixels with pixel centres at integers; covariances are in image pixels squared and, where the weights are calibrated
//! ([`CovarianceScales`]), those of the errors to be expected.

#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod covariance_scales;
pub mod detect;
mod error;
mod host;
pub mod landmarker;
pub mod one_euro;
pub mod passes;
pub mod predict;
#[cfg(feature = "pretrained")]
pub mod pretrained;
pub mod readout;
pub mod track;
pub mod weights_file;

/// Burn's CPU backend; any other backend of Burn will do as well.
#[cfg(feature = "flex")]
pub use burn::backend::Flex;
pub use covariance_scales::CovarianceScales;
pub use error::InferError;
pub use host::to_host;
pub use landmarker::{LandmarkedFace, Landmarker, Video};
pub use predict::{Prediction, Refined, View, predict, predict_passes};
#[cfg(feature = "pretrained")]
pub use pretrained::Pretrained;
/// What its results are made of, and a decoder of JPEG, PNG, BMP and WebP.
pub use star_data::{Covariance, CropBox, CropRule, Layout, Point, decode::decode_file};
pub use weights_file::{
    PreparedNet, TrainedNet, WeightsInfo, read_weights, read_weights_bytes,
    write_covariance_scales, write_weights,
};
