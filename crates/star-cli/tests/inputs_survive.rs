//! What a person cannot make again is not written over: images, annotation files, weights that a command reads, or is going to read.

mod support;

use support::{Folder, assert_says, text};

/// The files of the folder `mine` and below, with their bytes.
fn contents(folder: &Folder) -> Vec<(std::path::PathBuf, Vec<u8>)> {
    fn collect(folder: &std::path::Path, found: &mut Vec<(std::path::PathBuf, Vec<u8>)>) {
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                collect(&path, found);
            } else {
                let bytes = std::fs::read(&path).expect("a file");
                found.push((path, bytes));
            }
        }
    }
    let mut found = Vec::new();
    collect(&folder.join("mine"), &mut found);
    found.sort();
    found
}

/// Twelve drawn beetles, their annotation files, and a photo under two names.
fn folder() -> Folder {
    let folder = Folder::new();
    let example = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/own-landmarks");
    std::fs::create_dir_all(folder.join("mine/images")).expect("a folder");
    std::fs::create_dir_all(folder.join("mine/photos")).expect("a folder");
    let read = |name: &str| std::fs::read_to_string(format!("{example}/{name}")).expect(name);
    folder.write("mine/layout.toml", read("layout.toml"));
    let lines: Vec<String> = read("points.csv")
        .lines()
        .take(13)
        .map(String::from)
        .collect();
    for line in &lines[1..] {
        let name = line.split(',').next().expect("an image");
        let bytes = std::fs::read(format!("{example}/{name}")).expect(name);
        folder.write(&format!("mine/{name}"), bytes);
    }
    folder.write("mine/points.csv", lines.join("\n") + "\n");
    folder.succeed(&["prepare", "custom", "--root", "mine", "--out", "mine"]);
    let photo = include_bytes!("../../../docs/astronaut.jpg");
    folder.write("mine/photos/face.jpg", photo);
    let image = image::load_from_memory(photo).expect("an image");
    image
        .save(folder.join("mine/photos/face.png"))
        .expect("an image");
    folder
}

#[test]
fn results_go_beside_what_is_read_and_never_over_it() {
    let folder = folder();
    let shipped = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../models/ibug68-small.safetensors"
    );
    folder.write("mine/w.json", std::fs::read(shipped).expect("weights"));
    let image = std::fs::read_dir(folder.join("mine/images"))
        .expect("images")
        .next()
        .expect("one")
        .expect("an entry")
        .path();
    let image = image.display().to_string();
    let before = contents(&folder);
    let prepare = "prepare custom --root mine --out mine --json";
    let check = "data check mine/train.tsv --images mine --layout mine/layout.toml --json";
    for line in [
        // A photo's drawing has the name of another photo.
        "predict mine/photos --out mine/photos".to_owned(),
        "predict mine/photos/face.jpg mine/photos/face.png --out mine/photos".into(),
        format!("{prepare} mine/points.csv"),
        format!("{prepare} mine/layout.toml"),
        format!("{prepare} {image}"),
        format!("{check} mine/layout.toml"),
        format!("{check} mine/train.tsv"),
        format!("{check} {image}"),
        format!("data show mine/train.tsv --images mine --layout mine/layout.toml --out {image}"),
    ] {
        let message = folder.fail(&line.split(' ').collect::<Vec<_>>());
        assert_says(&message, &["written over"]);
        let lost: Vec<_> = (before.iter())
            .filter(|(path, bytes)| std::fs::read(path).ok().as_ref() != Some(bytes))
            .map(|(path, _)| path)
            .collect();
        assert!(lost.is_empty(), "{line}: {lost:?}");
    }
    // Weights whose name a result would have.
    folder.write("mine/photos/face.json", before_of(&before, "w.json"));
    let message = folder.fail(&[
        "predict",
        "--weights",
        "mine/photos/face.json",
        "mine/photos/face.jpg",
        "--overlay",
        "none",
        "--out",
        "mine/photos",
    ]);
    assert_says(&message, &["face.json", "written over"]);
    assert_eq!(
        std::fs::read(folder.join("mine/photos/face.json")).expect("weights"),
        before_of(&before, "w.json")
    );
    // Again, onto results of before: these are nobody's input.
    for _ in 0..2 {
        folder.succeed(&["prepare", "custom", "--root", "mine", "--out", "mine"]);
        folder.succeed(&["predict", "mine/photos/face.jpg", "--out", "results"]);
    }
}

fn before_of(before: &[(std::path::PathBuf, Vec<u8>)], name: &str) -> Vec<u8> {
    let found = before.iter().find(|(path, _)| path.ends_with(name));
    found.expect(name).1.clone()
}

#[cfg(target_os = "linux")]
#[test]
fn standard_output_that_is_full_is_an_error_in_words() {
    let folder = folder();
    for line in [
        "model info --config synth",
        "data check mine/train.tsv --images mine --layout mine/layout.toml",
        "prepare custom --root mine --out mine",
        "completions bash",
        "man --out man1",
    ] {
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full");
        let output = folder
            .command(&line.split(' ').collect::<Vec<_>>())
            .stdout(full.expect("a device"))
            .output()
            .expect("star starts");
        let message = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{line}: {message}");
        assert_says(&message, &["standard output cannot be written", "No space"]);
        assert!(!message.contains("panicked"), "{message}");
    }
}

#[test]
fn a_dash_is_no_file_for_results() {
    let folder = folder();
    let line = "data check mine/train.tsv --images mine --layout mine/layout.toml --json -";
    let message = folder.fail(&line.split(' ').collect::<Vec<_>>());
    assert_says(&message, &["`-`", "Name a file"]);
    assert!(!folder.join("-").exists());
    let line = line.replace("--json -", "--json no/such/x.json");
    let message = folder.fail(&line.split(' ').collect::<Vec<_>>());
    assert_says(&message, &["no/such/x.json", "folder is not there"]);
}

#[test]
fn bad_lines_without_number_are_counted() {
    let folder = folder();
    let good = std::fs::read_to_string(folder.join("mine/train.tsv")).expect("text");
    folder.write("mine/bad.tsv", good + &"bad\n".repeat(3000));
    let line = "data check mine/bad.tsv --images mine --layout mine/layout.toml --json bad.json";
    let output = folder.star(&line.split(' ').collect::<Vec<_>>());
    assert_eq!(output.status.code(), Some(1));
    let said = text(&output.stdout);
    assert_says(
        &said,
        &["3000 bad lines", "2000 more bad lines are counted"],
    );
    let json = std::fs::read_to_string(folder.join("bad.json")).expect("figures");
    assert_eq!(json.matches("bad-line").count(), 1000);
}
