//! What the page has to know of the network and of the server's limits.

use serde_json::{Value, json};
use star_data::{
    Layout,
    decode::{MAX_PIXELS, MAX_SIDE},
};
use star_draw::{
    Palette,
    overlay::{MOST_ANISOTROPIC, anisotropy_color},
};

use super::upload::Bounds;
use crate::{commands::predict::document::Shared, error::CliError};

/// Steps of the colour scale; in between the page takes the nearest.
const COLORS: usize = 65;

pub struct About<'a> {
    pub layout: &'a Layout,
    pub shared: &'a Shared,
    /// The network that comes with the program.
    pub shipped: bool,
    pub finds_faces: bool,
    pub passes: u8,
    /// Standard deviations that the page begins with.
    pub sigma: f64,
    pub bounds: Bounds,
}

impl About<'_> {
    /// # Errors
    /// None that are known.
    pub fn to_json(&self) -> Result<String, CliError> {
        let colors = Palette::default();
        let about = json!({
            "layout": self.layout.name,
            "points": self.layout.points,
            "edges": self.layout.edges,
            "weights": self.shared.weights,
            "weights_file": self.shared.weights_file,
            "shipped": self.shipped,
            "finds_faces": self.finds_faces,
            "passes": self.passes,
            "sigma": self.sigma,
            "calibrated": self.shared.calibrated,
            "most_bytes": self.bounds.bytes,
            "most_side": MAX_SIDE,
            "most_pixels": MAX_PIXELS,
            "colors": {
                "points": hex(colors.points),
                "edges": hex(colors.edges),
                "ratios": ratio_colors(),
                "most_ratio": MOST_ANISOTROPIC,
            },
        });
        serde_json::to_string(&about).map_err(|e| CliError::Usage(e.to_string()))
    }
}

/// The colours of axis ratios from 1 to the last, in equal steps of the ratio's logarithm: those of `predict`'s images.
fn ratio_colors() -> Vec<Value> {
    (0..COLORS)
        .map(|i| MOST_ANISOTROPIC.powf(i as f64 / (COLORS - 1) as f64))
        .map(|ratio| hex(anisotropy_color(ratio)).into())
        .collect()
}

fn hex([r, g, b]: [u8; 3]) -> String {
    format!("#{r:02x}{g:02x}{b:02x}")
}
