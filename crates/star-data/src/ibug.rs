//! The folders that 300-W is handed out in, and the subsets that papers make of them.

use std::path::{Path, PathBuf};

/// One of the folders that 300-W is handed out in.
#[cfg_attr(not(feature = "prepare"), allow(dead_code))]
pub struct Part {
    /// What messages call it.
    pub name: &'static str,
    /// The folder's path as published, in small letters; more than one where it goes by several names.
    pub folders: &'static [&'static str],
    pub train: bool,
    /// Its own annotation file, for a test folder.
    pub list: Option<&'static str>,
    /// Faces as published.
    pub published: usize,
}

/// The folders of 300-W.
pub const PARTS: [Part; 8] = [
    Part {
        name: "afw",
        folders: &["afw"],
        train: true,
        list: None,
        published: 337,
    },
    Part {
        name: "helen/trainset",
        folders: &["helen/trainset"],
        train: true,
        list: None,
        published: 2000,
    },
    Part {
        name: "lfpw/trainset",
        folders: &["lfpw/trainset"],
        train: true,
        list: None,
        published: 811,
    },
    Part {
        name: "helen/testset",
        folders: &["helen/testset"],
        train: false,
        list: Some("helen_test"),
        published: 330,
    },
    Part {
        name: "lfpw/testset",
        folders: &["lfpw/testset"],
        train: false,
        list: Some("lfpw_test"),
        published: 224,
    },
    Part {
        name: "ibug",
        folders: &["ibug"],
        train: false,
        list: Some("ibug_test"),
        published: 135,
    },
    Part {
        name: "indoor",
        folders: &["indoor", "01_indoor"],
        train: false,
        list: Some("indoor_test"),
        published: 300,
    },
    Part {
        name: "outdoor",
        folders: &["outdoor", "02_outdoor"],
        train: false,
        list: Some("outdoor_test"),
        published: 300,
    },
];

/// The published subsets and what they are made of.
pub const SUBSETS: [(&str, &[&str]); 4] = [
    ("common", &["helen/testset", "lfpw/testset"]),
    ("challenge", &["ibug"]),
    ("full", &["helen/testset", "lfpw/testset", "ibug"]),
    ("private", &["indoor", "outdoor"]),
];

/// The part whose folder this is: the last names of the path are the part's own, whatever is above them.
pub fn part_of(folder: &Path) -> Option<usize> {
    let names: Vec<String> = folder
        .components()
        .map(|c| c.as_os_str().to_string_lossy().to_ascii_lowercase())
        .collect();
    let ends_with = |published: &str| {
        let published: Vec<&str> = published.split('/').collect();
        (names.len().checked_sub(published.len())).is_some_and(|above| names[above..] == published)
    };
    PARTS
        .iter()
        .position(|part| part.folders.iter().any(|folder| ends_with(folder)))
}

/// Of a path without its extension that is called `NAME_mirror`: the path of `NAME`.
pub fn original_of_mirrored(stem: &Path) -> Option<PathBuf> {
    let name = stem.file_name()?.to_str()?.strip_suffix("_mirror")?;
    (!name.is_empty()).then(|| stem.with_file_name(name))
}
