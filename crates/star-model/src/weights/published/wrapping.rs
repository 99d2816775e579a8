//! What people's programs put around a state dictionary: keys on the way to it, and a prefix in front of all its names.

use std::fmt;

use super::PklWeights;
use crate::error::shorten;
use crate::weights::malformed::Malformed;

/// A tensor that every network of this kind has and no other: where its name ends a longer one, a state dictionary's names have
/// the rest in front.
const ANCHOR: &str = "out_heatmaps.0.conv.weight";
/// The most networks of a file that are told apart.
pub(crate) const MAX_PLACES: usize = 16;

/// Where a file had its state dictionary: the same tensors are found in many wrappings.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wrapping {
    /// Of the dictionaries around it, the outermost first.
    pub keys: Vec<String>,
    /// What all names began with and ours do not, such as `module.` of PyTorch's `DataParallel`.
    pub prefix: String,
}

impl Wrapping {
    /// Whether it is that of published checkpoints, `net` or `net_ema`.
    pub fn is_published(&self) -> bool {
        let known = |key: &String| PklWeights::of_key(key).is_some();
        self.prefix.is_empty() && self.keys.len() == 1 && self.keys.iter().all(known)
    }
}

impl fmt::Display for Wrapping {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let keys = self.keys.iter().map(String::as_str);
        write_place(f, keys, &self.prefix)
    }
}

/// A whole state dictionary in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place<'a> {
    /// As [`Wrapping::keys`].
    pub keys: Vec<&'a str>,
    /// As [`Wrapping::prefix`].
    pub prefix: &'a str,
}

impl Place<'_> {
    pub fn wrapping(&self) -> Wrapping {
        Wrapping {
            keys: self.keys.iter().map(|key| (*key).to_owned()).collect(),
            prefix: self.prefix.to_owned(),
        }
    }

    /// Which of a published checkpoint's networks its keys or its prefix call it, the innermost word deciding.
    fn role(&self) -> Option<PklWeights> {
        let words = self.keys.iter().copied().chain(self.prefix.split('.'));
        words.filter_map(PklWeights::of_key).next_back()
    }
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_place(f, self.keys.iter().copied(), self.prefix)
    }
}

fn write_place<'k>(
    f: &mut fmt::Formatter<'_>,
    keys: impl Iterator<Item = &'k str>,
    prefix: &str,
) -> fmt::Result {
    let keys: Vec<String> = keys.map(shorten).collect();
    match (keys.is_empty(), prefix.is_empty()) {
        (true, true) => write!(f, "the top level"),
        (true, false) => write!(f, "the names in `{}`", shorten(prefix)),
        (false, true) => write!(f, "`{}`", keys.join("` / `")),
        (false, false) => write!(
            f,
            "`{}`, the names in `{}`",
            keys.join("` / `"),
            shorten(prefix)
        ),
    }
}

/// What stands in front of a state dictionary's names, if `name` is that of the one tensor that tells.
pub(crate) fn prefix_of(name: &str) -> Option<&str> {
    let prefix = name.strip_suffix(ANCHOR)?;
    (prefix.is_empty() || prefix.ends_with('.')).then_some(prefix)
}

/// The place that is asked for: the one that is called so, or, for the trained network, the only one there is.
///
/// # Errors
/// Naming all places, if there is none or more than one.
pub(crate) fn choose<'p, 'a>(
    places: &'p [Place<'a>],
    which: PklWeights,
) -> Result<&'p Place<'a>, Malformed> {
    let called = |role| places.iter().filter(move |place| place.role() == role);
    let mut fitting = called(Some(which)).peekable();
    let fitting: Vec<&Place> = match (fitting.peek(), which) {
        (None, PklWeights::Net) => called(None).collect(),
        _ => fitting.collect(),
    };
    match fitting[..] {
        [one] => Ok(one),
        [] => Err(Malformed(format!(
            "it holds no `{}`, only {}",
            which.key(),
            list(places.iter())
        ))),
        _ => Err(Malformed(format!(
            "it holds {} whole state dictionaries ({}), and nothing says which is meant: save the wanted one alone, as \
             `torch.save({{\"net\": STATE_DICT}}, \"one.pkl\")`, and import that",
            fitting.len(),
            list(fitting.iter().copied())
        ))),
    }
}

fn list<'p, 'a: 'p>(places: impl Iterator<Item = &'p Place<'a>>) -> String {
    const SHOWN: usize = 8;
    let mut names: Vec<String> = Vec::new();
    for place in places {
        if names.len() == SHOWN {
            names.push("...".into());
            break;
        }
        names.push(shorten(&place.to_string()));
    }
    names.join("; ")
}

/// Which of one dictionary's `prefixes` a name belongs to, the longest one deciding; gives the name without it.
pub(crate) fn owner<'n, 'p>(name: &'n str, prefixes: &[&'p str]) -> Option<(&'p str, &'n str)> {
    let fitting = prefixes.iter().filter(|prefix| name.starts_with(**prefix));
    let prefix = fitting.max_by_key(|prefix| prefix.len())?;
    Some((prefix, name.strip_prefix(prefix)?))
}

/// A name of a state dictionary whose others have a prefix in common.
pub(crate) fn beside(place: &Place, name: &str) -> Malformed {
    Malformed(format!(
        "it holds `{}` beside the names in `{}`, so its names have no prefix in common: give them all one, or none",
        shorten(name),
        shorten(place.prefix)
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place<'a>(keys: &[&'a str], prefix: &'a str) -> Place<'a> {
        Place {
            keys: keys.to_vec(),
            prefix,
        }
    }

    #[test]
    fn the_innermost_word_names_the_network() {
        for (keys, prefix, role) in [
            (&["net"][..], "", Some(PklWeights::Net)),
            (&["net_ema"], "module.", Some(PklWeights::NetEma)),
            (&["net", "net_ema"], "", Some(PklWeights::NetEma)),
            (&["state_dict"], "net.module.", Some(PklWeights::Net)),
            (&["state_dict"], "model.", None),
            (&[], "network.", None),
        ] {
            assert_eq!(place(keys, prefix).role(), role, "{keys:?} {prefix}");
        }
    }

    #[test]
    fn a_prefix_ends_at_a_dot() {
        assert_eq!(prefix_of(ANCHOR), Some(""));
        assert_eq!(prefix_of(&format!("a.b.{ANCHOR}")), Some("a.b."));
        assert_eq!(prefix_of(&format!("my_{ANCHOR}")), None);
        assert_eq!(prefix_of("out_heatmaps.0.conv.bias"), None);
    }

    #[test]
    fn names_belong_to_the_longest_prefix() {
        let prefixes = ["", "net_ema."];
        assert_eq!(owner("net_ema.a", &prefixes), Some(("net_ema.", "a")));
        assert_eq!(owner("a", &prefixes), Some(("", "a")));
        assert_eq!(owner("a", &["module."]), None);
    }
}
