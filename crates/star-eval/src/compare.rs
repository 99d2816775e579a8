//! Evaluations of the same faces against each other: figures side by side, and whether their differences are significant.
//!
//! The interval says how the difference in NME would move with other faces of the same kind. It does not say how it would move with
//! another training run: for that, train with several seeds and compare the runs.

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde::Deserialize;

use crate::{
    bootstrap::{Bootstrap, Interval},
    error::EvalError,
    metrics::{FailureAndAuc, fr_auc_plain},
};

/// One evaluation, with a name to call it by.
#[derive(Clone, Debug)]
pub struct Contender {
    /// What the evaluation is called.
    pub label: String,
    /// What was evaluated, as its file says.
    pub title: String,
    /// The norm that errors are divided by.
    pub norm: String,
    /// FR and AUC threshold, a fraction.
    pub threshold: f64,
    /// The faces' names and NMEs, fractions; None where the normaliser is zero, NaN where there are no finite landmarks.
    pub faces: Vec<(String, Option<f64>)>,
    /// NME against the true landmarks; only synthetic faces have it.
    pub nme_truth: Option<f64>,
}

/// What of a file of scores is needed. JSON has no NaN: an NME that is no number is null.
#[derive(Deserialize)]
struct ScoresFile {
    title: String,
    norm: String,
    thresholds: ThresholdsFile,
    truth: Option<TruthFile>,
    /// Not in files of earlier versions, whose null NMEs may be of either kind: those faces are left out.
    non_finite: Option<Vec<String>>,
    per_face: Vec<FaceFile>,
}

#[derive(Deserialize)]
struct ThresholdsFile {
    plain: f64,
}

#[derive(Deserialize)]
struct TruthFile {
    nme: Option<f64>,
}

#[derive(Deserialize)]
struct FaceFile {
    image: String,
    nme: Option<f64>,
    #[serde(default)]
    excluded: bool,
}

impl Contender {
    /// Reads a run folder (`report/test.json`), a folder of `star eval --report`, or a file of `star eval --json`.
    ///
    /// # Errors
    /// A path that is none of these; a file that does not hold scores (the message has its line).
    pub fn read(path: &Path) -> Result<Self, EvalError> {
        let (file, label) = locate(path)?;
        let text =
            star_files::read_text(&file, star_files::TEXT).map_err(|e| EvalError::io(&file, e))?;
        let scores: ScoresFile = serde_json::from_str(&text).map_err(|e| {
            EvalError::Invalid(format!(
                "{}: {e}. Give what `star eval --json` wrote, or a run folder.",
                file.display()
            ))
        })?;
        let threshold = scores.thresholds.plain;
        if scores.per_face.is_empty() || !(threshold > 0.0 && threshold <= 1.0) {
            return Err(EvalError::Invalid(format!(
                "{}: {} faces at a threshold of {threshold}; there must be faces, and a threshold above 0 and up to 1. Evaluate again \
                 with `star eval --json`.",
                file.display(),
                scores.per_face.len()
            )));
        }
        let failures_are_known = scores.non_finite.is_some();
        let nme = |face: &FaceFile| match face.nme {
            _ if face.excluded => None,
            None if failures_are_known => Some(f64::NAN),
            nme => nme,
        };
        Ok(Self {
            label,
            title: scores.title,
            norm: scores.norm,
            threshold,
            faces: scores
                .per_face
                .into_iter()
                .map(|f| (nme(&f), f))
                .map(|(nme, f)| (f.image, nme))
                .collect(),
            nme_truth: scores.truth.and_then(|t| t.nme),
        })
    }
}

/// The file of scores that a path stands for, and a name for it.
fn locate(path: &Path) -> Result<(PathBuf, String), EvalError> {
    let name = |p: &Path| {
        let whole = fs::canonicalize(p).unwrap_or_else(|_| p.to_owned());
        whole.file_stem().map_or_else(
            || p.display().to_string(),
            |s| s.to_string_lossy().into_owned(),
        )
    };
    // Folders may have dots in their names, so they keep what looks like an ending.
    let folder_name = |p: &Path| {
        let whole = fs::canonicalize(p).unwrap_or_else(|_| p.to_owned());
        whole.file_name().map_or_else(
            || p.display().to_string(),
            |s| s.to_string_lossy().into_owned(),
        )
    };
    // What is there and is neither, such as a pipe, is refused when it is read.
    if path.exists() && !path.is_dir() {
        // RUN/report/test.json is RUN's.
        let run = path
            .parent()
            .and_then(Path::parent)
            .filter(|_| path.ends_with("report/test.json"));
        let label = run
            .filter(|r| *r != Path::new(""))
            .map_or_else(|| name(path), folder_name);
        return Ok((path.to_owned(), label));
    }
    for inside in ["report/test.json", "scores.json"] {
        let file = path.join(inside);
        if file.is_file() {
            return Ok((file, folder_name(path)));
        }
    }
    Err(EvalError::Invalid(if path.join("config.toml").is_file() {
        format!(
            "{} is a run without report/test.json: it has not ended, or its recipe has no test faces. Evaluate its weights with \
             `star eval --json` and compare the files.",
            path.display()
        )
    } else if path.is_dir() {
        format!(
            "{} has neither report/test.json, as a run has, nor scores.json, as `star eval --report` leaves",
            path.display()
        )
    } else {
        format!(
            "there is no {}. Give a run folder, a file of `star eval --json`, or a folder of `star eval --report`.",
            path.display()
        )
    }))
}

/// Figures of one contender over the faces compared.
#[derive(Clone, Debug)]
pub struct Standing {
    /// What the evaluation is called.
    pub label: String,
    /// Its title.
    pub title: String,
    /// Mean over the faces on which every contender has finite landmarks, so that all means are of the same faces.
    pub nme: f64,
    /// Over all faces compared; those without finite landmarks are failures.
    pub figures: FailureAndAuc,
    /// Faces on which it has no finite landmarks.
    pub non_finite: usize,
    /// NME against the true landmarks, where they are known.
    pub nme_truth: Option<f64>,
}

/// Two contenders, face by face.
#[derive(Clone, Debug)]
pub struct Pair {
    /// Positions of the two in [`Comparison::standings`].
    pub a: usize,
    /// Index of the other evaluation.
    pub b: usize,
    /// Mean of NME of `a` minus NME of `b`, a fraction, over the faces on which both have finite landmarks: below 0 `a` is better.
    pub difference: f64,
    /// Of the mean difference.
    pub interval: Interval,
    /// Fractions of all faces compared on which each has the smaller error; no finite landmarks are worse than any error.
    pub a_better: f64,
    /// Fraction of the faces on which the other is better.
    pub b_better: f64,
}

impl Pair {
    /// Which of the two is significantly better at the bootstrap's level; None where the interval holds 0.
    pub fn winner(&self) -> Option<usize> {
        if self.interval.contains(0.0) {
            None
        } else if self.difference < 0.0 {
            Some(self.a)
        } else {
            Some(self.b)
        }
    }
}

/// Everything that is known of several evaluations of the same faces.
#[derive(Clone, Debug)]
pub struct Comparison {
    /// The norm that errors are divided by.
    pub norm: String,
    /// The failure threshold of all.
    pub threshold: f64,
    /// Each evaluation, in the order given.
    pub standings: Vec<Standing>,
    /// Every two of them.
    pub pairs: Vec<Pair>,
    /// Names of the faces compared.
    pub images: Vec<String>,
    /// For each contender the NME of each of these faces; NaN where it has no finite landmarks.
    pub nmes: Vec<Vec<f64>>,
    /// Names of the compared faces on which some contender has no finite landmarks.
    pub non_finite: Vec<String>,
    /// Names of faces left out, because their normaliser is zero.
    pub left_out: Vec<String>,
    /// How intervals were got.
    pub bootstrap: Bootstrap,
}

/// Compares two or more evaluations.
///
/// # Errors
/// Fewer than two; other faces, another order of faces, another norm or threshold than the first one's; no face with a number.
pub fn compare(contenders: &[Contender], bootstrap: Bootstrap) -> Result<Comparison, EvalError> {
    let [first, others @ ..] = contenders else {
        return Err(too_few());
    };
    if others.is_empty() {
        return Err(too_few());
    }
    for other in others {
        match_faces(first, other)?;
    }
    let numbered = |i: usize| contenders.iter().all(|c| nme(c, i).is_some());
    let (kept, left): (Vec<usize>, Vec<usize>) = (0..first.faces.len()).partition(|i| numbered(*i));
    if kept.is_empty() {
        return Err(EvalError::Invalid(
            "there is no face that every evaluation has an NME for".into(),
        ));
    }
    let names = |of: &[usize]| of.iter().map(|&i| first.faces[i].0.clone()).collect();
    let nmes: Vec<Vec<f64>> = contenders
        .iter()
        .map(|c| kept.iter().filter_map(|&i| nme(c, i)).collect())
        .collect();
    let labels = labels(contenders);
    let (finite, failed): (Vec<usize>, Vec<usize>) =
        (0..kept.len()).partition(|&k| nmes.iter().all(|nmes| nmes[k].is_finite()));
    if finite.is_empty() {
        return Err(EvalError::Invalid(
            "there is no face on which every evaluation has finite landmarks".into(),
        ));
    }
    let standings = contenders
        .iter()
        .zip(&nmes)
        .zip(labels)
        .map(|((c, nmes), label)| Standing {
            label,
            title: c.title.clone(),
            nme: mean(&finite.iter().map(|&k| nmes[k]).collect::<Vec<_>>()),
            figures: fr_auc_plain(nmes, first.threshold),
            non_finite: nmes.iter().filter(|e| !e.is_finite()).count(),
            nme_truth: c.nme_truth,
        })
        .collect();
    let mut pairs = Vec::new();
    for a in 0..nmes.len() {
        for b in a + 1..nmes.len() {
            pairs.extend(pair(a, b, &nmes, &bootstrap));
        }
    }
    Ok(Comparison {
        norm: first.norm.clone(),
        threshold: first.threshold,
        standings,
        pairs,
        images: names(&kept),
        non_finite: names(&failed.iter().map(|&k| kept[k]).collect::<Vec<_>>()),
        nmes,
        left_out: names(&left),
        bootstrap,
    })
}

fn too_few() -> EvalError {
    EvalError::Invalid("a comparison needs at least two evaluations".into())
}

fn nme(contender: &Contender, face: usize) -> Option<f64> {
    contender.faces.get(face)?.1
}

fn match_faces(a: &Contender, b: &Contender) -> Result<(), EvalError> {
    let refuse = |what: String, fix: &str| {
        Err(EvalError::Invalid(format!(
            "{} and {} cannot be compared: {what}. {fix}",
            a.label, b.label
        )))
    };
    const SAME_FACES: &str = "Evaluate both on the same list with `star eval --json`.";
    if a.norm != b.norm {
        return refuse(
            format!("one is normalised by {}, the other by {}", a.norm, b.norm),
            "Evaluate both with the same --norm.",
        );
    }
    if a.threshold != b.threshold {
        return refuse(
            format!(
                "FR and AUC are at {} in one and at {} in the other",
                a.threshold, b.threshold
            ),
            "Evaluate both with the same --threshold.",
        );
    }
    let names = a.faces.iter().zip(&b.faces);
    if let Some((i, (one, other))) = names.enumerate().find(|(_, (x, y))| x.0 != y.0) {
        return refuse(
            format!(
                "face {} is {} in one and {} in the other",
                i + 1,
                one.0,
                other.0
            ),
            SAME_FACES,
        );
    }
    if a.faces.len() != b.faces.len() {
        return refuse(
            format!(
                "one has {} faces, the other {}",
                a.faces.len(),
                b.faces.len()
            ),
            SAME_FACES,
        );
    }
    Ok(())
}

/// The contenders' names, with numbers behind those that would be the same.
fn labels(contenders: &[Contender]) -> Vec<String> {
    let mut labels: Vec<String> = Vec::new();
    for c in contenders {
        let mut label = c.label.clone();
        let mut count = 1;
        while labels.contains(&label) {
            count += 1;
            label = format!("{} ({count})", c.label);
        }
        labels.push(label);
    }
    labels
}

fn pair(a: usize, b: usize, nmes: &[Vec<f64>], bootstrap: &Bootstrap) -> Option<Pair> {
    let (of_a, of_b) = (nmes.get(a)?, nmes.get(b)?);
    let both = || of_a.iter().zip(of_b);
    let differences: Vec<f64> = both()
        .map(|(a, b)| a - b)
        .filter(|d| d.is_finite())
        .collect();
    let fraction = |better: &[f64], worse: &[f64]| {
        let pairs = better.iter().zip(worse);
        let wins = pairs.filter(|(x, y)| x < y || (x.is_finite() && !y.is_finite()));
        wins.count() as f64 / of_a.len() as f64
    };
    Some(Pair {
        a,
        b,
        difference: mean(&differences),
        interval: bootstrap.mean_interval(&differences)?,
        a_better: fraction(of_a, of_b),
        b_better: fraction(of_b, of_a),
    })
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contender(label: &str, nmes: &[f64]) -> Contender {
        Contender {
            label: label.into(),
            title: label.into(),
            norm: "ocular".into(),
            threshold: 0.1,
            faces: nmes
                .iter()
                .enumerate()
                .map(|(i, e)| (format!("{i}.jpg"), e.is_finite().then_some(*e)))
                .collect(),
            nme_truth: None,
        }
    }

    fn errors(count: usize, shift: f64) -> Vec<f64> {
        (0..count)
            .map(|i| 0.05 + 0.0004 * ((i * 37) % 101) as f64 + shift)
            .collect()
    }

    #[test]
    fn the_same_evaluation_twice_differs_by_exactly_nothing() {
        let both = [
            contender("x", &errors(90, 0.0)),
            contender("x", &errors(90, 0.0)),
        ];
        let found = compare(&both, Bootstrap::default()).expect("a comparison");
        let pair = &found.pairs[0];
        assert_eq!(pair.difference, 0.0);
        assert_eq!(
            pair.interval,
            Interval {
                low: 0.0,
                high: 0.0
            }
        );
        assert_eq!(
            (pair.a_better, pair.b_better, pair.winner()),
            (0.0, 0.0, None)
        );
        assert_eq!(found.standings[1].label, "x (2)");
    }

    #[test]
    fn a_shift_of_every_face_is_found_although_faces_differ_more_than_that() {
        let mut noisy = errors(90, 0.002);
        for (i, e) in noisy.iter_mut().enumerate() {
            *e += if i % 2 == 0 { 0.003 } else { -0.003 };
        }
        let sides = [
            contender("worse", &noisy),
            contender("better", &errors(90, 0.0)),
        ];
        let found = compare(&sides, Bootstrap::default()).expect("a comparison");
        let pair = &found.pairs[0];
        assert!((pair.difference - 0.002).abs() < 1e-12);
        assert!(pair.interval.contains(0.002) && !pair.interval.contains(0.0));
        assert_eq!(pair.winner(), Some(1));
        assert_eq!((pair.a_better, pair.b_better), (0.5, 0.5));
    }

    #[test]
    fn a_face_without_a_number_is_left_out_on_both_sides() {
        let mut one = errors(10, 0.0);
        one[3] = f64::NAN;
        let sides = [contender("a", &errors(10, 0.0)), contender("b", &one)];
        let found = compare(&sides, Bootstrap::default()).expect("a comparison");
        assert_eq!(found.left_out, ["3.jpg"]);
        assert_eq!((found.images.len(), found.nmes[0].len()), (9, 9));
        assert_eq!(found.pairs[0].difference, 0.0);
    }

    #[test]
    fn landmarks_that_are_not_finite_are_failures_and_lose_the_face() {
        let mut one = contender("one", &errors(10, 0.0));
        one.faces[3].1 = Some(f64::NAN);
        let sides = [one, contender("other", &errors(10, 0.001))];
        let found = compare(&sides, Bootstrap::default()).expect("a comparison");
        assert!(found.left_out.is_empty());
        assert_eq!(found.non_finite, ["3.jpg"]);
        let [a, b] = &found.standings[..] else {
            panic!("two of them");
        };
        assert_eq!((a.non_finite, b.non_finite), (1, 0));
        assert!((a.figures.fr - b.figures.fr - 0.1).abs() < 1e-12);
        // The means and the difference are of the nine faces that both have.
        assert!((a.nme - b.nme + 0.001).abs() < 1e-12);
        let pair = &found.pairs[0];
        assert!((pair.difference + 0.001).abs() < 1e-12);
        assert_eq!((pair.a_better, pair.b_better), (0.9, 0.1));
    }

    #[test]
    fn what_does_not_match_is_refused_with_the_place() {
        let a = contender("a", &errors(10, 0.0));
        let refuse = |b: Contender| {
            let sides = [a.clone(), b];
            compare(&sides, Bootstrap::default())
                .expect_err("refused")
                .to_string()
        };
        let mut other = a.clone();
        other.faces[4].0 = "else.jpg".into();
        let message = refuse(other);
        assert!(
            message.contains("face 5 is 4.jpg in one and else.jpg"),
            "{message}"
        );
        assert!(refuse(contender("b", &errors(9, 0.0))).contains("10 faces"));
        let pupil = Contender {
            norm: "pupil".into(),
            ..a.clone()
        };
        assert!(refuse(pupil).contains("--norm"));
        let threshold = Contender {
            threshold: 0.08,
            ..a.clone()
        };
        assert!(refuse(threshold).contains("--threshold"));
        assert!(compare(std::slice::from_ref(&a), Bootstrap::default()).is_err());
    }
}
