//! Results go to files as they come: nothing is kept but names.

use std::{
    fs,
    path::{Path, PathBuf},
};

use burn::tensor::backend::Backend;
use image::ImageFormat;
use rayon::prelude::*;
use star_data::{Covariance, Edge};
use star_draw::{AnnotatedImage, Overlay};
use star_infer::PreparedNet;

use super::{
    Args, Format, OverlayFormat, Part,
    ahead::Ready,
    document::{Document, Shared, csv_header, csv_lines, pts},
    done::Done,
    label_files::LabelFiles,
    names::Names,
    stream::Stream,
};
use crate::error::{CliError, refuse_input, write_file};

/// What became of an image, for people.
pub struct Written {
    pub image: String,
    pub scores: Vec<f64>,
    /// Degrees that its faces are turned by.
    pub turned: u32,
    /// Its own files; there may be none.
    pub files: Vec<PathBuf>,
}

/// Writes what was asked for.
pub struct Output<'a> {
    args: &'a Args,
    edges: Vec<Edge>,
    shared: Shared,
    names: Names,
    point_files: Names,
    jsonl: Stream,
    csv: Stream,
    labels: LabelFiles,
}

impl<'a> Output<'a> {
    pub fn new<B: Backend>(args: &'a Args, trained: &PreparedNet<B>, weights: &Path) -> Self {
        let stream = |format, name: &str| {
            Stream::new(args.format.contains(&format).then(|| args.out.join(name)))
        };
        Self {
            args,
            edges: trained.layout.edges.clone(),
            shared: Shared::new(trained, weights),
            names: Names::default(),
            point_files: Names::default(),
            jsonl: stream(Format::Jsonl, "predictions.jsonl"),
            csv: stream(Format::Csv, "predictions.csv"),
            labels: LabelFiles::new(args, &trained.layout, &trained.provenance),
        }
    }

    /// Predicts some images and writes their results, in parallel but each file by one. An image whose landmarks are not numbers is an
    /// error of its own.
    pub fn write(
        &mut self,
        images: Vec<Ready>,
        predict: impl FnOnce(Vec<Ready>) -> Result<Vec<Done>, CliError>,
    ) -> Result<Vec<Result<Written, CliError>>, CliError> {
        if images.is_empty() {
            return Ok(Vec::new());
        }
        let (done, failed): (Vec<_>, Vec<_>) = (predict(images)?.into_iter())
            .map(Done::finite)
            .partition(Result::is_ok);
        let done = done.into_iter().flatten();
        let out = &self.args.out;
        fs::create_dir_all(out).map_err(|e| CliError::io(out, e))?;
        let named: Vec<(Done, Files)> = done
            .map(|done| {
                let files = self.files(&done);
                (done, files)
            })
            .collect();
        let written = named
            .par_iter()
            .map(|(done, files)| self.write_one(done, files).map(Ok))
            .collect::<Result<Vec<_>, _>>()?;
        for (done, _) in &named {
            let document = || {
                serde_json::to_string(&Document::new(done, &self.shared))
                    .map(|line| line + "\n")
                    .map_err(|e| CliError::Usage(e.to_string()))
            };
            self.jsonl.append(String::new, document)?;
            let points = self.shared.points;
            self.csv
                .append(|| csv_header(points), || Ok(csv_lines(done)))?;
            self.labels.append(done, self.args)?;
        }
        let failed = failed.into_iter().filter_map(Result::err).map(Err);
        Ok(written.into_iter().chain(failed).collect())
    }

    /// Gives the files for all images their names.
    ///
    /// # Errors
    /// When they cannot be written.
    pub fn finish(self) -> Result<(), CliError> {
        self.jsonl.finish()?;
        self.csv.finish()?;
        self.labels.finish()
    }

    fn files(&mut self, done: &Done) -> Files {
        let name = self.names.of_image(&done.path);
        let mut points = Vec::new();
        if self.args.format.contains(&Format::Pts) {
            // NAME.pts, NAME-2.pts and so on, unless another image is called so.
            for face in 1..=done.faces.len() {
                points.push(self.point_files.unique(&name, face));
            }
        }
        Files { name, points }
    }

    fn write_one(&self, done: &Done, files: &Files) -> Result<Written, CliError> {
        // A drawing may have the name of an image that is read. Nothing of this image's results is written then.
        if self.args.overlay.contains(&OverlayFormat::Png) {
            refuse_input(&self.args.out.join(format!("{}.png", files.name)))?;
        }
        let mut written = Vec::new();
        let mut path = |name: &str, ending: &str| {
            let path = self.args.out.join(format!("{name}.{ending}"));
            written.push(path.clone());
            path
        };
        if self.args.format.contains(&Format::Json) {
            let document = Document::new(done, &self.shared).to_json()?;
            write_file(&path(&files.name, "json"), document.as_bytes())?;
        }
        if self.args.format.contains(&Format::Labelme) {
            let document = self.labels.labelme(done)?;
            write_file(&path(&files.name, "json"), document.as_bytes())?;
        }
        for (face, name) in done.faces.iter().zip(&files.points) {
            write_file(&path(name, "pts"), pts(face).as_bytes())?;
        }
        if self.args.overlay.contains(&OverlayFormat::Png) {
            let mut bytes = std::io::Cursor::new(Vec::new());
            let path = path(&files.name, "png");
            self.drawn(done, |p| Ok(p.to_image()))?
                .write_to(&mut bytes, ImageFormat::Png)
                .map_err(|e| CliError::Usage(format!("{}: {e}", path.display())))?;
            write_file(&path, bytes.get_ref())?;
        }
        if self.args.overlay.contains(&OverlayFormat::Svg) {
            let svg = self.drawn(done, |p| Ok(p.to_svg()?))?;
            write_file(&path(&files.name, "svg"), svg.as_bytes())?;
        }
        Ok(Written {
            image: done.path.display().to_string(),
            scores: done.faces.iter().map(|f| f.prediction.score).collect(),
            turned: (done.faces.first())
                .and_then(|face| face.detected)
                .map_or(0, |face| face.turn.degrees()),
            files: written,
        })
    }

    fn drawn<T>(
        &self,
        done: &Done,
        draw: impl FnOnce(&AnnotatedImage) -> Result<T, CliError>,
    ) -> Result<T, CliError> {
        let asked = |part| self.args.draws(part);
        let spreads: Vec<Vec<Covariance>> = done
            .faces
            .iter()
            .map(|f| f.prediction.covariance.clone())
            .collect();
        let overlays: Vec<Overlay> = done
            .faces
            .iter()
            .zip(&spreads)
            .map(|(face, spreads)| {
                Overlay::new(&face.prediction.points)
                    .dots(asked(Part::Points))
                    .edges(if asked(Part::Edges) { &self.edges } else { &[] })
                    .numbers(asked(Part::Numbers))
                    .spreads(if asked(Part::Ellipses) { spreads } else { &[] })
                    .sigmas(self.args.sigma())
                    .by_anisotropy()
            })
            .collect();
        let explained = asked(Part::Ellipses) && !done.faces.is_empty();
        draw(&AnnotatedImage {
            image: &done.image,
            title: &done.path.display().to_string(),
            overlays: &overlays,
            legend: explained.then_some(self.args.sigma()),
        })
    }
}

/// What an image's files are called, without their endings.
struct Files {
    name: String,
    /// One a face.
    points: Vec<String>,
}
