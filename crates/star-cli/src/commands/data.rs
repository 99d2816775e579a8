//! `star data`

mod bench;
mod check;
mod show;

use std::{path::PathBuf, process::ExitCode};

use clap::Subcommand;
use star_data::find_layout;
use star_data::{Layout, TsvFaces};

use super::annotations::images_of;
use crate::error::CliError;

/// Look at annotation files: check them, see what the network will see, measure how fast they load
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    Check(check::Args),
    Show(show::Args),
    Bench(bench::Args),
}

pub fn run(args: Args) -> Result<ExitCode, CliError> {
    match args.action {
        Action::Check(args) => check::run(args),
        Action::Show(args) => show::run(args),
        Action::Bench(args) => bench::run(args),
    }
}

/// Which faces: what `show` and `bench` read.
#[derive(Debug, clap::Args)]
struct AnnotationArgs {
    /// Annotation file, in the published TSV form
    #[arg(value_name = "TSV")]
    list: PathBuf,
    /// Folder that the annotation file's image paths start from [default: the annotation file's folder]
    #[arg(long, value_name = "DIR")]
    images: Option<PathBuf>,
    /// Landmark layout: wflw98, ibug68, cofw29, or the path of a TOML file
    #[arg(long, value_name = "NAME|FILE")]
    layout: String,
}

impl AnnotationArgs {
    fn open(&self) -> Result<(TsvFaces, Layout), CliError> {
        let layout = find_layout(&self.layout)?;
        let images = images_of(&self.list, self.images.as_deref());
        Ok((TsvFaces::open(&self.list, images, layout.clone())?, layout))
    }
}

/// The side of the network's input, as an argument.
fn input_size(text: &str) -> Result<u32, String> {
    match text.parse::<u32>() {
        Ok(size @ 16..=2048) if size.is_multiple_of(4) => Ok(size),
        _ => Err("give a multiple of 4 from 16 to 2048, such as 256".into()),
    }
}
