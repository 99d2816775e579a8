//! `cargo xtask ...`: builds what a command needs and runs it. No dependencies, so that it is there in a second.

mod ci;
mod star;
mod test;

use std::process::ExitCode;

const HELP: &str = "\
cargo xtask COMMAND [OPTIONS]

  train      train a network (with nothing given: synthetic faces, a few minutes on a laptop)
  eval       evaluate weights on annotated faces
  predict    landmarks of faces in pictures
  calibrate  whether the ellipses around predicted points say the truth
  analyze    how heatmaps are stretched, point by point, and what that has to do with the errors
  prepare    a data set as it is handed out -> lists that train and evaluate
  model      look at a network, bring in published weights, take weights elsewhere
  test       every test; `test golden` only those against the published program's vectors
  ci         what CI runs: formatting, clippy, the GPU feature sets, tests

All but test and ci take the options of the `star` program, which is built first, in release and with the backend that
--backend names (flex, ndarray, wgpu, cuda). `cargo xtask train --help` says more.";

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    let command = args.next().unwrap_or_default();
    let rest: Vec<String> = args.collect();
    let result = match command.as_str() {
        "train" | "eval" | "predict" | "calibrate" | "analyze" | "prepare" | "model" => {
            star::run(&command, &rest)
        }
        "test" => test::run(&rest),
        "ci" => ci::run(&rest),
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
