//! Images for people: landmarks on a face, sheets of faces, training curves.
//!
//! ```
//! use star_data::{Covariance, Point};
//! use star_draw::Overlay;
//!
//! let photo = image::RgbImage::new(200, 200);
//! let points = [Point::new(80.0, 100.0), Point::new(120.0, 100.0)];
//! let spreads = [Covariance { xx: 25.0, xy: 0.0, yy: 4.0 }; 2];
//! let drawn = Overlay::new(&points).spreads(&spreads).draw(&photo);
//! assert_ne!(drawn, photo);
//! ```
//!
//! Nothing here knows a network or a run: points, images and numbers go in, images come out.

#![forbid(unsafe_code)]
#![warn(missing_docs)]

pub mod contact_sheet;
pub mod curves;
pub mod overlay;
pub mod plots;
pub mod sample_sheet;

pub mod annotated_image;
mod canvas;
mod error;
pub mod svg;
pub mod ticks;

mod glyphs;
mod legend;
mod surface;
mod vector;

pub use annotated_image::AnnotatedImage;
pub use contact_sheet::{ContactSheet, SheetOptions, Tile, error_color};
pub use curves::{Figure, Panel, Scale, Series};
pub use error::DrawError;
pub use overlay::{Overlay, Palette, draw_overlays};
pub use sample_sheet::SampleSheet;

#[cfg(test)]
mod tests;
