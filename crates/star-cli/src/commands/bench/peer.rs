//! The programs that ours is timed against: Python scripts of this repository, one process a turn.

use std::{path::Path, process::Command};

use clap::ValueEnum;
use serde::Serialize;
use star_train::Recipe;

use super::{CaseName, Turn, Watch};
use crate::error::CliError;

/// Which program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Peer {
    /// The same network, losses and step in plain PyTorch, eager
    Pytorch,
    /// The same through torch.compile
    PytorchCompiled,
    /// The same network in ONNX Runtime; inference only
    Onnxruntime,
}

/// Where a peer computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum PeerDevice {
    Cpu,
    Cuda,
}

const SCRIPT: &str = "benches/peers/bench.py";

impl Peer {
    pub fn name(self) -> &'static str {
        match self {
            Self::Pytorch => "pytorch",
            Self::PytorchCompiled => "pytorch-compiled",
            Self::Onnxruntime => "onnxruntime",
        }
    }

    pub fn can(self, case: CaseName) -> bool {
        self != Self::Onnxruntime || case == CaseName::Inference
    }

    /// # Errors
    /// Says what to install when Python, the script or one of its packages is missing.
    pub fn check(self, device: PeerDevice) -> Result<(), CliError> {
        if (self, device) == (Self::Onnxruntime, PeerDevice::Cuda) {
            return Err(CliError::Usage(
                "--against onnxruntime is timed on the CPU alone; leave --peer-device cuda out."
                    .into(),
            ));
        }
        if !Path::new(SCRIPT).is_file() {
            return Err(CliError::Usage(format!(
                "--against {}: the peers are in the project's source tree ({SCRIPT}), and this is not its folder. Run it in a clone, after: \
                 python3 -m pip install -r benches/peers/requirements.txt",
                self.name()
            )));
        }
        let mut command = Command::new("python3");
        command.args([SCRIPT, "--peer", self.name(), "--check"]);
        command.args(device.arguments());
        let output = command.output().map_err(|e| {
            CliError::Usage(format!(
                "--against {}: python3 does not start ({e}). Install Python 3.10 or newer, then: \
                 python3 -m pip install -r benches/peers/requirements.txt",
                self.name()
            ))
        })?;
        if output.status.success() {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&output.stderr);
        Err(CliError::Usage(format!(
            "--against {}: {}. Run this in the project's folder after: python3 -m pip install -r benches/peers/requirements.txt",
            self.name(),
            said.trim().lines().last().unwrap_or("the script failed")
        )))
    }

    pub fn turn(
        self,
        case: CaseName,
        recipe: &Recipe,
        batch: u16,
        threads: u16,
        seconds: f64,
        device: PeerDevice,
    ) -> Result<Turn, CliError> {
        let layout = recipe.layout()?;
        let edges: Vec<&[usize]> = layout.edges.iter().map(|e| e.points.as_slice()).collect();
        let network = serde_json::json!({
            "points": layout.points,
            "edges": edges,
            "stacks": recipe.model.stacks,
            "channels": recipe.model.channels,
            "stem": recipe.model.stem,
            "input_size": recipe.model.input_size,
            "coord": recipe.model.coord,
            "aam": recipe.model.aam,
        });
        let mut command = Command::new("python3");
        command.args([SCRIPT, "--peer", self.name(), "--case", case.name()]);
        command.args([
            "--batch",
            &batch.to_string(),
            "--threads",
            &threads.to_string(),
        ]);
        command.args([
            "--seconds",
            &seconds.to_string(),
            "--network",
            &network.to_string(),
        ]);
        command.args(device.arguments());
        command.args(["--precision", recipe.train.precision.name()]);
        command.env("OMP_NUM_THREADS", threads.to_string());
        read_turn(command, SCRIPT, device == PeerDevice::Cuda)
    }
}

impl PeerDevice {
    fn arguments(self) -> &'static [&'static str] {
        match self {
            Self::Cpu => &["--device", "cpu"],
            Self::Cuda => &["--device", "cuda"],
        }
    }
}

/// Runs a turn and reads the JSON on the last line of what it prints.
pub fn read_turn(mut command: Command, name: &str, on_gpu: bool) -> Result<Turn, CliError> {
    let watch = if on_gpu { Watch::start() } else { None };
    let output = command.output().map_err(|e| CliError::io(name, e))?;
    let gpu_mib = watch.and_then(Watch::peak_mib);
    let printed = String::from_utf8_lossy(&output.stdout);
    let last = printed.trim_end().lines().last().unwrap_or_default();
    match serde_json::from_str::<Turn>(last) {
        Ok(turn) if output.status.success() => Ok(Turn { gpu_mib, ..turn }),
        _ => Err(CliError::Usage(format!(
            "{name} failed:\n{}",
            String::from_utf8_lossy(&output.stderr).trim()
        ))),
    }
}
