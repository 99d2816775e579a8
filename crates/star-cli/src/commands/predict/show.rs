//! What a person sees: a line an image, a bar in a terminal, and all that went wrong together at the end.

use std::{
    io::{IsTerminal, Write},
    path::Path,
    process::ExitCode,
};

use indicatif::{ProgressBar, ProgressStyle};

use super::{
    REDRAW,
    ahead::{Prepared, Ready},
    output::Written,
};
use crate::error::CliError;

pub struct Show {
    bar: Option<ProgressBar>,
    images: usize,
    faces: usize,
    without: usize,
    failures: Vec<String>,
}

impl Show {
    /// `count` images, if it is known how many.
    pub fn new(count: Option<u64>) -> Self {
        // A bar for one image would be gone before it is seen.
        let long = std::io::stderr().is_terminal() && count != Some(1);
        let bar = long.then(|| {
            let (bar, template) = match count {
                Some(count) => (
                    ProgressBar::new(count),
                    "{wide_bar:.cyan/blue} {pos}/{len} images, {per_sec}, {eta} left",
                ),
                None => (
                    ProgressBar::new_spinner(),
                    "{spinner} {pos} images, {per_sec}",
                ),
            };
            bar.enable_steady_tick(REDRAW);
            bar.set_style(
                ProgressStyle::with_template(template)
                    .unwrap_or_else(|_| ProgressStyle::default_bar()),
            );
            bar
        });
        Self {
            bar,
            images: 0,
            faces: 0,
            without: 0,
            failures: Vec::new(),
        }
    }

    /// Prints a line. That nobody reads any more (`| head`) is no reason to stop.
    pub fn line(&self, text: &str) {
        let print = || {
            let _ = writeln!(std::io::stdout(), "{text}");
        };
        match &self.bar {
            Some(bar) => bar.suspend(print),
            None => print(),
        }
    }

    /// The images that can be predicted; the others are reported.
    pub fn keep(&mut self, chunk: Vec<Prepared>) -> Vec<Ready> {
        let mut ready = Vec::with_capacity(chunk.len());
        for image in chunk {
            match image {
                Ok(image) => {
                    if image.truncated {
                        self.warn(&format!(
                            "warning: {}: the file is cut off; what is missing of the image is grey, or coarse",
                            image.path.display()
                        ));
                    }
                    ready.push(image);
                }
                Err(error) => self.fail(error.to_string()),
            }
        }
        ready
    }

    /// Prints a line for who looks at what goes wrong.
    fn warn(&self, text: &str) {
        let print = || eprintln!("{text}");
        match &self.bar {
            Some(bar) => bar.suspend(print),
            None => print(),
        }
    }

    fn fail(&mut self, message: String) {
        if let Some(bar) = &self.bar {
            bar.inc(1);
        }
        self.warn(&format!("error: {message}"));
        self.failures.push(message);
    }

    /// Reports images that are done.
    pub fn done(&mut self, written: Vec<Result<Written, CliError>>) {
        for written in written {
            let Written {
                image,
                scores,
                turned,
                files,
            } = match written {
                Ok(written) => written,
                Err(error) => {
                    self.fail(error.to_string());
                    continue;
                }
            };
            self.images += 1;
            self.faces += scores.len();
            let scored: Vec<String> = scores.iter().map(|s| format!("{s:.2}")).collect();
            let mut found = match &scored[..] {
                [] => {
                    self.without += 1;
                    "no face found".to_owned()
                }
                [one] => format!("1 face, score {one}"),
                more => format!("{} faces, scores {}", more.len(), more.join(" ")),
            };
            if turned != 0 {
                found += &format!(", turned by {turned} degrees");
            }
            let files: Vec<String> = files.iter().map(|f| f.display().to_string()).collect();
            let to = if files.is_empty() { "" } else { " -> " };
            self.line(&format!("{image}: {found}{to}{}", files.join(", ")));
            if let Some(bar) = &self.bar {
                bar.inc(1);
            }
        }
    }

    /// Whether no image came, not even one that could not be read.
    pub fn nothing(&self) -> bool {
        self.images == 0 && self.failures.is_empty()
    }

    /// Sums up; success if nothing went wrong.
    pub fn finish(self, out: &Path) -> ExitCode {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
        let failed = self.failures.len();
        if self.images + failed > 1 {
            let mut text = format!("{} images, {} faces", self.images, self.faces);
            if self.without > 0 {
                text += &format!(", {} without a face", self.without);
            }
            if failed > 0 {
                text += &format!(", {failed} not read");
            }
            self.line(&format!("{text}; results in {}", out.display()));
            if failed > 0 {
                eprintln!("{failed} of {} images were left out:", self.images + failed);
                for failure in &self.failures {
                    eprintln!("  {failure}");
                }
            }
        }
        if failed > 0 {
            ExitCode::FAILURE
        } else {
            ExitCode::SUCCESS
        }
    }
}
