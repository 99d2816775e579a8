//! `star data bench`

use std::{
    hint::black_box,
    process::ExitCode,
    sync::Arc,
    time::{Duration, Instant},
};

use serde::Serialize;
use star_data::{
    AugmentConfig, Draws, Face, FacePlan, FaceSource, Loader, LoaderConfig, SampleMaker, Subset,
    network_input,
    rng::{permutation, sample_rng},
    targets::{edge_maps, point_profiles},
    warp::warp,
};

use super::{AnnotationArgs, input_size};
use crate::error::CliError;

/// Short lists are gone through several times an epoch, so that the start of an epoch does not count.
const EPOCH: usize = 50_000;
/// Faces that the parts are measured on, spread over the annotation file.
const PRELOADED: usize = 32;
/// Fraction of the time that the loader is measured; the parts have the rest.
const LOADER_FRACTION: f64 = 0.6;

/// Measure how many faces a second are decoded, varied and given their target maps
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  star data bench datasets/300w/train.tsv --images datasets/300w --layout ibug68 --workers 2

The loader is measured as training uses it: published augmentation, target maps, whole batches, up to the upload to a device.
Its parts are measured on one core, on faces that are decoded beforehand. benches/loader compares it with a Python loader.")]
pub struct Args {
    #[command(flatten)]
    faces: AnnotationArgs,
    /// Threads that make samples
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..=256))]
    workers: u16,
    /// How long to measure, in all
    #[arg(long, default_value_t = 10.0, value_parser = seconds)]
    seconds: f64,
    /// Side of the network's input in pixels
    #[arg(long, value_name = "PIXELS", default_value_t = 256, value_parser = input_size)]
    input_size: u32,
    /// Print the figures as JSON
    #[arg(long)]
    json: bool,
}

fn seconds(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(s) if (0.1..=3600.0).contains(&s) => Ok(s),
        _ => Err("give seconds from 0.1 to 3600".into()),
    }
}

/// What is printed.
#[derive(Serialize)]
struct Figures {
    list: String,
    layout: String,
    faces: usize,
    input_size: u32,
    loader: LoaderFigures,
    /// On one core, microseconds a face.
    parts: Vec<Part>,
    /// The most memory the process ever held, in MB (2^20 bytes); only Linux says.
    peak_memory_mb: Option<f64>,
}

#[derive(Serialize)]
struct LoaderFigures {
    workers: usize,
    batch_size: usize,
    /// Faces in the batches that were timed, and how long they took.
    faces: usize,
    seconds: f64,
    /// Processor time of all threads in these seconds; only Linux says.
    cpu_seconds: Option<f64>,
    faces_per_second: f64,
}

#[derive(Serialize)]
struct Part {
    name: &'static str,
    microseconds: f64,
}

pub fn run(args: Args) -> Result<ExitCode, CliError> {
    let (faces, layout) = args.faces.open()?;
    let faces: Arc<dyn FaceSource> = Arc::new(faces);
    let augment = AugmentConfig::default();
    let maker = SampleMaker::new(layout.clone(), args.input_size, augment, true)?;
    let loader = time_loader(&args, &faces, &maker)?;
    let part_time = args.seconds * (1.0 - LOADER_FRACTION);
    let parts = time_parts(faces.as_ref(), &maker, Duration::from_secs_f64(part_time))?;
    let figures = Figures {
        list: args.faces.list.display().to_string(),
        layout: layout.name,
        faces: faces.len(),
        input_size: args.input_size,
        loader,
        parts,
        peak_memory_mb: peak_memory(),
    };
    if args.json {
        let json = serde_json::to_string_pretty(&figures)
            .map_err(|e| CliError::Usage(format!("the figures have no JSON form: {e}")))?;
        println!("{json}");
    } else {
        print!("{}", describe(&figures));
    }
    Ok(ExitCode::SUCCESS)
}

fn describe(figures: &Figures) -> String {
    let loader = &figures.loader;
    let mut text = format!(
        "{}: {} faces, {}, crops of {} pixels\n\n\
         {:.1} faces a second with {} worker{} ({} faces in {:.1} s, {} a batch)\n\n\
         on one core, microseconds a face:\n",
        figures.list,
        figures.faces,
        figures.layout,
        figures.input_size,
        loader.faces_per_second,
        loader.workers,
        if loader.workers == 1 { "" } else { "s" },
        loader.faces,
        loader.seconds,
        loader.batch_size,
    );
    for part in &figures.parts {
        text += &format!("  {:<28}{:>10.0}\n", part.name, part.microseconds);
    }
    if let Some(peak) = figures.peak_memory_mb {
        text += &format!("\npeak memory {peak:.0} MB\n");
    }
    text
}

/// From the first batch, which waits for the threads to start, to the last one in time.
fn time_loader(
    args: &Args,
    faces: &Arc<dyn FaceSource>,
    maker: &SampleMaker,
) -> Result<LoaderFigures, CliError> {
    let len = faces.len();
    let rounds = EPOCH.div_ceil(len.max(1));
    let many = Subset::new(faces.clone(), (0..rounds * len).map(|i| i % len).collect())?;
    // As training does it, but a batch a second even on a slow machine.
    let batch_size = if args.seconds < 5.0 { 16 } else { 128 };
    let config = LoaderConfig {
        batch_size,
        workers: args.workers.into(),
        ..LoaderConfig::default()
    };
    let loader = Loader::new(Arc::new(many), maker.clone(), config)?;
    let limit = Duration::from_secs_f64(args.seconds * LOADER_FRACTION);
    let (mut start, mut count, mut took, mut cpu) = (None, 0, Duration::ZERO, None);
    let begun = Instant::now();
    'epochs: for epoch in 0.. {
        for batch in loader.epoch(epoch) {
            let batch = black_box(batch?);
            match start {
                None => start = Some((Instant::now(), cpu_seconds())),
                Some((start, cpu_start)) => {
                    count += batch.len();
                    took = start.elapsed();
                    cpu = cpu_seconds().zip(cpu_start).map(|(now, then)| now - then);
                }
            }
            if count > 0 && begun.elapsed() >= limit {
                break 'epochs;
            }
        }
    }
    Ok(LoaderFigures {
        workers: args.workers.into(),
        batch_size,
        faces: count,
        seconds: took.as_secs_f64(),
        cpu_seconds: cpu,
        faces_per_second: count as f64 / took.as_secs_f64(),
    })
}

/// What a face costs on one core, part by part, in about `time`.
fn time_parts(
    faces: &dyn FaceSource,
    maker: &SampleMaker,
    time: Duration,
) -> Result<Vec<Part>, CliError> {
    let order = permutation(faces.len(), &mut sample_rng(0, 0, 0));
    let chosen: Vec<usize> = order.into_iter().take(PRELOADED).collect();
    let loaded: Vec<Face> = (chosen.iter())
        .map(|&i| faces.face(i))
        .collect::<Result<_, _>>()?;
    let (layout, size) = (maker.layout(), maker.size());
    let augment = AugmentConfig::default();
    let draws: Vec<Draws> = (0..loaded.len() as u64)
        .map(|i| Draws::draw(&augment, size, &mut sample_rng(0, 0, i)))
        .collect();
    let plans: Vec<FacePlan> = (loaded.iter().zip(&draws))
        .map(|(face, draws)| FacePlan::of(face, layout, size, draws))
        .collect();
    let crops = (loaded.iter().zip(&plans))
        .map(|(face, plan)| warp(&face.image, &plan.image, size, size))
        .collect::<Result<Vec<_>, _>>()?;
    let points: Vec<_> = (loaded.iter().zip(&plans))
        .map(|(face, plan)| plan.apply(&face.landmarks, layout))
        .collect();

    let mut parts = Vec::new();
    let mut measure = |name, work: &mut dyn FnMut(usize)| {
        parts.push(Part {
            name,
            microseconds: time_each(loaded.len(), time / 8, work),
        });
    };
    measure("read and decode", &mut |i| {
        black_box(faces.face(chosen[i]).is_ok());
    });
    measure("everything else", &mut |i| {
        black_box(maker.sample(&loaded[i], i, 0, 0).is_ok());
    });
    measure("  random numbers", &mut |i| {
        black_box(Draws::draw(&augment, size, &mut sample_rng(0, 0, i as u64)));
    });
    measure("  warp", &mut |i| {
        black_box(warp(&loaded[i].image, &plans[i].image, size, size).is_ok());
    });
    measure("  photometric", &mut |i| {
        let mut crop = crops[i].clone();
        draws[i].photometric.apply(&mut crop);
        black_box(crop);
    });
    measure("  network input", &mut |i| {
        black_box(network_input(&crops[i]));
    });
    measure("  point maps (profiles)", &mut |i| {
        black_box(point_profiles(&points[i], size as usize));
    });
    measure("  edge maps", &mut |i| {
        black_box(edge_maps(&points[i], &layout.edges, size as usize));
    });
    Ok(parts)
}

/// Microseconds of one call: the least of the averages over all faces, because other work on the machine only ever adds.
fn time_each(faces: usize, limit: Duration, work: &mut dyn FnMut(usize)) -> f64 {
    let begun = Instant::now();
    let mut best = f64::INFINITY;
    loop {
        let start = Instant::now();
        (0..faces).for_each(&mut *work);
        best = best.min(start.elapsed().as_secs_f64() / faces as f64);
        if begun.elapsed() >= limit {
            return best * 1e6;
        }
    }
}

/// The most memory that this process ever held, in MB, where `/proc` tells.
fn peak_memory() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:"))?;
    let kilobytes: f64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes / 1024.0)
}

/// Processor time that this process has used, where `/proc` tells.
fn cpu_seconds() -> Option<f64> {
    /// Linux counts in hundredths of a second, whatever the kernel's own clock.
    const TICKS: f64 = 100.0;
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    // The second field, the program's name in brackets, may hold spaces; user and system time are fields 14 and 15.
    let (_, fields) = stat.rsplit_once(')')?;
    let mut times = fields.split_whitespace().skip(11);
    let (user, system): (f64, f64) = (times.next()?.parse().ok()?, times.next()?.parse().ok()?);
    Some((user + system) / TICKS)
}
