//! `star data check`

use std::{
    io::IsTerminal,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::atomic::{AtomicUsize, Ordering},
};

use indicatif::ProgressBar;
use serde::Serialize;
use star_data::check::{CheckReport, Finding, Kind, Severity, check_annotations};
use star_data::find_layout;

use crate::commands::annotations::images_of;
use crate::error::{CliError, refuse_overwriting, write_json};
use crate::writable::check_file;

/// Findings of a kind that are printed; --json has all.
const SHOWN: usize = 5;

/// Find what is wrong with annotation files before it costs a training run
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  star data check datasets/300w/train.tsv datasets/300w/lfpw_test.tsv --images datasets/300w --layout ibug68
  star data check mine.tsv --images photos --layout mine.toml --json findings.json

Give the annotation files of training and test together: then faces that are in both are found. Every line and every image is read.
The exit code is 1 when there are errors; warnings alone, such as unusual shapes, leave it at 0.")]
pub struct Args {
    /// Annotation files, in the published TSV form
    #[arg(value_name = "TSV", required = true)]
    files: Vec<PathBuf>,
    /// Folder that the annotation files' image paths start from [default: the first one's folder]
    #[arg(long, value_name = "DIR")]
    images: Option<PathBuf>,
    /// Landmark layout: wflw98, ibug68, cofw29, or the path of a TOML file
    #[arg(long, value_name = "NAME|FILE")]
    layout: String,
    /// Write every finding to this file
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// What the JSON file holds.
#[derive(Serialize)]
struct Document<'a> {
    layout: &'a str,
    errors: usize,
    warnings: usize,
    #[serde(flatten)]
    report: &'a CheckReport,
}

pub fn run(args: Args) -> Result<ExitCode, CliError> {
    let layout = find_layout(&args.layout)?;
    if let Some(twice) = (args.files.iter().enumerate())
        .find_map(|(i, file)| args.files[..i].contains(file).then_some(file))
    {
        return Err(CliError::Usage(format!(
            "{} is given twice; give each annotation file once",
            twice.display()
        )));
    }
    let images = match args.files.first() {
        Some(first) => images_of(first, args.images.as_deref()),
        None => PathBuf::new(),
    };
    if let Some(file) = &args.json {
        let files: Vec<&Path> = args.files.iter().map(PathBuf::as_path).collect();
        refuse_overwriting(file, &files)?;
        check_file(file)?;
    }
    let bar = (std::io::stderr().is_terminal()).then(|| ProgressBar::new(0));
    let furthest = AtomicUsize::new(0);
    let report = check_annotations(&args.files, &images, &layout, |done, all| {
        if let Some(bar) = &bar {
            let before = furthest.fetch_max(done, Ordering::Relaxed);
            bar.set_length(all as u64);
            bar.set_position(done.max(before) as u64);
        }
    })?;
    if let Some(bar) = bar {
        bar.finish_and_clear();
    }
    print!("{}", describe(&report));
    let errors = report.count(Severity::Error);
    if let Some(path) = &args.json {
        let document = Document {
            layout: &layout.name,
            errors,
            warnings: report.count(Severity::Warning),
            report: &report,
        };
        write_json(path, &document)?;
        println!("every finding: {}", path.display());
    }
    Ok(if errors == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// The table of kinds, and the first findings of each kind that has any.
fn describe(report: &CheckReport) -> String {
    let mut text = String::new();
    for listed in &report.files {
        text += &format!("{}: {} faces", listed.file, listed.faces);
        if listed.bad_lines > 0 {
            text += &format!(", {} bad lines", listed.bad_lines);
        }
        text.push('\n');
    }
    text += &format!("images: {}\n\n", report.images);

    for kind in Kind::ALL {
        let count = report.of(kind).count();
        let severity = match kind.severity() {
            _ if count == 0 => "ok",
            Severity::Error => "ERROR",
            Severity::Warning => "warning",
        };
        text += &format!("{severity:<8}{:<36}{count:>7}\n", kind.title());
    }
    for kind in Kind::ALL {
        let findings: Vec<&Finding> = report.of(kind).collect();
        if findings.is_empty() {
            continue;
        }
        text += &format!("\n{}: {}\n", kind.title(), findings.len());
        for f in findings.iter().take(SHOWN) {
            let join = if f.what.ends_with('?') { "" } else { ";" };
            let line = match f.line {
                0 => String::new(),
                line => format!(":{line}"),
            };
            text += &format!("  {}{line}: {}{join} {}\n", f.file, f.what, f.fix);
        }
        if findings.len() > SHOWN {
            text += &format!(
                "  and {} more (--json FILE has all)\n",
                findings.len() - SHOWN
            );
        }
    }
    for note in &report.notes {
        text += &format!("\nnote: {note}\n");
    }
    let plural = |count: usize, what: &str| match count {
        1 => format!("1 {what}"),
        _ => format!("{count} {what}s"),
    };
    text += &format!(
        "\n{}, {}\n",
        plural(report.count(Severity::Error), "error"),
        plural(report.count(Severity::Warning), "warning")
    );
    text
}
