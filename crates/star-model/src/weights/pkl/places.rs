//! The state dictionaries in a checkpoint: dictionaries in dictionaries are looked through for names of this network's tensors.

use super::pickle::{Pickle, Value};
use crate::error::shorten;
use crate::weights::budget::Budget;
use crate::weights::malformed::Malformed;
use crate::weights::published::{MAX_PLACES, PklWeights, Place, choose, prefix_of};

/// The most keys on the way to a state dictionary.
const MAX_KEYS: usize = 3;

/// A state dictionary.
pub struct Found<'a> {
    pub dictionary: Value,
    pub place: Place<'a>,
    /// Of all networks whose tensors lie in this one dictionary.
    pub prefixes: Vec<&'a str>,
}

/// The one that `which` can mean.
///
/// # Errors
/// Saying what is there instead.
pub fn find<'a>(
    pickle: &Pickle<'a>,
    root: Value,
    which: PklWeights,
    budget: &mut Budget,
) -> Result<Found<'a>, Malformed> {
    if pickle.entries(root).is_none() {
        return Err(Malformed(
            "it holds no dictionary; of a network that was saved as a whole, save `network.state_dict()` instead".into(),
        ));
    }
    // Published checkpoints are asked first, whatever else they hold.
    let key = which.key();
    let published = pickle
        .entry(root, key)
        .filter(|&value| pickle.entries(value).is_some());
    let (start, keys) = match published {
        Some(state) => (state, vec![key]),
        None => (root, Vec::new()),
    };
    let found = search(pickle, start, &keys, budget)?;
    if found.is_empty() {
        return match published {
            // What it lacks is told later.
            Some(dictionary) => Ok(Found {
                dictionary,
                place: Place { keys, prefix: "" },
                prefixes: vec![""],
            }),
            None => Err(nothing(pickle, root, key)),
        };
    }
    let places: Vec<Place> = found.iter().map(|(_, place)| place.clone()).collect();
    let place = choose(&places, which)?;
    let of = found.iter().find(|(_, other)| other == place);
    let Some(&(dictionary, _)) = of else {
        return Err(nothing(pickle, root, key));
    };
    let beside = places.iter().filter(|other| other.keys == place.keys);
    Ok(Found {
        dictionary,
        prefixes: beside.map(|place| place.prefix).collect(),
        place: place.clone(),
    })
}

fn nothing(pickle: &Pickle, root: Value, key: &str) -> Malformed {
    const SHOWN: usize = 8;
    if matches!(pickle.entry(root, key), Some(value) if pickle.tensor(value).is_none()) {
        return Malformed(format!("`{key}` is no dictionary"));
    }
    let entries = pickle.entries(root).into_iter().flatten();
    let keys: Vec<String> = entries.take(SHOWN).map(|(key, _)| shorten(key)).collect();
    Malformed(format!(
        "it holds no `{key}`, only {keys:?}, and no state dictionary of this network in any of them"
    ))
}

/// A dictionary on the way.
struct Node<'a> {
    dictionary: Value,
    /// The key that it is under, and the place of the dictionary with that key.
    under: Option<(&'a str, u32)>,
    keys: u8,
}

/// All state dictionaries under `start`, which is under `keys`, the outermost first. Each dictionary is looked at once: others
/// may refer to it again, or to themselves.
fn search<'a>(
    pickle: &Pickle<'a>,
    start: Value,
    keys: &[&'a str],
    budget: &mut Budget,
) -> Result<Vec<(Value, Place<'a>)>, Malformed> {
    budget.charge(pickle.dictionaries(), size_of::<bool>())?;
    let mut seen = vec![false; pickle.dictionaries()];
    let mut nodes = Vec::new();
    let mut found: Vec<(Value, Place)> = Vec::new();
    let first = Node {
        dictionary: start,
        under: None,
        keys: 0,
    };
    budget.push(&mut nodes, first)?;
    let mut at = 0;
    while let Some(&Node {
        dictionary,
        keys: deep,
        ..
    }) = nodes.get(at)
    {
        let here = u32::try_from(at).unwrap_or(u32::MAX);
        for (name, value) in pickle.entries(dictionary).into_iter().flatten() {
            let inner = match value {
                Value::Dict(inner) => inner as usize,
                Value::Tensor(_) => {
                    let Some(prefix) = prefix_of(name) else {
                        continue;
                    };
                    let mut place = path(&nodes, here, keys);
                    place.prefix = prefix;
                    if found.iter().any(|(_, other)| *other == place) {
                        continue;
                    }
                    if found.len() == MAX_PLACES {
                        return Err(Malformed(format!(
                            "it holds more than {MAX_PLACES} state dictionaries: save the wanted one alone"
                        )));
                    }
                    found.push((dictionary, place));
                    continue;
                }
                _ => continue,
            };
            if usize::from(deep) + keys.len() < MAX_KEYS
                && let Some(seen) = seen.get_mut(inner)
                && !std::mem::replace(seen, true)
            {
                let node = Node {
                    dictionary: value,
                    under: Some((name, here)),
                    keys: deep + 1,
                };
                budget.push(&mut nodes, node)?;
            }
        }
        at += 1;
    }
    budget.give_back(nodes);
    budget.give_back(seen);
    Ok(found)
}

/// The keys on the way to a node.
fn path<'a>(nodes: &[Node<'a>], mut at: u32, before: &[&'a str]) -> Place<'a> {
    let mut keys = Vec::with_capacity(MAX_KEYS);
    while let Some((key, parent)) = nodes.get(at as usize).and_then(|node| node.under) {
        keys.push(key);
        at = parent;
    }
    keys.extend(before.iter().rev());
    keys.reverse();
    Place { keys, prefix: "" }
}
