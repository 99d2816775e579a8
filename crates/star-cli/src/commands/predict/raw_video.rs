//! Raw frames from standard input.

use std::{
    io::{ErrorKind, Read},
    path::PathBuf,
};

use image::RgbImage;
use star_data::decode::{MAX_PIXELS, MAX_SIDE};

use super::item::{Faces, Item, Source};

/// Width and height of all frames, in pixels.
#[derive(Clone, Copy, Debug)]
pub struct FrameSize {
    width: u32,
    height: u32,
}

pub fn parse_size(text: &str) -> Result<FrameSize, String> {
    let parsed = text
        .split_once(['x', 'X'])
        .and_then(|(w, h)| Some((w.trim().parse().ok()?, h.trim().parse().ok()?)));
    match parsed {
        Some((width, height)) if width > 0 && height > 0 => {
            let pixels = u64::from(width) * u64::from(height);
            if width > MAX_SIDE || height > MAX_SIDE || pixels > MAX_PIXELS {
                return Err(format!("larger than is read ({MAX_SIDE} a side)"));
            }
            Ok(FrameSize { width, height })
        }
        _ => Err("write WIDTHxHEIGHT in pixels, such as 640x360".into()),
    }
}

/// The frames, called frame-000001 and so on, with `faces` in each; a last one that is cut off is broken.
pub fn frames(size: FrameSize, faces: Faces) -> impl Iterator<Item = Item> + Send {
    read_frames(std::io::stdin(), size, faces)
}

fn read_frames(
    mut stream: impl Read + Send,
    size: FrameSize,
    faces: Faces,
) -> impl Iterator<Item = Item> + Send {
    let FrameSize { width, height } = size;
    let whole = width as usize * height as usize * 3;
    let mut number = 0;
    let mut over = false;
    std::iter::from_fn(move || {
        if over {
            return None;
        }
        number += 1;
        let name = PathBuf::from(format!("frame-{number:06}"));
        let mut pixels = Vec::with_capacity(whole);
        let read = (&mut stream).take(whole as u64).read_to_end(&mut pixels);
        let source = match read {
            Err(e) if e.kind() != ErrorKind::UnexpectedEof => {
                over = true;
                Source::Broken {
                    message: e.to_string(),
                    name,
                }
            }
            _ if pixels.is_empty() => return None,
            _ => {
                let bytes = pixels.len();
                match RgbImage::from_raw(width, height, pixels) {
                    Some(image) => Source::Frame { name, image },
                    None => {
                        over = true;
                        Source::Broken {
                            message: format!(
                                "standard input ends after {bytes} of {whole} bytes; are the frames {width} x {height} pixels of rgb24?"
                            ),
                            name,
                        }
                    }
                }
            }
        };
        Some(Item::new(source, faces.clone()))
    })
}
