//! `star prepare custom`

use std::path::{Path, PathBuf};

use star_data::find_layout;
use star_data::{
    Layout,
    prepare::{CustomConfig, PrepareConfig, PrepareReport, find_points, prepare_custom},
};

use super::Options;
use crate::error::CliError;

#[derive(Debug, clap::Args)]
pub struct CustomOptions {
    #[command(flatten)]
    pub common: Options,
    /// The points, .csv or .json [default: points.csv or points.json in --root]
    #[arg(long, value_name = "FILE")]
    points: Option<PathBuf>,
    /// Which points there are: a layout file, or wflw98, ibug68 or cofw29 [default: layout.toml in --root]
    #[arg(long, value_name = "FILE|NAME")]
    layout: Option<String>,
    /// Fraction of the images, or of the groups where the points have them, that becomes test.tsv when they have no splits [default: 0.1]
    #[arg(long, alias = "test-share", value_name = "FRACTION", value_parser = fraction)]
    test_fraction: Option<f64>,
    /// Decides which these are [default: 0]
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// The points count pixels from 1
    #[arg(long)]
    one_based: bool,
}

fn fraction(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(fraction) if (0.0..1.0).contains(&fraction) => Ok(fraction),
        _ => Err("give a fraction from 0 up to (not with) 1, such as 0.1".into()),
    }
}

pub fn run(options: &CustomOptions, common: PrepareConfig) -> Result<PrepareReport, CliError> {
    let root = &options.common.root;
    if !root.is_dir() {
        return Err(CliError::Usage(format!(
            "{}: there is no such folder; --root is the folder with the images",
            root.display()
        )));
    }
    let config = CustomConfig {
        layout: layout(root, options.layout.as_deref())?,
        points: match &options.points {
            Some(points) => points.clone(),
            None => find_points(root)?,
        },
        test_fraction: options.test_fraction,
        seed: options.seed,
        one_based: options.one_based,
        common,
    };
    Ok(prepare_custom(root, &options.common.out, &config)?)
}

fn layout(root: &Path, name: Option<&str>) -> Result<Layout, CliError> {
    if let Some(name) = name {
        return Ok(find_layout(name)?);
    }
    let file = root.join("layout.toml");
    if !file.exists() {
        return Err(CliError::Usage(format!(
            "{}: there is no such file. It says which points there are (README, \"Your own landmarks\"); or name a layout with --layout.",
            file.display()
        )));
    }
    Ok(Layout::from_toml_file(file)?)
}
