//! The figures as a table for a terminal.

use star_draw::ticks::compact;

use super::Stress;
use crate::evaluate::Scores;

impl Stress {
    /// One line a level, its lines without a last line break. `scores` are those of the faces as they are.
    pub fn table(&self, scores: &Scores) -> String {
        let line = |name: &str, level: &str, nme: f64, fr: f64| {
            let nme = if nme.is_finite() {
                format!("{:.2} %", nme * 100.0)
            } else {
                "none".into()
            };
            format!("{name:<34} {level:>6} {nme:>10} {:>8.2} %", fr * 100.0)
        };
        let fr = format!("FR{}", compact(scores.thresholds.plain * 100.0));
        let mut lines = vec![
            format!("made harder (seed {}), NME {}", self.seed, scores.norm),
            format!("{:<34} {:>6} {:>10} {fr:>10}", "", "", "NME"),
            line("as they are", "", scores.nme, scores.plain.fr),
        ];
        for curve in &self.curves {
            let mut name = curve.change.name();
            for level in &curve.levels {
                if Some(level.level) == curve.change.unchanged() {
                    continue;
                }
                let shown = match curve.change {
                    super::Change::Grey => String::new(),
                    change => compact(change.shown(level.level)),
                };
                lines.push(line(name, &shown, level.nme, level.fr));
                name = "";
            }
        }
        lines.join("\n")
    }
}
