//! `star predict`

pub(super) mod ahead;
pub(super) mod document;
mod done;
pub(super) mod inputs;
pub(super) mod item;
mod label_files;
mod names;
mod output;
mod raw_video;
mod show;
pub(super) mod stills;
mod stream;
mod video;

use std::{path::PathBuf, process::ExitCode, time::Duration};

use burn::tensor::backend::{AutodiffBackend, Backend};
use clap::ValueEnum;
use star_data::CropRule;
use star_infer::{
    PreparedNet,
    detect::{Detector, SeetaFace},
    one_euro::OneEuroConfig,
    track::{LEAST_SCORE, TrackConfig, Tracker},
};

use self::{
    ahead::Prepare,
    item::{Faces, GivenBox, Item},
    output::Output,
    raw_video::FrameSize,
    show::Show,
};
use crate::{
    backend::{BackendArgs, Job, run_on},
    error::CliError,
    finder::finds_faces,
    shipped::read_weights_or_shipped,
    writable::check_folder,
};

/// Faces that go through the network at once, whichever images they are of.
const BATCH: usize = 16;

/// Find the landmarks of faces in images and video
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  star predict photo.jpg                                  finds the faces itself; writes predictions/photo.json and .png
  star predict photos/ 'more/*.jpg' --format csv --overlay none
  star predict photo.jpg --box 120,80,200,220             the face's box is known
  star predict --annotations datasets/300w/lfpw_test.tsv --images datasets/300w
  find . -name '*.jpg' | star predict -                   names of images, one a line
  star predict frames/ --track --smooth --format jsonl    a video as numbered images
  ffmpeg -i v.mp4 -f rawvideo -pix_fmt rgb24 - | star predict --raw-video 640x360 --track --format csv --overlay none

docs/predict.md describes the files that are written. Points are in image pixels, the middle of the first pixel is (0, 0).
An image without a face is an answer: an empty list. An image that cannot be read does not stop the others; the exit code is 1 then.")]
pub struct Args {
    #[command(flatten)]
    backend: BackendArgs,
    /// Weights (.safetensors) [default: ibug68-small, the network inside the program]
    #[arg(long, value_name = "FILE")]
    weights: Option<PathBuf>,
    /// Images, folders (with all below them), patterns in quotes ('*.jpg'), or - for names from standard input
    #[arg(value_name = "PHOTO", required_unless_present_any = ["annotations", "raw_video"])]
    inputs: Vec<PathBuf>,
    /// Folder for the results
    #[arg(long, value_name = "DIR", default_value = "predictions")]
    out: PathBuf,

    /// A face's box in pixels, around its landmarks, instead of looking for faces; once for each face, the same for every image
    #[arg(help_heading = "Faces", long = "box", id = "boxes", value_name = "X,Y,W,H", value_parser = item::parse_box, allow_hyphen_values = true)]
    boxes: Vec<GivenBox>,
    /// Most faces of an image; the most prominent are kept
    #[arg(help_heading = "Faces", long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..), conflicts_with_all = ["boxes", "annotations"])]
    max_faces: Option<u16>,
    /// The landmarks are of faces, although the layout is not a built-in one: use the face detector
    #[arg(help_heading = "Faces", long, conflicts_with_all = ["boxes", "annotations"])]
    find_faces: bool,
    /// Look for upright faces only; otherwise an image without a sure one is looked at turned by 90, 180 and 270 degrees as well
    #[arg(help_heading = "Faces", long, conflicts_with_all = ["boxes", "annotations", "track"])]
    upright_only: bool,
    /// Passes of the network: each after the first sees the face cropped around the points of the pass before
    #[arg(help_heading = "Faces", long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=5))]
    passes: u8,
    /// Width of the network's view over the longer side of the landmarks' box
    #[arg(help_heading = "Faces", long, value_name = "FACTOR", value_parser = positive)]
    margin: Option<f64>,
    /// Predict the faces of an annotation file; its crops are used, its landmarks are not
    #[arg(help_heading = "Faces", long, value_name = "TSV", conflicts_with_all = ["inputs", "boxes"])]
    annotations: Option<PathBuf>,
    /// Folder that the annotation file's image paths start from [default: the annotation file's folder]
    #[arg(
        help_heading = "Faces",
        long,
        value_name = "DIR",
        requires = "annotations"
    )]
    images: Option<PathBuf>,

    /// The images of a folder are the frames of a video: a face is looked for where it was in the frame before
    #[arg(help_heading = "Video", long, conflicts_with_all = ["annotations", "boxes"])]
    track: bool,
    /// Ask the detector again about a face whose score is below this
    #[arg(help_heading = "Video", long, value_name = "SCORE", default_value_t = LEAST_SCORE, value_parser = fraction, requires = "track")]
    track_score: f64,
    /// Smooth the points from frame to frame (One-Euro filter)
    #[arg(help_heading = "Video", long, requires = "track")]
    smooth: bool,
    /// Filter: cutoff for points that do not move, in Hz; lower trembles less
    #[arg(help_heading = "Video", long, value_name = "HZ", default_value_t = OneEuroConfig::default().min_cutoff, value_parser = positive, requires = "smooth")]
    min_cutoff: f64,
    /// Filter: what each face size per second of speed adds to the cutoff, in Hz; higher lags less
    #[arg(help_heading = "Video", long, value_name = "HZ", default_value_t = OneEuroConfig::default().beta, value_parser = not_negative, requires = "smooth")]
    beta: f64,
    /// Frames in a second, for the filter
    #[arg(help_heading = "Video", long, value_name = "N", default_value_t = 25.0, value_parser = positive, requires = "smooth")]
    fps: f64,
    /// Read raw rgb24 frames of this size from standard input, as ffmpeg writes them
    #[arg(help_heading = "Video", long, value_name = "WIDTHxHEIGHT", value_parser = raw_video::parse_size, conflicts_with_all = ["inputs", "annotations"])]
    raw_video: Option<FrameSize>,

    /// Files for programs; several with commas. json, pts and labelme: one an image or face; the others: one for all
    #[arg(
        help_heading = "Results",
        long,
        value_enum,
        value_delimiter = ',',
        default_value = "json"
    )]
    format: Vec<Format>,
    /// The image with its landmarks drawn over it, for people; several with commas
    #[arg(
        help_heading = "Results",
        long,
        alias = "pictures",
        value_enum,
        value_delimiter = ',',
        default_value = "png"
    )]
    overlay: Vec<OverlayFormat>,
    /// What is drawn on them; several with commas [default: points,edges,ellipses]
    #[arg(help_heading = "Results", long, value_enum, value_delimiter = ',')]
    draw: Vec<Part>,
    /// Ellipses are drawn at this many standard deviations [default: 1]
    #[arg(help_heading = "Results", long, value_name = "N", value_parser = positive)]
    sigma: Option<f64>,
    /// Covariances as the heatmaps have them, without the weights file's calibration (`star model info` says whether it has one)
    #[arg(help_heading = "Results", long)]
    raw_covariance: bool,
}

impl Args {
    /// Whether this is drawn.
    fn draws(&self, part: Part) -> bool {
        if self.draw.is_empty() {
            [Part::Points, Part::Edges, Part::Ellipses].contains(&part)
        } else {
            self.draw.contains(&part)
        }
    }

    /// Standard deviations of the ellipses.
    fn sigma(&self) -> f64 {
        self.sigma.unwrap_or(1.0)
    }

    /// Refuses flags that could have no effect beside the others.
    fn check(&self) -> Result<(), CliError> {
        let refuse = |why: &str| Err(CliError::Usage(why.into()));
        let none = self.overlay.contains(&OverlayFormat::None);
        if none && self.overlay.len() > 1 {
            return refuse("--overlay: `none` goes without other kinds");
        }
        let labels = [
            Format::Coco,
            Format::Cvat,
            Format::LabelStudio,
            Format::Labelme,
        ];
        if self.raw_video.is_some() && labels.iter().any(|l| self.format.contains(l)) {
            return refuse(
                "--format: coco, cvat, label-studio and labelme name image files, and the frames of --raw-video are none. Write the frames as images first.",
            );
        }
        if self.format.contains(&Format::Json) && self.format.contains(&Format::Labelme) {
            return refuse(
                "--format: json and labelme both write NAME.json; ask for one of them, or for jsonl",
            );
        }
        if none && !self.draw.is_empty() {
            return refuse(
                "--draw says what is drawn on the images, and --overlay none asks for no images. Leave one of them out.",
            );
        }
        if self.sigma.is_some() && (none || !self.draws(Part::Ellipses)) {
            return refuse(
                "--sigma is the size of the ellipses, and none are drawn. Add `ellipses` to --draw (and --overlay png), or leave --sigma out.",
            );
        }
        // clap would say so too, were it not that images and annotations exclude each other.
        if self.images.is_some() && self.annotations.is_none() {
            return refuse(
                "--images is where the paths in an annotation file start, and there is none. Add --annotations TSV, or leave --images out.",
            );
        }
        if self.annotations.is_some() && self.margin.is_some() && self.passes == 1 {
            return refuse(
                "--margin has no effect: the crops of --annotations are the annotation file's own. Add --passes 2 to crop again around the \
                 landmarks of the first pass, or leave --margin out.",
            );
        }
        Ok(())
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// NAME.json for each image
    Json,
    /// predictions.jsonl: the same, a line for each image
    Jsonl,
    /// predictions.csv: a line for each face
    Csv,
    /// NAME.pts for each face, as iBUG writes them: pixels counted from 1
    Pts,
    /// coco.json: keypoints. This and the next three are for correcting predictions; `prepare from` reads them back
    Coco,
    /// cvat.xml: skeletons, as "CVAT for images 1.1"
    Cvat,
    /// label_studio.json: tasks with predictions
    LabelStudio,
    /// NAME.json for each image, as labelme writes them
    Labelme,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum OverlayFormat {
    /// NAME.png
    Png,
    /// NAME.svg, with the photo inside
    Svg,
    /// No images
    None,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Part {
    /// The landmarks
    Points,
    /// The lines through them
    Edges,
    /// Their indices, from 0
    Numbers,
    /// Where each may be: an ellipse of its covariance, coloured by how much longer than wide it is
    Ellipses,
}

fn number(text: &str, good: impl Fn(f64) -> bool, what: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(value) if value.is_finite() && good(value) => Ok(value),
        _ => Err(format!("give a number {what}")),
    }
}

pub(super) fn positive(text: &str) -> Result<f64, String> {
    number(text, |v| v > 0.0, "above 0")
}

fn not_negative(text: &str) -> Result<f64, String> {
    number(text, |v| v >= 0.0, "from 0 on")
}

fn fraction(text: &str) -> Result<f64, String> {
    number(text, |v| (0.0..=1.0).contains(&v), "from 0 to 1")
}

pub fn run(args: Args) -> Result<ExitCode, CliError> {
    args.check()?;
    run_on(args.backend.backend, PredictJob(args))
}

struct PredictJob(Args);

impl Job for PredictJob {
    type Output = ExitCode;

    fn run<B: AutodiffBackend>(self, device: &B::Device) -> Result<ExitCode, CliError> {
        predict_all::<B::InnerBackend>(&self.0, device)
    }
}

fn predict_all<B: Backend>(args: &Args, device: &B::Device) -> Result<ExitCode, CliError> {
    check_folder(&args.out)?;
    let (mut trained, weights) = read_weights_or_shipped::<B>(args.weights.as_ref(), device)?;
    if args.raw_covariance {
        trained.covariance_scales = None;
    }
    let places_given = !args.boxes.is_empty() || args.annotations.is_some();
    if !places_given && !finds_faces(&trained.layout, args.find_faces) {
        return Err(CliError::Usage(format!(
            "the landmarks of {} are those of the layout `{}`, and only faces are found here. Say where they are with --box X,Y,W,H or \
             --annotations; if they are of faces after all, say --find-faces.",
            weights.display(),
            trained.layout.name
        )));
    }
    let (items, count) = items(args, &trained)?;
    let rule = CropRule {
        margin: args.margin.unwrap_or(trained.crop.margin),
        ..trained.crop
    };
    let detector = SeetaFace::new()?;
    let prepare = Prepare {
        // A tracker asks the detector itself, and rarely.
        detector: (!args.track).then_some(&detector as &dyn Detector),
        boxes: &args.boxes,
        max_faces: args.max_faces.map(usize::from),
        upright_only: args.upright_only,
        rule,
    };
    let mut output = Output::new(args, &trained, &weights);
    let mut show = Show::new(count);
    if args.weights.is_none() {
        show.line(&format!("weights: {}, built in", weights.display()));
    }

    std::thread::scope(|scope| {
        let chunks = ahead::start(scope, items, &prepare);
        let network = stills::Network {
            trained: &trained,
            rule,
            passes: args.passes.into(),
            device,
        };
        if args.track {
            let mut video = video::Video {
                network,
                detector: &detector,
                tracker: Tracker::new(track_config(args, rule)),
                max_faces: prepare.max_faces,
                place: None,
            };
            for chunk in chunks {
                let ready = show.keep(chunk);
                show.done(output.write(ready, |ready| video.predict(ready))?);
            }
        } else {
            for chunk in chunks {
                let ready = show.keep(chunk);
                show.done(output.write(ready, |ready| network.predict(ready))?);
            }
        }
        Ok::<(), CliError>(())
    })?;
    output.finish()?;
    if show.nothing() {
        return Err(CliError::Usage(if args.raw_video.is_some() {
            "standard input had no frame".into()
        } else {
            "no image was named: standard input was empty".into()
        }));
    }
    Ok(show.finish(&args.out))
}

fn track_config(args: &Args, rule: CropRule) -> TrackConfig {
    TrackConfig {
        rule,
        least_score: args.track_score,
        smooth: args.smooth.then_some(OneEuroConfig {
            min_cutoff: args.min_cutoff,
            beta: args.beta,
            ..OneEuroConfig::default()
        }),
        frames_per_second: args.fps,
    }
}

/// What to predict, one after another, and how many that are, where that is known before.
type Items = (Box<dyn Iterator<Item = Item> + Send>, Option<u64>);

fn items<B: Backend>(args: &Args, trained: &PreparedNet<B>) -> Result<Items, CliError> {
    let faces = if args.boxes.is_empty() {
        Faces::Find
    } else {
        Faces::Boxes
    };
    if let Some(size) = args.raw_video {
        return Ok((Box::new(raw_video::frames(size, faces)), None));
    }
    if let Some(list) = &args.annotations {
        let images = inputs::of_annotations(list, args.images.as_deref(), &trained.layout)?;
        let count = images.len() as u64;
        return Ok((Box::new(images.into_iter()), Some(count)));
    }
    let (images, count) = inputs::of_arguments(&args.inputs, &args.out)?;
    Ok((
        Box::new(images.map(move |image| Item::new(image, faces.clone()))),
        count,
    ))
}

/// Between two looks at the bar.
const REDRAW: Duration = Duration::from_millis(100);
