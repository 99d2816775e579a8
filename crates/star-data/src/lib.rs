//! Faces from files to batches: layouts, annotation files, geometry, augmentation, target maps.
//!
//! ```
//! use star_data::{AugmentConfig, CropBox, Draws, Face, Layout, Point, SampleMaker};
//!
//! let layout = Layout::builtin("ibug68")?;
//! let face = Face {
//!     name: "grey".into(),
//!     image: image::RgbImage::from_pixel(300, 300, image::Rgb([128; 3])),
//!     landmarks: vec![Point::new(150.0, 150.0); layout.points],
//!     truth: None,
//!     crop: CropBox { scale: 1.0, center: Point::new(150.0, 150.0) },
//! };
//! let maker = SampleMaker::new(layout, 256, AugmentConfig::default(), true)?;
//! let sample = maker.sample_with(&face, 0, &Draws::default())?;
//! // 3 x 256 x 256 numbers for the network, and a map of 64 x 64 for each point.
//! assert_eq!(sample.input().len(), 3 * 256 * 256);
//! assert_eq!(sample.point_maps().len(), 68 * 64 * 64);
//! # Ok::<(), star_data::DataError>(())
//! ```
//!
//! The path of one face: a [`FaceSource`] yields a decoded [`Face`]; [`augment`] composes crop, flip and random geometry into one
//! [`Affine`]; [`warp`] samples the image once; [`photometric`] changes its pixels; [`sample`] normalises it and draws the target maps at
//! their final size; the [`Loader`] does this in worker threads and hands out [`HostBatch`]es, which become a [`Batch`] on a device.
//!
//! Points are (x, y) in pixels with pixel centres at integers; matrices map original pixels to crop pixels; images are RGB
//! until they become network input, which is BGR in [-1, 1] because published weights are.

#![forbid(unsafe_code)]
#![warn(missing_docs)]

pub mod affine;
pub mod augment;
pub mod batch;
pub mod check;
pub mod covariance;
pub mod crop;
pub mod decode;
pub mod error;
pub mod face;
mod face_cache;
mod ibug;
pub mod layout;
pub mod loader;
pub mod photometric;
pub mod point;
#[cfg(feature = "prepare")]
pub mod prepare;
pub mod published_subsets;
pub mod recrop;
pub mod rng;
pub mod sample;
pub mod subset;
pub mod targets;
mod together;
pub mod tsv;
pub mod warp;
pub mod window;

pub use affine::Affine;
pub use augment::{AugmentConfig, Draws, FacePlan, GeometryDraws};
pub use batch::{Batch, HostBatch};
pub use covariance::Covariance;
pub use crop::{BoxSide, CropBox, CropRule, crop_matrix};
pub use error::DataError;
pub use face::{Face, FaceSource};
pub use layout::{Edge, Layout, Norm, find_layout};
pub use loader::{Loader, LoaderConfig};
pub use point::Point;
pub use recrop::Recropped;
pub use sample::{Sample, SampleMaker, network_input};
pub use subset::{HoldOut, Subset, split_held_out};
pub use tsv::{TsvFaces, TsvRow};
