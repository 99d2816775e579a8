//! What a run shows: a bar in a terminal, plain lines otherwise.

use std::{
    io::{IsTerminal, Write},
    time::{Duration, Instant},
};

use indicatif::{ProgressBar, ProgressStyle};
use star_eval::Scores;
use star_train::{EpochRecord, Observer, Selection, StepInfo};

/// Seconds between two plain lines within an epoch.
const LINE_EVERY: Duration = Duration::from_secs(10);

/// Prints a run's progress.
pub struct Printer {
    bar: Option<ProgressBar>,
    last_line: Instant,
    /// What the epochs' errors are of.
    set: &'static str,
}

impl Default for Printer {
    fn default() -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::new(0);
            bar.set_style(
                ProgressStyle::with_template("{prefix} {wide_bar:.cyan/blue} {pos}/{len} {msg}")
                    .unwrap_or_else(|_| ProgressStyle::default_bar()),
            );
            bar
        });
        Self {
            bar,
            last_line: Instant::now(),
            set: "selection",
        }
    }
}

impl Printer {
    /// Of a training run: epochs are evaluated on this set.
    pub fn of_run(selected_on: Selection) -> Self {
        Self {
            set: selected_on.name(),
            ..Self::default()
        }
    }

    /// Prints a line above the bar, or as it is. That nobody reads any more (`| head`) is no reason to lose a run.
    pub fn line(&self, text: &str) {
        let print = || {
            let _ = writeln!(std::io::stdout(), "{text}");
        };
        match &self.bar {
            Some(bar) => bar.suspend(print),
            None => print(),
        }
    }

    /// Takes the bar away.
    pub fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

impl Observer for Printer {
    fn message(&mut self, text: &str) {
        self.line(text);
    }

    fn step(&mut self, step: &StepInfo) {
        let text = format!(
            "loss {:.3}  rate {:.0e}  {:.1} faces/s  {} left",
            step.loss,
            step.learning_rate,
            step.faces_per_second,
            duration(step.seconds_left)
        );
        match &self.bar {
            Some(bar) => {
                bar.set_length(step.steps as u64);
                bar.set_position(step.step as u64);
                bar.set_prefix(format!("epoch {}/{}", step.epoch, step.epochs));
                bar.set_message(text);
            }
            None if self.last_line.elapsed() >= LINE_EVERY => {
                self.line(&format!(
                    "epoch {}/{}  step {}/{}  {text}",
                    step.epoch, step.epochs, step.step, step.steps
                ));
                self.last_line = Instant::now();
            }
            None => {}
        }
    }

    fn epoch(&mut self, record: &EpochRecord) {
        self.line(&describe_epoch(record, self.set));
    }

    fn evaluating(&mut self, done: usize, all: usize) {
        if let Some(bar) = &self.bar {
            bar.set_length(all as u64);
            bar.set_position(done as u64);
            bar.set_prefix("evaluating");
            bar.set_message("");
        }
    }

    fn scores(&mut self, scores: &Scores) {
        self.line(&scores.line());
    }
}

fn describe_epoch(record: &EpochRecord, set: &str) -> String {
    let percent = |value: Option<f64>| value.map_or("-".into(), |v| format!("{:.2} %", v * 100.0));
    let mut text = format!("epoch {:>3}", record.epoch);
    if record.epoch > 0 {
        text += &format!(
            "  loss {:8.3}  rate {:.0e}",
            record.loss, record.learning_rate
        );
    }
    if record.nme.is_some() {
        text += &format!(
            "  {set} NME {} (EMA {})",
            percent(record.nme),
            percent(record.nme_ema)
        );
    }
    if record.nme_truth.is_some() {
        text += &format!(
            ", against the truth {} ({})",
            percent(record.nme_truth),
            percent(record.nme_truth_ema)
        );
    }
    text + &format!("  {:.1} s", record.seconds)
}

/// Seconds as a person reads them.
pub fn duration(seconds: f64) -> String {
    if !seconds.is_finite() {
        return "?".into();
    }
    let s = seconds.round() as u64;
    match (s / 3600, s / 60 % 60, s % 60) {
        (0, 0, s) => format!("{s} s"),
        (0, m, s) => format!("{m} min {s:02} s"),
        (h, m, _) => format!("{h} h {m:02} min"),
    }
}
