//! Figures as a table that says what each is: the whole set, then its published subsets, each with its number of faces.

use crate::{evaluate::Scores, metrics::FailureAndAuc};

/// The table, its lines without a last line break.
pub fn score_table(scores: &Scores) -> String {
    let threshold = scores.thresholds.plain * 100.0;
    let published = scores.thresholds.published * 100.0;
    let mut lines = vec![
        format!("{}, NME {}", scores.title, scores.norm),
        format!(
            "{:<16} {:>6} {:>9} {:>9} {:>8}   published rule: {:>8} {:>8}",
            "",
            "faces",
            "NME",
            format!("FR{threshold:.4}")
                .trim_end_matches('0')
                .trim_end_matches('.'),
            "AUC",
            format!("FR{published:.4}")
                .trim_end_matches('0')
                .trim_end_matches('.'),
            "AUC"
        ),
    ];
    let mut row =
        |name: &str, faces: usize, nme: f64, plain: FailureAndAuc, rule: FailureAndAuc| {
            lines.push(format!(
            "{name:<16} {faces:>6} {:>7.2} % {:>7.2} % {:>8.4}                   {:>6.2} % {:>8.4}",
            nme * 100.0,
            plain.fr * 100.0,
            plain.auc,
            rule.fr * 100.0,
            rule.auc
        ));
        };
    let rule = FailureAndAuc {
        fr: scores.fr,
        auc: scores.auc,
    };
    row("all", scores.faces, scores.nme, scores.plain, rule);
    for subset in &scores.subsets {
        let rule = FailureAndAuc {
            fr: subset.fr,
            auc: subset.auc,
        };
        row(&subset.name, subset.faces, subset.nme, subset.plain, rule);
    }
    if !scores.excluded.is_empty() {
        lines.push(format!(
            "{} faces left out because the ends of the norm coincide: {}",
            scores.excluded.len(),
            scores.excluded.join(", ")
        ));
    }
    lines.join("\n")
}
