//! What documents say of this repository's files is so: links, the book's chapters, examples, the version.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::star::root;

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// The Markdown files of a folder.
fn markdown(folder: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(root().join(folder)).expect(folder);
    let paths = entries.map(|entry| entry.expect("an entry").path());
    paths
        .filter(|path| path.extension().is_some_and(|e| e == "md"))
        .collect()
}

/// The folders of the crates.
fn crates() -> Vec<PathBuf> {
    let entries = fs::read_dir(root().join("crates")).expect("crates");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    paths
        .filter(|path| path.join("Cargo.toml").is_file())
        .collect()
}

/// The lines of a text outside of its fenced code.
fn prose(text: &str) -> impl Iterator<Item = &str> {
    let mut fenced = false;
    text.lines().filter(move |line| {
        let fence = line.trim_start().starts_with("```");
        fenced ^= fence;
        !fenced && !fence
    })
}

/// Where the links and images of a text lead.
fn links(text: &str) -> Vec<&str> {
    prose(text)
        .flat_map(|line| line.split("](").skip(1))
        .filter_map(|rest| rest.split([')', ' ']).next())
        .collect()
}

/// Whether a text has the heading that an anchor names: in small letters, hyphens for spaces, nothing else but letters and digits.
fn has_heading(text: &str, anchor: &str) -> bool {
    prose(text).any(|line| {
        let title = line.trim_start_matches('#');
        let slug: String = (title.trim().to_lowercase().chars())
            .filter(|c| c.is_alphanumeric() || "- _".contains(*c))
            .map(|c| if c == ' ' { '-' } else { c })
            .collect();
        title != line && slug == anchor
    })
}

/// The links of a file that lead to nothing here. Other sites are not asked.
fn broken_links(file: &Path) -> Vec<String> {
    let text = read(file);
    let folder = file.parent().expect("a folder");
    let broken = |link: &&str| {
        if link.contains("://") || link.starts_with("mailto:") {
            return false;
        }
        let (path, anchor) = link.split_once('#').unwrap_or((link, ""));
        let to = if path.is_empty() {
            file.to_path_buf()
        } else {
            folder.join(path)
        };
        !to.exists() || !(anchor.is_empty() || has_heading(&read(&to), anchor))
    };
    links(&text)
        .into_iter()
        .filter(broken)
        .map(|link| format!("{}: {link}", file.display()))
        .collect()
}

#[test]
fn every_link_leads_to_a_file() {
    let mut files = markdown(".");
    for folder in [
        "docs",
        "models",
        "benches/gpu",
        "benches/loader",
        "benches/peers",
    ] {
        files.extend(markdown(folder));
    }
    files.extend(["configs", "datasets", "fuzz"].map(|f| root().join(f).join("README.md")));
    files.extend(crates().iter().map(|folder| folder.join("README.md")));
    let count: usize = files.iter().map(|file| links(&read(file)).len()).sum();
    assert!(count > 50, "only {count} links were seen");
    let broken: Vec<String> = files.iter().flat_map(|file| broken_links(file)).collect();
    assert!(broken.is_empty(), "{broken:#?}");
}

#[test]
fn a_broken_link_is_seen() {
    let folder = std::env::temp_dir().join(format!("star-links-{}", std::process::id()));
    fs::create_dir_all(&folder).expect("a temporary folder");
    let file = folder.join("a.md");
    let text = "# A title, long\n[self](#a-title-long) [x](a.md#other) ![y](b.png) [z](https://there.example/c)\n```\n[code](d)\n```\n";
    fs::write(&file, text).expect("a file");
    let broken = broken_links(&file);
    fs::remove_dir_all(folder).expect("clean up");
    let named = |link: &str| broken.iter().any(|b| b.ends_with(&format!(": {link}")));
    assert!(
        named("a.md#other") && named("b.png") && broken.len() == 2,
        "{broken:?}"
    );
}

#[test]
fn the_book_has_every_page_once_and_stays_inside_docs() {
    let summary = read(&root().join("docs/SUMMARY.md"));
    let mut chapters = links(&summary);
    chapters.sort_unstable();
    let mut pages: Vec<String> = (markdown("docs").iter())
        .filter_map(|path| Some(path.file_name()?.to_string_lossy().into_owned()))
        .filter(|name| name != "SUMMARY.md")
        .collect();
    pages.sort_unstable();
    assert_eq!(chapters, pages);
    for page in markdown("docs") {
        let text = read(&page);
        let outside: Vec<_> = links(&text)
            .into_iter()
            .filter(|link| link.starts_with(".."))
            .collect();
        assert!(
            outside.is_empty(),
            "{}: not in the book: {outside:?}",
            page.display()
        );
    }
}

/// A line more in the README is allowed: what a doctest hides.
#[test]
fn the_readme_of_a_crate_shows_its_first_example() {
    let mut seen = 0;
    for folder in crates() {
        let readme = read(&folder.join("README.md"));
        let Ok(library) = fs::read_to_string(folder.join("src/lib.rs")) else {
            continue;
        };
        let example = (library
            .lines()
            .skip_while(|line| *line != "//! ```")
            .skip(1))
        .take_while(|line| *line != "//! ```")
        .map(|line| line.trim_start_matches("//!"))
        .map(|line| line.strip_prefix(' ').unwrap_or(line))
        .filter(|line| !line.starts_with("# "));
        let mut shown = readme.lines();
        for line in example {
            let there = shown.any(|there| there == line);
            assert!(
                there,
                "{}: not in README.md, or not in its place: {line}",
                folder.display()
            );
            seen += 1;
        }
    }
    assert!(seen > 50, "only {seen} lines of examples were seen");
}

#[test]
fn the_version_to_cite_is_this_one() {
    let citation = read(&root().join("CITATION.cff"));
    let version = format!("version: {}", env!("CARGO_PKG_VERSION"));
    assert!(citation.lines().any(|line| line == version), "{version}");
}

/// The README's lines of Rust are those of the example at `Landmarker`, which is a doctest.
#[test]
fn the_rust_of_the_readme_is_an_example_that_runs() {
    let readme = read(&root().join("README.md"));
    let (_, rest) = readme.split_once("```rust\n").expect("Rust in the README");
    let (shown, _) = rest.split_once("```").expect("its end");
    let documented = read(&root().join("crates/star-infer/src/landmarker.rs"));
    let (_, rest) = documented.split_once("/// ```\n").expect("an example");
    let (example, _) = rest.split_once("/// ```\n").expect("its end");
    let visible: Vec<&str> = (example.lines())
        .filter_map(|line| line.strip_prefix("/// "))
        .filter(|line| !line.starts_with("# "))
        .collect();
    assert_eq!(shown.lines().collect::<Vec<_>>(), visible);
}

/// The README's `cargo add`, typed in the folder of a program beside the clone.
#[test]
fn the_crate_to_embed_can_be_added() {
    let readme = read(&root().join("README.md"));
    let mut lines = readme.lines();
    let line = lines.find(|line| line.starts_with("cargo add "));
    let folder = std::env::temp_dir().join(format!("star-add-{}", std::process::id()));
    fs::create_dir_all(folder.join("src")).expect("a temporary folder");
    let manifest = "[package]\nname = \"mine\"\nversion = \"0.1.0\"\nedition = \"2024\"\n";
    fs::write(folder.join("Cargo.toml"), manifest).expect("a file");
    fs::write(folder.join("src/main.rs"), "fn main() {}\n").expect("a file");
    let here = root().display().to_string();
    let arguments = line.expect("cargo add in the README");
    let arguments = arguments.replace("../star", &here);
    let added = std::process::Command::new("cargo")
        .args(arguments.split_whitespace().skip(1))
        .arg("--offline")
        .current_dir(&folder)
        .output()
        .expect("cargo runs");
    let manifest = read(&folder.join("Cargo.toml"));
    fs::remove_dir_all(&folder).expect("clean up");
    assert!(added.status.success(), "{added:?}");
    assert!(manifest.contains("star-infer = "), "{manifest}");
}
