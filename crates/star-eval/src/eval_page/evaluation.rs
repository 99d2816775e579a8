//! The page about one evaluation.

use std::path::Path;

use star_data::{Covariance, Layout, Norm};

use super::{
    Inputs,
    ced::{self, Curve},
    csv::{Csv, number},
    face_map::{self, Ellipses},
    face_size::{self, Dot},
    faces::{self, Shown},
    files::Files,
    measure::{Axes, Measured, PointFigures, face_size, measure},
    page::{
        Cell, Column, Page, TileText, beside, decimals, facts, figure, file_list, percent, table,
        tiles,
    },
    robustness::{self, Measure},
};
use star_draw::{overlay::ELLIPSE_SIGMAS, ticks::compact};

use crate::{
    error::EvalError,
    evaluate::{Scores, SubsetScores},
    quantile::quantile,
    visibility::VisibilityScores,
};

/// Faces shown of the worst and of the best.
const SHOWN: usize = 24;
/// Points named on the map of errors.
const NAMED: usize = 5;

/// Writes the page and everything beside it into `dir`, which is made if it is missing. Other files there stay.
///
/// # Errors
/// Inputs that do not fit each other, an image that cannot be read again, a folder that cannot be written.
pub fn write(dir: &Path, inputs: &Inputs) -> Result<(), EvalError> {
    check(inputs)?;
    let layout = inputs.images.layout();
    let norm = layout.norm(Some(&inputs.scores.norm))?;
    let parts = inputs.scores.parts();
    let measured = measure(inputs.faces, norm);

    let mut files = Files::default();
    let mut page = Page::new(
        "Evaluation of facial landmarks",
        inputs.title,
        inputs.weights,
    );
    page.section("figures", "Figures", "", &figures(inputs, layout, norm));
    if let Some(protocol) = &inputs.scores.protocol {
        let said: Vec<(String, String)> = (protocol.facts().into_iter())
            .map(|(name, value)| (name.to_owned(), value))
            .collect();
        page.section("protocol", "Protocol", "", &facts(&said));
    }
    files.add("figures.csv", figures_csv(&parts));
    cumulative(inputs, &parts, &mut page, &mut files);
    if let Some(measured) = &measured {
        where_errors_are(measured, inputs, &mut page, &mut files);
        ambiguity(measured, inputs, &mut page, &mut files);
    }
    by_size(inputs, &mut page, &mut files);
    made_harder(inputs.scores, &mut page, &mut files);
    worst_and_best(inputs, &mut page)?;
    if let Some(measured) = &measured {
        page.section(
            "table",
            "Each point",
            "Errors in % of the normalising distance; standard deviations along the long and the short axis of the ellipses above.",
            &point_table(measured, layout),
        );
        files.add("points.csv", points_csv(measured, layout));
    }
    files.add("faces.csv", faces_csv(inputs));
    files.add("scores.json", scores_json(inputs.scores)?);
    page.section(
        "files",
        "Files",
        "Beside this page: the plots as SVG on white, the tables as CSV (fractions, not per cent), the figures as JSON for `star compare`.",
        &file_list(files.names()),
    );
    files.add("index.html", page.finish());
    files.write(dir)
}

fn check(inputs: &Inputs) -> Result<(), EvalError> {
    let points = inputs.images.layout().points;
    let count = inputs.faces.len();
    let invalid = |message: String| Err(EvalError::Invalid(message));
    if count == 0 || count != inputs.scores.per_face.len() {
        return invalid(format!(
            "a report needs faces and a score for each; there are {count} faces and {} scores",
            inputs.scores.per_face.len()
        ));
    }
    for face in inputs.faces {
        let covariances = face.covariance.len();
        if face.predicted.len() != points || face.annotated.len() != points {
            return invalid(format!(
                "{}: {} points predicted and {} annotated where the layout has {points}",
                face.name,
                face.predicted.len(),
                face.annotated.len()
            ));
        }
        if covariances != points && covariances != 0 {
            return invalid(format!(
                "{}: {covariances} covariances for {points} points",
                face.name
            ));
        }
    }
    for part in &inputs.scores.subsets {
        if let Some(p) = part.indices.iter().find(|p| **p >= count) {
            return invalid(format!("subset {} names face {p} of {count}", part.name));
        }
    }
    Ok(())
}

fn figures(inputs: &Inputs, layout: &Layout, norm: &Norm) -> String {
    let Scores {
        nme,
        fr,
        auc,
        plain,
        thresholds,
        faces,
        truth,
        missed,
        ..
    } = inputs.scores;
    let threshold = compact(thresholds.plain * 100.0);
    let published = compact(thresholds.published * 100.0);
    let mut nmes = finite_nmes(inputs.scores);
    let of_others = inputs.scores.nme_finite.map_or_else(String::new, |nme| {
        format!(
            "; none for {} faces, mean of the others {} %",
            inputs.scores.non_finite.len(),
            percent(nme)
        )
    });
    let mut shown = vec![
        TileText {
            name: "NME".into(),
            value: percent(*nme),
            unit: "%",
            note: format!(
                "{}; median of the faces {} %{of_others}",
                inputs.scores.norm,
                percent(quantile(&mut nmes, 0.5))
            ),
        },
        TileText {
            name: format!("FR at {threshold} %"),
            value: percent(plain.fr),
            unit: "%",
            note: format!("published rule, at {published} %: {} %", percent(*fr)),
        },
        TileText {
            name: format!("AUC at {threshold} %"),
            value: decimals(plain.auc, 4),
            unit: "",
            note: format!("published rule, to {published} %: {}", decimals(*auc, 4)),
        },
        TileText {
            name: "Faces".into(),
            value: faces.to_string(),
            unit: "",
            note: format!("{} points each, layout {}", layout.points, layout.name),
        },
    ];
    if let Some(missed) = missed {
        let named = TileText {
            name: format!("FR at {threshold} %, missed faces as failures"),
            value: percent(missed.plain.fr),
            unit: "%",
            note: format!(
                "missed by the detector: {}; published rule, at {published} %: {} %",
                missed.faces,
                percent(missed.published.fr)
            ),
        };
        shown.insert(2, named);
    }
    let mut html = tiles(&shown);
    let mut meaning = vec![
        (
            "NME".to_owned(),
            format!(
                "normalised mean error: the mean distance between predicted and annotated points of a face, divided by its {} distance \
                 ({}), averaged over the faces",
                inputs.scores.norm,
                norm_in_words(norm)
            ),
        ),
        (
            "FR".to_owned(),
            format!(
                "failure rate: the fraction of faces with an NME above the threshold of {threshold} %, or without finite landmarks"
            ),
        ),
        (
            "AUC".to_owned(),
            format!(
                "area under the cumulative error distribution from 0 to the threshold, divided by the threshold; 1 is perfect. The \
                 published programs' bins end at {published} %"
            ),
        ),
    ];
    meaning.extend(
        inputs
            .notes
            .iter()
            .map(|(k, v)| ((*k).to_owned(), v.clone())),
    );
    if let Some(truth) = truth {
        meaning.push((
            "True landmarks".to_owned(),
            format!(
                "NME {} %, along contours {} %, across {} %; the annotations themselves {} %",
                percent(truth.nme),
                percent(truth.along),
                percent(truth.across),
                percent(truth.annotations)
            ),
        ));
    }
    for (name, s) in (inputs.scores.visibility.iter()).flat_map(VisibilityScores::rows) {
        meaning.push((
            format!("{}{}", name[..1].to_uppercase(), &name[1..]),
            format!("NME {} %, {} points", percent(s.nme), s.points),
        ));
    }
    let remarks = inputs.scores.remarks().into_iter();
    meaning.extend(remarks.map(|remark| ("Note".to_owned(), remark)));
    html += &facts(&meaning);
    html
}

fn norm_in_words(norm: &Norm) -> String {
    let side = |points: &[usize]| match points {
        [one] => format!("point {one}"),
        many => {
            let names: Vec<String> = many.iter().map(ToString::to_string).collect();
            format!("the mean of points {}", names.join(", "))
        }
    };
    format!("from {} to {}", side(&norm.left), side(&norm.right))
}

fn finite_nmes(scores: &Scores) -> Vec<f64> {
    let nmes = scores.per_face.iter().filter(|f| !f.excluded);
    nmes.map(|f| f.nme).filter(|e| e.is_finite()).collect()
}

fn figures_csv(parts: &[SubsetScores]) -> String {
    let mut csv = Csv::new(&[
        "subset",
        "faces",
        "excluded",
        "non_finite",
        "missed",
        "nme",
        "nme_finite",
        "fr",
        "auc",
        "fr_published",
        "auc_published",
        "fr_with_missed",
        "fr_published_with_missed",
    ]);
    for s in parts {
        let optional = |value: Option<f64>| value.map(number).unwrap_or_default();
        csv.row([
            s.name.clone(),
            s.faces.to_string(),
            s.excluded.to_string(),
            s.non_finite.to_string(),
            s.missed.map_or(String::new(), |m| m.faces.to_string()),
            number(s.nme),
            optional(s.nme_finite),
            number(s.plain.fr),
            number(s.plain.auc),
            number(s.fr),
            number(s.auc),
            optional(s.missed.map(|m| m.plain.fr)),
            optional(s.missed.map(|m| m.published.fr)),
        ]);
    }
    csv.finish()
}

fn cumulative(inputs: &Inputs, parts: &[SubsetScores], page: &mut Page, files: &mut Files) {
    let scores = inputs.scores;
    let threshold = scores.thresholds.plain;
    // Those that are not finite too: they are never reached.
    let curves: Vec<Curve> = (parts.iter())
        .map(|s| Curve {
            name: format!("{}, NME {} %", s.name, percent(s.nme)),
            nmes: scores.nmes(s),
        })
        .filter(|curve| !curve.nmes.is_empty())
        .collect();
    let drawing = files.plot(ced::drawing(&curves, threshold, &scores.norm));
    let named: Vec<Curve> = (parts.iter())
        .map(|s| Curve {
            name: s.name.clone(),
            nmes: scores.nmes(s),
        })
        .filter(|curve| !curve.nmes.is_empty())
        .collect();
    files.add("ced.csv", ced::table(&named, threshold));
    let mut html = beside(&[figure(
        &drawing,
        "The height of a curve is the fraction of faces with an NME up to that value. What it misses of 100 % at the dashed line is the \
         failure rate; the area below it to the left of the line, as a fraction of the whole, is the AUC.",
    )]);
    if parts.len() > 1 {
        let with_missed = scores.missed.is_some();
        let rows: Vec<Vec<Cell>> = parts
            .iter()
            .map(|s| {
                let mut row = vec![
                    Cell::new(&s.name),
                    Cell::new(s.faces.to_string()),
                    Cell::percent(s.nme),
                    Cell::percent(s.plain.fr),
                    Cell::new(decimals(s.plain.auc, 4)),
                    Cell::percent(s.fr),
                    Cell::new(decimals(s.auc, 4)),
                ];
                if with_missed {
                    let fr = s.missed.map_or(f64::NAN, |m| m.plain.fr);
                    row.push(Cell::new(s.missed.map_or(0, |m| m.faces).to_string()));
                    row.push(Cell::percent(fr));
                }
                row
            })
            .collect();
        let mut columns = vec![
            Column::text("subset"),
            Column::number("faces"),
            Column::number("NME, %"),
            Column::number("FR, %"),
            Column::number("AUC"),
            Column::number("FR, published rule, %"),
            Column::number("AUC, published rule"),
        ];
        if with_missed {
            columns.push(Column::number("missed"));
            columns.push(Column::number("FR with missed as failures, %"));
        }
        html += &table("Figures by subset", &columns, &rows, false);
    }
    page.section("ced", "Cumulative errors", "", &html);
}

fn where_errors_are(measured: &Measured, inputs: &Inputs, page: &mut Page, files: &mut Files) {
    let errors: Vec<f64> = measured.points.iter().map(|p| p.mean).collect();
    let mut order: Vec<usize> = (0..errors.len())
        .filter(|&i| errors[i].is_finite())
        .collect();
    order.sort_by(|&a, &b| errors[b].total_cmp(&errors[a]));
    order.truncate(NAMED);
    let layout = inputs.images.layout();
    let drawing = files.plot(face_map::errors(
        &measured.mean_face,
        &errors,
        &order,
        layout,
    ));
    let html = beside(&[figure(
        &drawing,
        &format!(
            "The mean of the annotated faces, aligned by similarity. Each disc's radius is the mean error of its point, to the scale of the \
             face; its colour says the same. Numbers mark the {} points with the largest errors (points count from 0).",
            order.len()
        ),
    )]);
    page.section("points", "Where the errors are", "", &html);
}

fn ambiguity(measured: &Measured, inputs: &Inputs, page: &mut Page, files: &mut Files) {
    let layout = inputs.images.layout();
    let norm = &inputs.scores.norm;
    let predicted: Option<Vec<Covariance>> = measured.points.iter().map(|p| p.predicted).collect();
    let observed: Vec<Covariance> = measured.points.iter().map(|p| p.observed).collect();
    let right = Ellipses {
        name: "spread",
        title: "Spread of the errors",
        description: "The mean face with an ellipse at each point: the covariance of predicted minus annotated."
            .into(),
        spreads: &observed,
        sigmas: ELLIPSE_SIGMAS,
        series: 1,
    };
    let right = files.plot(right.drawing(&measured.mean_face, norm, layout));
    let right = figure(
        &right,
        "Observed: the covariance of predicted minus annotated over the faces, about its mean. A few failures widen it much.",
    );
    let Some(predicted) = predicted else {
        page.section(
            "ambiguity",
            "Spread of the errors",
            "These predictions came without covariances.",
            &beside(&[right]),
        );
        return;
    };
    let left = Ellipses {
        name: "ambiguity",
        title: "Predicted ambiguity",
        description: "The mean face with an ellipse at each point: the mean covariance of the point's heatmap.".into(),
        spreads: &predicted,
        sigmas: predicted_sigmas(measured),
        series: 0,
    };
    let left = files.plot(left.drawing(&measured.mean_face, norm, layout));
    let left = figure(
        &left,
        "Predicted: the mean over the faces of each heatmap's covariance. All ellipses are scaled by one factor, so that the median one is as \
         large as the median one of the errors; the key has the factor.",
    );
    let agreement = agreement(measured);
    page.section(
        "ambiguity",
        "Predicted and observed covariance",
        &format!(
            "The covariance of each point's heatmap beside that of its errors, both aligned with the mean face. Where the two agree, ellipses \
             of the same point have the same direction and shape. The size of a heatmap also depends on the width it was trained to have, so \
             compare shapes rather than sizes. {agreement}"
        ),
        &beside(&[left, right]),
    );
}

/// Both pairs of axes of a point.
fn both_axes(point: &PointFigures) -> Option<(Axes, Axes)> {
    Some((Axes::of(point.predicted?)?, Axes::of(point.observed)?))
}

/// For each point the diameter of the predicted ellipse over that of the observed one.
fn diameter_ratios(pairs: &[(Axes, Axes)]) -> Vec<f64> {
    let ratio = |(p, o): &(Axes, Axes)| (p.long * p.short / (o.long * o.short)).sqrt();
    pairs.iter().map(ratio).filter(|r| r.is_finite()).collect()
}

/// At how many standard deviations predicted ellipses are drawn, so that the median one is as large as the median one of the errors at
/// [`ELLIPSE_SIGMAS`]. Heatmaps are as wide as training left them, often many times the errors: drawn as they are they hide the face.
fn predicted_sigmas(measured: &Measured) -> f64 {
    let pairs: Vec<(Axes, Axes)> = measured.points.iter().filter_map(both_axes).collect();
    let ratio = quantile(&mut diameter_ratios(&pairs), 0.5);
    if ratio > 0.0 {
        ELLIPSE_SIGMAS / ratio
    } else {
        ELLIPSE_SIGMAS
    }
}

/// How far predicted and observed ellipses agree, in a sentence.
fn agreement(measured: &Measured) -> String {
    /// An ellipse rounder than this has no direction to speak of.
    const ELONGATED: f64 = 1.2;
    let pairs: Vec<(Axes, Axes)> = measured.points.iter().filter_map(both_axes).collect();
    let long = |a: &Axes| a.long >= ELONGATED * a.short;
    let mut angles: Vec<f64> = pairs
        .iter()
        .filter(|(p, o)| long(p) && long(o))
        .map(|(p, o)| p.angle_to(*o))
        .collect();
    let mut ratios: Vec<f64> = diameter_ratios(&pairs);
    let mut text = format!(
        "The median point's predicted ellipse has {} times the diameter of the observed one.",
        decimals(quantile(&mut ratios, 0.5), 2)
    );
    if !angles.is_empty() {
        text += &format!(
            " The long axes of the {} of {} points where both ellipses are longer than wide by a fifth are a median {}° apart (by chance, 45°).",
            angles.len(),
            measured.points.len(),
            decimals(quantile(&mut angles, 0.5), 0)
        );
    }
    text
}

fn by_size(inputs: &Inputs, page: &mut Page, files: &mut Files) {
    let dots: Vec<Dot> = inputs
        .faces
        .iter()
        .zip(&inputs.scores.per_face)
        .map(|(face, score)| Dot {
            name: &face.name,
            size: face_size(&face.annotated),
            nme: score.nme,
        })
        .collect();
    let drawing = face_size::drawing(&dots, inputs.scores.thresholds.plain, &inputs.scores.norm);
    let drawing = files.plot(drawing);
    let html = beside(&[figure(
        &drawing,
        "One dot a face. The size is the root of the area of its annotated landmarks' box, in pixels of its image. The line runs through \
         medians of groups of faces (drawn from 48 faces on).",
    )]);
    page.section("size", "Error against the size of the face", "", &html);
}

fn made_harder(scores: &Scores, page: &mut Page, files: &mut Files) {
    let Some(stress) = &scores.stress else {
        return;
    };
    let threshold = compact(scores.thresholds.plain * 100.0);
    let measures = [
        Measure {
            id: "nme",
            axis: format!("NME, % of the {} distance", scores.norm),
            title: "NME",
            of: |level| level.nme,
            unchanged: scores.nme,
        },
        Measure {
            id: "fr",
            axis: format!("FR at {threshold} %, %"),
            title: "Failures",
            of: |level| level.fr,
            unchanged: scores.plain.fr,
        },
    ];
    let mut html = String::new();
    for curve in &stress.curves {
        let plots: Vec<String> = (measures.iter())
            .filter_map(|measure| robustness::drawing(curve, measure))
            .map(|drawing| figure(&files.plot(drawing), curve.change.name()))
            .collect();
        if !plots.is_empty() {
            html += &beside(&plots);
        }
    }
    html += &robustness::html_table(stress, &threshold);
    files.add("stress.csv", robustness::csv(stress));
    let intro = format!(
        "The same faces, changed in one way at a time (seed {}); landmarks and crop go with the image. The dashed line is the faces as they \
         are. A size leaves smaller faces alone; a turned face keeps its crop's middle and size.",
        stress.seed
    );
    page.section("stress", "Made harder", &intro, &html);
}

fn worst_and_best(inputs: &Inputs, page: &mut Page) -> Result<(), EvalError> {
    let scores = &inputs.scores.per_face;
    let mut order: Vec<usize> = (0..scores.len()).filter(|&i| !scores[i].excluded).collect();
    // No finite landmarks first, then the largest; equal ones in the order of the annotation file.
    let error = |i: usize| match scores[i].nme {
        nme if nme.is_finite() => nme,
        _ => f64::INFINITY,
    };
    order.sort_by(|&a, &b| error(b).total_cmp(&error(a)));
    let shown = |rank: usize| Shown {
        face: &inputs.faces[order[rank]],
        nme: scores[order[rank]].nme,
        rank: rank + 1,
    };
    // No face is in both.
    let worst = SHOWN.min(order.len().div_ceil(2));
    let best = SHOWN.min(order.len() - worst);
    let worst: Vec<Shown> = (0..worst).map(shown).collect();
    let best: Vec<Shown> = (order.len() - best..order.len()).rev().map(shown).collect();
    for (id, word, faces) in [("worst", "Worst", worst), ("best", "Best", best)] {
        if faces.is_empty() {
            continue;
        }
        let html = faces::key() + &faces::grid(&faces, inputs.images)?;
        page.section(
            id,
            &format!("{word} {} faces", faces.len()),
            "Below each: its NME, and its place among all faces with the worst first.",
            &html,
        );
    }
    Ok(())
}

fn edges_of(point: usize, layout: &Layout) -> String {
    let names: Vec<&str> = layout
        .edges
        .iter()
        .filter(|e| e.points.contains(&point))
        .map(|e| e.name.as_str())
        .collect();
    names.join(", ")
}

fn point_table(measured: &Measured, layout: &Layout) -> String {
    let most = measured.points.iter().map(|p| p.mean).fold(0.0, f64::max);
    let rows: Vec<Vec<Cell>> = measured
        .points
        .iter()
        .enumerate()
        .map(|(i, p)| {
            let axes = |s: Option<Covariance>| match s.and_then(Axes::of) {
                Some(a) => format!("{} × {}", percent(a.long), percent(a.short)),
                None => "–".into(),
            };
            let apart = both_axes(p).map_or(f64::NAN, |(p, o)| p.angle_to(o));
            vec![
                Cell::new(i.to_string()),
                Cell::new(edges_of(i, layout).replace('_', " ")),
                Cell::percent(p.mean).bar(p.mean / most),
                Cell::percent(p.median),
                Cell::percent(p.p90),
                Cell::new(axes(p.predicted)),
                Cell::new(axes(Some(p.observed))),
                Cell::new(decimals(apart, 0)),
            ]
        })
        .collect();
    let columns = [
        Column::text("point"),
        Column::text("on"),
        Column::number("mean error, %"),
        Column::number("median, %"),
        Column::number("90th percentile, %"),
        Column::number("predicted sd, %"),
        Column::number("observed sd, %"),
        Column::number("long axes apart, °"),
    ];
    table("Errors of each point", &columns, &rows, true)
}

fn points_csv(measured: &Measured, layout: &Layout) -> String {
    let mut csv = Csv::new(&[
        "point",
        "edges",
        "mean_x",
        "mean_y",
        "error_mean",
        "error_median",
        "error_p90",
        "bias_x",
        "bias_y",
        "predicted_xx",
        "predicted_xy",
        "predicted_yy",
        "observed_xx",
        "observed_xy",
        "observed_yy",
    ]);
    for (i, (at, p)) in measured.mean_face.iter().zip(&measured.points).enumerate() {
        let spread =
            |s: Option<Covariance>| s.map_or([f64::NAN; 3], |s| [s.xx, s.xy, s.yy]).map(number);
        let mut row = vec![i.to_string(), edges_of(i, layout)];
        row.extend([at.x, at.y, p.mean, p.median, p.p90, p.bias.x, p.bias.y].map(number));
        row.extend(spread(p.predicted));
        row.extend(spread(Some(p.observed)));
        csv.row(row);
    }
    csv.finish()
}

fn faces_csv(inputs: &Inputs) -> String {
    let mut csv = Csv::new(&["position", "image", "nme", "nme_truth", "size_pixels"]);
    for (i, (face, score)) in inputs.faces.iter().zip(&inputs.scores.per_face).enumerate() {
        csv.row([
            i.to_string(),
            score.image.clone(),
            number(score.nme),
            score.nme_truth.map(number).unwrap_or_default(),
            number(face_size(&face.annotated)),
        ]);
    }
    csv.finish()
}

fn scores_json(scores: &Scores) -> Result<String, EvalError> {
    let mut text =
        serde_json::to_string_pretty(scores).map_err(|e| EvalError::Invalid(e.to_string()))?;
    text.push('\n');
    Ok(text)
}
