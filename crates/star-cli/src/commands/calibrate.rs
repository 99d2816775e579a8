//! `star calibrate`

use std::{path::PathBuf, process::ExitCode, sync::Arc};

use burn::tensor::backend::{AutodiffBackend, Backend};
use serde::Serialize;
use star_data::{FaceSource, HoldOut, Subset, split_held_out};
use star_eval::{
    EvalSet,
    calibration::{Calibration, Fit, HeldOutPart, calibrate},
    predict_set,
};
use star_infer::{read_weights, write_covariance_scales};

use star_train::Observer;

use super::annotations::AnnotatedFaces;
use crate::{
    backend::{BackendArgs, Job, run_on},
    error::{CliError, refuse_overwriting, write_file, write_json},
    progress::Printer,
    writable::check_file,
};

/// Calibration of the ellipses: how often annotated points lie inside those around predicted ones
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  star calibrate --weights W --fit datasets/300w/train.tsv --held-out 0.1 --test datasets/300w/lfpw_test.tsv --images datasets/300w
  star calibrate --weights W --fit FIT.tsv --test TEST.tsv --images DIR --json scales.json --csv points.csv
  star calibrate --weights W --fit FIT.tsv --test TEST.tsv --images DIR --write

Each point gets one scale for its covariances, fitted on the faces of --fit. Errors on faces that the network was trained on are
too small: give --held-out and --seed as the recipe has them (data.held_out, seed) to fit on the part that training left aside.
--write puts the scales into the weights file: `predict` and `serve` then give covariances of the size of the errors. The network stays as
it is, bit for bit. A training run does the same at its end, with the faces that it held out.")]
pub struct Args {
    #[command(flatten)]
    backend: BackendArgs,
    #[command(flatten)]
    over: AnnotatedFaces,
    /// Annotated faces to fit the scales on
    #[arg(long, value_name = "TSV")]
    fit: PathBuf,
    /// Fit only on the part that training with this `data.held_out` left aside
    #[arg(long, value_name = "FRACTION", value_parser = fraction)]
    held_out: Option<f64>,
    /// The recipe's seed, which decides what was left aside
    #[arg(long, default_value_t = 0, requires = "held_out")]
    seed: u64,
    /// Annotated faces to count on
    #[arg(long, value_name = "TSV")]
    test: PathBuf,
    /// Put the scales into the weights file, or into a copy of it with this name
    #[arg(long, value_name = "FILE", num_args = 0..=1)]
    write: Option<Option<PathBuf>>,
    /// Write all figures to this file
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Write one line a point to this file
    #[arg(long, value_name = "FILE")]
    csv: Option<PathBuf>,
}

fn fraction(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(f) if f > 0.0 && f < 1.0 => Ok(f),
        _ => Err("give a fraction above 0 and below 1, such as 0.1".into()),
    }
}

pub fn run(args: Args) -> Result<ExitCode, CliError> {
    run_on(args.backend.backend, CalibrateJob(args))
}

struct CalibrateJob(Args);

impl Job for CalibrateJob {
    type Output = ExitCode;

    fn run<B: AutodiffBackend>(self, device: &B::Device) -> Result<ExitCode, CliError> {
        run_calibration::<B::InnerBackend>(&self.0, device)
    }
}

/// The JSON file: what was calibrated, and the figures.
#[derive(Serialize)]
struct Document<'a> {
    weights: &'a str,
    layout: &'a str,
    fit: String,
    test: String,
    #[serde(flatten)]
    calibration: &'a Calibration,
}

fn run_calibration<B: Backend>(args: &Args, device: &B::Device) -> Result<ExitCode, CliError> {
    for file in [&args.json, &args.csv].into_iter().flatten() {
        refuse_overwriting(file, &[&args.over.weights, &args.fit, &args.test])?;
        check_file(file)?;
    }
    let calibrated = args
        .write
        .as_ref()
        .map(|asked| asked.as_ref().unwrap_or(&args.over.weights));
    if let Some(file) = calibrated {
        refuse_overwriting(file, &[&args.fit, &args.test])?;
        check_file(file)?;
    }
    let asked = [
        ("--json", args.json.as_ref()),
        ("--csv", args.csv.as_ref()),
        ("--write", calibrated),
    ];
    for (i, (flag, file)) in asked.iter().enumerate() {
        let same = |(_, other): &&(&str, Option<&PathBuf>)| file.is_some() && other == file;
        if let Some((other, _)) = asked[..i].iter().find(same) {
            return Err(CliError::Usage(format!(
                "{other} and {flag} name the same file; give each its own."
            )));
        }
    }
    let trained = read_weights::<B>(&args.over.weights, device)?.prepare();
    let mut fit = args.over.open(&args.fit, &trained.layout)?;
    if let Some(fraction) = args.held_out {
        let (_, held_out) = split_held_out(&fit.groups()?, HoldOut::Fraction(fraction), args.seed)?;
        fit = Arc::new(Subset::new(fit, held_out)?);
    }
    let test = args.over.open(&args.test, &trained.layout)?;

    let options = args.over.options(trained.net.config().input_size);
    let mut printer = Printer::default();
    let mut predict = |faces: Arc<dyn FaceSource>, list: &PathBuf| {
        let title = list.display().to_string();
        let set = EvalSet { title, faces };
        predict_set(&trained.net, &set, &options, device, &mut |done, all| {
            printer.evaluating(done, all)
        })
    };
    let fit = predict(fit, &args.fit)?;
    let test = predict(test, &args.test)?;
    printer.finish();

    let calibration = calibrate(&fit, &test)?;
    print!("{}", calibration.table());
    if let Some(path) = &args.json {
        let document = Document {
            weights: &trained.provenance,
            layout: &trained.layout.name,
            fit: args.fit.display().to_string(),
            test: args.test.display().to_string(),
            calibration: &calibration,
        };
        write_json(path, &document)?;
        println!("\nall figures: {}", path.display());
    }
    if let Some(path) = &args.csv {
        write_file(path, calibration.csv().as_bytes())?;
        println!("one line a point: {}", path.display());
    }
    if let Some(path) = calibrated {
        let name = args.fit.file_name().unwrap_or_default().to_string_lossy();
        let part = args.held_out.map(|fraction| HeldOutPart {
            fraction,
            seed: args.seed,
        });
        let scales = Fit::new(&fit)?.covariance_scales(&name, part)?;
        write_covariance_scales(&args.over.weights, &scales, path)?;
        println!(
            "calibrated weights: {} ({})",
            path.display(),
            scales.about()
        );
    }
    Ok(ExitCode::SUCCESS)
}
