//! Figures as a table that says what each is: the whole set, then its published subsets, each with its number of faces.

use crate::evaluate::Scores;

/// The table, its lines without a last line break.
pub fn score_table(scores: &Scores) -> String {
    let at = |what: &str, threshold: f64| {
        let name = format!("{what}{:.4}", threshold * 100.0);
        name.trim_end_matches('0').trim_end_matches('.').to_owned()
    };
    let plain = at("FR", scores.thresholds.plain);
    let published = at("FR", scores.thresholds.published);
    let mut lines = vec![format!("{}, NME {}", scores.title, scores.norm)];
    let mut head = format!(
        "{:<16} {:>6} {:>9} {plain:>9} {:>8}   published rule: {published:>8} {:>8}",
        "", "faces", "NME", "AUC", "AUC"
    );
    if scores.missed.is_some() {
        head += &format!("   missed as failures: {:>6} {plain:>9}", "missed");
    }
    lines.push(head);
    for part in scores.parts() {
        let nme = if part.nme.is_nan() {
            format!("{:>9}", "none")
        } else {
            format!("{:>7.2} %", part.nme * 100.0)
        };
        let mut line = format!(
            "{:<16} {:>6} {nme} {:>7.2} % {:>8.4}                   {:>6.2} % {:>8.4}",
            part.name,
            part.faces,
            part.plain.fr * 100.0,
            part.plain.auc,
            part.fr * 100.0,
            part.auc
        );
        if let Some(missed) = part.missed {
            line += &format!(
                "                       {:>6} {:>7.2} %",
                missed.faces,
                missed.plain.fr * 100.0
            );
        }
        lines.push(line);
    }
    if let Some(visibility) = scores.visibility {
        lines.push(format!("{:<16} {:>6} {:>9}", "", "points", "NME"));
        lines.extend(visibility.rows().map(|(name, s)| {
            let nme = 100.0 * s.nme;
            format!("{name:<16} {:>6} {nme:>7.2} %", s.points)
        }));
    }
    lines.extend(scores.remarks());
    lines.extend(scores.protocol.as_ref().map(|p| p.line()));
    lines.join("\n")
}
