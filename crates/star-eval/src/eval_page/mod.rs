//! The page about an evaluation that a person would rather look at than a log.
//!
//! [`write()`] leaves a folder: `index.html`, which needs nothing else and no network; each of its plots as an SVG on white paper for
//! a text; each of its tables as CSV; and `scores.json`, which [`compare`](crate::compare) reads.
//! [`write_comparison`] does the same for several evaluations of the same faces.

mod align;
mod ced;
mod chart;
mod comparison;
mod csv;
mod drawing;
mod evaluation;
mod face_map;
mod face_size;
mod faces;
mod files;
mod measure;
mod page;
mod robustness;

use star_data::FaceSource;

use crate::evaluate::{PredictedFace, Scores};

pub use comparison::write_comparison;
pub use evaluation::write;
pub(crate) use measure::face_size;

/// Everything that a page is made of.
pub struct Inputs<'a> {
    /// The faces that were evaluated, in a few words: the heading.
    pub title: &'a str,
    /// Which weights these are and how they were selected.
    pub weights: &'a str,
    /// What to say beyond the protocol of the scores: names and values.
    pub notes: &'a [(&'a str, String)],
    /// The figures.
    pub scores: &'a Scores,
    /// In the order of `scores.per_face`.
    pub faces: &'a [PredictedFace],
    /// Where the images are, by [`PredictedFace::index`]; its layout is that of the points.
    pub images: &'a dyn FaceSource,
}
