//! `star prepare synth`: the synthetic faces as files, for whoever wants to look at them or to read them with another program.

use std::{
    fs,
    io::Cursor,
    path::{Path, PathBuf},
};

use clap::value_parser;
use image::ImageFormat;
use rayon::prelude::*;
use star_data::{DataError, FaceSource, TsvRow, find_layout, tsv::write_tsv};
use star_synth::{SynthConfig, SynthFaces};

use crate::{
    error::{CliError, write_file},
    writable::check_folder,
};

/// Below the output folder.
const IMAGES: &str = "images";

#[derive(Debug, clap::Args)]
pub struct SynthOptions {
    /// Folder for images/, faces.tsv (as an annotator would have them) and truth.tsv (the true landmarks)
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// How many faces
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = value_parser!(u32).range(1..=1_000_000))]
    faces: u32,
    /// Decides every face
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Their landmarks: wflw98, ibug68 or cofw29
    #[arg(long, value_name = "NAME", default_value = "ibug68")]
    layout: String,
}

/// Draws the faces and writes them; the annotation files come last, so that they never name an image that is not there.
pub fn run(options: &SynthOptions) -> Result<(), CliError> {
    let SynthOptions {
        out, faces, seed, ..
    } = options;
    let config = SynthConfig {
        faces: *faces as usize,
        seed: *seed,
        ..SynthConfig::default()
    };
    let source = SynthFaces::new(config, find_layout(&options.layout)?)?;
    check_folder(out)?;
    let images = out.join(IMAGES);
    fs::create_dir_all(&images).map_err(|e| CliError::io(&images, e))?;
    let rows = (0..source.len())
        .into_par_iter()
        .map(|index| draw(&source, index, out))
        .collect::<Result<Vec<_>, _>>()?;
    let (annotated, truth): (Vec<_>, Vec<_>) = rows.into_iter().unzip();
    for (name, rows) in [("faces.tsv", annotated), ("truth.tsv", truth)] {
        let path = out.join(name);
        write_tsv(&path, &rows)?;
        println!("{} faces  {}", rows.len(), path.display());
    }
    Ok(())
}

/// Writes a face's image; its lines of the two annotation files.
fn draw(source: &SynthFaces, index: usize, out: &Path) -> Result<(TsvRow, TsvRow), CliError> {
    let face = source.face(index)?;
    let name = format!("{IMAGES}/{index:06}.png");
    let path = out.join(&name);
    let mut bytes = Cursor::new(Vec::new());
    let encoded = face.image.write_to(&mut bytes, ImageFormat::Png);
    encoded.map_err(|e| DataError::Image {
        path: path.clone(),
        message: e.to_string(),
    })?;
    write_file(&path, bytes.get_ref())?;
    let row = TsvRow {
        path: name,
        landmarks: face.landmarks,
        crop: face.crop,
        tags: None,
        occluded: None,
        group: None,
        line: 0,
    };
    let truth = TsvRow {
        landmarks: source.truth(index),
        ..row.clone()
    };
    Ok((row, truth))
}
