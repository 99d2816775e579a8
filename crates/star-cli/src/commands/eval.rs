//! `star eval`

use std::{path::PathBuf, process::ExitCode, sync::Arc};

use burn::tensor::backend::AutodiffBackend;
use clap::ValueEnum;
use star_data::Recropped;
use star_eval::{
    BoxNoise, BoxSource, EvalOptions, EvalSet, Protocol,
    detected_faces::{crops_for_faces, found_faces, missed_faces},
    eval_page,
    evaluate::MissedFaces,
    metrics::check_threshold,
    predict_in_passes,
    protocol::FaceCounts,
    score, score_table,
    stress::stress,
};
use star_infer::{detect::SeetaFace, read_weights};
use star_model::StarNetConfig;
use star_train::Observer;

use super::annotations::AnnotatedFaces;
use crate::{
    backend::{BackendArgs, Job, run_on},
    error::{CliError, refuse_overwriting, write_json},
    finder::finds_faces,
    progress::Printer,
    writable::{check_file, check_folder},
};

/// The same jittered crops at every call, so that figures compare.
const BOX_NOISE_SEED: u64 = 0;
/// And the same changes of faces that are made harder.
const STRESS_SEED: u64 = 0;

/// Evaluate weights on annotated faces: NME, FR, AUC
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  star eval --weights runs/RUN/weights/best.safetensors --annotations datasets/300w/lfpw_test.tsv --images datasets/300w
  star eval --weights W --annotations TSV --images DIR --report report
  star eval --weights W --annotations TSV --images DIR --norm pupil --threshold 0.08 --json figures.json
  star eval --weights W --annotations TSV --images DIR --stress --report report

The weights file says which network and which landmarks it is for; nothing else is needed.

--report writes DIR/index.html: one page with figures, curves, where the errors are, predicted ambiguity beside the errors made, the worst
and the best faces; beside it every plot as SVG and every table as CSV. It shows images of the faces: mind their terms before you pass it on.")]
pub struct Args {
    #[command(flatten)]
    backend: BackendArgs,
    #[command(flatten)]
    over: AnnotatedFaces,
    /// Annotated faces, in the published TSV form
    #[arg(long, value_name = "TSV")]
    annotations: PathBuf,
    /// Write the figures, with one entry a face, to this file
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Write a page about the evaluation, its plots and its tables into this folder
    #[arg(long, value_name = "DIR")]
    report: Option<PathBuf>,
    /// One of the layout's norms, such as ocular or pupil [default: the published one]
    #[arg(long, default_value = "", hide_default_value = true)]
    norm: String,
    /// FR and AUC threshold as a fraction [default: the published one: 0.05 for 300-W, otherwise 0.1]
    #[arg(long, value_parser = threshold)]
    threshold: Option<f64>,
    /// Where the crops come from; FR is given without and with the faces that the detector misses, then as failures
    #[arg(long, value_enum, default_value = "annotations")]
    boxes: Boxes,
    /// The landmarks are of faces, although the layout is not a built-in one; with --boxes detector
    #[arg(long)]
    find_faces: bool,
    /// Times each face is looked at; from the second on it is cropped by the landmarks of the time before
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=5))]
    passes: u16,
    /// Jitter the crops as a detector would: standard deviation of centre and size as a fraction of the width, such as 0.05 (seeded)
    #[arg(long, value_name = "FRACTION", value_parser = noise)]
    box_noise: Option<f64>,
    /// Evaluate the same faces made harder, step by step: box noise, rotation, small faces, blur, JPEG, darkness, a black bar, no colour
    #[arg(long)]
    stress: bool,
}

fn threshold(text: &str) -> Result<f64, String> {
    let threshold: f64 =
        (text.parse()).map_err(|_| "give a fraction, such as 0.08 for 8 %".to_owned())?;
    check_threshold(threshold)?;
    Ok(threshold)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Boxes {
    /// The annotation file's own
    #[value(alias = "list")]
    Annotations,
    /// A face detector's, as when nothing is given but the photo; the same faces with the annotation file's crops are shown beside it
    Detector,
}

fn noise(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(fraction) if (0.0..=0.5).contains(&fraction) => Ok(fraction),
        _ => Err("give a fraction from 0 to 0.5, such as 0.05".into()),
    }
}

pub fn run(args: Args) -> Result<ExitCode, CliError> {
    run_on(args.backend.backend, EvalJob(args))
}

struct EvalJob(Args);

impl Job for EvalJob {
    type Output = ExitCode;

    fn run<B: AutodiffBackend>(self, device: &B::Device) -> Result<ExitCode, CliError> {
        evaluate::<B::InnerBackend>(self.0, device)
    }
}

fn evaluate<B: burn::tensor::backend::Backend>(
    args: Args,
    device: &B::Device,
) -> Result<ExitCode, CliError> {
    if let Some(json) = &args.json {
        refuse_overwriting(json, &[&args.over.weights, &args.annotations])?;
        check_file(json)?;
    }
    if let Some(dir) = &args.report {
        check_folder(dir)?;
    }
    if args.boxes == Boxes::Detector && args.box_noise.is_some() {
        return Err(CliError::Usage(
            "--box-noise stands for a detector's errors; --boxes detector has its own. Give one of them.".into(),
        ));
    }
    if args.stress && (args.boxes == Boxes::Detector || args.box_noise.is_some()) {
        return Err(CliError::Usage(
            "--stress begins with the annotation file's crops as they are, and has its own box noise. Leave --boxes and --box-noise out.".into(),
        ));
    }
    if args.boxes == Boxes::Annotations && args.find_faces {
        return Err(CliError::Usage(
            "--find-faces is for --boxes detector; the crops of the annotation file need no detector.".into(),
        ));
    }
    let trained = read_weights::<B>(&args.over.weights, device)?.prepare();
    if args.boxes == Boxes::Detector && !finds_faces(&trained.layout, args.find_faces) {
        return Err(CliError::Usage(format!(
            "the landmarks of {} are those of the layout `{}`, and the detector finds faces only. Leave --boxes detector out; if they are of \
             faces after all, add --find-faces.",
            args.over.weights.display(),
            trained.layout.name
        )));
    }
    let mut title = args.annotations.display().to_string();
    let mut faces = args.over.open(&args.annotations, &trained.layout)?;
    if let Some(fraction) = args.box_noise {
        faces = Arc::new(Recropped::jittered(faces, fraction, BOX_NOISE_SEED));
        title += &format!(", crops jittered by {fraction}");
    }
    if args.passes > 1 {
        title += &format!(", {} passes", args.passes);
    }
    let options = EvalOptions {
        norm: args.norm,
        threshold: args.threshold.unwrap_or(0.0),
        ..args.over.options(trained.net.config().input_size)
    };
    // An unknown norm is refused before the work, not after.
    if !options.norm.is_empty() {
        trained.layout.norm(Some(&options.norm))?;
    }
    let norm_name = match options.norm.as_str() {
        "" => &trained.layout.default_norm,
        norm => norm,
    };
    let norm = trained.layout.norm(Some(norm_name))?;
    let asked = faces.len();
    let protocol = Protocol {
        annotations: args.annotations.display().to_string(),
        weights_file: args.over.weights.display().to_string(),
        weights: trained.provenance.clone(),
        selection: trained.selected_on().map(str::to_owned),
        boxes: BoxSource::Annotations,
        box_noise: args.box_noise.map(|fraction| BoxNoise {
            fraction,
            seed: BOX_NOISE_SEED,
        }),
        passes: args.passes.into(),
        crop: (args.passes > 1).then_some(trained.crop),
        norm: norm_name.to_owned(),
        threshold: match options.threshold {
            0.0 => trained.layout.threshold,
            threshold => threshold,
        },
        faces: FaceCounts {
            asked,
            found: asked,
            missed: 0,
            excluded: 0,
            non_finite: 0,
        },
    };
    let mut printer = Printer::default();
    let mut run = |set: &EvalSet, protocol: &Protocol, missed: Option<&MissedFaces>| {
        let predicted = predict_in_passes(
            &trained.net,
            set,
            &options,
            &trained.crop,
            args.passes.into(),
            device,
            &mut |done, all| printer.evaluating(done, all),
        )?;
        printer.finish();
        let title = format!("{} ({})", set.title, trained.provenance);
        let mut scores = score(&title, &predicted, set, &options)?;
        if let Some(missed) = missed {
            scores = scores.with_missed(missed);
        }
        let mut protocol = protocol.clone();
        protocol.faces.excluded = scores.excluded.len();
        protocol.faces.non_finite = scores.non_finite.len();
        scores.protocol = Some(protocol);
        println!("{}", score_table(&scores));
        Ok::<_, CliError>((predicted, scores))
    };
    let (set, (predicted, mut scores)) = if args.boxes == Boxes::Detector {
        let crops = crops_for_faces(&SeetaFace::new()?, faces.as_ref(), &trained.crop)?;
        let missed = missed_faces(faces.as_ref(), &crops, norm)?;
        let found = found_faces(faces, &crops)?;
        println!("the detector found {} of {asked} faces", found.own.len());
        if found.own.is_empty() {
            return Err(CliError::Usage(format!(
                "the detector found none of the {asked} faces, so there is nothing to evaluate. Look at some of the images with \
                 `star data show`, or leave --boxes detector out.",
            )));
        }
        let faces = FaceCounts {
            found: found.own.len(),
            missed: missed.all,
            ..protocol.faces
        };
        let own = EvalSet {
            title: format!("{title}, the faces found, the annotation file's crops"),
            faces: found.own,
        };
        let of_list = Protocol {
            faces,
            ..protocol.clone()
        };
        run(&own, &of_list, None)?;
        let set = EvalSet {
            title: format!("{title}, the detector's crops"),
            faces: found.detected,
        };
        let of_detector = Protocol {
            faces,
            boxes: BoxSource::Detector,
            crop: Some(trained.crop),
            ..protocol
        };
        let result = run(&set, &of_detector, Some(&missed))?;
        (set, result)
    } else {
        let set = EvalSet { title, faces };
        let result = run(&set, &protocol, None)?;
        (set, result)
    };
    if args.stress {
        let figures = stress(
            &trained.net,
            &set,
            &scores,
            &options,
            (&trained.crop, args.passes.into()),
            STRESS_SEED,
            device,
            &mut |done, all| printer.evaluating(done, all),
        )?;
        printer.finish();
        println!("\n{}", figures.table(&scores));
        scores.stress = Some(figures);
    }
    if let Some(path) = args.json {
        write_json(&path, &scores)?;
        println!("figures of every face: {}", path.display());
    }
    if let Some(dir) = args.report {
        let name = args.annotations.file_stem().unwrap_or_default();
        let notes = [("Network", network(trained.net.config()))];
        let inputs = eval_page::Inputs {
            title: &name.to_string_lossy(),
            weights: &trained.provenance,
            notes: &notes,
            scores: &scores,
            faces: &predicted,
            images: set.faces.as_ref(),
        };
        eval_page::write(&dir, &inputs)?;
        println!("report: {}", dir.join("index.html").display());
    }
    Ok(ExitCode::SUCCESS)
}

/// A network in a few words.
fn network(config: &StarNetConfig) -> String {
    format!(
        "hourglasses: {}; channels: {}; input: {2} x {2} pixels",
        config.stacks, config.channels, config.input_size
    )
}
