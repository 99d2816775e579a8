//! Keys that say nothing because of what another key says.
//!
//! What is accepted and ignored misleads: a person who names faces and is not told that none of them is trained on believes the figures.
//! So a recipe in which a key has no effect is refused, and both keys are named. On the command line a choice replaces what the file
//! says for the other choice: `--set data.train=mine.tsv` trains a synthetic recipe on `mine.tsv`.

use std::path::Path;

use toml::{Table, Value};

use super::{DataSource, LandmarkLoss, Recipe, Schedule, Selection, check::refuse};
use crate::error::TrainError;

/// A choice, and the keys that have no effect where it is made.
struct Choice {
    key: &'static str,
    made: fn(&Recipe) -> bool,
    unused: &'static [&'static str],
    /// A 0 agrees with the choice: nothing held out where nothing is to be held out.
    allows_zero: bool,
    why: &'static str,
    /// What to set for the unused keys to have their effect.
    instead: &'static str,
}

const CHOICES: [Choice; 9] = [
    Choice {
        key: "data.source",
        made: |r| r.data.source == DataSource::Synth,
        unused: &["data.train", "data.test", "data.images"],
        allows_zero: false,
        why: "synthetic faces are drawn, not read",
        instead: "name the faces with data.train and set data.source = \"tsv\"",
    },
    Choice {
        key: "data.source",
        made: |r| r.data.source == DataSource::Tsv,
        unused: &["data.synth", "data.synth_test_faces"],
        allows_zero: false,
        why: "faces are read, not drawn",
        instead: "set data.source = \"synth\"",
    },
    Choice {
        key: "train.selection",
        made: |r| r.train.selection == Selection::Test,
        unused: &["data.held_out"],
        allows_zero: true,
        why: "the test set selects the best weights, so that nothing is held out",
        instead: "set train.selection = \"held-out\"",
    },
    Choice {
        key: "loss.landmarks",
        made: |r| r.loss.landmarks != LandmarkLoss::Star,
        unused: &["loss.star"],
        allows_zero: false,
        why: "its settings are those of another loss",
        instead: "set loss.landmarks = \"star\"",
    },
    Choice {
        key: "model.aam",
        made: |r| !r.model.aam,
        unused: &["loss.point_weight", "loss.edge_weight"],
        allows_zero: true,
        why: "the network has no point and edge heatmaps",
        instead: "set model.aam = true",
    },
    Choice {
        key: "augment.enabled",
        made: |r| !r.augment.enabled,
        unused: VARIATIONS,
        allows_zero: true,
        why: "no sample is varied",
        instead: "set augment.enabled = true",
    },
    Choice {
        key: "augment.probability",
        made: |r| r.augment.probability == 0.0,
        unused: VARIATIONS.split_at(1).1,
        allows_zero: true,
        why: "no sample is varied",
        instead: "give augment.probability a fraction above 0",
    },
    Choice {
        key: "train.schedule",
        made: |r| r.train.schedule != Schedule::Milestones,
        unused: &["train.milestones", "train.gamma"],
        allows_zero: false,
        why: "the rate follows another curve",
        instead: "set train.schedule = \"milestones\"",
    },
    Choice {
        key: "train.milestones",
        made: |r| r.train.milestones.is_empty(),
        unused: &["train.gamma"],
        allows_zero: false,
        why: "there is no epoch after which the rate changes",
        instead: "name an epoch in train.milestones",
    },
];

/// The first is how often a sample is varied, the others are how.
const VARIATIONS: &[&str] = &[
    "augment.probability",
    "augment.flip",
    "augment.rotation_degrees",
    "augment.scale",
    "augment.shift",
    "augment.occlusion",
    "augment.blur",
    "augment.gamma",
    "augment.noise",
    "augment.gray",
];

/// Lets faces that are named on the command line replace the synthetic ones of the file. `set` is what the command line says alone,
/// `table` what both say.
///
/// # Errors
/// When the command line sets the synthetic faces too.
pub(super) fn name_real_faces(table: &mut Table, set: &mut Table) -> Result<(), TrainError> {
    let Some(train) = text(set, "data.train").filter(|path| !path.is_empty()) else {
        return Ok(());
    };
    if text(table, "data.source") != Some("synth") || get(set, "data.source").is_some() {
        return Ok(());
    }
    let drawn = ["data.synth", "data.synth_test_faces"];
    if let Some((key, value)) = drawn.iter().find_map(|key| first_leaf(set, key)) {
        return refuse(format!(
            "--set data.train={train} names faces to read, but --set {key}={value} is about faces to draw: give one of the two"
        ));
    }
    let stem = Path::new(train).file_stem().and_then(|stem| stem.to_str());
    if let Some(stem) = stem.filter(|_| get(set, "name").is_none()) {
        // Figures on these faces under the name of the synthetic ones would mislead.
        table.insert("name".into(), stem.into());
    }
    for place in [table, set] {
        if let Some(data) = place.get_mut("data").and_then(Value::as_table_mut) {
            data.insert("source".into(), "tsv".into());
        }
    }
    Ok(())
}

/// Takes from `table` what a choice that `set` makes leaves without an effect, except for what `set` says itself. `recipe` is `table`,
/// read. Whether anything was taken.
pub(super) fn replace(recipe: &Recipe, table: &mut Table, set: &Table) -> bool {
    let mut taken = false;
    for choice in CHOICES.iter().filter(|choice| (choice.made)(recipe)) {
        if get(set, choice.key).is_none() {
            continue;
        }
        for key in choice.unused {
            // Of a section that both have, what the command line says of it stays, to be refused.
            if get(set, key).is_none() {
                taken |= remove(table, key);
            }
        }
    }
    taken
}

/// Refuses a recipe with a key that has no effect: one that is not at its default, or that the command line sets.
///
/// # Errors
/// Naming the key, and the one because of which it has no effect.
pub(super) fn check(recipe: &Recipe, set: &Table) -> Result<(), TrainError> {
    let as_table = |recipe: &Recipe| {
        Table::try_from(recipe).map_err(|e| TrainError::Recipe(format!("the recipe: {e}")))
    };
    let (all, defaults) = (as_table(recipe)?, as_table(&Recipe::default())?);
    for choice in CHOICES.iter().filter(|choice| (choice.made)(recipe)) {
        for key in choice.unused {
            let given = first_leaf(set, key).map(|(key, _)| key);
            let Some(key) = given.or_else(|| first_difference(&all, &defaults, key)) else {
                continue;
            };
            let value = get(&all, &key).cloned().unwrap_or(Value::Boolean(false));
            if choice.allows_zero && value.as_float() == Some(0.0) {
                continue;
            }
            let chosen = get(&all, choice.key).map_or(String::new(), Value::to_string);
            return refuse(format!(
                "{key} = {value} has no effect with {} = {chosen}: {}. Leave out {key}, or {}.",
                choice.key, choice.why, choice.instead
            ));
        }
    }
    Ok(())
}

/// The value of a dotted key.
fn get<'a>(table: &'a Table, key: &str) -> Option<&'a Value> {
    match key.split_once('.') {
        None => table.get(key),
        Some((section, rest)) => get(table.get(section)?.as_table()?, rest),
    }
}

fn text<'a>(table: &'a Table, key: &str) -> Option<&'a str> {
    get(table, key)?.as_str()
}

/// Whether there was something to remove.
fn remove(table: &mut Table, key: &str) -> bool {
    match key.split_once('.') {
        None => table.remove(key).is_some(),
        Some((section, rest)) => (table.get_mut(section))
            .and_then(Value::as_table_mut)
            .is_some_and(|table| remove(table, rest)),
    }
}

/// The key itself, or the first one in the section that it names.
fn first_leaf<'a>(table: &'a Table, key: &str) -> Option<(String, &'a Value)> {
    let mut key = key.to_string();
    let mut value = get(table, &key)?;
    while let Value::Table(section) = value {
        let (name, inner) = section.iter().next()?;
        key = format!("{key}.{name}");
        value = inner;
    }
    Some((key, value))
}

/// The key itself, or the first one in the section that it names, where it differs between the two.
fn first_difference(a: &Table, b: &Table, key: &str) -> Option<String> {
    let (of_a, of_b) = (get(a, key)?, get(b, key)?);
    match of_a {
        Value::Table(section) => {
            (section.keys()).find_map(|name| first_difference(a, b, &format!("{key}.{name}")))
        }
        _ => (of_a != of_b).then(|| key.to_string()),
    }
}
