//! The one error type of this crate. Each variant names the file and, where there is one, the line, and says what would fix it.

use std::path::PathBuf;

/// Why faces could not be read, prepared or made.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    /// A file or folder could not be opened, read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        #[source]
        /// Why the system refused.
        source: std::io::Error,
    },
    /// A text file (TSV, `.pts`, TOML, list) has a line that cannot be used.
    #[error("{}:{line}: {message}", path.display())]
    Parse {
        /// The file.
        path: PathBuf,
        /// 1-based.
        line: usize,
        /// What is wrong and what would be right.
        message: String,
    },
    /// An image could not be decoded.
    #[error("{}: {message}", path.display())]
    Image {
        /// The file.
        path: PathBuf,
        /// What is wrong, and what to do.
        message: String,
    },
    /// A MATLAB file, or a variable in it, cannot be used.
    #[error("{}: {}{message}", path.display(), variable.as_ref().map_or(String::new(), |name| format!("{name}: ")))]
    Mat {
        /// The file.
        path: PathBuf,
        /// In MATLAB's own spelling, such as `IsTr{17}`; none if it is the whole file.
        variable: Option<String>,
        /// What is wrong, and what to do.
        message: String,
    },
    /// A value given by the caller or a recipe cannot be used.
    #[error("{0}")]
    Invalid(String),
}

impl DataError {
    /// Wraps an I/O error with the path it happened on.
    pub fn io(path: impl Into<PathBuf>, source: std::io::Error) -> Self {
        Self::Io {
            path: path.into(),
            source,
        }
    }
}

/// Keeps what a reader of ours says of a damaged file, and quotes from it, from flooding a message.
pub(crate) fn shorten_message(message: &str) -> String {
    const LONGEST: usize = 400;
    if message.chars().nth(LONGEST).is_none() {
        return message.into();
    }
    message.chars().take(LONGEST).chain("...".chars()).collect()
}
