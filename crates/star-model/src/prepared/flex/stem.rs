//! From the image to the first features.

use super::{
    block::Block,
    memory::{Buffer, Memory},
    pool::max_pool,
    product::{Add, Panels, Rows, Windows, product},
    split::{PASS, by_rows},
    weights::Folded,
};
use crate::{
    coord::{COORD_CHANNELS, coordinates},
    stem::IMAGE_CHANNELS,
};

/// Side of the first convolution's kernel, its step, and the padding that it needs.
const KERNEL: usize = 7;
const STEP: usize = 2;
const PADDING: usize = KERNEL / 2;

/// See [`crate::Stem`].
#[derive(Debug)]
pub struct Stem {
    pub conv: StemConv,
    pub block1: Block,
    pub block2: Block,
    pub block3: Block,
}

/// The first convolution and its ReLU. What coordinates add to it is the same for every image of a size.
#[derive(Debug)]
pub struct StemConv {
    image: Panels,
    coords: Option<Coords>,
}

/// A kernel over coordinates, and what it gives for images of one size.
#[derive(Debug)]
struct Coords {
    panels: Panels,
    size: [usize; 2],
    map: Vec<f32>,
}

impl Stem {
    /// An image `[3, height, width]` -> `[height / 4, width / 4, channels]`, and that size.
    pub fn run<'m>(
        &self,
        image: &[f32],
        size: [usize; 2],
        memory: &'m Memory,
    ) -> (Buffer<'m>, [usize; 2]) {
        let half = half(size);
        let mut x = memory.take(half[0] * half[1] * self.conv.image.outputs);
        self.conv.run(image, size, &mut x, memory);

        let mut y = memory.take(half[0] * half[1] * self.block1.outputs());
        self.block1.run(&x, half, &mut y, memory);
        let size = half.map(|side| side / 2);
        let mut x = memory.take(size[0] * size[1] * self.block1.outputs());
        let (channels, work) = (self.block1.outputs(), y.len() * PASS);
        by_rows(&mut x, size[1] * channels, work, |first, x| {
            max_pool(&y[2 * first * half[1] * channels..], half[1], channels, x);
        });
        drop(y);
        let mut y = memory.take(size[0] * size[1] * self.block2.outputs());
        self.block2.run(&x, size, &mut y, memory);
        let mut x = memory.take(size[0] * size[1] * self.block3.outputs());
        self.block3.run(&y, size, &mut x, memory);
        (x, size)
    }
}

impl StemConv {
    /// For images of `side` by `side` above all; others do as well, and take longer.
    pub fn new(conv: &Folded, side: usize) -> Self {
        // Of some of the input's channels.
        let panels = |first: usize, channels: usize, bias: &[f32]| {
            Panels::new(
                [conv.outputs, KERNEL * KERNEL * channels],
                |output, i| conv.weight(output, first + i % channels, i / channels),
                |output| bias[output],
            )
        };
        let coords = (conv.inputs > IMAGE_CHANNELS).then(|| {
            let size = [side; 2];
            let none = vec![0.0; conv.outputs];
            let panels = panels(IMAGE_CHANNELS, COORD_CHANNELS, &none);
            let [height, width] = half(size);
            let mut map = vec![0.0; height * width * conv.outputs];
            Coords::run(&panels, size, &mut map, &Memory::default());
            Coords { panels, size, map }
        });
        Self {
            image: panels(0, IMAGE_CHANNELS, &conv.bias),
            coords,
        }
    }

    /// `image [3, height, width]` -> `y [height / 2, width / 2, channels]`
    fn run(&self, image: &[f32], size: [usize; 2], y: &mut [f32], memory: &Memory) {
        let pixels = size[0] * size[1];
        let colours = |[i, j]: [usize; 2]| {
            let pixel = i * size[1] + j;
            std::array::from_fn::<_, IMAGE_CHANNELS, _>(|k| image[k * pixels + pixel])
        };
        let padded = padded(size, memory, colours);
        let of_size;
        let add = match &self.coords {
            None => Add::Nothing,
            Some(coords) if coords.size == size => Add::Rows(&coords.map),
            Some(coords) => {
                let mut map = memory.take(y.len());
                Coords::run(&coords.panels, size, &mut map, memory);
                of_size = map;
                Add::Rows(&of_size)
            }
        };
        convolve(&padded, &self.image, size, y, add, true);
    }
}

impl Coords {
    fn run(panels: &Panels, size: [usize; 2], y: &mut [f32], memory: &Memory) {
        let padded = padded(size, memory, |at| coordinates(at, size));
        convolve(&padded, panels, size, y, Add::Nothing, false);
    }
}

fn half(size: [usize; 2]) -> [usize; 2] {
    size.map(|side| side.div_ceil(STEP))
}

/// A kernel over a padded map.
fn convolve(
    padded: &[f32],
    panels: &Panels,
    size: [usize; 2],
    y: &mut [f32],
    add: Add,
    relu: bool,
) {
    let outputs = panels.outputs;
    let channels = panels.inputs / (KERNEL * KERNEL);
    let work = y.len() * panels.inputs;
    by_rows(y, outputs, work, |first, y| {
        let x = Rows {
            data: padded,
            stride: STEP * channels,
            windows: Some(Windows {
                lines: KERNEL,
                length: (size[1] + 2 * PADDING) * channels,
                step: STEP,
                across: half(size)[1],
                first,
            }),
        };
        product(x, panels, y, add.from(first * outputs, y.len()), relu);
    });
}

/// A map `[height, width, channels]` of what `at` says of a row and a column, zeros around it.
fn padded<'m, const CHANNELS: usize>(
    [height, width]: [usize; 2],
    memory: &'m Memory,
    at: impl Fn([usize; 2]) -> [f32; CHANNELS],
) -> Buffer<'m> {
    let length = (width + 2 * PADDING) * CHANNELS;
    let mut padded = memory.take((height + 2 * PADDING) * length);
    for (row, line) in padded.chunks_exact_mut(length).enumerate() {
        line.fill(0.0);
        if !(PADDING..PADDING + height).contains(&row) {
            continue;
        }
        let pixels = line[PADDING * CHANNELS..].chunks_exact_mut(CHANNELS);
        for (column, pixel) in pixels.take(width).enumerate() {
            pixel.copy_from_slice(&at([row - PADDING, column]));
        }
    }
    padded
}
