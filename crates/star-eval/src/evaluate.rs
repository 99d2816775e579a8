//! Predicting every face of a set, and the figures made of it.

use std::sync::Arc;

use burn::tensor::backend::Backend;
use serde::{Deserialize, Serialize};
use star_data::{
    Affine, AugmentConfig, Covariance, FaceSource, Layout, Loader, LoaderConfig, Norm, Point,
    SampleMaker, crop::denormalise_point,
};
use star_model::Prepared;

use star_infer::readout::Readout;

use crate::{
    error::EvalError,
    metrics::{FailureAndAuc, fr_auc_plain, fr_auc_published, nme, normaliser},
    nan,
    protocol::Protocol,
    stress::Stress,
    visibility::VisibilityScores,
};

/// Faces to evaluate on, and what to call them in a report.
#[derive(Clone)]
pub struct EvalSet {
    /// What the faces are called in figures.
    pub title: String,
    /// Where they come from.
    pub faces: Arc<dyn FaceSource>,
}

/// Told how many faces are done, of how many.
pub type Progress<'a> = &'a mut dyn FnMut(usize, usize);

/// How to run an evaluation.
#[derive(Clone, Debug)]
pub struct EvalOptions {
    /// Side of the network's input, pixels.
    pub input_size: usize,
    /// Faces that go through the network together.
    pub batch_size: usize,
    /// Threads that load faces.
    pub workers: usize,
    /// One of the layout's norms; empty for its default.
    pub norm: String,
    /// FR and AUC threshold as a fraction; 0 for the layout's published one.
    pub threshold: f64,
}

/// One face as predicted. All points are in image pixels.
#[derive(Clone, Debug)]
pub struct PredictedFace {
    /// Index in the source.
    pub index: usize,
    /// What it is called.
    pub name: String,
    /// Pixels of the image.
    pub predicted: Vec<Point>,
    /// The spread of each point's heatmap, image pixels squared.
    pub covariance: Vec<Covariance>,
    /// Pixels of the image; [`Point::MISSING`] where one is not labelled.
    pub annotated: Vec<Point>,
    /// Only synthetic faces have it.
    pub truth: Option<Vec<Point>>,
    /// Image pixels to crop pixels.
    pub matrix: Affine,
}

/// One face's error. In JSON an NME that is not finite is null.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct FaceScore {
    /// Its image's name.
    pub image: String,
    /// Fraction of the norm's distance; not finite without a normaliser or without finite landmarks.
    #[serde(deserialize_with = "nan::read")]
    pub nme: f64,
    /// Its normaliser is zero, or its points are not labelled: no figure counts it.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub excluded: bool,
    /// The same against the true landmarks, where they are known.
    #[serde(
        skip_serializing_if = "Option::is_none",
        default,
        deserialize_with = "nan::read_some"
    )]
    pub nme_truth: Option<f64>,
}

/// Figures of one set, over the faces that have a normaliser.
///
/// A face whose predicted landmarks are not finite is a failure (REFERENCE M4). It leaves the mean without a value, as NumPy's mean does:
/// a mean over the other faces would make a network look better for failing. That mean is in `nme_finite`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Scores {
    /// What was evaluated, for people: set and weights.
    pub title: String,
    /// How it was evaluated, where that is known.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub protocol: Option<Protocol>,
    /// Mean NME as a fraction; NaN (null in JSON) if that of any face is not finite.
    #[serde(deserialize_with = "nan::read")]
    pub nme: f64,
    /// Mean NME over the faces with finite landmarks; only there if others have none.
    #[serde(
        skip_serializing_if = "Option::is_none",
        default,
        deserialize_with = "nan::read_some"
    )]
    pub nme_finite: Option<f64>,
    /// Failure rate by the published rule.
    #[serde(deserialize_with = "nan::read")]
    pub fr: f64,
    /// AUC by the published rule.
    #[serde(deserialize_with = "nan::read")]
    pub auc: f64,
    /// The plain rule's figures (bins end at the threshold).
    pub plain: FailureAndAuc,
    /// Where failures begin.
    pub thresholds: Thresholds,
    /// What errors are divided by.
    pub norm: String,
    /// Faces with a prediction, excluded ones too.
    pub faces: usize,
    /// Faces that no figure counts, because their normaliser is zero (REFERENCE M5) or its points are not labelled.
    pub excluded: Vec<String>,
    /// Faces without finite landmarks.
    #[serde(default)]
    pub non_finite: Vec<String>,
    /// With the faces that a detector missed, where one was asked.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub missed: Option<MissedScores>,
    /// The parts of the set that papers give figures for.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub subsets: Vec<SubsetScores>,
    /// Mean NME against the true landmarks (synthetic faces only).
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub truth: Option<TruthScores>,
    /// Visible and hidden points apart, where the annotations say which are hidden.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub visibility: Option<VisibilityScores>,
    /// The faces made harder, where that was asked for.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub stress: Option<Stress>,
    /// Face by face.
    pub per_face: Vec<FaceScore>,
}

/// Figures of a part of a set, at the set's norm and thresholds.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SubsetScores {
    /// What it is called.
    pub name: String,
    /// Faces in it.
    pub faces: usize,
    /// As [`Scores::nme`].
    #[serde(deserialize_with = "nan::read")]
    pub nme: f64,
    /// As [`Scores::nme_finite`].
    #[serde(
        skip_serializing_if = "Option::is_none",
        default,
        deserialize_with = "nan::read_some"
    )]
    pub nme_finite: Option<f64>,
    /// By the published rule.
    #[serde(deserialize_with = "nan::read")]
    pub fr: f64,
    #[serde(deserialize_with = "nan::read")]
    /// Area under the curve, by the rule of the published program.
    pub auc: f64,
    /// Failure rate and area by the plain rule.
    pub plain: FailureAndAuc,
    /// How many of its faces have a zero normaliser, and how many have no finite landmarks.
    #[serde(default)]
    pub excluded: usize,
    #[serde(default)]
    /// Faces without finite landmarks, counted as failures.
    pub non_finite: usize,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    /// With the faces that the detector missed as failures; none when none could be missed.
    pub missed: Option<MissedScores>,
    /// Which of the set's faces, as positions in `per_face`.
    pub indices: Vec<usize>,
}

/// FR and AUC with each face that the detector missed counted as a failure.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct MissedScores {
    /// The missed faces that are counted: those with a normaliser.
    pub faces: usize,
    /// Failure rate and area by the plain rule.
    pub plain: FailureAndAuc,
    /// By the published program's rule.
    pub published: FailureAndAuc,
}

/// Faces that were asked for and have no prediction.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MissedFaces {
    /// All of them.
    pub all: usize,
    /// Those with a normaliser.
    pub counted: usize,
    /// The counted ones of each of the set's subsets.
    pub subsets: Vec<(String, usize)>,
}

/// Where FR and AUC end.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Thresholds {
    /// The threshold itself.
    pub plain: f64,
    /// The last bin of the published rule (0.0501 for 0.05: REFERENCE M3).
    pub published: f64,
}

/// Errors against landmarks that are known exactly, as fractions of the norm's distance.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct TruthScores {
    #[serde(deserialize_with = "nan::read")]
    /// Mean error over the norm.
    pub nme: f64,
    /// Mean absolute error along the contour, over the points that lie on one.
    #[serde(deserialize_with = "nan::read")]
    pub along: f64,
    /// Mean absolute error across the contour, over the same points.
    #[serde(deserialize_with = "nan::read")]
    pub across: f64,
    /// NME of the annotations themselves: what copying them would score.
    #[serde(deserialize_with = "nan::read")]
    pub annotations: f64,
}

/// Runs the network over a set, without augmentation, and takes the landmarks of the last stack back to image pixels.
///
/// # Errors
/// A face that cannot be read.
pub fn predict_set<B: Backend>(
    net: &Prepared<B>,
    set: &EvalSet,
    options: &EvalOptions,
    device: &B::Device,
    progress: Progress,
) -> Result<Vec<PredictedFace>, EvalError> {
    let maker = SampleMaker::new(
        set.faces.layout().clone(),
        options.input_size as u32,
        AugmentConfig::off(),
        false,
    )?;
    let loader = Loader::new(
        set.faces.clone(),
        maker,
        LoaderConfig {
            batch_size: options.batch_size,
            workers: options.workers,
            shuffle: false,
            ..LoaderConfig::default()
        },
    )?;
    let size = options.input_size as u32;
    let all = set.faces.len();
    let mut faces = Vec::with_capacity(all);
    for batch in loader.epoch(0) {
        let batch = batch?;
        let readout = Readout::of(&net.forward(batch.images::<B>(device)))?;
        let to_crop = |row: &[f32]| -> Vec<Point> {
            row.chunks_exact(2)
                .map(|p| denormalise_point([f64::from(p[0]), f64::from(p[1])], size))
                .collect()
        };
        let row_len = batch.points * 2;
        for (i, &matrix) in batch.matrices.iter().enumerate() {
            let to_image = matrix.invert().ok_or_else(|| {
                EvalError::Invalid(format!("{}: the crop has no size", batch.names[i]))
            })?;
            let truth = batch
                .truth
                .as_ref()
                .map(|t| to_image.apply_all(&to_crop(&t[i * row_len..][..row_len])));
            faces.push(PredictedFace {
                index: batch.indices[i],
                name: batch.names[i].clone(),
                predicted: readout.points(i, size, &to_image),
                covariance: readout.covariance(i, size, &to_image),
                annotated: to_image.apply_all(&batch.crop_landmarks[i]),
                truth,
                matrix,
            });
        }
        progress(faces.len(), all);
    }
    Ok(faces)
}

/// The figures of a set's predictions.
///
/// # Errors
/// An unknown norm.
pub fn score(
    title: &str,
    faces: &[PredictedFace],
    set: &EvalSet,
    options: &EvalOptions,
) -> Result<Scores, EvalError> {
    let layout = set.faces.layout();
    let norm_name = norm_name(layout, &options.norm);
    let norm = layout.norm(Some(norm_name))?;
    let threshold = if options.threshold > 0.0 {
        options.threshold
    } else {
        layout.threshold
    };

    let per_face: Vec<FaceScore> = faces
        .iter()
        .map(|f| FaceScore {
            image: f.name.clone(),
            nme: nme(&f.predicted, &f.annotated, norm),
            excluded: normaliser(&f.annotated, norm).is_none(),
            nme_truth: f.truth.as_ref().map(|t| nme(&f.predicted, t, norm)),
        })
        .collect();
    let names = |which: &dyn Fn(&&FaceScore) -> bool| -> Vec<String> {
        let faces = per_face.iter().filter(which);
        faces.map(|f| f.image.clone()).collect()
    };
    let all = figures("all", (0..per_face.len()).collect(), &per_face, threshold);
    let subsets = (set.faces.subsets().into_iter())
        .map(|(name, indices)| figures(&name, indices, &per_face, threshold))
        .collect();
    Ok(Scores {
        title: title.to_owned(),
        protocol: None,
        nme: all.nme,
        nme_finite: all.nme_finite,
        fr: all.fr,
        auc: all.auc,
        plain: all.plain,
        thresholds: Thresholds {
            plain: threshold,
            published: (crate::metrics::published_bins(threshold) - 1) as f64 * 1e-4,
        },
        norm: norm_name.to_owned(),
        faces: faces.len(),
        excluded: names(&|f| f.excluded),
        non_finite: names(&|f| !f.excluded && !f.nme.is_finite()),
        missed: None,
        subsets,
        truth: truth_scores(faces, set, norm),
        visibility: VisibilityScores::of(faces, set, norm),
        stress: None,
        per_face,
    })
}

/// The figures of some faces of a set.
fn figures(
    name: &str,
    indices: Vec<usize>,
    per_face: &[FaceScore],
    threshold: f64,
) -> SubsetScores {
    let nmes = counted(&indices, per_face);
    let finite: Vec<f64> = nmes.iter().copied().filter(|e| e.is_finite()).collect();
    let non_finite = nmes.len() - finite.len();
    let published = fr_auc_published(&nmes, threshold);
    SubsetScores {
        name: name.to_owned(),
        faces: indices.len(),
        nme: if non_finite == 0 {
            mean(&finite)
        } else {
            f64::NAN
        },
        nme_finite: (non_finite > 0).then(|| mean(&finite)),
        fr: published.fr,
        auc: published.auc,
        plain: fr_auc_plain(&nmes, threshold),
        excluded: indices.len() - nmes.len(),
        non_finite,
        missed: None,
        indices,
    }
}

/// The NMEs of the faces that figures count, those that are not finite included.
fn counted(indices: &[usize], per_face: &[FaceScore]) -> Vec<f64> {
    (indices.iter())
        .filter_map(|&i| per_face.get(i))
        .filter(|face| !face.excluded)
        .map(|face| face.nme)
        .collect()
}

fn norm_name<'a>(layout: &'a Layout, asked: &'a str) -> &'a str {
    if asked.is_empty() {
        &layout.default_norm
    } else {
        asked
    }
}

fn truth_scores(faces: &[PredictedFace], set: &EvalSet, norm: &Norm) -> Option<TruthScores> {
    let mut nmes = Vec::new();
    let mut annotations = Vec::new();
    let (mut along, mut across) = (Vec::new(), Vec::new());
    for face in faces {
        let truth = face.truth.as_ref()?;
        let Some(distance) = normaliser(truth, norm) else {
            continue;
        };
        nmes.push(nme(&face.predicted, truth, norm));
        annotations.push(nme(&face.annotated, truth, norm));
        let tangents = set.faces.tangents(face.index)?;
        for ((p, t), tangent) in face.predicted.iter().zip(truth).zip(tangents) {
            if let Some(tangent) = tangent {
                let (dx, dy) = (p.x - t.x, p.y - t.y);
                along.push((dx * tangent.x + dy * tangent.y).abs() / distance);
                across.push((dx * tangent.y - dy * tangent.x).abs() / distance);
            }
        }
    }
    Some(TruthScores {
        nme: mean(&nmes),
        along: mean(&along),
        across: mean(&across),
        annotations: mean(&annotations),
    })
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

impl Scores {
    /// Adds the figures that count the faces which a detector missed.
    #[must_use]
    pub fn with_missed(mut self, missed: &MissedFaces) -> Self {
        let threshold = self.thresholds.plain;
        let with = |indices: &[usize], faces: usize| {
            let mut nmes = counted(indices, &self.per_face);
            nmes.resize(nmes.len() + faces, f64::NAN);
            MissedScores {
                faces,
                plain: fr_auc_plain(&nmes, threshold),
                published: fr_auc_published(&nmes, threshold),
            }
        };
        let all: Vec<usize> = (0..self.per_face.len()).collect();
        let of_all = with(&all, missed.counted);
        // A subset may have lost all its faces.
        let mut subsets = self.subsets.clone();
        for (name, _) in &missed.subsets {
            if subsets.iter().all(|subset| subset.name != *name) {
                subsets.push(figures(name, Vec::new(), &self.per_face, threshold));
            }
        }
        for subset in &mut subsets {
            let of_subset = missed.subsets.iter().find(|(name, _)| *name == subset.name);
            subset.missed = Some(with(&subset.indices, of_subset.map_or(0, |(_, n)| *n)));
        }
        self.missed = Some(of_all);
        self.subsets = subsets;
        self
    }

    /// The whole set as its first part, then its subsets.
    pub fn parts(&self) -> Vec<SubsetScores> {
        let all = SubsetScores {
            name: "all".into(),
            faces: self.faces,
            nme: self.nme,
            nme_finite: self.nme_finite,
            fr: self.fr,
            auc: self.auc,
            plain: self.plain,
            excluded: self.excluded.len(),
            non_finite: self.non_finite.len(),
            missed: self.missed,
            indices: (0..self.per_face.len()).collect(),
        };
        std::iter::once(all)
            .chain(self.subsets.iter().cloned())
            .collect()
    }

    /// The NMEs of the faces of a part that figures count, those that are not finite included.
    pub fn nmes(&self, part: &SubsetScores) -> Vec<f64> {
        counted(&part.indices, &self.per_face)
    }

    /// One line that says what the figures are.
    pub fn line(&self) -> String {
        let nme = if self.nme.is_nan() {
            "no mean NME".to_owned()
        } else {
            format!("NME {:.2} % {}", self.nme * 100.0, self.norm)
        };
        let mut line = format!(
            "{}: {nme}, FR {:.2} % and AUC {:.4} at {:.4} (published rule: {:.2} %, {:.4} at {:.4}), {} faces",
            self.title,
            self.plain.fr * 100.0,
            self.plain.auc,
            self.thresholds.plain,
            self.fr * 100.0,
            self.auc,
            self.thresholds.published,
            self.faces,
        );
        if let Some(truth) = &self.truth {
            line += &format!(
                "; against the true landmarks NME {:.2} %, along contours {:.2} %, across {:.2} % (the annotations themselves: {:.2} %)",
                truth.nme * 100.0,
                truth.along * 100.0,
                truth.across * 100.0,
                truth.annotations * 100.0
            );
        }
        for remark in self.remarks() {
            line += "; ";
            line += &remark;
        }
        line
    }

    /// What a reader must know of faces that are not in all of the figures.
    pub fn remarks(&self) -> Vec<String> {
        let mut remarks = Vec::new();
        let count = |names: &[String]| match names.len() {
            1 => "1 face".to_owned(),
            n => format!("{n} faces"),
        };
        if !self.non_finite.is_empty() {
            let others = self.faces - self.excluded.len() - self.non_finite.len();
            let mean = match self.nme_finite {
                Some(nme) if nme.is_finite() => {
                    format!("mean NME of the other {others} faces: {:.2} %", nme * 100.0)
                }
                _ => "no face has an NME".into(),
            };
            remarks.push(format!(
                "{} without finite landmarks, counted as failures in FR and AUC; {mean}: {}",
                count(&self.non_finite),
                self.non_finite.join(", ")
            ));
        }
        if !self.excluded.is_empty() {
            remarks.push(format!(
                "{} excluded from all figures because the normaliser is zero or its points are not labelled: {}",
                count(&self.excluded),
                self.excluded.join(", ")
            ));
        }
        remarks
    }
}

#[cfg(test)]
mod tests;
