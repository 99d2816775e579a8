//! Runs `star` as a user types it, in a folder of its own.

#![allow(dead_code)] // Each test binary uses its own part.

use std::{
    path::{Path, PathBuf},
    process::{Command, Output},
    sync::atomic::{AtomicUsize, Ordering},
};

/// A folder that is removed when the test is over.
pub struct Folder(PathBuf);

impl Folder {
    pub fn new() -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let path = std::env::temp_dir().join(format!(
            "star-cli-{}-{}",
            std::process::id(),
            COUNT.fetch_add(1, Ordering::Relaxed)
        ));
        std::fs::create_dir_all(&path).expect("a temporary folder");
        Self(path)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    pub fn join(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    pub fn write(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.join(name);
        std::fs::write(&path, text).expect("a file in the temporary folder");
        path
    }

    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_star"));
        command.args(args).current_dir(&self.0);
        command.env_remove("STAR_PROGRAM");
        command
    }

    pub fn star(&self, args: &[&str]) -> Output {
        self.command(args).output().expect("star starts")
    }

    /// Standard output of a command that must succeed.
    #[track_caller]
    pub fn succeed(&self, args: &[&str]) -> String {
        let output = self.star(args);
        assert!(
            output.status.success(),
            "star {args:?} failed:\n{}{}",
            text(&output.stdout),
            text(&output.stderr)
        );
        text(&output.stdout)
    }

    /// Standard error of a command that must fail, decently.
    #[track_caller]
    pub fn fail(&self, args: &[&str]) -> String {
        let output = self.star(args);
        let message = text(&output.stderr);
        assert!(!output.status.success(), "star {args:?} succeeded");
        assert!(
            !message.contains("panicked"),
            "star {args:?} panicked:\n{message}"
        );
        assert!(message.starts_with("error: "), "star {args:?}:\n{message}");
        message
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // Nothing to do about a folder that stays.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The same network, but as if its layout were called so: a name of six letters, as those of the built-in ones are.
pub fn with_layout_named(weights: &[u8], name: &str) -> Vec<u8> {
    let key = b"star.layout";
    let names = [&b"ibug68"[..], b"cofw29", b"wflw98"];
    let layout = (weights.windows(key.len()))
        .position(|w| w == key)
        .expect("weights of ours");
    let at = (layout..layout + 60)
        .find(|&at| names.iter().any(|n| weights[at..].starts_with(n)))
        .expect("a built-in layout");
    let mut renamed = weights.to_vec();
    renamed[at..at + 6].copy_from_slice(name.as_bytes());
    renamed
}

/// A recipe that trains in seconds: 3 epochs of 5 steps.
pub const TINY: &str = r#"
name = "tiny"
layout = "cofw29"

[data]
source = "synth"
held_out = 0.2
synth_test_faces = 6

[data.synth]
faces = 50
image_min = 64
image_max = 80

[model]
stacks = 1
channels = 8
stem = 4
input_size = 64

[train]
epochs = 3
batch_size = 8
log_every = 2
ema_half_life = 100
"#;

/// A message has all these parts.
#[track_caller]
pub fn assert_says(message: &str, parts: &[&str]) {
    for part in parts {
        assert!(message.contains(part), "no {part:?} in: {message}");
    }
}
