//! What results are called.

use std::{collections::HashSet, path::Path};

/// Results are called as their images; images of the same name in different folders get a number.
#[derive(Default)]
pub struct Names(HashSet<String>);

impl Names {
    /// The image's name without its ending, or with a number behind it if that is taken.
    pub fn of_image(&mut self, image: &Path) -> String {
        let stem = image
            .file_stem()
            .map_or_else(|| "image".into(), |s| s.to_string_lossy().into_owned());
        self.unique(&stem, 1)
    }

    /// `stem`, or the first of `stem-2`, `stem-3`, .. that is free; from `first` on.
    pub fn unique(&mut self, stem: &str, first: usize) -> String {
        (first..)
            .map(|i| {
                if i == 1 {
                    stem.to_owned()
                } else {
                    format!("{stem}-{i}")
                }
            })
            // Some file systems do not tell A from a.
            .find(|name| self.0.insert(name.to_lowercase()))
            .unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_is_given_twice() {
        let mut names = Names::default();
        let given = ["x/a.jpg", "y/a.png", "a-2.jpg", "A.jpg", "b.tar.jpg"]
            .map(|p| names.of_image(Path::new(p)));
        assert_eq!(given, ["a", "a-2", "a-2-2", "A-3", "b.tar"]);
    }
}
