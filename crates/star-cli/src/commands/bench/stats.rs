//! Medians, and how far they spread from round to round.

use serde::Serialize;

use super::{Row, Turn};

/// Middle, smallest and largest.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Spread {
    pub median: f64,
    pub min: f64,
    pub max: f64,
}

impl Spread {
    fn of(mut values: Vec<f64>) -> Self {
        values.sort_by(f64::total_cmp);
        let at = |i: usize| values.get(i).copied().unwrap_or(f64::NAN);
        let last = values.len().saturating_sub(1);
        Self {
            median: (at(last / 2) + at(last - last / 2)) / 2.0,
            min: at(0),
            max: at(last),
        }
    }
}

/// All rounds of one side.
#[derive(Debug, Serialize)]
pub struct Summary {
    /// Of the rounds' medians.
    pub milliseconds: Spread,
    pub peak_mib: f64,
    /// Of the GPU; absent on a CPU.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gpu_mib: Option<f64>,
}

impl Summary {
    pub fn of(turns: &[Turn]) -> Self {
        let medians = turns.iter().map(|turn| 1000.0 * median(turn)).collect();
        Self {
            milliseconds: Spread::of(medians),
            peak_mib: turns.iter().fold(0.0, |most, turn| most.max(turn.peak_mib)),
            gpu_mib: turns
                .iter()
                .filter_map(|turn| turn.gpu_mib)
                .reduce(f64::max),
        }
    }
}

fn median(turn: &Turn) -> f64 {
    Spread::of(turn.seconds.clone()).median
}

/// Ours over theirs, round by round: what slowed the machine down in a round slowed both.
pub fn ratio(ours: &[Turn], theirs: &[Turn]) -> Spread {
    let ratios = ours.iter().zip(theirs);
    Spread::of(ratios.map(|(a, b)| median(a) / median(b)).collect())
}

/// Of all rounds, the median of their medians.
pub fn seconds(turns: &[Turn]) -> f64 {
    Spread::of(turns.iter().map(median).collect()).median
}

/// Memory is the GPU's where one is used.
pub fn heading(peer: Option<&str>) -> String {
    let mut text = format!(
        "{:<14} {:>5} {:>30} {:>9} {:>8} {:>10}",
        "", "batch", "ours, ms (min to max)", "peak MiB", "GFLOP/s", "of product"
    );
    if let Some(peer) = peer {
        text += &format!(
            " {:>30} {:>9}  ours / {peer}",
            format!("{peer}, ms (min to max)"),
            "peak MiB"
        );
    }
    text
}

pub fn line(row: &Row) -> String {
    let side = |summary: &Summary| {
        let Spread { median, min, max } = summary.milliseconds;
        format!(
            "{:>30} {:>9.0}",
            format!("{median:.1} ({min:.1} to {max:.1})"),
            summary.gpu_mib.unwrap_or(summary.peak_mib)
        )
    };
    let mut text = format!("{:<14} {:>5} {}", row.case, row.batch, side(&row.ours));
    text += &match row.speed {
        Some(speed) => format!(" {:>8.1} {:>10.2}", speed.gflops, speed.of_product),
        None => format!(" {:>8} {:>10}", "-", "-"),
    };
    if let (Some(peer), Some(ratio)) = (&row.peer, row.ratio) {
        text += &format!(
            " {}  {:.2} ({:.2} to {:.2})",
            side(peer),
            ratio.median,
            ratio.min,
            ratio.max
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn turn(seconds: &[f64]) -> Turn {
        Turn {
            seconds: seconds.to_vec(),
            peak_mib: seconds.len() as f64,
            gpu_mib: (seconds.len() > 2).then_some(7.0),
            version: String::new(),
        }
    }

    #[test]
    fn ratios_are_taken_within_rounds() {
        // The second round was ten times slower for both sides; the ratio does not see it.
        let ours = [turn(&[1.0, 9.0, 2.0]), turn(&[20.0])];
        let theirs = [turn(&[4.0]), turn(&[30.0, 50.0])];
        let ratio = ratio(&ours, &theirs);
        assert_eq!((ratio.min, ratio.median, ratio.max), (0.5, 0.5, 0.5));
        let summary = Summary::of(&ours);
        assert_eq!(summary.milliseconds.median, 11_000.0);
        assert_eq!(summary.peak_mib, 3.0);
        assert_eq!(summary.gpu_mib, Some(7.0));
    }
}
