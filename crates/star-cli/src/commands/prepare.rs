//! `star prepare`

mod custom;
mod from;
mod synth;

use std::{path::PathBuf, process::ExitCode};

use clap::{Subcommand, ValueEnum};
use star_data::{
    BoxSide, CropRule,
    prepare::{PrepareConfig, PrepareReport, Spread, prepare_300w, prepare_cofw, prepare_wflw},
};

use crate::{
    error::{CliError, write_json},
    writable::check_folder,
};

/// Complaints and notes shown before the rest is only counted.
const SHOWN: usize = 20;

/// Turn a dataset, as it is handed out, into annotation files (TSV) that train and evaluate
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  star prepare 300w --root datasets/300w --out datasets/300w
  star train --config configs/300w-small.toml
  star prepare custom --root mine --out mine
  star prepare from coco annotations.json --images images --out mine
  star prepare synth --faces 200 --out faces

datasets/README.md says where each dataset comes from and how its folder looks.")]
pub struct Args {
    #[command(subcommand)]
    set: Set,
}

#[derive(Debug, Subcommand)]
enum Set {
    /// 300-W: folders of images and .pts files (afw, helen, lfpw, ibug, indoor, outdoor; as many as are there)
    #[command(name = "300w")]
    Ibug300w(Options),
    /// WFLW: its own annotation files beside the images
    Wflw(Options),
    /// COFW: COFW_train_color.mat and COFW_test_color.mat; its images are written to OUT/cofw_images
    Cofw(Options),
    /// Landmarks of your own: images, points.csv or points.json, and layout.toml
    Custom(custom::CustomOptions),
    /// Labels of another program (COCO, CVAT, Label Studio, labelme, dlib, DeepLabCut, .pts), as points.csv and layout.toml for `custom`
    From(from::FromOptions),
    /// Synthetic faces, drawn here: images and annotation files without a dataset; the truth of each landmark is known
    Synth(synth::SynthOptions),
}

#[derive(Debug, clap::Args)]
struct Options {
    /// Folder of the dataset
    #[arg(long, value_name = "DIR")]
    root: PathBuf,
    /// Folder for the annotation files; images stay where they are (COFW's, which are inside its files, go here too)
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// How the crop follows from the landmarks' box
    #[arg(long, value_enum, default_value = "margin")]
    crop: Crop,
    /// Width of the crop over the longer side of the box (with --crop margin) [default: 1.2]
    #[arg(long, value_name = "FACTOR", value_parser = margin)]
    margin: Option<f64>,
    /// Write all that is printed, and what is not shown for its length, to this file
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

impl Set {
    /// Those of a dataset that is there.
    fn options(&self) -> Option<&Options> {
        match self {
            Self::Ibug300w(options) | Self::Wflw(options) | Self::Cofw(options) => Some(options),
            Self::Custom(options) => Some(&options.common),
            Self::From(_) | Self::Synth(_) => None,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Crop {
    /// The longer side of the box times --margin
    Margin,
    /// As the published annotation files: the longer side, nothing around it
    #[value(alias = "lists")]
    Published,
    /// As the published demo: the shorter side times 1.05
    Demo,
}

fn margin(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(m) if (0.5..=5.0).contains(&m) => Ok(m),
        _ => Err("give a factor from 0.5 to 5, such as 1.2".into()),
    }
}

pub fn run(args: Args) -> Result<ExitCode, CliError> {
    // It may lie in the folder of the annotation files, which is made on the way.
    let json = args.set.options().and_then(|o| o.json.as_deref());
    if let Some(file) = json {
        check_folder(star_files::folder_of(file))?;
    }
    let report = match &args.set {
        Set::Ibug300w(options) => prepare_300w(&options.root, &options.out, &config(options)?)?,
        Set::Wflw(options) => prepare_wflw(&options.root, &options.out, &config(options)?)?,
        Set::Cofw(options) => prepare_cofw(&options.root, &options.out, &config(options)?)?,
        Set::Custom(options) => custom::run(options, config(&options.common)?)?,
        Set::From(options) => {
            from::run(options)?;
            return Ok(ExitCode::SUCCESS);
        }
        Set::Synth(options) => {
            synth::run(options)?;
            return Ok(ExitCode::SUCCESS);
        }
    };
    print!("{}", describe(&report));
    if let Some(file) = json {
        let folder = star_files::folder_of(file);
        std::fs::create_dir_all(folder).map_err(|e| CliError::io(folder, e))?;
        write_json(file, &report)?;
        println!("all of it: {}", file.display());
    }
    Ok(ExitCode::SUCCESS)
}

fn config(options: &Options) -> Result<PrepareConfig, CliError> {
    let crop = match (options.crop, options.margin) {
        (Crop::Margin, margin) => CropRule {
            side: BoxSide::Longest,
            margin: margin.unwrap_or(CropRule::default().margin),
        },
        (_, Some(_)) => {
            return Err(CliError::Usage(
                "--margin only goes with --crop margin; the published conventions have their own"
                    .into(),
            ));
        }
        (Crop::Published, None) => CropRule::PUBLISHED,
        (Crop::Demo, None) => CropRule::DEMO,
    };
    Ok(PrepareConfig { crop })
}

fn describe(report: &PrepareReport) -> String {
    let spread = |s: &Spread| {
        format!(
            "{:.0} to {:.0} pixels, median {:.0}",
            s.min, s.max, s.median
        )
    };
    let mut text = format!("{} faces\n", report.faces);
    for split in &report.splits {
        text += &format!(
            "  {:<12} {:>6} faces  {}  ({})\n",
            split.name,
            split.faces,
            split.file.display(),
            split.folders.join(", ")
        );
    }
    text += &format!("face boxes: {}\n", spread(&report.face_size));
    text += &format!("images: {}\n", spread(&report.image_size));
    text += &format!(
        "points outside their image: {} on {} faces (kept)\n",
        report.points_outside, report.faces_with_points_outside
    );
    let pairs = |pairs: &[[String; 2]]| -> Vec<String> {
        pairs.iter().map(|[a, b]| format!("{a} = {b}")).collect()
    };
    text += &list("the same image twice", &pairs(&report.duplicates));
    text += &list("the same image in training and test", &pairs(&report.leaks));
    let skipped: Vec<String> = report
        .skipped
        .iter()
        .map(|c| match c.line {
            Some(line) => format!("{}:{line}: {}", c.file, c.reason),
            None => format!("{}: {}", c.file, c.reason),
        })
        .collect();
    if report.mirrored > 0 {
        text += &format!(
            "mirrored copies left out (NAME_mirror beside NAME): {}\n",
            report.mirrored
        );
    }
    text += &list("left out", &skipped);
    text += &list("notes", &report.notes);
    text
}

fn list(title: &str, items: &[String]) -> String {
    if items.is_empty() {
        return format!("{title}: none\n");
    }
    let mut text = format!("{title}: {}\n", items.len());
    for item in items.iter().take(SHOWN) {
        text += &format!("  {item}\n");
    }
    if items.len() > SHOWN {
        text += &format!("  and {} more\n", items.len() - SHOWN);
    }
    text
}
