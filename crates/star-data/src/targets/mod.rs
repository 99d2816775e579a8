//! The maps the network is taught: one bump a landmark, one curve an edge, drawn directly at a quarter of the crop's size.
//!
//! The published program draws them at full size (edges at four times that) and shrinks them by four without anti-aliasing, which
//! leaves each cell (i, j) the mean of the four pixels (4i+1, 4j+1) to (4i+2, 4j+2). Only those pixels are computed here.

mod edge_map;
mod partial_edge;
mod point_map;
mod spline;
mod thick_line;

pub use edge_map::{EdgeCanvas, UNKNOWN, edge_maps};
pub use point_map::{PointProfiles, expand_point_maps, point_profiles, profiles_with};
pub use spline::curve;

/// The crop is this many times as wide as the maps.
pub const MAP_FACTOR: usize = 4;
