//! What can go wrong with a network's configuration and its weights.

use std::path::PathBuf;

/// Everything that can go wrong in this crate.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// A configuration that makes no network.
    #[error("network configuration: {0}")]
    Config(String),
    /// A batch the network cannot train on.
    #[error(
        "a batch of one face cannot be trained on at an input size of {input_size}: the innermost feature map is 1x1, and a \
         batch norm needs more than one value a channel. Use a batch of at least 2, or an input of at least 128"
    )]
    BatchTooSmall {
        /// Side of the network's input, pixels.
        input_size: usize,
    },
    /// A file could not be read or written.
    #[error("{path}: {source}")]
    Io {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file that is not what it should be.
    #[error("{path}: {what}")]
    Format {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// Tensors that do not fit the network.
    #[error("{file}the weights do not fit the network: {0}", file = of_file(.0))]
    Mismatch(Mismatch),
}

/// The tensors that do not fit, by name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Mismatch {
    /// The file that the weights are of, if they are of one.
    pub path: Option<PathBuf>,
    /// In the network, not among the weights.
    pub missing: Vec<String>,
    /// Among the weights, not in the network.
    pub unknown: Vec<String>,
    /// In both with different shapes or with something else than floats: `name: [found] instead of [expected]`.
    pub misshapen: Vec<String>,
}

impl Mismatch {
    /// Whether everything fits.
    pub fn is_empty(&self) -> bool {
        self.missing.is_empty() && self.unknown.is_empty() && self.misshapen.is_empty()
    }
}

/// Keeps a text of a file from flooding a message.
pub(crate) fn shorten(text: &str) -> String {
    const LONGEST: usize = 120;
    if text.chars().nth(LONGEST).is_none() {
        return text.into();
    }
    text.chars().take(LONGEST).chain("...".chars()).collect()
}

fn of_file(mismatch: &Mismatch) -> String {
    let path = mismatch.path.as_ref();
    path.map_or_else(String::new, |path| format!("{}: ", path.display()))
}

impl std::fmt::Display for Mismatch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        const SHOWN: usize = 20;
        let mut first = true;
        for (what, names) in [
            ("missing", &self.missing),
            ("unknown", &self.unknown),
            ("of another shape or type", &self.misshapen),
        ] {
            if names.is_empty() {
                continue;
            }
            let shown = names.iter().take(SHOWN).map(|name| shorten(name));
            let shown = shown.collect::<Vec<_>>().join(", ");
            let dots = if names.len() > SHOWN { ", ..." } else { "" };
            let between = if first { "" } else { "; " };
            write!(f, "{between}{} {what} ({shown}{dots})", names.len())?;
            first = false;
        }
        Ok(())
    }
}
