//! What the network is fed and what it is asked for, face by face.

use image::{GrayImage, Luma, Rgb, RgbImage, imageops};
use star_data::{Edge, Point, Sample};

use super::overlay::Overlay;

/// Side of a tile, in pixels: an input of the published size is shown pixel for pixel.
const TILE: u32 = 256;
/// Tiles a face: the input, the input with its landmarks, the point maps, the edge maps.
const TILES: u32 = 4;
/// Faces in a row.
const FACES: u32 = 2;
/// Between the tiles of a face, and between faces and around them.
const GUTTERS: (u32, u32) = (2, 12);
/// How much of the face is seen below the maps.
const GHOST: f32 = 0.25;

/// Collects samples and lays them out two faces a row, four tiles a face.
pub struct SampleSheet<'a> {
    edges: &'a [Edge],
    /// Strips of four tiles.
    strips: Vec<RgbImage>,
}

impl<'a> SampleSheet<'a> {
    /// An empty sheet for samples of a layout with these edges.
    pub fn new(edges: &'a [Edge]) -> Self {
        Self {
            edges,
            strips: Vec::new(),
        }
    }

    /// Draws a sample, which must have its maps: without them its map tiles show the face alone.
    pub fn push(&mut self, sample: &Sample) {
        let input = tile_of(&sample.crop);
        let scale = f64::from(TILE) / f64::from(sample.size.max(1));
        let to_tile = |v: f64| (v + 0.5) * scale - 0.5;
        let points: Vec<Point> = (sample.crop_landmarks.iter())
            .map(|p| Point::new(to_tile(p.x), to_tile(p.y)))
            .collect();
        let drawn = Overlay::new(&points).edges(self.edges).draw(&input);

        let cells = sample.cells();
        let heat = |_: usize, value: f32| warm(value);
        let point_maps = map_tile(&sample.point_maps(), cells, &input, heat);
        let count = self.edges.len();
        let hue = |channel: usize, value: f32| colour(channel, count).map(|c| c * value);
        let edge_maps = map_tile(&sample.edge_maps, cells, &input, hue);

        let mut strip = RgbImage::from_pixel(strip_width(), TILE, Rgb([255; 3]));
        for (at, tile) in (0..).zip([&input, &drawn, &point_maps, &edge_maps]) {
            imageops::replace(&mut strip, tile, at * i64::from(TILE + GUTTERS.0), 0);
        }
        self.strips.push(strip);
    }

    /// The sheet: rows of two faces (one, if there is only one), from left to right.
    pub fn render(&self) -> RgbImage {
        let count = self.strips.len() as u32;
        let (across, down) = (count.min(FACES), count.div_ceil(FACES));
        let gutter = GUTTERS.1;
        let (step_x, step_y) = (strip_width() + gutter, TILE + gutter);
        let size = (across * step_x + gutter, down * step_y + gutter);
        let mut sheet = RgbImage::from_pixel(size.0, size.1, Rgb([255; 3]));
        for (at, strip) in (0..).zip(&self.strips) {
            let x = at % FACES * step_x + gutter;
            let y = at / FACES * step_y + gutter;
            imageops::replace(&mut sheet, strip, x.into(), y.into());
        }
        sheet
    }
}

fn strip_width() -> u32 {
    TILES * TILE + (TILES - 1) * GUTTERS.0
}

/// Small images keep their pixels as squares, so that nobody takes them for sharper than they are.
fn tile_of(image: &RgbImage) -> RgbImage {
    let filter = if image.width() <= TILE {
        imageops::FilterType::Nearest
    } else {
        imageops::FilterType::Triangle
    };
    imageops::resize(image, TILE, TILE, filter)
}

/// The maximum over the channels of `maps`, `[channels, cells, cells]`, in colour over a faint `face`; a cell is a square.
fn map_tile(
    maps: &[f32],
    cells: usize,
    face: &RgbImage,
    colour: impl Fn(usize, f32) -> [f32; 3],
) -> RgbImage {
    let mut most = vec![[0.0_f32; 3]; cells * cells];
    for (channel, map) in maps.chunks_exact((cells * cells).max(1)).enumerate() {
        for (most, &value) in most.iter_mut().zip(map).filter(|(_, v)| **v > 0.0) {
            for (most, part) in most.iter_mut().zip(colour(channel, value)) {
                *most = most.max(part);
            }
        }
    }
    let ghost: GrayImage = imageops::grayscale(face);
    RgbImage::from_fn(TILE, TILE, |x, y| {
        let Luma([grey]) = *ghost.get_pixel(x, y);
        let cell = |v: u32| v as usize * cells / TILE as usize;
        let part = most.get(cell(y) * cells + cell(x)).copied();
        let [r, g, b] = part.unwrap_or_default();
        let grey = GHOST * f32::from(grey);
        // Where a map has a value, the face steps back.
        let under = 1.0 - r.max(g).max(b).min(1.0);
        Rgb([r, g, b].map(|v| (255.0 * v.clamp(0.0, 1.0) + under * grey).min(255.0) as u8))
    })
}

/// From black over red and yellow to white, for values from 0 to 1.
fn warm(value: f32) -> [f32; 3] {
    [2.2 * value, 2.2 * value - 0.6, 2.2 * value - 1.3].map(|v| v.clamp(0.0, 1.0))
}

/// A bright colour for each edge; neighbours in the list are far apart on the colour circle.
fn colour(channel: usize, count: usize) -> [f32; 3] {
    const GOLDEN: f32 = 0.618_034;
    let hue = if count < 3 {
        channel as f32 / 3.0
    } else {
        (channel as f32 * GOLDEN).fract()
    };
    [0.0, 2.0, 4.0].map(|offset: f32| {
        let at = (hue * 6.0 + offset) % 6.0;
        let pure = ((at - 3.0).abs() - 1.0).clamp(0.0, 1.0);
        0.25 + 0.75 * pure
    })
}
