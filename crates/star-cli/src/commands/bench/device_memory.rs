//! The most memory of the GPU that a turn held, as nvidia-smi sees it: the same measure for ours and for a peer, CUDA's own share included.

use std::{
    io::{BufRead, BufReader, Read},
    process::{Child, Command, Stdio},
    thread::JoinHandle,
};

/// Watches from its start to [`Watch::peak_mib`].
pub struct Watch {
    smi: Child,
    /// What was in use when it began.
    before: f64,
    reader: JoinHandle<f64>,
}

impl Watch {
    /// `None` where nvidia-smi does not run.
    pub fn start() -> Option<Self> {
        let mut smi = Command::new("nvidia-smi");
        smi.args(["--query-gpu=memory.used", "--format=csv,noheader,nounits"]);
        smi.args(["--id", &first_visible(), "--loop-ms", "50"]);
        Self::of(smi)
    }

    /// `smi` prints a number of MiB a line, again and again.
    fn of(mut smi: Command) -> Option<Self> {
        smi.stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut smi = smi.spawn().ok()?;
        let mut lines = BufReader::new(smi.stdout.take()?);
        let Some(before) = number(&mut lines) else {
            end(&mut smi);
            return None;
        };
        let reader = std::thread::spawn(move || {
            let mut most = before;
            while let Some(now) = number(&mut lines) {
                most = most.max(now);
            }
            most
        });
        Some(Self {
            smi,
            before,
            reader,
        })
    }

    /// What came on top of what was in use before.
    pub fn peak_mib(mut self) -> Option<f64> {
        end(&mut self.smi);
        let most = self.reader.join().ok()?;
        Some(most - self.before)
    }
}

fn number(lines: &mut BufReader<impl Read>) -> Option<f64> {
    let mut line = String::new();
    lines.read_line(&mut line).ok()?;
    line.trim().parse().ok()
}

fn end(smi: &mut Child) {
    // It may have ended by itself.
    let _ = smi.kill();
    let _ = smi.wait();
}

/// The GPU that CUDA calls the first.
fn first_visible() -> String {
    let visible = std::env::var("CUDA_VISIBLE_DEVICES").unwrap_or_default();
    let first = visible.split(',').next().unwrap_or_default().trim();
    if first.is_empty() {
        "0".into()
    } else {
        first.into()
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn the_peak_is_counted_from_the_beginning() {
        let watch = Watch::of(shell("echo 500; echo 2300; echo 900; exec sleep 60"));
        let watch = watch.expect("it prints");
        // The reader has what was printed once it is in the pipe.
        std::thread::sleep(std::time::Duration::from_millis(300));
        assert_eq!(watch.peak_mib(), Some(1800.0));
        assert!(Watch::of(shell("echo no GPU; exit 9")).is_none());
        assert!(Watch::of(Command::new("/there/is/no/nvidia-smi")).is_none());
    }
}
