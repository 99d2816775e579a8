//! `star data show`

use std::{io::Cursor, path::PathBuf, process::ExitCode};

use image::ImageFormat;
use star_data::{
    AugmentConfig, Draws, FaceSource, SampleMaker, TsvFaces,
    rng::{permutation, sample_rng},
};
use star_draw::SampleSheet;
use star_train::Recipe;

use super::{AnnotationArgs, input_size};
use crate::error::{CliError, write_file};

/// Keeps the choice of faces apart from the samples' random numbers.
const CHOICE: u64 = u64::MAX;

/// See what the network will see: samples and their target maps, as an image
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  star data show datasets/300w/train.tsv --images datasets/300w --layout ibug68 --out faces.png
  star data show mine.tsv --layout mine.toml --lines 17,40 --no-augmentation --out two.png

Four tiles a face, two faces a row: the network's input; the same with its landmarks and edges; the point maps and the edge maps
it is trained on, each the maximum over its channels, one colour an edge. The same options give the same image.")]
pub struct Args {
    #[command(flatten)]
    faces: AnnotationArgs,
    /// The image to write (.png)
    #[arg(long, value_name = "FILE", value_parser = png)]
    out: PathBuf,
    /// How many faces, chosen by --seed
    #[arg(long = "faces", value_name = "N", default_value_t = 12, value_parser = clap::value_parser!(u16).range(1..=200))]
    count: u16,
    /// Show the faces of these lines of the annotation file instead
    #[arg(
        long,
        value_name = "LINE,...",
        value_delimiter = ',',
        conflicts_with = "count"
    )]
    lines: Vec<usize>,
    /// Decides the choice of faces and their augmentation [default: 0]
    #[arg(long)]
    seed: Option<u64>,
    /// Each epoch varies a face in another way
    #[arg(long, default_value_t = 1, conflicts_with = "no_augmentation")]
    epoch: u64,
    /// Side of the network's input in pixels
    #[arg(long, value_name = "PIXELS", default_value_t = 256, value_parser = input_size)]
    input_size: u32,
    /// Take the augmentation of this recipe [default: the published one]
    #[arg(long, value_name = "RECIPE")]
    config: Option<PathBuf>,
    /// Plain crops, as in testing
    #[arg(long, conflicts_with = "config")]
    no_augmentation: bool,
}

fn png(text: &str) -> Result<PathBuf, String> {
    let path = PathBuf::from(text);
    let is_png = (path.extension()).is_some_and(|e| e.eq_ignore_ascii_case("png"));
    if is_png {
        Ok(path)
    } else {
        Err("give a name that ends in .png".into())
    }
}

pub fn run(args: Args) -> Result<ExitCode, CliError> {
    if args.no_augmentation && !args.lines.is_empty() && args.seed.is_some() {
        return Err(CliError::Usage(
            "--seed decides nothing here: --lines names the faces, and --no-augmentation leaves them as they are. Leave --seed out."
                .into(),
        ));
    }
    let seed = args.seed.unwrap_or(0);
    let augment = match &args.config {
        Some(path) => Recipe::read(path, &[])?.augment,
        None if args.no_augmentation => AugmentConfig::off(),
        None => AugmentConfig::default(),
    };
    let (faces, layout) = args.faces.open()?;
    let maker = SampleMaker::new(layout.clone(), args.input_size, augment.clone(), true)?;
    let mut sheet = SampleSheet::new(&layout.edges);
    for index in choose(&args, seed, &faces)? {
        let mut rng = sample_rng(seed, args.epoch, index as u64);
        let draws = Draws::draw(&augment, args.input_size, &mut rng);
        let sample = maker.sample_with(&faces.face(index)?, index, &draws)?;
        sheet.push(&sample);
        if let Some(row) = faces.rows().get(index) {
            let mirrored = if sample.flipped { ", mirrored" } else { "" };
            println!("line {}: {}{mirrored}", row.line, row.path);
        }
    }
    let image = sheet.render();
    let mut bytes = Cursor::new(Vec::new());
    image
        .write_to(&mut bytes, ImageFormat::Png)
        .map_err(|e| CliError::Usage(format!("{}: {e}", args.out.display())))?;
    write_file(&args.out, &bytes.into_inner())?;
    println!(
        "{} x {} pixels: {}",
        image.width(),
        image.height(),
        args.out.display()
    );
    Ok(ExitCode::SUCCESS)
}

/// The faces to show, as indices in the order of the annotation file.
fn choose(args: &Args, seed: u64, faces: &TsvFaces) -> Result<Vec<usize>, CliError> {
    if args.lines.is_empty() {
        let mut order = permutation(faces.len(), &mut sample_rng(seed, CHOICE, 0));
        order.truncate(args.count.into());
        order.sort_unstable();
        return Ok(order);
    }
    (args.lines.iter())
        .map(|&line| {
            let found = faces.rows().iter().position(|row| row.line == line);
            found.ok_or_else(|| {
                CliError::Usage(format!(
                    "{}: line {line} is no face; lines are counted from 1, header and empty lines included",
                    args.faces.list.display()
                ))
            })
        })
        .collect()
}
