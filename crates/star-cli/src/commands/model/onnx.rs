//! `star model export --format onnx`

use std::{collections::BTreeMap, process::ExitCode};

use burn::tensor::backend::Backend;
use serde_json::{Value, json};
use star_data::{CropRule, Layout};
use star_infer::{TrainedNet, read_weights};
use star_model::{StarNetConfig, import_pkl};
use star_onnx::{DEFAULT_OPSET, Options, export};

use super::{ExportArgs, Which, calibration_in, is_published, layout_for, say_wrapping};
use crate::error::{CliError, write_file};

pub fn run<B: Backend>(args: &ExportArgs, device: &B::Device) -> Result<ExitCode, CliError> {
    let trained = trained::<B>(args, device)?;
    let options = Options {
        opset: args.opset.unwrap_or(DEFAULT_OPSET),
        half: args.half,
    };
    let file = export(&trained.net, &options, &metadata(&trained, options.half))?;
    write_file(&args.out, &file)?;
    println!(
        "{}: opset {}, {}, {:.1} MB: image [batch, 3, {size}, {size}] in; landmarks, heatmaps and covariance of {} points out",
        args.out.display(),
        options.opset,
        precision(options.half),
        file.len() as f64 / 1e6,
        trained.config.points,
        size = trained.config.input_size,
    );
    if trained.covariance_scales.is_some() {
        println!("{}", calibration_in(true));
    }
    Ok(ExitCode::SUCCESS)
}

/// The network with its layout and crop; those of published weights are the ones that an import would take.
fn trained<B: Backend>(args: &ExportArgs, device: &B::Device) -> Result<TrainedNet<B>, CliError> {
    let weights = &args.weights;
    if !is_published(weights) {
        return Ok(read_weights::<B>(weights, device)?);
    }
    let (part, name) = args.which.unwrap_or(Which::Net).part();
    let loaded = import_pkl::<B>(weights, part, device)?;
    let layout = layout_for(&loaded.config, None).map_err(|error| {
        CliError::Usage(format!(
            "{error}. Import the checkpoint with its layout first (`star model import {0} --layout FILE.toml`), and export what comes of it.",
            weights.display()
        ))
    })?;
    say_wrapping(weights, &loaded.wrapping);
    let file = weights.file_name().unwrap_or_default().to_string_lossy();
    Ok(TrainedNet {
        net: loaded.net,
        config: loaded.config,
        layout,
        crop: CropRule::PUBLISHED,
        provenance: format!("{name} of {file}"),
        covariance_scales: None,
    })
}

/// What a program needs to know that has nothing but the file.
fn metadata<B: Backend>(trained: &TrainedNet<B>, half: bool) -> BTreeMap<String, String> {
    let TrainedNet {
        config,
        layout,
        crop,
        provenance,
        covariance_scales,
        ..
    } = trained;
    let calibration = covariance_scales.as_ref().map(|scales| json!(scales));
    let entries = [
        ("version", json!(env!("CARGO_PKG_VERSION"))),
        ("provenance", json!(provenance)),
        ("network", network(config)),
        ("precision", json!(precision(half))),
        ("input_size", json!(config.input_size)),
        ("colour_order", json!("BGR")),
        ("normalisation", json!("(value - 127.5) / 127.5")),
        ("crop", json!(crop)),
        ("layout", json!(layout.name)),
        ("points", json!(layout.points)),
        ("edges", json!(layout.edges)),
        ("mirror_pairs", json!(mirror_pairs(layout))),
        ("layout_file", json!(layout.to_toml())),
    ];
    let text = |value: Value| match value {
        Value::String(text) => text,
        other => other.to_string(),
    };
    let entries = entries.into_iter();
    entries
        .chain(calibration.map(|scales| ("covariance", scales)))
        .map(|(key, value)| (format!("star.{key}"), text(value)))
        .collect()
}

fn network(config: &StarNetConfig) -> Value {
    json!({
        "stacks": config.stacks,
        "channels": config.channels,
        "stem": config.stem,
        "coord": config.coord,
        "aam": config.aam,
    })
}

/// Points that change places in a mirrored image; those that keep theirs are in none.
fn mirror_pairs(layout: &Layout) -> Vec<[usize; 2]> {
    let pairs = layout.mirror.iter().enumerate();
    let pairs = pairs.filter(|(point, other)| point < *other);
    pairs.map(|(point, &other)| [point, other]).collect()
}

fn precision(half: bool) -> &'static str {
    if half { "f16" } else { "f32" }
}
