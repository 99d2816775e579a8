//! `star bench`

mod device_memory;
mod machine;
mod peer;
mod stats;

use std::{path::PathBuf, process::ExitCode, time::Duration};

use burn::tensor::backend::AutodiffBackend;
use clap::ValueEnum;
use serde::{Deserialize, Serialize};
use star_train::{
    Precision, Recipe,
    bench::{self, Case, time_case},
};

use crate::{
    backend::{BackendArgs, BackendName, Job, run_on},
    error::{CliError, write_json},
    program,
};
use device_memory::Watch;
use machine::Machine;
use peer::{Peer, PeerDevice};
use stats::Summary;

/// Time inference, a training step and the loss; beside PyTorch or ONNX Runtime when asked
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  star bench                                             our own figures, no Python needed
  star bench --against pytorch                           ours and PyTorch, in turn, and the ratio
  star bench --config configs/300w-small.toml --case training-step --batch 16
  star bench --backend cuda --case inference --batch 1 --batch 32

Every timing is a process of its own, ours and the peer's in turn, so that what else the machine does hits both, and peak memory is
each one's own. GFLOP/s, and their share of what one large matrix product reaches in the same rounds, say how far it is to the limit.
Results go to a dated JSON in benches/results/ with the machine and the versions. benches/peers/README.md says what the peers need.")]
pub struct Args {
    #[command(flatten)]
    backend: BackendArgs,
    /// Recipe whose network and losses are timed
    #[arg(long, value_name = "FILE", default_value = "wflw")]
    config: PathBuf,
    /// Set a key of the recipe, as often as you like
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// What to time, as often as you like [default: all three]
    #[arg(long = "case", value_enum)]
    cases: Vec<CaseName>,
    /// Faces at once, as often as you like [default: 1 for inference, 4 for a training step, 32 for the loss]
    #[arg(long = "batch", value_parser = clap::value_parser!(u16).range(1..))]
    batches: Vec<u16>,
    /// A peer to time in turn with ours
    #[arg(long, value_enum)]
    against: Option<Peer>,
    /// Where the peer computes [default: cuda beside our cuda, otherwise cpu]
    #[arg(long, value_enum, requires = "against")]
    peer_device: Option<PeerDevice>,
    /// Threads that each may use (on the CPU)
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..))]
    threads: u16,
    /// Times that ours and the peer take turns
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..))]
    rounds: u16,
    /// Least seconds of each turn
    #[arg(long, default_value_t = 5.0, value_parser = seconds)]
    seconds: f64,
    /// Folder for the dated result
    #[arg(long, value_name = "DIR", default_value = "benches/results")]
    out: PathBuf,
    /// Time one case in this process and print it as JSON: what the turns are made of
    #[arg(long, hide = true)]
    turn: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum CaseName {
    Inference,
    TrainingStep,
    Loss,
    /// Of each round: what the others are a share of.
    #[value(hide = true)]
    Product,
}

impl Args {
    fn peer_device(&self) -> PeerDevice {
        self.peer_device.unwrap_or(match self.backend.backend {
            BackendName::Cuda if self.against != Some(Peer::Onnxruntime) => PeerDevice::Cuda,
            _ => PeerDevice::Cpu,
        })
    }
}

/// Most seconds of a product's turn.
const PRODUCT_SECONDS: f64 = 1.0;

impl CaseName {
    fn case(self) -> Case {
        match self {
            Self::Inference => Case::Inference,
            Self::TrainingStep => Case::TrainingStep,
            Self::Loss => Case::Loss,
            Self::Product => Case::Product,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Inference => "inference",
            Self::TrainingStep => "training-step",
            Self::Loss => "loss",
            Self::Product => "product",
        }
    }

    fn usual_batch(self) -> u16 {
        match self {
            Self::Inference => 1,
            Self::TrainingStep => 4,
            Self::Loss => 32,
            Self::Product => 1,
        }
    }
}

fn seconds(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(s) if (0.0..=3600.0).contains(&s) => Ok(s),
        _ => Err("give a number of seconds from 0 to 3600".into()),
    }
}

/// What one turn prints: ours and the peers' alike.
#[derive(Debug, Deserialize, Serialize)]
struct Turn {
    seconds: Vec<f64>,
    peak_mib: f64,
    /// Of the GPU; whoever runs the turn fills it in.
    #[serde(default)]
    gpu_mib: Option<f64>,
    /// Name and version of what ran.
    #[serde(default)]
    version: String,
}

/// One row of the result.
#[derive(Debug, Serialize)]
struct Row {
    case: &'static str,
    batch: u16,
    ours: Summary,
    /// Of convolutions and products; absent where the work is other.
    #[serde(skip_serializing_if = "Option::is_none")]
    speed: Option<Speed>,
    #[serde(skip_serializing_if = "Option::is_none")]
    peer: Option<Summary>,
    /// Ours over the peer's, round by round.
    #[serde(skip_serializing_if = "Option::is_none")]
    ratio: Option<stats::Spread>,
}

/// How fast ours computes, beside one large matrix product on the same device in the same rounds.
#[derive(Clone, Copy, Debug, Serialize)]
struct Speed {
    /// Convolutions counted as they are written down, a multiplication and its addition as two.
    gflops: f64,
    /// The share of what the product reaches. Winograd's convolutions compute less than is counted, so it may be above 1.
    of_product: f64,
}

#[derive(Serialize)]
struct Document<'a> {
    machine: Machine,
    backend: &'static str,
    version: &'static str,
    recipe: String,
    set: &'a [String],
    /// Of training steps.
    precision: Precision,
    threads: u16,
    rounds: u16,
    seconds_a_turn: f64,
    peer: Option<String>,
    /// Where the peer computed.
    peer_device: Option<PeerDevice>,
    rows: Vec<Row>,
}

pub fn run(args: Args) -> Result<ExitCode, CliError> {
    // Everything that can be wrong is found before the first turn.
    let recipe = Recipe::read(&args.config, &args.set)?;
    if args.turn {
        return run_on(args.backend.backend, TurnJob { args, recipe });
    }
    run_on(args.backend.backend, Touch(recipe.train.precision))?;
    let peer_device = args.against.map(|_| args.peer_device());
    if let (Some(peer), Some(device)) = (args.against, peer_device) {
        if let Some(case) = args.cases.iter().find(|&&case| !peer.can(case)) {
            return Err(CliError::Usage(format!(
                "--against {} cannot do --case {}; leave one of them out.",
                peer.name(),
                case.name()
            )));
        }
        peer.check(device)?;
    }
    let cases = if args.cases.is_empty() {
        &[CaseName::Inference, CaseName::TrainingStep, CaseName::Loss]
    } else {
        &args.cases[..]
    };
    let mut rows = Vec::new();
    let mut peer_version = None;
    println!("{}", stats::heading(args.against.map(Peer::name)));
    for &case in cases {
        if args.against.is_some_and(|peer| !peer.can(case)) {
            println!("{:<14} the peer cannot do this", case.name());
            continue;
        }
        let usual = [case.usual_batch()];
        let batches = if args.batches.is_empty() {
            &usual[..]
        } else {
            &args.batches
        };
        for &batch in batches {
            let row = time_row(&args, &recipe, case, batch, &mut peer_version)?;
            println!("{}", stats::line(&row));
            rows.push(row);
        }
    }
    let document = Document {
        machine: Machine::read(),
        backend: args.backend.backend.name(),
        version: env!("CARGO_PKG_VERSION"),
        recipe: args.config.display().to_string(),
        set: &args.set,
        precision: recipe.train.precision,
        threads: args.threads,
        rounds: args.rounds,
        seconds_a_turn: args.seconds,
        peer: peer_version,
        peer_device,
        rows,
    };
    std::fs::create_dir_all(&args.out).map_err(|e| CliError::io(&args.out, e))?;
    let path = args.out.join(format!("{}.json", super::train::now()));
    write_json(&path, &document)?;
    println!("written to {}", path.display());
    Ok(ExitCode::SUCCESS)
}

/// Ours and the peer in turn.
fn time_row(
    args: &Args,
    recipe: &Recipe,
    case: CaseName,
    batch: u16,
    peer_version: &mut Option<String>,
) -> Result<Row, CliError> {
    let (mut ours, mut theirs, mut products) = (Vec::new(), Vec::new(), Vec::new());
    let operations = bench::operations(case.case(), recipe, batch.into())?;
    for _ in 0..args.rounds {
        ours.push(our_turn(args, case, batch)?);
        if operations.is_some() {
            products.push(our_turn(args, CaseName::Product, 1)?);
        }
        if let Some(peer) = args.against {
            let turn = peer.turn(
                case,
                recipe,
                batch,
                args.threads,
                args.seconds,
                args.peer_device(),
            )?;
            *peer_version = Some(turn.version.clone());
            theirs.push(turn);
        }
    }
    let of_product = bench::operations(Case::Product, recipe, 1)?;
    let speed = operations
        .zip(of_product)
        .map(|(ours_does, product_does)| Speed {
            gflops: ours_does / stats::seconds(&ours) / 1e9,
            // Times of the product over ours, round by round.
            of_product: stats::ratio(&products, &ours).median * ours_does / product_does,
        });
    let ratio = (!theirs.is_empty()).then(|| stats::ratio(&ours, &theirs));
    Ok(Row {
        case: case.name(),
        batch,
        ours: Summary::of(&ours),
        speed,
        peer: (!theirs.is_empty()).then(|| Summary::of(&theirs)),
        ratio,
    })
}

fn our_turn(args: &Args, case: CaseName, batch: u16) -> Result<Turn, CliError> {
    let mut command = program::again().map_err(|e| CliError::io("this program", e))?;
    command.args(["bench", "--turn", "--backend", args.backend.backend.name()]);
    command.arg("--config").arg(&args.config);
    for set in &args.set {
        command.args(["--set", set]);
    }
    command.args(["--case", case.name(), "--batch", &batch.to_string()]);
    // The product is only what the others are held against.
    let seconds = match case {
        CaseName::Product => args.seconds.min(PRODUCT_SECONDS),
        _ => args.seconds,
    };
    command.args(["--seconds", &seconds.to_string()]);
    command.env("RAYON_NUM_THREADS", args.threads.to_string());
    let on_gpu = matches!(args.backend.backend, BackendName::Cuda | BackendName::Wgpu);
    peer::read_turn(command, "star bench --turn", on_gpu)
}

struct TurnJob {
    args: Args,
    recipe: Recipe,
}

impl Job for TurnJob {
    type Output = ExitCode;

    fn run<B: AutodiffBackend>(self, device: &B::Device) -> Result<ExitCode, CliError> {
        let (Some(case), Some(&batch)) = (self.args.cases.first(), self.args.batches.first())
        else {
            return Err(CliError::Usage("--turn needs --case and --batch".into()));
        };
        let seconds = time_case::<B>(
            case.case(),
            &self.recipe,
            batch.into(),
            Duration::from_secs_f64(self.args.seconds),
            device,
        )?;
        let turn = Turn {
            seconds,
            peak_mib: machine::peak_mib(),
            gpu_mib: None,
            version: env!("CARGO_PKG_VERSION").into(),
        };
        let json = serde_json::to_string(&turn).map_err(|e| CliError::Usage(e.to_string()))?;
        println!("{json}");
        Ok(ExitCode::SUCCESS)
    }
}

/// Only asks whether the backend and its device are there, and have the precision.
struct Touch(Precision);

impl Job for Touch {
    type Output = ();

    fn run<B: AutodiffBackend>(self, device: &B::Device) -> Result<(), CliError> {
        self.0.on::<B>(device)?;
        Ok(())
    }
}
