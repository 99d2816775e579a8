//! Predicting every face of a set, and the figures made of it.

use std::sync::Arc;

use burn::tensor::backend::Backend;
use serde::{Deserialize, Serialize};
use star_data::{
    Affine, AugmentConfig, FaceSource, Layout, Loader, LoaderConfig, Norm, Point, SampleMaker,
    crop::denormalise_point,
};
use star_model::StarNet;

use crate::{
    covariance::Covariance,
    error::TrainError,
    metrics::{FailureAndAuc, fr_auc_plain, fr_auc_published, nme},
    observer::Observer,
    readout::Readout,
};

/// Faces to evaluate on, and what to call them in a report.
#[derive(Clone)]
pub struct EvalSet {
    pub title: String,
    pub faces: Arc<dyn FaceSource>,
}

/// How to run an evaluation.
#[derive(Clone, Debug)]
pub struct EvalOptions {
    pub input_size: usize,
    pub batch_size: usize,
    pub workers: usize,
    /// One of the layout's norms; empty for its default.
    pub norm: String,
    /// FR and AUC threshold as a fraction; 0 for the layout's published one.
    pub threshold: f64,
}

/// One face as predicted. All points are in image pixels.
#[derive(Clone, Debug)]
pub struct PredictedFace {
    pub index: usize,
    pub name: String,
    pub predicted: Vec<Point>,
    /// The spread of each point's heatmap, image pixels squared.
    pub covariance: Vec<Covariance>,
    pub annotated: Vec<Point>,
    /// Only synthetic faces have it.
    pub truth: Option<Vec<Point>>,
    /// Image pixels to crop pixels.
    pub matrix: Affine,
}

/// One face's error.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct FaceScore {
    pub image: String,
    /// Fraction of the norm's distance.
    pub nme: f64,
    /// The same against the true landmarks, where they are known.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub nme_truth: Option<f64>,
}

/// Figures of one set.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Scores {
    /// What was evaluated, for people: set and weights.
    pub title: String,
    /// Mean NME as a fraction, over the faces whose norm is not zero.
    pub nme: f64,
    /// Failure rate by the published rule.
    pub fr: f64,
    /// AUC by the published rule.
    pub auc: f64,
    /// The plain rule's figures (bins end at the threshold).
    pub plain: FailureAndAuc,
    pub thresholds: Thresholds,
    pub norm: String,
    pub faces: usize,
    /// Faces left out of the mean because the ends of the norm coincide.
    pub excluded: Vec<String>,
    /// The parts of the set that papers give figures for.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub subsets: Vec<SubsetScores>,
    /// Mean NME against the true landmarks (synthetic faces only).
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub truth: Option<TruthScores>,
    pub per_face: Vec<FaceScore>,
}

/// Figures of a part of a set, at the set's norm and thresholds.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SubsetScores {
    pub name: String,
    pub faces: usize,
    pub nme: f64,
    /// By the published rule.
    pub fr: f64,
    pub auc: f64,
    pub plain: FailureAndAuc,
    /// Which of the set's faces, as positions in `per_face`.
    pub indices: Vec<usize>,
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
    pub nme: f64,
    /// Mean absolute error along the contour, over the points that lie on one.
    pub along: f64,
    /// Mean absolute error across the contour, over the same points.
    pub across: f64,
    /// NME of the annotations themselves: what copying them would score.
    pub annotations: f64,
}

/// Runs the network over a set, without augmentation, and takes the landmarks of the last stack back to image pixels.
///
/// # Errors
/// A face that cannot be read.
pub fn predict_set<B: Backend>(
    net: &StarNet<B>,
    set: &EvalSet,
    options: &EvalOptions,
    device: &B::Device,
    observer: &mut dyn Observer,
) -> Result<Vec<PredictedFace>, TrainError> {
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
        let readout = Readout::of(&net.forward_last(batch.images::<B>(device)))?;
        let to_crop = |row: &[f32]| -> Vec<Point> {
            row.chunks_exact(2)
                .map(|p| denormalise_point([f64::from(p[0]), f64::from(p[1])], size))
                .collect()
        };
        let row_len = batch.points * 2;
        for (i, &matrix) in batch.matrices.iter().enumerate() {
            let to_image = matrix.invert().ok_or_else(|| {
                TrainError::Invalid(format!("{}: the crop has no size", batch.names[i]))
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
        observer.evaluating(faces.len(), all);
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
) -> Result<Scores, TrainError> {
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
            nme_truth: f.truth.as_ref().map(|t| nme(&f.predicted, t, norm)),
        })
        .collect();
    let excluded = per_face
        .iter()
        .filter(|f| !f.nme.is_finite())
        .map(|f| f.image.clone())
        .collect();
    let figures = |name: &str, indices: Vec<usize>| -> SubsetScores {
        let nmes: Vec<f64> = (indices.iter())
            .filter_map(|&i| Some(per_face.get(i)?.nme))
            .filter(|e| e.is_finite())
            .collect();
        let published = fr_auc_published(&nmes, threshold);
        SubsetScores {
            name: name.to_owned(),
            faces: indices.len(),
            nme: mean(&nmes),
            fr: published.fr,
            auc: published.auc,
            plain: fr_auc_plain(&nmes, threshold),
            indices,
        }
    };
    let all = figures("all", (0..per_face.len()).collect());
    let subsets = (set.faces.subsets().into_iter())
        .map(|(name, indices)| figures(&name, indices))
        .collect();
    Ok(Scores {
        title: title.to_owned(),
        nme: all.nme,
        fr: all.fr,
        auc: all.auc,
        plain: all.plain,
        thresholds: Thresholds {
            plain: threshold,
            published: (crate::metrics::published_bins(threshold) - 1) as f64 * 1e-4,
        },
        norm: norm_name.to_owned(),
        faces: faces.len(),
        excluded,
        subsets,
        truth: truth_scores(faces, set, norm),
        per_face,
    })
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
        let distance = norm.distance(truth);
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
    /// One line that says what the figures are.
    pub fn line(&self) -> String {
        let mut line = format!(
            "{}: NME {:.2} % {}, FR {:.2} % and AUC {:.4} at {:.4} (published rule: {:.2} %, {:.4} at {:.4}), {} faces",
            self.title,
            self.nme * 100.0,
            self.norm,
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
        if !self.excluded.is_empty() {
            line += &format!(
                "; {} faces left out because the ends of the norm coincide: {}",
                self.excluded.len(),
                self.excluded.join(", ")
            );
        }
        line
    }
}
