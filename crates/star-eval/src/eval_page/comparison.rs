//! The page about several evaluations of the same faces.

use std::path::Path;

use super::{
    ced::{self, Curve},
    chart::{Axis, Chart, WIDTH},
    csv::{Csv, number},
    drawing::{Drawing, SERIES},
    files::Files,
    page::{Cell, Column, Page, beside, decimals, facts, figure, file_list, percent, table},
};
use star_draw::{
    svg::{Svg, length},
    ticks::{self, compact},
};

use crate::error::EvalError;

use crate::compare::{Comparison, Pair};

/// Writes the page and everything beside it into `dir`, which is made if it is missing. Other files there stay.
///
/// # Errors
/// When the folder cannot be written.
pub fn write_comparison(dir: &Path, comparison: &Comparison) -> Result<(), EvalError> {
    let labels: Vec<&str> = comparison
        .standings
        .iter()
        .map(|s| s.label.as_str())
        .collect();
    let mut files = Files::default();
    let mut page = Page::new(
        "Comparison of facial landmarks",
        &labels.join(", "),
        &format!(
            "{} faces that all of them were evaluated on",
            comparison.images.len()
        ),
    );
    page.section("figures", "Figures", "", &figures(comparison, &mut files));
    pairs(comparison, &labels, &mut page, &mut files);
    cumulative(comparison, &mut page, &mut files);
    by_face(comparison, &labels, &mut page, &mut files);
    page.section(
        "files",
        "Files",
        "Beside this page: the plots as SVG on white, the tables as CSV (fractions, not per cent).",
        &file_list(files.names()),
    );
    files.add("index.html", page.finish());
    files.write(dir)
}

fn figures(comparison: &Comparison, files: &mut Files) -> String {
    let standings = &comparison.standings;
    let best =
        |of: &dyn Fn(usize) -> f64| (0..standings.len()).map(of).fold(f64::INFINITY, f64::min);
    let least_nme = best(&|i| standings[i].nme);
    let least_fr = best(&|i| standings[i].figures.fr);
    let most_auc = -best(&|i| -standings[i].figures.auc);
    // Where all are the same none is the best.
    let differ = |of: &dyn Fn(usize) -> f64| (1..standings.len()).any(|i| of(i) != of(0));
    let fr_differ = differ(&|i| standings[i].figures.fr);
    let auc_differ = differ(&|i| standings[i].figures.auc);
    let with_truth = standings.iter().any(|s| s.nme_truth.is_some());
    let mut csv = Csv::new(&[
        "name",
        "title",
        "faces",
        "nme",
        "fr",
        "auc",
        "nme_truth",
        "non_finite",
    ]);
    let mut rows = Vec::new();
    for s in standings {
        let faces = comparison.images.len().to_string();
        csv.row([
            s.label.clone(),
            s.title.clone(),
            faces.clone(),
            number(s.nme),
            number(s.figures.fr),
            number(s.figures.auc),
            s.nme_truth.map(number).unwrap_or_default(),
            s.non_finite.to_string(),
        ]);
        let mut row = vec![
            Cell::new(&s.label),
            Cell::new(&s.title),
            Cell::new(faces),
            Cell::percent(s.nme).strong(s.nme == least_nme),
            Cell::percent(s.figures.fr).strong(fr_differ && s.figures.fr == least_fr),
            Cell::new(decimals(s.figures.auc, 4)).strong(auc_differ && s.figures.auc == most_auc),
        ];
        if with_truth {
            row.push(Cell::percent(s.nme_truth.unwrap_or(f64::NAN)));
        }
        rows.push(row);
    }
    files.add("figures.csv", csv.finish());
    let mut columns = vec![
        Column::text("name"),
        Column::text("what"),
        Column::number("faces"),
        Column::number("NME, %"),
        Column::number("FR, %"),
        Column::number("AUC"),
    ];
    if with_truth {
        columns.push(Column::number("NME against the true landmarks, %"));
    }
    let threshold = compact(comparison.threshold * 100.0);
    let caption = format!(
        "NME in % of the {} distance; FR and AUC at {threshold} % by the plain rule; the best in bold",
        comparison.norm
    );
    let mut html = table(&caption, &columns, &rows, false);
    let mut remarks = Vec::new();
    if !comparison.left_out.is_empty() {
        remarks.push((
            "Left out".to_owned(),
            format!(
                "faces whose normaliser is zero or not labelled: {}",
                comparison.left_out.join(", ")
            ),
        ));
    }
    if !comparison.non_finite.is_empty() {
        remarks.push((
            "Without finite landmarks".to_owned(),
            format!(
                "in one evaluation or more: {}. There these faces count as failures in FR and AUC; NME and the differences are of the other \
                 {} faces",
                comparison.non_finite.join(", "),
                comparison.images.len() - comparison.non_finite.len()
            ),
        ));
    }
    if !remarks.is_empty() {
        html += &facts(&remarks);
    }
    html
}

/// "−0.31 to −0.12".
fn span(pair: &Pair) -> String {
    format!(
        "{} to {}",
        percent(pair.interval.low),
        percent(pair.interval.high)
    )
}

fn pairs(comparison: &Comparison, labels: &[&str], page: &mut Page, files: &mut Files) {
    let bootstrap = &comparison.bootstrap;
    let level = compact(bootstrap.level * 100.0);
    let mut csv = Csv::new(&[
        "a",
        "b",
        "faces",
        "difference",
        "low",
        "high",
        "a_better",
        "b_better",
    ]);
    let mut rows = Vec::new();
    for p in &comparison.pairs {
        csv.row([
            labels[p.a].to_owned(),
            labels[p.b].to_owned(),
            comparison.images.len().to_string(),
            number(p.difference),
            number(p.interval.low),
            number(p.interval.high),
            number(p.a_better),
            number(p.b_better),
        ]);
        rows.push(vec![
            Cell::new(format!("{} \u{2212} {}", labels[p.a], labels[p.b])),
            Cell::percent(p.difference),
            Cell::new(span(p)),
            Cell::new(decimals(p.a_better * 100.0, 1)),
            Cell::new(decimals(p.b_better * 100.0, 1)),
            Cell::new(
                p.winner()
                    .map_or_else(|| "no".into(), |w| format!("{} better", labels[w])),
            )
            .strong(p.winner().is_some()),
        ]);
    }
    files.add("pairs.csv", csv.finish());
    let columns = [
        Column::text("A \u{2212} B"),
        Column::number("difference in NME, percentage points"),
        Column {
            name: format!("{level} % interval"),
            number: true,
        },
        Column::number("faces where A is better, %"),
        Column::number("faces where B is better, %"),
        Column::text(&format!("significant at {level} %")),
    ];
    let caption = format!(
        "Paired bootstrap over faces: {} resamples, seed {}, percentile intervals",
        bootstrap.resamples, bootstrap.seed
    );
    let drawing = files.plot(intervals(&comparison.pairs, labels, &level));
    let html = beside(&[figure(
        &drawing,
        &format!(
            "The mean difference in NME of each pair, in percentage points, with its {level} % interval. Left of the line the first of the \
             pair has the smaller error."
        ),
    )]) + &table(&caption, &columns, &rows, false);
    page.section(
        "pairs",
        "Pair by pair",
        "Each resample draws faces with replacement and takes the same ones of both sides. The interval says how the difference would move \
         with other faces of the same kind, not how it would move with another training run. Intervals are not corrected for the number of pairs.",
        &html,
    );
}

/// A row for each pair: its mean difference and its interval, around zero.
fn intervals(pairs: &[Pair], labels: &[&str], level: &str) -> Drawing {
    const ROW: f64 = 30.0;
    const TOP: f64 = 14.0;
    const RIGHT: f64 = 24.0;
    let names: Vec<String> = pairs
        .iter()
        .map(|p| format!("{} \u{2212} {}", labels[p.a], labels[p.b]))
        .collect();
    let widest = names.iter().map(|n| n.chars().count()).max().unwrap_or(0) as f64;
    let left = (widest * 7.2 + 16.0).clamp(90.0, WIDTH * 0.55);
    let far = pairs
        .iter()
        .flat_map(|p| [p.interval.low, p.interval.high, p.difference])
        .fold(0.0f64, |far, v| far.max(v.abs()))
        * 110.0;
    let far = if far > 0.0 { far } else { 1.0 };
    let bottom = TOP + ROW * pairs.len() as f64;
    let height = bottom + 52.0;
    let place = |percent: f64| left + (percent + far) / (2.0 * far) * (WIDTH - RIGHT - left);
    let mut svg = Svg::new();
    for tick in ticks::linear(-far, far, 7, 0.0) {
        let x = place(tick.value);
        svg.line((x, TOP), (x, bottom), "p-grid");
        if let Some(label) = &tick.label {
            svg.text(
                x,
                bottom + 19.0,
                "p-soft",
                &[("text-anchor", "middle")],
                label,
            );
        }
    }
    svg.line((place(0.0), TOP), (place(0.0), bottom), "p-axis");
    for (i, (p, name)) in pairs.iter().zip(&names).enumerate() {
        let y = TOP + ROW * (i as f64 + 0.5);
        svg.text(left - 12.0, y + 4.5, "", &[("text-anchor", "end")], name);
        // The colour of the better one, if there is one: as in the curves below.
        let (stroke, fill) = match p.winner() {
            Some(w) => (
                format!("p-line p-stroke{}", w % SERIES),
                format!("p-fill{}", w % SERIES),
            ),
            None => ("p-line p-axis".into(), "p-centre".into()),
        };
        let [low, middle, high] =
            [p.interval.low, p.difference, p.interval.high].map(|v| place(v * 100.0));
        let path = format!("M{} {}H{}", length(low), length(y), length(high));
        svg.element("path", &[("d", &path), ("class", &stroke)]);
        svg.titled(
            "circle",
            &[
                ("cx", &length(middle)),
                ("cy", &length(y)),
                ("r", "4.5"),
                ("class", &fill),
            ],
            &format!(
                "{name}: {}, {level} % interval {}",
                percent(p.difference),
                span(p)
            ),
        );
    }
    svg.text(
        (left + WIDTH - RIGHT) / 2.0,
        height - 9.0,
        "p-soft",
        &[("text-anchor", "middle")],
        "difference in NME, percentage points",
    );
    let said: Vec<String> = pairs
        .iter()
        .zip(&names)
        .map(|(p, n)| format!("{n}: {} ({})", percent(p.difference), span(p)))
        .collect();
    Drawing {
        name: "pairs".into(),
        title: "Differences in NME with their intervals".into(),
        description: format!("{}.", said.join("; ")),
        width: WIDTH,
        height,
        body: svg.into_body(),
    }
}

fn cumulative(comparison: &Comparison, page: &mut Page, files: &mut Files) {
    let curves = |name: &dyn Fn(usize) -> String| -> Vec<Curve> {
        comparison
            .nmes
            .iter()
            .enumerate()
            .map(|(i, nmes)| Curve {
                name: name(i),
                nmes: nmes.clone(),
            })
            .collect()
    };
    let standings = &comparison.standings;
    let named = curves(&|i| {
        format!(
            "{}, NME {} %",
            standings[i].label,
            percent(standings[i].nme)
        )
    });
    let drawing = files.plot(ced::drawing(&named, comparison.threshold, &comparison.norm));
    let plain = curves(&|i| standings[i].label.clone());
    files.add("ced.csv", ced::table(&plain, comparison.threshold));
    let html = beside(&[figure(
        &drawing,
        "The height of a curve is the fraction of faces with an NME up to that value: the higher and the further left, the better.",
    )]);
    page.section("ced", "Cumulative errors", "", &html);
}

fn by_face(comparison: &Comparison, labels: &[&str], page: &mut Page, files: &mut Files) {
    let mut csv = Csv::new(&[&["position", "image"], labels].concat());
    for (i, image) in comparison.images.iter().enumerate() {
        let nmes = comparison.nmes.iter().map(|n| number(n[i]));
        csv.row([i.to_string(), image.clone()].into_iter().chain(nmes));
    }
    let figures: Vec<String> = comparison
        .pairs
        .iter()
        .enumerate()
        .map(|(i, p)| {
            let drawing = files.plot(differences(i, p, comparison, labels));
            let caption = format!(
                "{} is better on {} % of the faces, {} on {} %.",
                labels[p.a],
                decimals(p.a_better * 100.0, 1),
                labels[p.b],
                decimals(p.b_better * 100.0, 1)
            );
            figure(&drawing, &caption)
        })
        .collect();
    files.add("faces.csv", csv.finish());
    page.section(
        "faces",
        "Face by face",
        "The difference in NME on each face that both have finite landmarks on, sorted. The area below zero is where the first of the pair is better, the area above where the \
         second is.",
        &beside(&figures),
    );
}

/// The sorted differences of a pair: to the left and below zero the faces on which `a` is better.
fn differences(index: usize, pair: &Pair, comparison: &Comparison, labels: &[&str]) -> Drawing {
    let (a, b) = (&comparison.nmes[pair.a], &comparison.nmes[pair.b]);
    let mut sorted: Vec<f64> = (a.iter().zip(b))
        .map(|(a, b)| (a - b) * 100.0)
        .filter(|d| d.is_finite())
        .collect();
    sorted.sort_by(f64::total_cmp);
    let far = sorted.iter().fold(0.0f64, |far, d| far.max(d.abs()));
    let far = if far > 0.0 { far * 1.05 } else { 1.0 };
    let count = sorted.len() as f64;
    let name = format!("{} \u{2212} {}", labels[pair.a], labels[pair.b]);
    let mut chart = Chart::new(
        Axis::linear("fraction of faces, %", 0.0, 100.0),
        Axis::linear("difference in NME, percentage points", -far, far),
        300.0,
    );
    let steps = |keep: fn(f64) -> bool| -> Vec<(f64, f64)> {
        sorted
            .iter()
            .enumerate()
            .filter(|(_, d)| keep(**d))
            .flat_map(|(i, d)| [i, i + 1].map(|k| (k as f64 * 100.0 / count, *d)))
            .collect()
    };
    for (points, series) in [(steps(|d| d < 0.0), pair.a), (steps(|d| d > 0.0), pair.b)] {
        chart.area(&points, 0.0, series);
        chart.line(&points, series);
    }
    chart.mark_y(
        pair.difference * 100.0,
        &format!("mean {}", percent(pair.difference)),
    );
    chart.heading(&name);
    chart.finish(
        &format!("difference-{}", index + 1),
        format!("Differences in NME, face by face: {name}"),
        format!(
            "From {:.2} to {:.2} percentage points, mean {}.",
            sorted.first().copied().unwrap_or(f64::NAN),
            sorted.last().copied().unwrap_or(f64::NAN),
            percent(pair.difference)
        ),
    )
}
