//! What a checkpoint must hold, so that damage is found: a bit that flipped on disk would load as a weight.

use std::{collections::BTreeMap, fmt, fs, path::Path};

use serde::{Deserialize, Serialize};
use star_model::StarNetConfig;

use crate::error::TrainError;

pub const FILE: &str = "contents.json";

/// The files of a checkpoint, and which network it is of.
#[derive(Debug, Serialize, Deserialize)]
pub struct Contents {
    network: String,
    files: BTreeMap<String, Stamp>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Stamp {
    bytes: usize,
    crc32: u32,
}

impl Stamp {
    fn of(bytes: &[u8]) -> Self {
        Self {
            bytes: bytes.len(),
            crc32: crc32fast::hash(bytes),
        }
    }
}

/// What is wrong with a checkpoint.
#[derive(Debug)]
pub struct Damage {
    file: String,
    what: &'static str,
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{} {}", self.file, self.what)
    }
}

impl Contents {
    pub fn of_network(config: &StarNetConfig) -> Self {
        Self {
            network: config.to_string(),
            files: BTreeMap::new(),
        }
    }

    pub fn add(&mut self, name: &str, bytes: &[u8]) {
        self.files.insert(name.to_owned(), Stamp::of(bytes));
    }

    /// Whether all files of a checkpoint are what was written.
    ///
    /// # Errors
    /// A file that may not be read; that is no damage.
    pub fn check(folder: &Path) -> Result<Result<(), Damage>, TrainError> {
        let damage = |file: &str, what| {
            Ok(Err(Damage {
                file: file.to_owned(),
                what,
            }))
        };
        let Some(text) = read(folder, FILE)? else {
            return damage(FILE, "is missing");
        };
        let Ok(contents) = serde_json::from_slice::<Self>(&text) else {
            return damage(FILE, "cannot be understood");
        };
        for (name, stamp) in &contents.files {
            match read(folder, name)? {
                None => return damage(name, "is missing"),
                Some(bytes) if bytes.len() != stamp.bytes => {
                    return damage(name, "has another length than was written");
                }
                Some(bytes) if Stamp::of(&bytes) != *stamp => {
                    return damage(name, "holds other bytes than were written");
                }
                Some(_) => {}
            }
        }
        Ok(Ok(()))
    }

    /// The contents of a checkpoint that was checked.
    pub fn read(folder: &Path) -> Result<Self, TrainError> {
        let path = folder.join(FILE);
        let text = fs::read(&path).map_err(|e| TrainError::io(&path, e))?;
        serde_json::from_slice(&text).map_err(|e| TrainError::Checkpoint {
            path,
            message: e.to_string(),
        })
    }

    /// # Errors
    /// When the checkpoint is of another network.
    pub fn must_be_of(&self, config: &StarNetConfig, folder: &Path) -> Result<(), TrainError> {
        let config = config.to_string();
        if self.network == config {
            return Ok(());
        }
        Err(TrainError::Checkpoint {
            path: folder.to_owned(),
            message: format!(
                "it is of another network than the run's config.toml (or its layout file) now describes; undo what was changed there.\n\
                 The checkpoint: {}\nThe recipe: {config}",
                self.network
            ),
        })
    }
}

/// A file's bytes; `None` where there is no such file, or it cannot be read to its end.
fn read(folder: &Path, name: &str) -> Result<Option<Vec<u8>>, TrainError> {
    let path = folder.join(name);
    match fs::read(&path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(TrainError::io(path, e)),
    }
}
