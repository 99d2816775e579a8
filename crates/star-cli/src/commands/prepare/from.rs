//! `star prepare from`

use std::path::PathBuf;

use clap::ValueEnum;
use star_data::prepare::{ConvertConfig, ConvertReport, LabelFormat, convert};

use super::list;
use crate::error::CliError;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  star prepare from coco annotations.json --images images --out mine
  star prepare from labelme images --images images --out mine

It writes points.csv and layout.toml. Look over the layout: its mirror pairs, and what errors are divided by. Then
  star prepare custom --root images --points mine/points.csv --layout mine/layout.toml --out mine")]
pub struct FromOptions {
    /// What wrote the labels
    #[arg(value_enum)]
    format: Format,
    /// Its file, or the folder of its files
    #[arg(value_name = "FILE|DIR")]
    source: PathBuf,
    /// Folder below which the images are
    #[arg(long, value_name = "DIR")]
    images: PathBuf,
    /// Folder for points.csv and layout.toml; a layout.toml that is there stays as it is
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Which kind of object, where the file has several (COCO's category, CVAT's label)
    #[arg(long, value_name = "NAME")]
    category: Option<String>,
    /// Pixels are counted from 0 (.pts files; iBUG's begin with 1)
    #[arg(long)]
    zero_based: bool,
    /// Write over a points.csv that is there
    #[arg(long)]
    replace: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// COCO keypoints, also MMPose's: a JSON file
    Coco,
    /// "CVAT for images 1.1", skeletons or points: an XML file
    Cvat,
    /// Label Studio's JSON export, keypoint labels
    LabelStudio,
    /// labelme: a folder with a JSON file beside each image
    Labelme,
    /// dlib's imglab: an XML file
    Dlib,
    /// DeepLabCut's CollectedData_NAME.csv
    #[value(name = "deeplabcut", alias = "dlc")]
    DeepLabCut,
    /// A folder with a .pts file beside each image
    Pts,
}

impl Format {
    fn format(self) -> LabelFormat {
        match self {
            Self::Coco => LabelFormat::Coco,
            Self::Cvat => LabelFormat::Cvat,
            Self::LabelStudio => LabelFormat::LabelStudio,
            Self::Labelme => LabelFormat::Labelme,
            Self::Dlib => LabelFormat::Dlib,
            Self::DeepLabCut => LabelFormat::DeepLabCut,
            Self::Pts => LabelFormat::Pts,
        }
    }
}

pub fn run(options: &FromOptions) -> Result<(), CliError> {
    let format = options.format.format();
    if options.category.is_some() && !matches!(options.format, Format::Coco | Format::Cvat) {
        return Err(CliError::Usage(
            "--category only goes with coco and cvat; the other formats have no kinds of objects"
                .into(),
        ));
    }
    if options.zero_based && options.format != Format::Pts {
        return Err(CliError::Usage(
            "--zero-based only goes with pts; where the other formats count from is known".into(),
        ));
    }
    let what = if format.is_folder() { "folder" } else { "file" };
    let there = if format.is_folder() {
        options.source.is_dir()
    } else {
        options.source.is_file()
    };
    if !there {
        return Err(CliError::Usage(format!(
            "{}: there is no such {what}",
            options.source.display()
        )));
    }
    if !options.images.is_dir() {
        return Err(CliError::Usage(format!(
            "{}: there is no such folder; --images is the folder with the images",
            options.images.display()
        )));
    }
    let config = ConvertConfig {
        format,
        source: options.source.clone(),
        images: options.images.clone(),
        category: options.category.clone(),
        zero_based: options.zero_based,
        replace: options.replace,
    };
    let report = convert(&options.out, &config)?;
    print!("{}", describe(&report));
    println!(
        "next: look over {}, then\n  star prepare custom --root {} --points {} --layout {} --out {}",
        report.layout_file.display(),
        options.images.display(),
        report.points_file.display(),
        report.layout_file.display(),
        options.out.display()
    );
    Ok(())
}

fn describe(report: &ConvertReport) -> String {
    let all = report.objects * report.points;
    let mut text = format!(
        "{} objects of {} points  {}\n",
        report.objects,
        report.points,
        report.points_file.display()
    );
    text += &format!(
        "points: {} labelled, {} of them hidden; {} not labelled\n",
        report.labelled,
        report.hidden,
        all - report.labelled
    );
    text += &format!(
        "layout: {}{}\n",
        report.layout_file.display(),
        if report.layout_kept {
            ", which was there and is as it was"
        } else {
            ""
        }
    );
    let skipped: Vec<String> = report.skipped.iter().map(ToString::to_string).collect();
    text += &list("left out", &skipped);
    text += &list("notes", &report.notes);
    text
}
