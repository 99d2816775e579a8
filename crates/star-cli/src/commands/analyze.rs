//! `star analyze`

use std::{fs, path::PathBuf, process::ExitCode};

use burn::tensor::backend::{AutodiffBackend, Backend};
use serde::Serialize;
use star_eval::{
    EvalSet,
    analysis::{Analysis, analyze},
    predict_set,
};
use star_infer::read_weights;

use star_train::Observer;

use super::annotations::AnnotatedFaces;
use crate::{
    backend::{BackendArgs, Job, run_on},
    error::{CliError, write_file, write_json},
    progress::Printer,
    writable::check_folder,
};

/// Anisotropy of the heatmaps, point by point, and of the errors
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  star analyze --weights W --annotations datasets/300w/lfpw_test.tsv --images datasets/300w --out analysis

The folder gets points.csv and analysis.json (all figures; lengths are fractions of the layout's norm), and the drawings
anisotropy.svg, ellipses.svg, anisotropy_error.svg and hard_faces.svg. Points are grouped by their place on the layout's edges:
  corner   one of the two points of a closed edge that are farthest apart on the mean face
  end      first or last of an open edge
  rim      elsewhere on a closed edge
  contour  inside an open edge
  single   on no edge")]
pub struct Args {
    #[command(flatten)]
    backend: BackendArgs,
    #[command(flatten)]
    over: AnnotatedFaces,
    /// Annotated faces
    #[arg(long, value_name = "TSV")]
    annotations: PathBuf,
    /// Folder for the results
    #[arg(long, value_name = "DIR", default_value = "analysis")]
    out: PathBuf,
}

pub fn run(args: Args) -> Result<ExitCode, CliError> {
    run_on(args.backend.backend, AnalyzeJob(args))
}

struct AnalyzeJob(Args);

impl Job for AnalyzeJob {
    type Output = ExitCode;

    fn run<B: AutodiffBackend>(self, device: &B::Device) -> Result<ExitCode, CliError> {
        run_analysis::<B::InnerBackend>(&self.0, device)
    }
}

/// The JSON file: what was analysed, and the figures.
#[derive(Serialize)]
struct Document<'a> {
    weights: &'a str,
    annotations: String,
    #[serde(flatten)]
    analysis: &'a Analysis,
}

fn run_analysis<B: Backend>(args: &Args, device: &B::Device) -> Result<ExitCode, CliError> {
    check_folder(&args.out)?;
    let trained = read_weights::<B>(&args.over.weights, device)?.prepare();
    let list = &args.annotations;
    let set = EvalSet {
        title: list.display().to_string(),
        faces: args.over.open(list, &trained.layout)?,
    };
    let options = args.over.options(trained.net.config().input_size);
    let mut printer = Printer::default();
    let predicted = predict_set(&trained.net, &set, &options, device, &mut |done, all| {
        printer.evaluating(done, all)
    })?;
    printer.finish();
    let analysis = analyze(&predicted, &trained.layout)?;
    print!("{}", analysis.table());

    fs::create_dir_all(&args.out).map_err(|e| CliError::io(&args.out, e))?;
    let document = Document {
        weights: &trained.provenance,
        annotations: set.title,
        analysis: &analysis,
    };
    write_json(&args.out.join("analysis.json"), &document)?;
    write_file(&args.out.join("points.csv"), analysis.csv().as_bytes())?;
    for (name, svg) in analysis.plots(&trained.layout) {
        write_file(&args.out.join(name), svg.as_bytes())?;
    }
    println!("\nfigures and drawings: {}", args.out.display());
    Ok(ExitCode::SUCCESS)
}
