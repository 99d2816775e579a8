//! `star compare`

use std::{path::PathBuf, process::ExitCode};

use star_eval::{
    bootstrap::Bootstrap,
    compare::{Comparison, Contender, compare},
    eval_page::write_comparison,
};

use crate::error::CliError;

/// Compare evaluations of the same faces: figures side by side, intervals of the differences
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  star compare runs/star-1 runs/smoothl1-1
  star compare a.json b.json c.json --out comparison

Faces are matched by name and position; evaluations of other faces are refused. For each pair a paired bootstrap over faces gives the
interval of the difference in NME: how it would move with other faces of the same kind. It does not know how it would move with another
training run; train with several seeds for that.")]
pub struct Args {
    /// Run folders (their report/test.json), files of `star eval --json`, folders of `star eval --report`
    #[arg(value_name = "RUN", required = true, num_args = 2..)]
    evaluations: Vec<PathBuf>,
    /// Write a page, its plots and its tables into this folder
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Resamples of the bootstrap
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(100..=1_000_000))]
    resamples: u32,
    /// Seed of the bootstrap
    #[arg(long, default_value_t = 0)]
    seed: u64,
}

pub fn run(args: Args) -> Result<ExitCode, CliError> {
    let contenders = args
        .evaluations
        .iter()
        .map(|path| Contender::read(path))
        .collect::<Result<Vec<_>, _>>()?;
    let bootstrap = Bootstrap {
        resamples: args.resamples as usize,
        seed: args.seed,
        ..Bootstrap::default()
    };
    let comparison = compare(&contenders, bootstrap)?;
    print(&comparison);
    if let Some(dir) = args.out {
        write_comparison(&dir, &comparison)?;
        println!("\npage: {}", dir.join("index.html").display());
    }
    Ok(ExitCode::SUCCESS)
}

fn print(comparison: &Comparison) {
    let threshold = format!("{:.4}", comparison.threshold);
    println!(
        "{} faces, NME in % {}, FR and AUC at {threshold} (plain rule)",
        comparison.images.len(),
        comparison.norm
    );
    if !comparison.left_out.is_empty() {
        println!(
            "left out, because their normaliser is zero or not labelled: {}",
            comparison.left_out.join(", ")
        );
    }
    if !comparison.non_finite.is_empty() {
        println!(
            "without finite landmarks in one of them, counted as failures there, not in NME and A - B: {}",
            comparison.non_finite.join(", ")
        );
    }
    let standings = &comparison.standings;
    let rows = standings.iter().map(|s| {
        vec![
            s.label.clone(),
            format!("{:.2}", s.nme * 100.0),
            format!("{:.2}", s.figures.fr * 100.0),
            format!("{:.4}", s.figures.auc),
            s.title.clone(),
        ]
    });
    print_table(&["", "NME", "FR", "AUC", "what"], rows);

    let bootstrap = &comparison.bootstrap;
    println!(
        "\nA - B: difference in NME, percentage points; {} % bootstrap interval, {} resamples of the faces (seed {})",
        bootstrap.level * 100.0,
        bootstrap.resamples,
        bootstrap.seed
    );
    let significant = format!("significant at {} %", bootstrap.level * 100.0);
    let rows = comparison.pairs.iter().map(|p| {
        let label = |i: usize| standings[i].label.clone();
        vec![
            label(p.a),
            label(p.b),
            format!("{:+.2}", p.difference * 100.0),
            format!(
                "{:+.2} to {:+.2}",
                p.interval.low * 100.0,
                p.interval.high * 100.0
            ),
            format!("{:.1} %", p.a_better * 100.0),
            format!("{:.1} %", p.b_better * 100.0),
            p.winner()
                .map_or_else(|| "no".into(), |w| format!("{} better", label(w))),
        ]
    });
    print_table(
        &[
            "A",
            "B",
            "A - B",
            "interval",
            "A better on",
            "B better on",
            &significant,
        ],
        rows,
    );
}

/// Columns as wide as their widest field.
fn print_table(head: &[&str], rows: impl Iterator<Item = Vec<String>>) {
    let mut all = vec![head.iter().map(|h| (*h).to_owned()).collect::<Vec<_>>()];
    all.extend(rows);
    let width = |column: usize| {
        let fields = all.iter().filter_map(|row| row.get(column));
        fields.map(|f| f.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..head.len()).map(width).collect();
    for row in &all {
        let line: Vec<String> = row
            .iter()
            .zip(&widths)
            .map(|(field, width)| format!("{field:<width$}"))
            .collect();
        println!("  {}", line.join("  ").trim_end());
    }
}
