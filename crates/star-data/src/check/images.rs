//! Every image, read once: whether it is whole, how large it is, and a hash that knows it again.

use std::{
    hash::{DefaultHasher, Hasher},
    io::ErrorKind,
    panic::catch_unwind,
    path::Path,
    sync::atomic::{AtomicUsize, Ordering},
};

use rayon::prelude::*;

use super::Kind;
use crate::{decode::decode_reporting, error::DataError};

/// What is kept of an image.
pub(super) struct ImageFacts {
    /// Width and height of one that can be read.
    pub size: Option<(u32, u32)>,
    /// Of its pixels: the same image is known again under another name or in another lossless format.
    pub content: Option<u64>,
    problem: Option<Problem>,
}

enum Problem {
    Missing,
    Unreadable(String),
    Truncated,
}

/// Reads the images `paths` of the folder `images`. In memory at any time: one image for each thread.
pub(super) fn read_all(
    images: &Path,
    paths: &[String],
    progress: impl Fn(usize, usize) + Sync,
) -> Vec<ImageFacts> {
    let done = AtomicUsize::new(0);
    (paths.par_iter())
        .map(|path| {
            let image = read(&images.join(path));
            progress(done.fetch_add(1, Ordering::Relaxed) + 1, paths.len());
            image
        })
        .collect()
}

fn read(path: &Path) -> ImageFacts {
    let failed = |problem| ImageFacts {
        size: None,
        content: None,
        problem: Some(problem),
    };
    let bytes = match star_files::read_file(path, star_files::IMAGE) {
        Ok(bytes) => bytes,
        Err(e) if e.kind() == ErrorKind::NotFound => return failed(Problem::Missing),
        Err(e) => return failed(Problem::Unreadable(e.to_string())),
    };
    // Decoders are other people's code, and one bad file must not end the check.
    let decoded = catch_unwind(|| decode_reporting(&bytes, path));
    let decoded = match decoded {
        Ok(Ok(decoded)) => decoded,
        Ok(Err(DataError::Image { message, .. })) => return failed(Problem::Unreadable(message)),
        Ok(Err(error)) => return failed(Problem::Unreadable(error.to_string())),
        Err(_) => return failed(Problem::Unreadable("the decoder panicked".into())),
    };
    let (width, height) = decoded.image.dimensions();
    let mut hasher = DefaultHasher::new();
    hasher.write_u32(width);
    hasher.write_u32(height);
    hasher.write(decoded.image.as_raw());
    ImageFacts {
        size: Some((width, height)),
        content: Some(hasher.finish()),
        problem: decoded.truncated.then_some(Problem::Truncated),
    }
}

impl ImageFacts {
    /// What is wrong with it and what to do, for a line that names it.
    pub fn complaint(&self, path: &str, images: &Path) -> Option<(Kind, String, &'static str)> {
        Some(match self.problem.as_ref()? {
            Problem::Missing => (
                Kind::MissingImage,
                format!("{path} is not in {}", images.display()),
                "is this the folder that the annotation file's paths start from?",
            ),
            Problem::Unreadable(why) => (
                Kind::UnreadableImage,
                format!("{path}: {why}"),
                "get the image again or remove the line",
            ),
            Problem::Truncated => (
                Kind::TruncatedImage,
                format!("{path} ends early: its last rows are made up"),
                "get the image again or remove the line",
            ),
        })
    }
}
