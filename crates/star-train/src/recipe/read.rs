//! From a file and `--set` to a recipe.

use std::path::Path;

use star_data::error::plain_words;

use super::{Recipe, builtin, choices};
use crate::error::TrainError;

impl Recipe {
    /// Reads a recipe and applies `key=value` settings on top of it. `path` is a file, or the name of a built-in recipe: `synth`, `300w-small`,
    /// `300w`, `wflw`, `cofw`; where there is no file `configs/NAME.toml`, that path means the built-in one too.
    ///
    /// # Errors
    /// A missing file, a TOML error (with file and line), an unknown key or a value out of range.
    pub fn read(path: &Path, set: &[String]) -> Result<Self, TrainError> {
        let text = match (path.is_file(), builtin::text(path)) {
            (false, Some(text)) => text.to_owned(),
            _ => star_files::read_text(path, star_files::SMALL).map_err(|e| {
                if e.kind() == std::io::ErrorKind::NotFound {
                    TrainError::Recipe(format!(
                        "{}: no such file, and no built-in recipe of this name (there are {})",
                        path.display(),
                        builtin::names()
                    ))
                } else {
                    TrainError::io(path, e)
                }
            })?,
        };
        // Parsed once as it stands: only then do errors have the line of the file they are about.
        toml::from_str::<Self>(&text)
            .map_err(|e| TrainError::Recipe(describe_toml_error(path, &text, &e)))?;
        let table: toml::Table = toml::from_str(&text)
            .map_err(|e| TrainError::Recipe(describe_toml_error(path, &text, &e)))?;
        Self::from_table(table, set).map_err(|e| match e {
            // What no setting is to blame for, the file is.
            TrainError::Recipe(what) if set.is_empty() => {
                TrainError::Recipe(format!("{}: {what}", path.display()))
            }
            e => e,
        })
    }

    pub(super) fn from_table(mut table: toml::Table, set: &[String]) -> Result<Self, TrainError> {
        // What the command line says, apart from the file.
        let mut given = toml::Table::new();
        let file = table.clone();
        for setting in set {
            apply_setting(&mut given, setting)?;
            apply_setting(&mut table, setting)?;
        }
        // Of several settings the first that the recipe cannot be read with is the one that is wrong.
        let blamed = || {
            let mut table = file.clone();
            set.iter().find(|setting| {
                apply_setting(&mut table, setting).is_err()
                    || table.clone().try_into::<Self>().is_err()
            })
        };
        let read = |table: &toml::Table| -> Result<Self, TrainError> {
            table.clone().try_into().map_err(|e: toml::de::Error| {
                let setting = blamed().cloned().unwrap_or_else(|| set.join(" --set "));
                TrainError::Recipe(format!(
                    "--set {setting}: {}. configs/README.md lists every key.",
                    plain_words(e.message())
                ))
            })
        };
        choices::name_real_faces(&mut table, &mut given)?;
        let mut recipe = read(&table)?;
        if choices::replace(&recipe, &mut table, &given) {
            recipe = read(&table)?;
        }
        recipe.check()?;
        choices::check(&recipe, &given)?;
        Ok(recipe)
    }
}

/// `a.b=value`: the value is TOML where it parses as TOML, otherwise text.
fn apply_setting(table: &mut toml::Table, setting: &str) -> Result<(), TrainError> {
    let Some((key, value)) = setting.split_once('=') else {
        return Err(TrainError::Recipe(format!(
            "--set {setting}: write it as key=value, for example --set train.epochs=3"
        )));
    };
    let key = key.trim();
    let value = value.trim();
    let parsed: toml::Value = toml::from_str::<toml::Table>(&format!("value = {value}"))
        .ok()
        .and_then(|mut t| t.remove("value"))
        // TOML has no `.5`; people do. A whole number that it has not is too large.
        .or_else(|| {
            let whole = value.bytes().all(|b| b.is_ascii_digit());
            let number = value.parse().ok().filter(|_| !whole);
            number.map(toml::Value::Float)
        })
        .unwrap_or_else(|| toml::Value::String(value.to_owned()));

    let mut parts = key.split('.').peekable();
    let mut place = table;
    while let Some(part) = parts.next() {
        if part.is_empty() {
            return Err(TrainError::Recipe(format!(
                "--set {setting}: the key has an empty part"
            )));
        }
        if parts.peek().is_none() {
            place.insert(part.to_owned(), parsed);
            return Ok(());
        }
        place = place
            .entry(part.to_owned())
            .or_insert_with(|| toml::Value::Table(toml::Table::new()))
            .as_table_mut()
            .ok_or_else(|| {
                TrainError::Recipe(format!(
                    "--set {setting}: `{part}` is a value, not a section"
                ))
            })?;
    }
    Ok(())
}

fn describe_toml_error(path: &Path, text: &str, error: &toml::de::Error) -> String {
    let line = error
        .span()
        .map(|span| text[..span.start.min(text.len())].matches('\n').count() + 1);
    let message = plain_words(error.message());
    match line {
        Some(line) => format!(
            "{}:{line}: {message}. configs/README.md lists every key.",
            path.display()
        ),
        None => format!("{}: {message}", path.display()),
    }
}
