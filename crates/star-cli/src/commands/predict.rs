//! `star predict`

use std::{
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

use burn::tensor::backend::{AutodiffBackend, Backend};
use image::RgbImage;
use serde::Serialize;
use star_data::{CropBox, CropRule, TsvFaces, decode::decode_file};
use star_train::{
    Prediction, TrainedNet, predict, read_weights,
    report::{Overlay, Spread},
    run_dir::write_json,
};

use crate::{
    backend::{BackendArgs, Job, run_on},
    error::CliError,
};

/// Faces of one picture that go through the network at once.
const BATCH: usize = 16;

/// Find the landmarks of faces in pictures: JSON and an overlay PNG
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  star predict --weights W photo.jpg --box 120,80,200,220
  star predict --weights W group.jpg --box 10,20,90,90 --box 210,25,95,95
  star predict --weights W --annotations datasets/300w/lfpw_test.tsv --images datasets/300w

For each picture NAME the folder --out gets NAME.json (points in image pixels, the 2x2 covariance of each point's heatmap in
pixels squared, scores from 0 to 1) and NAME.png (points, edges and 2-sigma ellipses drawn on it).")]
pub struct Args {
    #[command(flatten)]
    backend: BackendArgs,
    /// Weights (.safetensors)
    #[arg(long, value_name = "FILE")]
    weights: PathBuf,
    /// Pictures
    #[arg(
        value_name = "IMAGE",
        required_unless_present = "annotations",
        requires = "boxes"
    )]
    pictures: Vec<PathBuf>,
    /// A face's box in pixels, around its landmarks; once for each face, the same for every picture
    #[arg(long = "box", id = "boxes", value_name = "X,Y,W,H", value_parser = parse_box, allow_hyphen_values = true)]
    boxes: Vec<FaceBox>,
    /// Width of the network's view over the longer side of the box
    #[arg(long, value_name = "FACTOR", default_value_t = CropRule::default().margin)]
    margin: f64,
    /// Predict the faces of a list instead; its crops are used, its landmarks are not
    #[arg(long, value_name = "TSV", conflicts_with_all = ["pictures", "boxes"])]
    annotations: Option<PathBuf>,
    /// Folder that the list's image paths start from [default: the list's folder]
    #[arg(long, value_name = "DIR", requires = "annotations")]
    images: Option<PathBuf>,
    /// Folder for the results
    #[arg(long, value_name = "DIR", default_value = "predictions")]
    out: PathBuf,
}

#[derive(Clone, Copy, Debug)]
struct FaceBox {
    x: f64,
    y: f64,
    w: f64,
    h: f64,
}

fn parse_box(text: &str) -> Result<FaceBox, String> {
    let numbers: Vec<f64> = text
        .split(',')
        .map(|n| n.trim().parse::<f64>())
        .collect::<Result<_, _>>()
        .map_err(|_| {
            format!("`{text}` has something that is not a number; write x,y,w,h in pixels")
        })?;
    match numbers[..] {
        [x, y, w, h] if [x, y, w, h].iter().all(|v| v.is_finite()) && w > 0.0 && h > 0.0 => {
            Ok(FaceBox { x, y, w, h })
        }
        [_, _, _, _] => Err("width and height must be above 0".into()),
        _ => Err(format!(
            "{} numbers; write four: x,y,w,h in pixels",
            numbers.len()
        )),
    }
}

pub fn run(args: Args) -> Result<ExitCode, CliError> {
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
    let trained = read_weights::<B>(&args.weights, device)?;
    let mut written = Names::default();
    for (picture, faces) in pictures(args, &trained)? {
        let image = decode_file(&picture)?;
        let crops = match faces {
            Some(crops) => crops,
            None => args
                .boxes
                .iter()
                .map(|b| crop_of(b, args.margin, &image, &picture))
                .collect::<Result<_, _>>()?,
        };
        let mut predictions = Vec::with_capacity(crops.len());
        for some in crops.chunks(BATCH) {
            predictions.extend(predict(&trained.net, &image, some, device)?);
        }
        fs::create_dir_all(&args.out).map_err(|e| CliError::io(&args.out, e))?;
        let name = written.unique(&picture);
        write(
            args,
            &trained,
            &picture,
            &image,
            &crops,
            &predictions,
            &name,
        )?;
    }
    Ok(ExitCode::SUCCESS)
}

type Picture = (PathBuf, Option<Vec<CropBox>>);

/// What to predict: the pictures named, or those of the list with their crops.
fn pictures<B: Backend>(args: &Args, trained: &TrainedNet<B>) -> Result<Vec<Picture>, CliError> {
    let Some(list) = &args.annotations else {
        return Ok(args.pictures.iter().map(|p| (p.clone(), None)).collect());
    };
    let folder = args
        .images
        .clone()
        .unwrap_or_else(|| list.parent().map(PathBuf::from).unwrap_or_default());
    let faces = TsvFaces::open(list, &folder, trained.layout.clone())?;
    let mut pictures: Vec<Picture> = Vec::new();
    for row in faces.rows() {
        let path = folder.join(&row.path);
        match pictures.last_mut() {
            // Lists name the faces of one picture one after another.
            Some((last, Some(crops))) if *last == path => crops.push(row.crop),
            _ => pictures.push((path, Some(vec![row.crop]))),
        }
    }
    Ok(pictures)
}

fn crop_of(
    face: &FaceBox,
    margin: f64,
    image: &RgbImage,
    picture: &Path,
) -> Result<CropBox, CliError> {
    let (width, height) = (f64::from(image.width()), f64::from(image.height()));
    let &FaceBox { x, y, w, h } = face;
    if x >= width || y >= height || x + w <= 0.0 || y + h <= 0.0 {
        return Err(CliError::Usage(format!(
            "{}: the box {x},{y},{w},{h} lies outside the picture, which is {width} x {height} pixels. Write --box as x,y,w,h with x and y the \
             top left corner.",
            picture.display()
        )));
    }
    let rule = CropRule {
        margin,
        ..CropRule::default()
    };
    Ok(rule.crop_of_box(x, y, w, h)?)
}

/// What a picture's JSON holds.
#[derive(Serialize)]
struct Document<'a> {
    image: String,
    width: u32,
    height: u32,
    layout: &'a str,
    weights: &'a str,
    faces: Vec<FaceDocument<'a>>,
}

#[derive(Serialize)]
struct FaceDocument<'a> {
    /// The square that the network saw: x, y, w, h in pixels.
    crop: [f64; 4],
    #[serde(flatten)]
    prediction: &'a Prediction,
}

fn write<B: Backend>(
    args: &Args,
    trained: &TrainedNet<B>,
    picture: &Path,
    image: &RgbImage,
    crops: &[CropBox],
    predictions: &[Prediction],
    name: &str,
) -> Result<(), CliError> {
    let faces = crops
        .iter()
        .zip(predictions)
        .map(|(crop, prediction)| {
            let side = 200.0 * crop.scale;
            FaceDocument {
                crop: [
                    crop.center.x - side / 2.0,
                    crop.center.y - side / 2.0,
                    side,
                    side,
                ],
                prediction,
            }
        })
        .collect();
    let json = args.out.join(format!("{name}.json"));
    write_json(
        &json,
        &Document {
            image: picture.display().to_string(),
            width: image.width(),
            height: image.height(),
            layout: &trained.layout.name,
            weights: &trained.provenance,
            faces,
        },
    )?;

    let mut drawn = image.clone();
    for prediction in predictions {
        let spreads: Vec<Spread> = prediction
            .covariance
            .iter()
            .copied()
            .map(Spread::from)
            .collect();
        drawn = Overlay::new(&prediction.points)
            .edges(&trained.layout.edges)
            .spreads(&spreads)
            .draw(&drawn);
    }
    let png = args.out.join(format!("{name}.png"));
    drawn
        .save(&png)
        .map_err(|e| CliError::Usage(format!("{}: {e}", png.display())))?;
    for (i, prediction) in predictions.iter().enumerate() {
        println!(
            "{} face {}: score {:.2}, {} and {}",
            picture.display(),
            i + 1,
            prediction.score,
            json.display(),
            png.display()
        );
    }
    Ok(())
}

/// Results are called as their pictures; pictures of the same name in different folders get a number.
#[derive(Default)]
struct Names(std::collections::HashMap<String, usize>);

impl Names {
    fn unique(&mut self, picture: &Path) -> String {
        let stem = picture
            .file_stem()
            .map_or_else(|| "picture".into(), |s| s.to_string_lossy().into_owned());
        let count = self.0.entry(stem.clone()).or_default();
        *count += 1;
        if *count == 1 {
            stem
        } else {
            format!("{stem}-{count}")
        }
    }
}
