//! Many faces on one sheet.

use image::{RgbImage, imageops};
use star_data::{Affine, Covariance, CropBox, Edge, Point, crop_matrix, warp::warp};

use super::overlay::{Overlay, Palette};

/// Images are sampled at up to this many times the tile's size before they are reduced to it, so that large faces do not flicker.
const MOST_OVERSAMPLING: u32 = 4;

/// How a sheet is laid out.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SheetOptions {
    /// Tiles in a row.
    pub columns: usize,
    /// Side of a tile, its border included, in pixels.
    pub tile: u32,
    /// Space between tiles and around them, in pixels.
    pub gutter: u32,
    /// Width of the coloured border of tiles that have one, in pixels.
    pub border: u32,
    /// Colour between the tiles, RGB.
    pub background: [u8; 3],
}

impl Default for SheetOptions {
    fn default() -> Self {
        Self {
            columns: 6,
            tile: 224,
            gutter: 6,
            border: 5,
            background: [255, 255, 255],
        }
    }
}

/// One face for a sheet. Points are in pixels of `image`.
#[derive(Clone, Copy, Debug)]
pub struct Tile<'a> {
    /// The whole image.
    pub image: &'a RgbImage,
    /// What of the image to show.
    pub crop: CropBox,
    /// Predicted points.
    pub points: &'a [Point],
    /// Annotated or true points, if they are to be shown.
    pub reference: &'a [Point],
    /// Lines through the predicted points.
    pub edges: &'a [Edge],
    /// Spreads of the predicted points, in pixels of `image` squared.
    pub spreads: &'a [Covariance],
    /// Colour of the border, for example [`error_color`].
    pub border: Option<[u8; 3]>,
}

impl<'a> Tile<'a> {
    /// A face with its points and nothing else.
    pub fn new(image: &'a RgbImage, crop: CropBox, points: &'a [Point]) -> Self {
        Self {
            image,
            crop,
            points,
            reference: &[],
            edges: &[],
            spreads: &[],
            border: None,
        }
    }

    /// The tile as an image of `size` x `size` pixels. A crop without a size gives a black tile.
    fn draw(&self, size: u32, palette: Palette) -> RgbImage {
        let black = || RgbImage::new(size, size);
        let span = self.crop.scale * star_data::crop::CROP_UNIT;
        let usable = span > 0.0
            && [span, self.crop.center.x, self.crop.center.y]
                .iter()
                .all(|v| v.is_finite());
        if !usable {
            return black();
        }
        let oversampling = ((span / f64::from(size)).ceil() as u32).clamp(1, MOST_OVERSAMPLING);
        let large = size * oversampling;
        let Ok(crop) = warp(self.image, &crop_matrix(&self.crop, large), large, large) else {
            return black();
        };
        let crop = if oversampling == 1 {
            crop
        } else {
            imageops::resize(&crop, size, size, imageops::FilterType::Triangle)
        };
        // Reducing keeps corners, not pixel centres: (x + 1/2) / oversampling - 1/2.
        let k = 1.0 / f64::from(oversampling);
        let shift = (k - 1.0) / 2.0;
        let reduce = Affine::new([[k, 0.0, shift], [0.0, k, shift]]);
        let matrix = crop_matrix(&self.crop, large).then(&reduce);

        let points = matrix.apply_all(self.points);
        let reference = matrix.apply_all(self.reference);
        let area = matrix.determinant().abs();
        let spreads: Vec<Covariance> = self
            .spreads
            .iter()
            .map(|s| Covariance {
                xx: s.xx * area,
                xy: s.xy * area,
                yy: s.yy * area,
            })
            .collect();
        Overlay::new(&points)
            .edges(self.edges)
            .spreads(&spreads)
            .reference(&reference)
            .palette(palette)
            .draw(&crop)
    }
}

/// A grid of tiles, filled row by row.
#[derive(Clone, Debug, Default)]
pub struct ContactSheet {
    options: SheetOptions,
    palette: Palette,
    /// Drawn tiles: a sheet does not keep the images.
    tiles: Vec<RgbImage>,
}

impl ContactSheet {
    /// An empty sheet. Fewer than one column counts as one.
    pub fn new(options: SheetOptions) -> Self {
        Self {
            options: SheetOptions {
                columns: options.columns.max(1),
                tile: options.tile.max(1),
                ..options
            },
            ..Self::default()
        }
    }

    /// Other colours for the tiles to come.
    #[must_use]
    pub fn palette(mut self, palette: Palette) -> Self {
        self.palette = palette;
        self
    }

    /// Draws a tile into the next place.
    pub fn push(&mut self, tile: &Tile) {
        let size = self.options.tile;
        let drawn = match tile.border {
            Some(color) => {
                let border = self.options.border.min((size - 1) / 2);
                let mut framed = RgbImage::from_pixel(size, size, image::Rgb(color));
                let inner = tile.draw(size - 2 * border, self.palette);
                imageops::replace(&mut framed, &inner, i64::from(border), i64::from(border));
                framed
            }
            None => tile.draw(size, self.palette),
        };
        self.tiles.push(drawn);
    }

    /// Number of tiles.
    pub fn len(&self) -> usize {
        self.tiles.len()
    }

    /// Whether there are no tiles.
    pub fn is_empty(&self) -> bool {
        self.tiles.is_empty()
    }

    /// The sheet: as many columns as asked for (fewer if there are fewer tiles), as many rows as needed.
    pub fn render(&self) -> RgbImage {
        let SheetOptions {
            columns,
            tile,
            gutter,
            background,
            ..
        } = self.options;
        let across = columns.min(self.tiles.len());
        let down = self.tiles.len().div_ceil(columns);
        let side = |count: usize| count as u32 * (tile + gutter) + gutter;
        let mut sheet = RgbImage::from_pixel(side(across), side(down), image::Rgb(background));
        for (i, image) in self.tiles.iter().enumerate() {
            let at = |index: usize| i64::from(index as u32 * (tile + gutter) + gutter);
            imageops::replace(&mut sheet, image, at(i % columns), at(i / columns));
        }
        sheet
    }
}

/// From blue (0) over pale yellow to red (`limit` and more), readable for colour-blind eyes; grey for an error that is no number.
pub fn error_color(error: f64, limit: f64) -> [u8; 3] {
    const LOW: [f64; 3] = [44.0, 123.0, 182.0];
    const MIDDLE: [f64; 3] = [255.0, 237.0, 160.0];
    const HIGH: [f64; 3] = [215.0, 25.0, 28.0];
    let fraction = error / limit;
    if fraction.is_nan() {
        return [128; 3];
    }
    let fraction = fraction.clamp(0.0, 1.0);
    let (from, to, t) = if fraction < 0.5 {
        (LOW, MIDDLE, fraction * 2.0)
    } else {
        (MIDDLE, HIGH, fraction * 2.0 - 1.0)
    };
    std::array::from_fn(|i| (from[i] + (to[i] - from[i]) * t).round() as u8)
}
