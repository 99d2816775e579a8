//! What a timing was taken on.

use std::fs;

use serde::Serialize;

/// As far as the system tells; empty where it does not.
#[derive(Debug, Serialize)]
pub struct Machine {
    pub os: &'static str,
    pub arch: &'static str,
    pub cpu: String,
    pub cores: usize,
    /// Runnable processes over the last minute when the timing ended: how busy the machine was.
    pub load: String,
}

impl Machine {
    pub fn read() -> Self {
        let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let cpu = cpu
            .lines()
            .find_map(|line| line.strip_prefix("model name"))
            .map_or("", |rest| rest.trim_start_matches([' ', '\t', ':']));
        let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
        Self {
            os: std::env::consts::OS,
            arch: std::env::consts::ARCH,
            cpu: cpu.into(),
            cores: std::thread::available_parallelism().map_or(0, usize::from),
            load: load.split(' ').next().unwrap_or_default().into(),
        }
    }
}

/// The most memory that this process has held, in MiB; 0 where the system does not tell.
pub fn peak_mib() -> f64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .and_then(|rest| rest.trim().split(' ').next()?.parse::<f64>().ok())
        .map_or(0.0, |kib| kib / 1024.0)
}
