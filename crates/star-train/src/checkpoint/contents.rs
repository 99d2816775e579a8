//! What a checkpoint must hold, so that damage is found: a bit that flipped on disk would load as a weight.

use std::{collections::BTreeMap, fmt, fs, path::Path};

use serde::{Deserialize, Serialize};
use star_model::StarNetConfig;

use crate::{error::TrainError, recipe::Recipe};

pub const FILE: &str = "contents.json";

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
        if self.network != now.network {
            return refuse(format!(
                "it is of another network than the run's config.toml (or its layout file) now describes; undo what was changed there.\n\
                 The checkpoint: {}\nThe recipe: {}",
                self.network, now.network
            ));
        }
        let mut told = Vec::new();
        for (key, was) in &self.recipe {
            let is = now.recipe.get(key).map_or("nothing", String::as_str);
            if is == was {
                continue;
            }
            if !may_change(key) {
                return refuse(format!(
                    "the run's config.toml now has {key} = {is}, and the run began with {was}. It decides which faces are trained on and \
                     in what order, so the run would not be the same: set it back, or start a new run with --config and --set."
                ));
            }
            told.push(format!("{key} is now {is}, it was {was}"));
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
    const FREE: [&str; 17] = [
        "name",
        "layout",
        "data.train",
        "data.test",
        "data.images",
        "model.init",
        "train.epochs",
        "train.learning_rate",
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

/// A file's bytes; `None` where there is no such file, or it cannot be read to its end.
fn read(folder: &Path, name: &str) -> Result<Option<Vec<u8>>, TrainError> {
    let path = folder.join(name);
    match fs::read(&path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(TrainError::io(path, e)),
    }
}
