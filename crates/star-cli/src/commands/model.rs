//! `star model`

mod onnx;

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use burn::tensor::backend::{AutodiffBackend, Backend};
use clap::{Subcommand, ValueEnum};
use star_data::{CropRule, Layout};
use star_infer::{WeightsInfo, read_weights, write_weights};
use star_model::{
    PklWeights, Precision, PublishedState, StarNetConfig, Wrapping, import_pkl, info, load_weights,
    pkl_state, save_weights_as, write_npz,
};
use star_train::Recipe;

use crate::{
    backend::{BackendName, Job, run_on},
    error::{CliError, refuse_overwriting},
};

/// Look at a network, bring in published weights, take weights elsewhere
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
            default_value = "wflw",
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
    /// Published weights (.pkl, .pth, .pt, .safetensors) to a weights file (.safetensors) that evaluates and predicts
    ///
    /// The network may be wrapped in any way that leaves no doubt: by itself or under other keys than `net`, all its names with a
    /// prefix such as `module.`, its numbers in half precision. What was unwrapped is printed.
    Import {
        /// PyTorch checkpoint, or safetensors with PyTorch's names; nothing in it is executed
        #[arg(value_name = "FILE")]
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
        /// Where to write [default: beside FILE, with the ending .safetensors, or .star.safetensors if FILE has that]
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// Weights to a file that PyTorch, NumPy or ONNX Runtime reads, or to one of half the size (docs/weights.md, docs/onnx.md)
    Export(ExportArgs),
}

#[derive(Debug, clap::Args)]
struct ExportArgs {
    /// Weights (.safetensors), or a published checkpoint (.pkl), whose tensors are then kept bit for bit
    #[arg(long, value_name = "FILE")]
    weights: PathBuf,
    /// What to write
    #[arg(long, value_enum)]
    format: ExportFormat,
    /// Store numbers as f16, for `safetensors` and `onnx`; an ONNX file computes in f16 too, between f32 images and f32 outputs
    #[arg(long)]
    half: bool,
    /// Version of ONNX's operators, 13 to 22 [default: 17]
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    opset: Option<i64>,
    /// Which weights of a .pkl [default: net]
    #[arg(long, value_enum)]
    which: Option<Which>,
    /// Where to write
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum ExportFormat {
    /// Our own weights file
    Safetensors,
    /// The published program's keys and shapes, unused ones included
    PytorchSafetensors,
    /// The same as NumPy arrays
    Npz,
    /// Image in; landmarks, heatmaps and covariances out, for ONNX Runtime and others
    Onnx,
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
        Command::Export(export) => run_on(BackendName::Flex, ExportJob(export)),
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
        match &trained.covariance_scales {
            Some(scales) => println!("covariances: calibrated on {}", scales.about()),
            None => println!(
                "covariances: not calibrated, those of the heatmaps (`star calibrate --write` measures their size)"
            ),
        }
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
    let (part, name) = which.part();
    let loaded = import_pkl::<B>(&pkl, part, device)?;
    let config = loaded.config.with_input_size(input_size);
    config.validate()?;
    let layout = layout_for(&config, layout)?;
    let out = out.unwrap_or_else(|| {
        let beside = pkl.with_extension("safetensors");
        if beside == pkl {
            pkl.with_extension("star.safetensors")
        } else {
            beside
        }
    });
    refuse_overwriting(&out, &[&pkl])?;
    let file = pkl
        .file_name()
        .map_or_else(String::new, |f| f.to_string_lossy().into_owned());
    let info = WeightsInfo {
        config: &config,
        layout: &layout,
        crop: &CropRule::PUBLISHED,
    };
    let from = if loaded.wrapping.is_published() {
        name.to_owned()
    } else {
        loaded.wrapping.to_string()
    };
    write_weights(&loaded.net, info, &format!("{from} of {file}"), &out)?;
    say_wrapping(&pkl, &loaded.wrapping);
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

/// Where the network was in a file that has it elsewhere than published ones.
fn say_wrapping(file: &Path, wrapping: &Wrapping) {
    if !wrapping.is_published() {
        println!("{}: weights taken from {wrapping}", file.display());
    }
}

impl Which {
    fn part(self) -> (PklWeights, &'static str) {
        match self {
            Self::Net => (PklWeights::Net, "net"),
            Self::NetEma => (PklWeights::NetEma, "net_ema"),
        }
    }
}

struct ExportJob(ExportArgs);

impl Job for ExportJob {
    type Output = ExitCode;

    fn run<B: AutodiffBackend>(self, device: &B::Device) -> Result<ExitCode, CliError> {
        export::<B::InnerBackend>(&self.0, device)
    }
}

fn export<B: Backend>(args: &ExportArgs, device: &B::Device) -> Result<ExitCode, CliError> {
    let (weights, out) = (&args.weights, &args.out);
    refuse_overwriting(out, &[weights])?;
    let halves = [ExportFormat::Safetensors, ExportFormat::Onnx];
    if args.half && !halves.contains(&args.format) {
        return Err(CliError::Usage(
            "--half is for --format safetensors and onnx: the other forms keep every number as it is".into(),
        ));
    }
    if args.opset.is_some() && args.format != ExportFormat::Onnx {
        return Err(CliError::Usage(
            "--opset is for --format onnx: no other form has operators. Leave it out.".into(),
        ));
    }
    let published = is_published(weights);
    if args.which.is_some() && !published {
        return Err(CliError::Usage(format!(
            "--which chooses among the weights of a published .pkl; {} holds one set of weights. Leave --which out.",
            weights.display()
        )));
    }
    let which = args.which.unwrap_or(Which::Net);
    match args.format {
        ExportFormat::Safetensors if published => {
            return Err(CliError::Usage(format!(
                "{0} becomes a weights file of ours by `star model import {0}`; export that one with --half for half precision",
                weights.display()
            )));
        }
        ExportFormat::Safetensors => {
            let loaded = load_weights::<B>(weights, device)?;
            let precision = if args.half {
                Precision::Half
            } else {
                Precision::Full
            };
            // The calibration with it: rounded weights give the same heatmaps but for a rounding, far less than what a scale is known to.
            save_weights_as(&loaded.net, &loaded.config, &loaded.extra, precision, out)?;
        }
        ExportFormat::Onnx => return onnx::run::<B>(args, device),
        ExportFormat::PytorchSafetensors => {
            state::<B>(weights, which, device)?.write_safetensors(out)?;
        }
        ExportFormat::Npz => write_npz(&state::<B>(weights, which, device)?, out)?,
    }
    println!("{}: written to {}", weights.display(), out.display());
    if !published {
        let kept = args.format == ExportFormat::Safetensors;
        if read_weights::<B>(weights, device)?
            .covariance_scales
            .is_some()
        {
            println!("{}", calibration_in(kept));
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// What becomes of the calibration of the weights' covariances.
fn calibration_in(kept: bool) -> &'static str {
    if kept {
        "the calibration of its covariances goes with it"
    } else {
        "the calibration of its covariances stays behind: this form holds tensors and nothing else"
    }
}

/// All tensors as the published program names them.
fn state<B: Backend>(
    weights: &Path,
    which: Which,
    device: &B::Device,
) -> Result<PublishedState, CliError> {
    Ok(if is_published(weights) {
        let state = pkl_state(weights, which.part().0)?;
        say_wrapping(weights, state.wrapping());
        state
    } else {
        PublishedState::of(&load_weights::<B>(weights, device)?.net)
    })
}

/// PyTorch's checkpoints, by what people call them.
fn is_published(weights: &Path) -> bool {
    let extension = weights.extension().and_then(|e| e.to_str());
    matches!(
        extension,
        Some("pkl" | "pt" | "pth" | "ckpt" | "bin" | "tar")
    )
}

/// The layout asked for, or the built-in one with as many points; its edges must be the network's.
fn layout_for(config: &StarNetConfig, asked: Option<String>) -> Result<Layout, CliError> {
    let layout = match asked {
        Some(name) => star_data::find_layout(&name)?,
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
