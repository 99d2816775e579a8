//! What can go wrong while drawing.

/// Why there is no drawing.
#[derive(Debug, thiserror::Error)]
pub enum DrawError {
    /// An image could not be put into an SVG file.
    #[error("{title}: no SVG of it: {source}")]
    Encode {
        /// What the drawing is of.
        title: String,
        /// What the encoder said.
        #[source]
        source: image::ImageError,
    },
}
