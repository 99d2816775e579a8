//! `star train`

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::SystemTime,
};

use burn::tensor::backend::AutodiffBackend;
use star_train::{Finished, Outcome, Recipe, RunDir, Start, Stop, train};

use crate::{
    backend::{BackendArgs, BackendName, SharedJob, run_on_devices},
    error::CliError,
    progress::{Printer, duration},
};

/// Train a network, or go on with a stopped run
///
/// With nothing given it trains the small recipe configs/synth.toml on synthetic faces: no data needed, a few minutes on a laptop.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  star train                                                 synthetic faces, a few minutes
  star train --config configs/300w-small.toml                300-W, a small network for a CPU
  star train --config configs/wflw.toml --backend cuda       the published protocol
  star train --set train.epochs=3 --set train.batch_size=8   any key of the recipe
  star train --config configs/wflw.toml --backend cuda --devices 0,1,2,3
  star train --resume runs/synth-20260101-120000             go on where it stopped

Ctrl-C stops after the current step and writes a checkpoint; --resume goes on as if nothing had happened.
configs/README.md lists every key of a recipe.")]
pub struct Args {
    #[command(flatten)]
    backend: BackendArgs,
    /// Numbers of the GPUs that share each batch, such as 0,1,2,3 [default: one]
    ///
    /// Batch norms see the part of the batch that is on their GPU.
    #[arg(long, value_name = "N,N", value_delimiter = ',')]
    devices: Vec<usize>,
    /// Recipe to train
    #[arg(long, value_name = "FILE", default_value = "configs/synth.toml")]
    config: PathBuf,
    /// Set a key of the recipe, as often as you like
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Folder for the run [default: runs/RECIPE-TIME]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Go on with the run in this folder, with its own recipe
    #[arg(long, value_name = "RUN", conflicts_with_all = ["config", "set", "out"])]
    resume: Option<PathBuf>,
    /// Stop after this step as Ctrl-C would: for queues with a time limit
    #[arg(long, value_name = "STEP")]
    stop_after: Option<usize>,
}

pub fn run(args: Args) -> Result<ExitCode, CliError> {
    let (recipe, start) = match &args.resume {
        Some(folder) => {
            let run = RunDir::open(folder)?;
            (
                Recipe::read(&run.config(), &[])?,
                Start::Resume(folder.clone()),
            )
        }
        None => {
            let recipe = Recipe::read(&args.config, &args.set)?;
            let folder = args
                .out
                .unwrap_or_else(|| Path::new("runs").join(format!("{}-{}", recipe.name, now())));
            (recipe, Start::New(folder))
        }
    };
    let stop = Arc::new(AtomicBool::new(false));
    let flag = stop.clone();
    ctrlc::set_handler(move || {
        if flag.swap(true, Ordering::Relaxed) {
            // Asked twice: the person does not want to wait for the step.
            std::process::exit(130);
        }
    })
    .map_err(|e| CliError::Usage(format!("cannot listen for Ctrl-C: {e}")))?;

    let mut numbers = args.devices.clone();
    numbers.sort_unstable();
    numbers.dedup();
    if numbers.len() != args.devices.len() {
        return Err(CliError::Usage(
            "--devices: a device is named twice; name each once.".into(),
        ));
    }
    run_on_devices(
        args.backend.backend,
        &args.devices,
        TrainJob {
            recipe,
            start,
            stop,
            stop_after: args.stop_after,
            backend: args.backend.backend,
        },
    )
}

struct TrainJob {
    recipe: Recipe,
    start: Start,
    stop: Arc<AtomicBool>,
    stop_after: Option<usize>,
    backend: BackendName,
}

impl SharedJob for TrainJob {
    type Output = ExitCode;

    fn run<B: AutodiffBackend>(self, devices: &[B::Device]) -> Result<ExitCode, CliError> {
        let folder = match &self.start {
            Start::New(folder) | Start::Resume(folder) => folder.clone(),
        };
        let mut printer = Printer::default();
        printer.line(&match devices.len() {
            1 => format!("{} on {}", self.recipe.name, self.backend.name()),
            n => format!(
                "{} on {n} devices of {}",
                self.recipe.name,
                self.backend.name()
            ),
        });
        let stop = Stop {
            flag: &self.stop,
            after: self.stop_after,
        };
        let outcome = train::<B>(&self.recipe, &self.start, devices, stop, &mut printer);
        printer.finish();
        match outcome? {
            Outcome::Finished(finished) => {
                printer.line(table(&finished).trim_end());
                printer.line(&format!("\nRun folder: {}", folder.display()));
                printer.line(
                    "  weights/best.safetensors   the best weights, enough to predict and evaluate with",
                );
                printer.line(
                    "  report/                    curves.svg, selection_faces.png and figures",
                );
                Ok(ExitCode::SUCCESS)
            }
            Outcome::Interrupted { checkpoint } => {
                printer.line(&format!(
                    "stopped; everything is in {}.\nGo on with: cargo xtask train --resume {}",
                    checkpoint.display(),
                    folder.display()
                ));
                Ok(ExitCode::from(130))
            }
        }
    }
}

/// The table a person came for.
fn table(finished: &Finished) -> String {
    let percent = |v: Option<f64>| v.map_or_else(|| "".into(), |v| format!("{:.2} %", v * 100.0));
    let (before, best) = (&finished.before, &finished.selection);
    let truth = best.truth.map(|t| t.nme);
    let mut text = format!(
        "\n{:<46}{:>14}{:>14}\n{:<46}{:>14}{:>14}\n{:<46}{:>14}\n{:<46}{:>14}{:>14}\n",
        format!("NME, {}", best.norm),
        "annotated",
        if truth.is_some() { "true" } else { "" },
        "held-out, before training",
        percent(before.nme),
        percent(before.nme_truth),
        "held-out, mean shape of the training set",
        percent(Some(finished.mean_shape)),
        format!("held-out, best weights (epoch {})", finished.best.epoch),
        percent(Some(best.nme)),
        percent(truth),
    );
    if let Some(test) = &finished.test {
        text += &format!(
            "{:<46}{:>14}{:>14}\n",
            format!("test ({} faces), the same weights", test.faces),
            percent(Some(test.nme)),
            percent(test.truth.map(|t| t.nme)),
        );
    }
    if let (Some(before), Some(after)) = (before.nme_truth, truth) {
        text += &format!(
            "Against the true landmarks the held-out error fell to {:.2} of where it began.\n",
            after / before
        );
    }
    text + &format!("Training took {}.\n", duration(finished.train_seconds))
}

/// UTC time as `YYYYMMDD-HHMMSS`, for the folder's name.
pub(super) fn now() -> String {
    let seconds = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .map_or(0, |d| d.as_secs());
    let (year, month, day) = civil(seconds / 86_400);
    let time = seconds % 86_400;
    format!(
        "{year:04}{month:02}{day:02}-{:02}{:02}{:02}",
        time / 3600,
        time / 60 % 60,
        time % 60
    )
}

/// Days since 1970 to a date (Hinnant's algorithm); not worth a crate.
fn civil(days: u64) -> (u64, u64, u64) {
    let z = days + 719_468;
    let era = z / 146_097;
    let doe = z % 146_097;
    let yoe = (doe - doe / 1460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let day = doy - (153 * mp + 2) / 5 + 1;
    let month = if mp < 10 { mp + 3 } else { mp - 9 };
    (yoe + era * 400 + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::civil;

    #[test]
    fn dates() {
        assert_eq!(civil(0), (1970, 1, 1));
        assert_eq!(civil(11_016), (2000, 2, 29));
        assert_eq!(civil(20_780), (2026, 11, 23));
    }
}
