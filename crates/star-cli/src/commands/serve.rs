//! `star serve`

mod about;
mod asked;
mod connections;
mod deadline;
mod guard;
mod look;
mod network;
mod page;
mod problem;
mod routes;
mod upload;

use std::{
    io::Write,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use burn::tensor::backend::{AutodiffBackend, Backend};
use star_data::CropRule;
use star_infer::detect::SeetaFace;
use tokio::{runtime, sync::Notify};

use self::{about::About, look::Looker, network::Asker, routes::App, upload::Bounds};
use super::predict::{document::Shared, positive};
use crate::{
    backend::{BackendArgs, Job, run_on},
    error::CliError,
    finder::finds_faces,
    shipped::read_weights_or_shipped,
};

/// Faces of an image where --max-faces does not say.
const MOST_FACES: u16 = 32;

/// Try a network in the browser: a page on this machine
///
/// Drop a photo, or use the camera: points, edges and ellipses are drawn over it, and can be downloaded. The page is there for this
/// machine only, asks nothing of any other, and keeps no image.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  star serve                                            the network that comes with the program
  star serve --weights runs/RUN/weights/best.safetensors --passes 2
  star serve --port 0                                   at any port that is free
  ssh -L 7827:127.0.0.1:7827 HOST                       on another machine: then open http://127.0.0.1:7827/ here

Ctrl-C ends it. docs/serve.md says what the page does and what the server allows.")]
pub struct Args {
    #[command(flatten)]
    backend: BackendArgs,
    /// Weights (.safetensors) [default: ibug68-small, the network inside the program]
    #[arg(long, value_name = "FILE")]
    weights: Option<PathBuf>,
    /// Port of 127.0.0.1; 0 takes any that is free
    #[arg(long, value_name = "N", default_value_t = 7827)]
    port: u16,
    /// Open the page in the browser
    #[arg(long)]
    open: bool,

    /// Most faces of an image that the detector finds; the most prominent are kept [default: 32]
    #[arg(help_heading = "Faces", long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    max_faces: Option<u16>,
    /// Passes of the network that the page begins with: each after the first sees the face cropped around the points of the pass before
    #[arg(help_heading = "Faces", long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=5))]
    passes: u8,
    /// Width of the network's view over the longer side of the landmarks' box
    #[arg(help_heading = "Faces", long, value_name = "FACTOR", value_parser = positive)]
    margin: Option<f64>,
    /// The landmarks are of faces, although the layout is not a built-in one: use the face detector
    #[arg(help_heading = "Faces", long)]
    find_faces: bool,
    /// Ellipses are drawn at this many standard deviations at first
    #[arg(help_heading = "Faces", long, value_name = "N", default_value_t = 1.0, value_parser = positive)]
    sigma: f64,
    /// Covariances as the heatmaps have them, without the weights file's calibration
    #[arg(help_heading = "Faces", long)]
    raw_covariance: bool,

    /// Largest upload, in MiB
    #[arg(help_heading = "Limits", long, value_name = "MIB", default_value_t = 25, value_parser = clap::value_parser!(u16).range(1..=256))]
    max_upload: u16,
    /// Longest time that an upload may take, in seconds; also a request's head, and reading an answer
    #[arg(help_heading = "Limits", long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u16).range(1..))]
    upload_time: u16,
    /// Longest time from an upload to its answer, in seconds: decoding, detector, waiting for the network and the network
    #[arg(help_heading = "Limits", long, value_name = "SECONDS", default_value_t = 60.0, value_parser = some_time)]
    answer_time: f64,
}

fn some_time(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(seconds) if seconds > 0.0 && seconds <= 3600.0 => Ok(seconds),
        _ => Err("give a number of seconds above 0 and up to 3600".into()),
    }
}

pub fn run(args: Args) -> Result<ExitCode, CliError> {
    run_on(args.backend.backend, ServeJob(args))
}

struct ServeJob(Args);

impl Job for ServeJob {
    type Output = ExitCode;

    fn run<B: AutodiffBackend>(self, device: &B::Device) -> Result<ExitCode, CliError> {
        serve::<B::InnerBackend>(&self.0, device)
    }
}

fn serve<B: Backend>(args: &Args, device: &B::Device) -> Result<ExitCode, CliError> {
    // Before the weights, so that a port that is taken is told at once.
    let (listener, address) = listen(args.port)?;
    let (mut trained, weights) = read_weights_or_shipped::<B>(args.weights.as_ref(), device)?;
    if args.raw_covariance {
        trained.covariance_scales = None;
    }
    let rule = CropRule {
        margin: args.margin.unwrap_or(trained.crop.margin),
        ..trained.crop
    };
    let shared = Shared::new(&trained, &weights);
    let bounds = Bounds {
        bytes: usize::from(args.max_upload) << 20,
        time: Duration::from_secs(args.upload_time.into()),
        answer: Duration::from_secs_f64(args.answer_time),
    };
    let faces = finds_faces(&trained.layout, args.find_faces);
    if args.max_faces.is_some() && !faces {
        return Err(CliError::Usage(format!(
            "--max-faces limits what the face detector finds, and the landmarks of the layout `{}` are not taken to be of faces. Leave it \
             out; if they are of faces after all, add --find-faces.",
            trained.layout.name
        )));
    }
    let about = About {
        layout: &trained.layout,
        shared: &shared,
        shipped: args.weights.is_none(),
        finds_faces: faces,
        passes: args.passes,
        sigma: args.sigma,
        bounds,
    };
    let (asker, questions) = Asker::new();
    let app = App {
        about: about.to_json()?,
        looker: Looker {
            detector: faces.then(SeetaFace::new).transpose()?,
            layout: shared.layout.clone(),
            rule,
            most_faces: args.max_faces.unwrap_or(MOST_FACES).into(),
        },
        bounds,
        passes: args.passes.into(),
        asker,
        rooms: look::Rooms::default(),
    };
    let stop = stop_on_ctrl_c()?;
    tell(args, &weights, &address);

    let answering = network::Answering {
        trained: &trained,
        rule,
        shared: &shared,
        device,
    };
    std::thread::scope(|scope| {
        let http = scope.spawn(move || answer_http(listener, app, bounds.time, &stop));
        // Ends when the other thread has dropped all that could ask.
        answering.answer(questions);
        http.join().unwrap_or_else(|_| {
            Err(CliError::Usage(
                "an internal error (a panic) ended the server".into(),
            ))
        })
    })?;
    say("stopped");
    Ok(ExitCode::SUCCESS)
}

/// Loopback and nothing else: what listens elsewhere can be asked by others.
fn listen(port: u16) -> Result<(TcpListener, SocketAddr), CliError> {
    let bound = TcpListener::bind((Ipv4Addr::LOCALHOST, port))
        .and_then(|listener| listener.set_nonblocking(true).map(|()| listener))
        .and_then(|listener| listener.local_addr().map(|address| (listener, address)));
    bound.map_err(|e| {
        let why = match e.kind() {
            std::io::ErrorKind::AddrInUse => "another program has it (another `serve` perhaps)".into(),
            std::io::ErrorKind::PermissionDenied => "ports below 1024 are for the system".into(),
            _ => e.to_string(),
        };
        CliError::Usage(format!(
            "port {port} of 127.0.0.1 cannot be used: {why}. Choose another with --port N, or any free one with --port 0."
        ))
    })
}

fn tell(args: &Args, weights: &Path, address: &SocketAddr) {
    let whose = if args.weights.is_none() {
        " (the network that comes with the program; --weights FILE for another)"
    } else {
        ""
    };
    say(&format!("weights: {}{whose}", weights.display()));
    let url = format!("http://{address}/");
    say(&format!(
        "open {url} in a browser on this machine; Ctrl-C ends it"
    ));
    if args.open
        && let Err(e) = open_browser(&url)
    {
        eprintln!("warning: no browser could be started ({e}); open {url} yourself");
    }
}

/// Prints a line. That nobody reads it is no reason to stop.
fn say(text: &str) {
    let _ = writeln!(std::io::stdout(), "{text}");
}

fn open_browser(url: &str) -> std::io::Result<()> {
    let (program, before): (&str, &[&str]) = if cfg!(target_os = "macos") {
        ("open", &[])
    } else if cfg!(windows) {
        ("cmd", &["/C", "start", ""])
    } else {
        ("xdg-open", &[])
    };
    std::process::Command::new(program)
        .args(before)
        .arg(url)
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .map(drop)
}

/// Told when a person wants it to end.
fn stop_on_ctrl_c() -> Result<Arc<Notify>, CliError> {
    let stop = Arc::new(Notify::new());
    let told = stop.clone();
    let asked = AtomicBool::new(false);
    let handler = move || {
        if asked.swap(true, Ordering::Relaxed) {
            // Asked twice: the person does not want to wait for the image that is looked at.
            std::process::exit(130);
        }
        told.notify_one();
    };
    ctrlc::set_handler(handler)
        .map_err(|e| CliError::Usage(format!("cannot listen for Ctrl-C: {e}")))?;
    Ok(stop)
}

/// Answers until it is stopped.
fn answer_http(
    listener: TcpListener,
    app: App,
    time: Duration,
    stop: &Notify,
) -> Result<(), CliError> {
    let fail = |e| CliError::Usage(format!("the server cannot start: {e}"));
    let runtime = runtime::Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .max_blocking_threads(look::MOST_AT_ONCE)
        .build()
        .map_err(fail)?;
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::from_std(listener).map_err(fail)?;
        tokio::spawn(connections::accept(listener, routes::router(app), time));
        stop.notified().await;
        Ok::<(), CliError>(())
    })?;
    // Without waiting for what is being decoded.
    runtime.shutdown_background();
    Ok(())
}
