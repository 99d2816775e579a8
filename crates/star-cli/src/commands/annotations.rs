//! What every command takes that runs a network over annotated faces.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use star_data::{FaceSource, Layout, TsvFaces};
use star_eval::EvalOptions;

use crate::error::CliError;

#[derive(Debug, clap::Args)]
pub struct AnnotatedFaces {
    /// Weights (.safetensors); `star model import` makes them of published .pkl files
    #[arg(long, value_name = "FILE")]
    pub weights: PathBuf,
    /// Folder that the annotation files' image paths start from [default: each annotation file's folder]
    #[arg(long, value_name = "DIR")]
    pub images: Option<PathBuf>,
    /// Faces that go through the network at once
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..))]
    pub batch: u16,
    /// Threads that read and crop faces
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..))]
    pub workers: u16,
}

impl AnnotatedFaces {
    /// The faces of an annotation file.
    pub fn open(&self, list: &Path, layout: &Layout) -> Result<Arc<dyn FaceSource>, CliError> {
        let images = images_of(list, self.images.as_deref());
        Ok(Arc::new(TsvFaces::open(list, images, layout.clone())?))
    }

    /// With the layout's own norm and threshold.
    pub fn options(&self, input_size: usize) -> EvalOptions {
        EvalOptions {
            input_size,
            batch_size: self.batch.into(),
            workers: self.workers.into(),
            norm: String::new(),
            threshold: 0.0,
        }
    }
}

/// Where an annotation file's image paths start: the folder asked for, or the annotation file's own.
pub fn images_of(list: &Path, asked: Option<&Path>) -> PathBuf {
    match asked.or_else(|| list.parent()) {
        // What a bare file name has for a folder; messages need a name for it.
        Some(folder) if folder.as_os_str().is_empty() => PathBuf::from("."),
        folder => folder.map(PathBuf::from).unwrap_or_default(),
    }
}
