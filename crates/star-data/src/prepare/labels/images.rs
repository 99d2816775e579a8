//! From an image's name in a labelling program to the file in one's own folder.

use std::{
    collections::{HashMap, HashSet},
    path::Path,
};

use crate::{error::DataError, prepare::custom::shorten};

/// The image files that are read.
pub(super) const IMAGES: [&str; 5] = ["jpg", "jpeg", "png", "bmp", "webp"];
/// Folders below folders.
const DEEPEST: usize = 16;

/// The files with one of these endings below a folder: paths from it, with `/`, sorted.
pub(super) fn files(folder: &Path, endings: &[&str]) -> Result<Vec<String>, DataError> {
    let mut found = Vec::new();
    walk(folder, "", 0, endings, &mut found)?;
    found.sort();
    Ok(found)
}

fn walk(
    folder: &Path,
    from: &str,
    depth: usize,
    endings: &[&str],
    found: &mut Vec<String>,
) -> Result<(), DataError> {
    for entry in std::fs::read_dir(folder).map_err(|e| DataError::io(folder, e))? {
        let path = entry.map_err(|e| DataError::io(folder, e))?.path();
        // A name that is not text cannot stand in an annotation file.
        let Some(name) = path.file_name().and_then(|n| n.to_str()) else {
            continue;
        };
        if name.starts_with('.') {
            continue;
        }
        let name = format!("{from}{name}");
        if path.is_dir() {
            if depth < DEEPEST {
                walk(&path, &format!("{name}/"), depth + 1, endings, found)?;
            }
        } else if endings.contains(&ending(&name).as_str()) {
            found.push(name);
        }
    }
    Ok(())
}

fn ending(name: &str) -> String {
    let ending = name.rsplit_once('.').map(|(_, ending)| ending);
    ending.unwrap_or_default().to_ascii_lowercase()
}

fn stem(name: &str) -> &str {
    name.rsplit_once('.').map_or(name, |(stem, _)| stem)
}

/// All images of a folder.
pub(super) struct ImageFolder {
    files: Vec<String>,
    /// By their last part, and by it without its ending.
    by_name: HashMap<String, Vec<usize>>,
    used: HashSet<usize>,
}

impl ImageFolder {
    pub(super) fn open(folder: &Path) -> Result<Self, DataError> {
        let files = files(folder, &IMAGES)?;
        let mut by_name: HashMap<String, Vec<usize>> = HashMap::new();
        for (i, file) in files.iter().enumerate() {
            let name = last(file);
            by_name.entry(name.to_string()).or_default().push(i);
            by_name
                .entry(format!("{}.", stem(name)))
                .or_default()
                .push(i);
        }
        Ok(Self {
            files,
            by_name,
            used: HashSet::new(),
        })
    }

    pub(super) fn len(&self) -> usize {
        self.files.len()
    }

    /// The file that is meant by `name`: the path from the folder, or an address or a path of another machine whose last parts are
    /// those of one file; of a `.pts` file the image beside it.
    pub(super) fn find(&mut self, name: &str) -> Result<String, String> {
        let number = self.number(name)?;
        self.used.insert(number);
        Ok(self.files[number].clone())
    }

    fn number(&self, name: &str) -> Result<usize, String> {
        let plain = plain(name);
        if let Ok(number) = self.files.binary_search(&plain) {
            return Ok(number);
        }
        let of_points = ending(&plain) == "pts";
        let short = last(&plain);
        let mut keys = vec![if of_points {
            format!("{}.", stem(short))
        } else {
            short.to_string()
        }];
        // Label Studio puts eight letters before the names of files that are uploaded.
        if let Some((code, rest)) = short.split_once('-')
            && code.len() == 8
            && code.bytes().all(|b| b.is_ascii_hexdigit())
        {
            keys.push(rest.to_string());
        }
        let Some(found) = keys.iter().find_map(|key| self.by_name.get(key)) else {
            return Err(format!("no image `{}` below --images", shorten(&plain)));
        };
        let common = |number: usize| {
            let file = self.files[number].rsplit('/').skip(1);
            let folders = plain.rsplit('/').skip(1);
            file.zip(folders).take_while(|(a, b)| a == b).count()
        };
        let most = found.iter().map(|&n| common(n)).max().unwrap_or(0);
        let best: Vec<usize> = found
            .iter()
            .copied()
            .filter(|&n| common(n) == most)
            .collect();
        match best[..] {
            [only] => Ok(only),
            [first, second, ..] => Err(format!(
                "`{}` may be {} or {}; give --images the folder in which its path begins",
                shorten(&plain),
                self.files[first],
                self.files[second]
            )),
            [] => Err(format!("no image `{}` below --images", shorten(&plain))),
        }
    }

    /// The images that nothing was said of.
    pub(super) fn unused(&self) -> impl Iterator<Item = &str> {
        (self.files.iter().enumerate())
            .filter(|(i, _)| !self.used.contains(i))
            .map(|(_, file)| file.as_str())
    }
}

fn last(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// Without what addresses have around a path: the host, a question (of which Label Studio's `?d=` is the path), `%20`.
fn plain(name: &str) -> String {
    let mut name = name.trim().replace('\\', "/");
    if let Some((_, path)) = name.split_once("?d=") {
        name = unquote(path);
    } else if let Some((_, rest)) = name.split_once("://") {
        let path = rest.split(['?', '#']).next().unwrap_or(rest);
        name = unquote(path);
    }
    let parts = name.split('/').filter(|p| !p.is_empty() && *p != ".");
    parts.collect::<Vec<_>>().join("/")
}

fn unquote(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let code = bytes.get(at + 1..at + 3).and_then(|hex| {
            let hex = std::str::from_utf8(hex).ok()?;
            u8::from_str_radix(hex, 16).ok()
        });
        match (byte, code) {
            (b'%', Some(code)) => {
                out.push(code);
                at += 3;
            }
            _ => {
                out.push(byte);
                at += 1;
            }
        }
    }
    String::from_utf8(out).unwrap_or_else(|_| text.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(files: &[&str]) -> (tempfile::TempDir, ImageFolder) {
        let folder = tempfile::tempdir().unwrap();
        for file in files {
            let path = folder.path().join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "").unwrap();
        }
        let images = ImageFolder::open(folder.path()).unwrap();
        (folder, images)
    }

    #[test]
    fn images_are_found_by_what_programs_call_them() {
        let (_folder, mut images) = folder(&[
            "a/1.jpg",
            "b/1.jpg",
            "my face.png",
            "b/\u{e9}.PNG",
            "c/only.webp",
            ".thumbs/only.webp",
            "notes.txt",
        ]);
        assert_eq!(images.len(), 5);
        let cases = [
            ("a/1.jpg", "a/1.jpg"),
            ("./b\\1.jpg", "b/1.jpg"),
            ("C:\\data\\b\\1.jpg", "b/1.jpg"),
            ("/home/me/a/1.jpg", "a/1.jpg"),
            ("only.webp", "c/only.webp"),
            ("elsewhere/only.webp", "c/only.webp"),
            ("b/\u{e9}.PNG", "b/\u{e9}.PNG"),
            ("/data/upload/3/0a1b2c3d-only.webp", "c/only.webp"),
            ("/data/local-files/?d=set/my%20face.png", "my face.png"),
            ("https://host/x/%C3%A9.PNG?size=2", "b/\u{e9}.PNG"),
            ("a/1.pts", "a/1.jpg"),
            ("c/only.pts", "c/only.webp"),
        ];
        for (name, file) in cases {
            assert_eq!(images.find(name).as_deref(), Ok(file), "{name}");
        }
        let told = images.find("1.jpg").unwrap_err();
        assert!(told.contains("a/1.jpg or b/1.jpg"), "{told}");
        assert!(
            images
                .find("none.jpg")
                .unwrap_err()
                .contains("no image `none.jpg`")
        );
        assert!(images.find("notes.txt").is_err());
        assert_eq!(images.unused().count(), 0);
    }
}
