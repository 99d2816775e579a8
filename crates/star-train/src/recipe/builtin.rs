//! The recipes that come with the program, so that it needs no source tree.

use std::path::Path;

/// Names and texts of `configs/*.toml`.
const RECIPES: [(&str, &str); 5] = [
    ("synth", include_str!("../../../../configs/synth.toml")),
    (
        "300w-small",
        include_str!("../../../../configs/300w-small.toml"),
    ),
    ("300w", include_str!("../../../../configs/300w.toml")),
    ("wflw", include_str!("../../../../configs/wflw.toml")),
    ("cofw", include_str!("../../../../configs/cofw.toml")),
];

/// The built-in recipe that a path means: its name, or where it lies in the source tree (`configs/NAME.toml`).
pub(super) fn text(path: &Path) -> Option<&'static str> {
    let is = |name: &str| {
        path == Path::new(name) || path == Path::new("configs").join(format!("{name}.toml"))
    };
    let found = RECIPES.iter().find(|(name, _)| is(name));
    found.map(|(_, text)| *text)
}

/// Their names, for messages.
pub(super) fn names() -> String {
    RECIPES.map(|(name, _)| name).join(", ")
}
