//! The published annotation files: one face a line, columns separated by tabs (REFERENCE D1, D2).
//!
//! Columns by position: the image's path; five points as 10 numbers (not used); the N landmarks as 2N numbers; scale; centre x;
//! centre y; in WFLW only, six tags; where they are known (COFW), N occlusion flags; and, where a header line names it, a group. Numbers
//! within a column are separated by commas.

mod faces;
mod path;
mod read;
mod row;
mod write;

pub use faces::TsvFaces;
pub use path::{check_group, check_path};
pub use read::{BadLine, BadLines, MOST_TOLD, parse_tsv, read_tsv, read_tsv_leniently};
pub use row::TsvRow;
pub use write::write_tsv;

/// Names the ninth column. It is only read from a file whose header has it, so that a stray tab is not taken for it.
const GROUP: &str = "group";
