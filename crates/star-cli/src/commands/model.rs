//! `star model`

use std::{path::PathBuf, process::ExitCode};

use burn::tensor::backend::{AutodiffBackend, Backend};
use clap::{Subcommand, ValueEnum};
use star_data::{CropRule, Layout};
use star_model::{PklWeights, StarNetConfig, import_pkl, info};
use star_train::{Recipe, WeightsInfo, read_weights, write_weights};

use crate::{
    backend::{BackendName, Job, run_on},
    error::CliError,
};

/// Look at a network, or bring in published weights
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Layers, sizes, parameters (used and stored) and multiply-adds of a recipe's or a weights file's network
    Info {
        /// Recipe to describe
        #[arg(
            long,
            value_name = "FILE",
            default_value = "configs/wflw.toml",
            conflicts_with = "weights"
        )]
        config: PathBuf,
        /// Set a key of the recipe
        #[arg(long, value_name = "KEY=VALUE", conflicts_with = "weights")]
        set: Vec<String>,
        /// Weights (.safetensors) to describe instead
        #[arg(long, value_name = "FILE")]
        weights: Option<PathBuf>,
    },
    /// Published weights (.pkl) to a weights file (.safetensors) that evaluates and predicts
    Import {
        /// Published checkpoint; nothing in it is executed
        pkl: PathBuf,
        /// Which of its weights: the ones that published figures are of, or the moving average
        #[arg(long, value_enum, default_value = "net")]
        which: Which,
        /// The landmarks' layout: a name or a TOML file [default: the built-in one with as many points]
        #[arg(long)]
        layout: Option<String>,
        /// Side of the network's input in pixels; the file does not say
        #[arg(long, default_value_t = 256)]
        input_size: usize,
        /// Where to write [default: beside the .pkl]
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Which {
    Net,
    #[value(name = "net_ema", alias = "net-ema")]
    NetEma,
}

pub fn run(args: Args) -> Result<ExitCode, CliError> {
    match args.command {
        Command::Info {
            weights: Some(weights),
            ..
        } => run_on(BackendName::Flex, InfoJob(weights)),
        Command::Info { config, set, .. } => {
            let recipe = Recipe::read(&config, &set)?;
            let config = recipe.net_config(&recipe.layout()?);
            print_info(&config)
        }
        Command::Import { .. } => run_on(BackendName::Flex, ImportJob(args.command)),
    }
}

fn print_info(config: &StarNetConfig) -> Result<ExitCode, CliError> {
    config.validate()?;
    println!("{}", info(config));
    Ok(ExitCode::SUCCESS)
}

struct InfoJob(PathBuf);

impl Job for InfoJob {
    type Output = ExitCode;

    fn run<B: AutodiffBackend>(self, device: &B::Device) -> Result<ExitCode, CliError> {
        let trained = read_weights::<B::InnerBackend>(&self.0, device)?;
        println!("{}: {}", self.0.display(), trained.provenance);
        println!(
            "landmarks: {} ({} points)",
            trained.layout.name, trained.layout.points
        );
        print_info(&trained.config)
    }
}

struct ImportJob(Command);

impl Job for ImportJob {
    type Output = ExitCode;

    fn run<B: AutodiffBackend>(self, device: &B::Device) -> Result<ExitCode, CliError> {
        let Command::Import {
            pkl,
            which,
            layout,
            input_size,
            out,
        } = self.0
        else {
            return Err(CliError::Usage("not an import".into()));
        };
        import::<B::InnerBackend>(pkl, which, layout, input_size, out, device)
    }
}

fn import<B: Backend>(
    pkl: PathBuf,
    which: Which,
    layout: Option<String>,
    input_size: usize,
    out: Option<PathBuf>,
    device: &B::Device,
) -> Result<ExitCode, CliError> {
    let (part, name) = match which {
        Which::Net => (PklWeights::Net, "net"),
        Which::NetEma => (PklWeights::NetEma, "net_ema"),
    };
    let loaded = import_pkl::<B>(&pkl, part, device)?;
    let config = loaded.config.with_input_size(input_size);
    config.validate()?;
    let layout = layout_for(&config, layout)?;
    let out = out.unwrap_or_else(|| pkl.with_extension("safetensors"));
    let file = pkl
        .file_name()
        .map_or_else(String::new, |f| f.to_string_lossy().into_owned());
    let info = WeightsInfo {
        config: &config,
        layout: &layout,
        crop: &CropRule::LISTS,
    };
    write_weights(&loaded.net, info, &format!("{name} of {file}"), &out)?;
    println!(
        "{}: {} points, {} stacks, {} channels, layout {}, written to {}",
        pkl.display(),
        config.points,
        config.stacks,
        config.channels,
        layout.name,
        out.display()
    );
    Ok(ExitCode::SUCCESS)
}

/// The layout asked for, or the built-in one with as many points; its edges must be the network's.
fn layout_for(config: &StarNetConfig, asked: Option<String>) -> Result<Layout, CliError> {
    let layout = match asked {
        Some(name) => star_train::recipe::find_layout(&name)?,
        None => Layout::builtin_names()
            .map(Layout::builtin)
            .collect::<Result<Vec<_>, _>>()?
            .into_iter()
            .find(|l| l.points == config.points)
            .ok_or_else(|| {
                CliError::Usage(format!(
                    "the weights have {} points and no built-in layout has as many: name one with --layout FILE.toml",
                    config.points
                ))
            })?,
    };
    if layout.points != config.points || (config.aam && layout.edges.len() != config.edges.len()) {
        return Err(CliError::Usage(format!(
            "the weights are of another layout: they have {} points and {} edges, {} has {} and {}",
            config.points,
            config.edges.len(),
            layout.name,
            layout.points,
            layout.edges.len()
        )));
    }
    Ok(layout)
}
