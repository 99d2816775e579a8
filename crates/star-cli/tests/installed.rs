//! What an installed program is asked: its version, completions, manual pages.

mod support;

use support::{Folder, assert_says, text};

#[test]
fn the_version_names_the_backends() {
    let text = Folder::new().succeed(&["--version"]);
    assert_eq!(text.lines().count(), 1, "{text}");
    let number = format!("star {} (", env!("CARGO_PKG_VERSION"));
    assert!(text.starts_with(&number), "{text}");
    assert!(text.contains("backends: flex"), "{text}");
    if let Some(commit) = option_env!("STAR_COMMIT") {
        assert!(text.contains(commit), "{text}");
    }
}

#[test]
fn every_shell_gets_all_commands() {
    let folder = Folder::new();
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let script = folder.succeed(&["completions", shell]);
        for word in ["predict", "calibrate", "annotations", "box-noise"] {
            assert!(script.contains(word), "{shell} does not know {word}");
        }
    }
    assert_says(&folder.fail(&["completions", "tcsh"]), &["tcsh", "zsh"]);
}

#[test]
fn there_is_a_manual_page_for_each_command() {
    let folder = Folder::new();
    assert_says(&folder.succeed(&["man", "--out", "a/man1"]), &["a/man1"]);
    for (page, word) in [
        ("star", "train"),
        ("star-train", "resume"),
        ("star-prepare-wflw", "root"),
    ] {
        let text = std::fs::read_to_string(folder.join(&format!("a/man1/{page}.1"))).expect(page);
        assert!(
            text.contains(".TH") && text.contains(word),
            "{page}: {text}"
        );
    }
    folder.write("file", "");
    assert_says(&folder.fail(&["man", "--out", "file"]), &["file"]);
}

/// The README's first lines for the terminal, in a folder that has nothing: `train` with nothing given, stopped early here, and `predict`.
#[test]
fn the_first_lines_of_the_readme_run() {
    let folder = Folder::new();
    let stopped = folder.star(&["train", "--stop-after", "2"]);
    assert_eq!(stopped.status.code(), Some(130), "{stopped:?}");
    assert_says(
        &text(&stopped.stdout),
        &["stopped; everything is in runs/synth-"],
    );
    let photo = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/astronaut.jpg");
    folder.succeed(&["predict", photo]);
}
