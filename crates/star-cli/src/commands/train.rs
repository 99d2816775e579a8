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
use clap::ValueEnum;
use star_train::{Finished, Launch, Outcome, Recipe, RunDir, Selection, Start, Stop, train};

use crate::{
    backend::{BackendName, SharedJob, not_built_in, run_on_devices},
    error::CliError,
    program,
    progress::{Printer, duration},
};

/// Train a network, or go on with a stopped run
///
/// With nothing given it trains the small recipe `synth` on synthetic faces: no data needed, a few minutes on a laptop.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  star train                                                 synthetic faces, a few minutes
  star train --config configs/300w-small.toml                300-W, a small network for a CPU
  star train --config configs/wflw.toml --backend cuda       the published protocol
  star train --set train.epochs=3 --set train.batch_size=8   any key of the recipe
  star train --config configs/wflw.toml --backend cuda --devices 0,1,2,3
  star train --resume runs/synth-20260101-120000             go on where it stopped

Ctrl-C stops after the current step and writes a checkpoint; --resume goes on as if nothing had happened, with the run's own recipe,
backend and devices. A run that failed before its first checkpoint starts again from its beginning.
configs/README.md lists every key of a recipe.")]
pub struct Args {
    /// Where to compute [default: flex; with --resume where the run was last started]
    #[arg(long, value_enum)]
    backend: Option<BackendName>,
    /// Numbers of the GPUs that share each batch, such as 0,1,2,3 [default: one; with --resume those of the run]
    ///
    /// Batch norms see the part of the batch that is on their GPU.
    #[arg(long, value_name = "N,N", value_delimiter = ',')]
    devices: Vec<usize>,
    /// Recipe to train
    ///
    /// A file, or the name of one that is built in: synth, 300w-small, 300w, wflw, cofw.
    #[arg(long, value_name = "FILE|NAME", default_value = "synth")]
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
    if args.stop_after == Some(0) {
        return Err(CliError::Usage(
            "--stop-after 0: a run has done nothing then; give a step from 1 on.".into(),
        ));
    }
    let mut numbers = args.devices.clone();
    numbers.sort_unstable();
    numbers.dedup();
    if numbers.len() != args.devices.len() {
        return Err(CliError::Usage(
            "--devices: a device is named twice; name each once.".into(),
        ));
    }
    let (recipe, folder, backend, devices) = match &args.resume {
        Some(folder) => {
            let run = RunDir::open(folder)?;
            let (backend, devices) = resumed_on(&run, args.backend, args.devices)?;
            (
                Recipe::read(&run.config(), &[])?,
                folder.clone(),
                backend,
                devices,
            )
        }
        None => {
            let recipe = Recipe::read(&args.config, &args.set)?;
            let folder = args
                .out
                .unwrap_or_else(|| Path::new("runs").join(format!("{}-{}", recipe.name, now())));
            (
                recipe,
                folder,
                args.backend.unwrap_or(BackendName::Flex),
                args.devices,
            )
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

    run_on_devices(
        backend,
        &devices,
        TrainJob {
            recipe,
            start: Start {
                folder,
                resume: args.resume.is_some(),
                launch: Launch {
                    backend: backend.name().into(),
                    devices: devices.clone(),
                },
            },
            stop,
            stop_after: args.stop_after,
            backend,
        },
    )
}

/// Where a run goes on: where the command line says, otherwise where it was last started.
fn resumed_on(
    run: &RunDir,
    backend: Option<BackendName>,
    devices: Vec<usize>,
) -> Result<(BackendName, Vec<usize>), CliError> {
    let Some(own) = Launch::read(&run.launch())? else {
        return Ok((backend.unwrap_or(BackendName::Flex), devices));
    };
    let own_backend = BackendName::from_str(&own.backend, false).map_err(|_| {
        CliError::Usage(format!(
            "{}: there is no backend `{}`. Say where to go on with --backend.",
            run.launch().display(),
            own.backend
        ))
    });
    let own_devices = |backend: &str| match &devices[..] {
        [] if backend == own.backend => own.devices.clone(),
        given => given.to_vec(),
    };
    match backend {
        Some(backend) => Ok((backend, own_devices(backend.name()))),
        None => {
            let backend = own_backend?;
            if !backend.is_built_in() {
                return Err(CliError::Usage(format!(
                    "{} was last started on {}: {}. Or go on elsewhere, such as on the CPU with --backend flex.",
                    run.root().display(),
                    backend.name(),
                    not_built_in(backend)
                )));
            }
            Ok((backend, own_devices(backend.name())))
        }
    }
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
        let folder = &self.start.folder;
        let mut printer = Printer::of_run(self.recipe.train.selection);
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
                    "stopped; everything is in {}.\nGo on with: {}",
                    checkpoint.display(),
                    resume_command(&self.start)
                ));
                Ok(ExitCode::from(130))
            }
        }
    }
}

/// What goes on with a run, where it ran.
fn resume_command(start: &Start) -> String {
    let mut args = vec![
        "train".to_owned(),
        "--resume".to_owned(),
        start.folder.display().to_string(),
        "--backend".to_owned(),
        start.launch.backend.clone(),
    ];
    let devices: Vec<String> = (start.launch.devices.iter())
        .map(usize::to_string)
        .collect();
    if !devices.is_empty() {
        args.extend(["--devices".to_owned(), devices.join(",")]);
    }
    program::command_line(&args)
}

/// The table a person came for.
fn table(finished: &Finished) -> String {
    let percent = |v: Option<f64>| v.map_or_else(|| "".into(), |v| format!("{:.2} %", v * 100.0));
    let (before, best) = (&finished.before, &finished.scores);
    let set = finished.selected_on.name();
    let truth = best.truth.map(|t| t.nme);
    let row = |name: String, annotated: Option<f64>, truth: Option<f64>| {
        let line = format!("{name:<46}{:>14}{:>14}", percent(annotated), percent(truth));
        format!("{}\n", line.trim_end())
    };
    let mut text = format!(
        "\n{:<46}{:>14}{:>14}\n",
        format!("NME, {}", best.norm),
        "annotated",
        if truth.is_some() { "true" } else { "" },
    );
    text += &row(
        format!("{set}, before training"),
        before.nme,
        before.nme_truth,
    );
    text += &row(
        format!("{set}, mean shape of the training set"),
        Some(finished.mean_shape),
        None,
    );
    text += &row(
        format!("{set}, best weights (epoch {})", finished.best.epoch),
        Some(best.nme),
        truth,
    );
    if let Some(test) = &finished.test {
        text += &row(
            format!("test ({} faces), the same weights", test.faces),
            Some(test.nme),
            test.truth.map(|t| t.nme),
        );
    }
    if let (Some(before), Some(after)) = (before.nme_truth, truth) {
        text += &format!(
            "Against the true landmarks the {set} error fell to {:.2} of where it began.\n",
            after / before
        );
    }
    if finished.selected_on == Selection::Test {
        text += "The best weights were selected on the test faces, as published: their error on faces that selected nothing is larger.\n";
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
