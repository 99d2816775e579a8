//! `cargo xtask ...`: builds what a command needs and runs it. No dependencies, so that it is there in a second.

#![forbid(unsafe_code)]

mod book;
mod ci;
mod dist;
#[cfg(test)]
mod documents;
mod star;
mod test;
mod wheel;

use std::process::ExitCode;

const HELP: &str = "\
cargo xtask COMMAND [OPTIONS]

  train      train a network (with nothing given: synthetic faces, a few minutes on a laptop)
  eval       evaluate weights on annotated faces: figures, and a page to look at
  compare    several runs or evaluations side by side
  predict    landmarks of faces in photos
  serve      a page in the browser, on this machine only: drop a photo or use the camera
  calibrate  how often annotated points lie inside the ellipses around predicted ones
  analyze    anisotropy of the heatmaps, point by point, and of the errors
  prepare    a dataset as it is handed out -> annotation files that train and evaluate
  data       check an annotation file, look at what the network will see of it, time the loader
  model      look at a network, bring in published weights, take weights elsewhere
  bench      what inference, a training step and the loss cost here, by itself or beside PyTorch
  test       every test; `test golden` only those against the published program's vectors; `test --backend wgpu` that backend beside flex
  completions, man    completions for a shell, manual pages
  dist       an archive to hand out: the program, licences, completions, manual pages; and its checksum
  wheel      the Python package as a wheel, in target/wheels; needs maturin. `wheel --test` tests it too
  book       docs/ as a book with a search, in target/book; needs mdbook
  ci         what CI runs: formatting, licences, clippy, the GPU feature sets, tests, the Python package

All but test, dist, wheel, book and ci are commands of the `star` program, which is built first, in release and with the backend that
--backend names (flex, ndarray, wgpu, cuda). `cargo xtask train --help` says more.";

/// What is handed on to `star`.
const STAR_COMMANDS: [&str; 13] = [
    "train",
    "eval",
    "compare",
    "predict",
    "serve",
    "calibrate",
    "analyze",
    "prepare",
    "data",
    "model",
    "bench",
    "completions",
    "man",
];

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    let command = args.next().unwrap_or_default();
    let rest: Vec<String> = args.collect();
    let result = match command.as_str() {
        name if STAR_COMMANDS.contains(&name) => star::run(name, &rest),
        "test" => test::run(&rest),
        "ci" => ci::run(&rest),
        "dist" => dist::run(&rest),
        "wheel" => wheel::run(&rest),
        "book" => book::run(&rest),
        "" | "help" | "--help" | "-h" => {
            println!("{HELP}");
            Ok(ExitCode::SUCCESS)
        }
        other => Err(format!("no command `{other}`\n\n{HELP}")),
    };
    result.unwrap_or_else(|message| {
        eprintln!("error: {message}");
        ExitCode::FAILURE
    })
}
