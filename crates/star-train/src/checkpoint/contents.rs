//! What a checkpoint must hold, so that damage is found: a bit that flipped on disk would load as a weight.

use std::{collections::BTreeMap, fmt, io::ErrorKind, path::Path};

use serde::{Deserialize, Serialize};
use star_model::StarNetConfig;

use crate::{error::TrainError, recipe::Recipe};

pub const FILE: &str = "contents.json";
const OTHER_LENGTH: &str = "has another length than was written";

/// The files of a checkpoint, and which run it is of.
#[derive(Debug, Serialize, Deserialize)]
pub struct Contents {
    network: String,
    /// The recipe's keys and their values; not there in checkpoints of before.
    #[serde(default)]
    recipe: BTreeMap<String, String>,
    /// Training faces; 0 where it is not known.
    #[serde(default)]
    faces: usize,
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
    /// Of no files yet. `faces` is the number of training faces.
    ///
    /// # Errors
    /// A recipe that TOML cannot hold.
    pub fn of_run(
        config: &StarNetConfig,
        recipe: &Recipe,
        faces: usize,
    ) -> Result<Self, TrainError> {
        Ok(Self {
            network: config.to_string(),
            recipe: keys_of(recipe)?,
            faces,
            files: BTreeMap::new(),
        })
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
        if !folder.is_dir() {
            return damage("it", "is no folder");
        }
        let text = match read(folder, FILE, star_files::SMALL)? {
            Ok(text) => text,
            Err(what) => return damage(FILE, what),
        };
        let Ok(contents) = serde_json::from_slice::<Self>(&text) else {
            return damage(FILE, "cannot be understood");
        };
        for (name, stamp) in &contents.files {
            match read(folder, name, stamp.bytes as u64)? {
                Err(what) => return damage(name, what),
                Ok(bytes) if bytes.len() != stamp.bytes => {
                    return damage(name, OTHER_LENGTH);
                }
                Ok(bytes) if Stamp::of(&bytes) != *stamp => {
                    return damage(name, "holds other bytes than were written");
                }
                Ok(_) => {}
            }
        }
        Ok(Ok(()))
    }

    /// The contents of a checkpoint that was checked.
    pub fn read(folder: &Path) -> Result<Self, TrainError> {
        let path = folder.join(FILE);
        let text = star_files::read_file(&path, star_files::SMALL)
            .map_err(|e| TrainError::io(&path, e))?;
        serde_json::from_slice(&text).map_err(|e| TrainError::Checkpoint {
            path,
            message: e.to_string(),
        })
    }

    /// Holds a checkpoint against what the run now is, `now`. What has changed and may, comes back in words.
    ///
    /// # Errors
    /// When the checkpoint is of another network, or of a run that would not be the same any more.
    pub fn must_be_of(&self, now: &Self, folder: &Path) -> Result<Vec<String>, TrainError> {
        let refuse = |message: String| {
            Err(TrainError::Checkpoint {
                path: folder.to_owned(),
                message,
            })
        };
        let mut told = Vec::new();
        for (key, was) in &self.recipe {
            let is = now.recipe.get(key).map_or("nothing", String::as_str);
            if is == was {
                continue;
            }
            if !may_change(key) {
                return refuse(format!(
                    "the run's config.toml now has {key} = {is}, and the run began with {was}. It decides what is trained on what, or what \
                     selects the best weights, so the run would not be the same: set it back, or start a new run with --config and --set."
                ));
            }
            told.push(format!("{key} is now {is}, it was {was}"));
        }
        if self.network != now.network {
            return refuse(format!(
                "it is of another network than the run's config.toml (or its layout file) now describes; undo what was changed there.\n\
                 The checkpoint: {}\nThe recipe: {}",
                self.network, now.network
            ));
        }
        if self.faces != 0 && self.faces != now.faces {
            return refuse(format!(
                "the run began with {} training faces, and there are {} now: other faces would be held out. Put the annotation file back \
                 as it was, or start a new run.",
                self.faces, now.faces
            ));
        }
        Ok(told)
    }
}

/// Keys that decide nothing that a stopped run has already begun: where things are, how they are computed, and what comes later.
fn may_change(key: &str) -> bool {
    const FREE: [&str; 20] = [
        "name",
        "layout",
        "data.train",
        "data.test",
        "data.images",
        "model.init",
        "model.init_points",
        "train.epochs",
        "train.learning_rate",
        "train.schedule",
        "train.warmup_epochs",
        "train.milestones",
        "train.gamma",
        "train.precision",
        "train.workers",
        "train.cache_mib",
        "train.eval_every",
        "train.checkpoint_every",
        "train.log_every",
        "eval.threshold",
    ];
    FREE.contains(&key)
}

/// Every key of a recipe with its value as TOML has it.
fn keys_of(recipe: &Recipe) -> Result<BTreeMap<String, String>, TrainError> {
    fn add(keys: &mut BTreeMap<String, String>, name: String, value: toml::Value) {
        match value {
            toml::Value::Table(table) => {
                for (key, value) in table {
                    let name = match name.as_str() {
                        "" => key,
                        section => format!("{section}.{key}"),
                    };
                    add(keys, name, value);
                }
            }
            value => {
                keys.insert(name, value.to_string());
            }
        }
    }
    let table = toml::Value::try_from(recipe).map_err(|e| TrainError::Recipe(e.to_string()))?;
    let mut keys = BTreeMap::new();
    add(&mut keys, String::new(), table);
    Ok(keys)
}

/// A file's bytes, or in what way it is damaged. More than `most` bytes are more than were written.
///
/// # Errors
/// A file that may not be read; that is no damage.
fn read(folder: &Path, name: &str, most: u64) -> Result<Result<Vec<u8>, &'static str>, TrainError> {
    let path = folder.join(name);
    match star_files::read_file(&path, most) {
        Ok(bytes) => Ok(Ok(bytes)),
        Err(e) => match e.kind() {
            ErrorKind::NotFound => Ok(Err("is missing")),
            ErrorKind::FileTooLarge => Ok(Err(OTHER_LENGTH)),
            ErrorKind::IsADirectory | ErrorKind::InvalidInput => Ok(Err("is no file any more")),
            _ => Err(TrainError::io(path, e)),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contents(channels: usize, faces: usize) -> Contents {
        let config = StarNetConfig::new(2, vec![vec![0, 1]]).with_channels(channels);
        Contents::of_run(&config, &Recipe::default(), faces).expect("a recipe")
    }

    #[test]
    fn a_checkpoint_is_held_against_what_the_run_now_is() {
        let folder = Path::new("c");
        let refused = |old: &Contents, now: &Contents| {
            let error = old.must_be_of(now, folder).expect_err("another run");
            error.to_string()
        };
        assert!(contents(8, 9).must_be_of(&contents(8, 9), folder).is_ok());
        // The recipe may be the same where its layout's file is not.
        let message = refused(&contents(8, 9), &contents(16, 9));
        assert!(message.contains("another network"), "{message}");
        let message = refused(&contents(8, 9), &contents(8, 10));
        assert!(message.contains("began with 9 training faces"), "{message}");
        // Checkpoints of before know neither.
        let old = Contents {
            recipe: BTreeMap::new(),
            faces: 0,
            ..contents(8, 9)
        };
        assert!(old.must_be_of(&contents(8, 10), folder).is_ok());
        assert!(refused(&old, &contents(16, 9)).contains("another network"));
    }
}
