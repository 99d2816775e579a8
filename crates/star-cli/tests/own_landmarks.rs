//! The README's chapter "Your own landmarks", typed in: every command of it runs, and what it trains is of use.

mod support;

use std::{fs, path::Path, process::Command};

use support::{Folder, text};

/// On the 24 test beetles, as a fraction of the wing covers' width. The mean shape scores 0.27 on held-out ones; other
/// processors round differently, and so small a run shows it.
const NME: f64 = 0.12;

fn project(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .join(name)
}

/// The chapter, from its title to the next.
fn chapter() -> String {
    let readme = fs::read_to_string(project("README.md")).expect("README.md");
    let (_, rest) = readme
        .split_once("\n## Your own landmarks\n")
        .expect("the chapter");
    rest.split("\n## ").next().unwrap_or(rest).to_string()
}

/// The fenced blocks of a language.
fn blocks(chapter: &str, language: &str) -> Vec<String> {
    let fence = format!("\n```{language}\n");
    chapter
        .split(&fence)
        .skip(1)
        .filter_map(|rest| rest.split("```").next().map(str::to_string))
        .collect()
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("a folder") {
        let path = entry.expect("an entry").path();
        let to = to.join(path.file_name().expect("a name"));
        if path.is_dir() {
            copy(&path, &to);
        } else {
            fs::copy(&path, &to).expect("a copy");
        }
    }
}

fn json(folder: &Folder, name: &str) -> serde_json::Value {
    let bytes = fs::read(folder.join(name)).unwrap_or_else(|e| panic!("{name}: {e}"));
    serde_json::from_slice(&bytes).expect("JSON")
}

#[test]
fn the_chapter_shows_the_files_that_are_there() {
    let chapter = chapter();
    for name in ["layout.toml", "recipe.toml"] {
        let file = fs::read_to_string(project("examples/own-landmarks").join(name)).expect(name);
        assert!(
            blocks(&chapter, "toml").contains(&file),
            "README.md does not show {name} as it is"
        );
    }
    let points = fs::read_to_string(project("examples/own-landmarks/points.csv")).expect("csv");
    let shown = blocks(&chapter, "csv").concat();
    assert!(!shown.is_empty() && points.starts_with(&shown), "{shown}");
}

/// `sh` and `cp` are what the chapter is typed into.
#[cfg(unix)]
#[test]
fn every_command_of_the_chapter_runs() {
    let folder = Folder::new();
    for name in ["examples", "configs"] {
        copy(&project(name), &folder.join(name));
    }
    let star = format!("'{}'", env!("CARGO_BIN_EXE_star"));
    let commands = blocks(&chapter(), "sh").concat();
    let commands: Vec<&str> = commands.lines().filter(|line| !line.is_empty()).collect();
    for wanted in ["cp -r", "prepare custom", "train", "eval", "predict"] {
        let there = commands.iter().any(|line| line.contains(wanted));
        assert!(there, "no `{wanted}` in the chapter");
    }
    let mut figures = String::new();
    for line in commands {
        let typed = line.replace("cargo xtask", &star);
        let output = Command::new("sh")
            .args(["-c", &typed])
            .current_dir(folder.path())
            .output()
            .expect("sh");
        let (out, err) = (text(&output.stdout), text(&output.stderr));
        assert!(output.status.success(), "`{line}` failed:\n{out}{err}");
        if line.contains(" eval ") {
            figures = out;
        }
    }

    let test = json(&folder, "runs/mine/report/test.json");
    let nme = test["nme"].as_f64().expect("a number");
    assert!(nme < NME, "NME {nme} on the test beetles:\n{figures}");
    assert_eq!(test["faces"], 24);
    // `eval` says the same of the same weights and images.
    let percent = format!(" {:.2} % ", nme * 100.0);
    assert!(figures.contains(&percent), "no {percent} in {figures}");

    let predicted = json(&folder, "mine/predictions/beetle_100.json");
    let points = predicted["faces"][0]["points"].as_array();
    assert_eq!(points.map(Vec::len), Some(7));
    for index in 96..120 {
        let name = format!("mine/predictions/beetle_{index:03}.png");
        assert!(folder.join(&name).is_file(), "{name}");
    }
}

#[test]
fn what_is_wrong_with_a_folder_is_said() {
    let folder = Folder::new();
    copy(&project("examples/own-landmarks"), &folder.join("mine"));
    let layout = folder.join("mine/layout.toml");
    let points = folder.join("mine/points.csv");
    let (good_layout, good_points) = (
        fs::read_to_string(&layout).expect("layout"),
        fs::read_to_string(&points).expect("points"),
    );
    let prepare = ["prepare", "custom", "--root", "mine", "--out", "lists"];
    let fails = |more: &[&str], parts: &[&str]| {
        let message = folder.fail(&[&prepare[..], more].concat());
        for part in parts {
            assert!(message.contains(part), "lacks `{part}`: {message}");
        }
        assert!(!folder.join("lists").exists());
    };

    fails(&["--points", "absent.csv"], &["absent.csv"]);
    fails(&["--layout", "ibug"], &["ibug68"]);
    fails(&["--layout", "ibug68"], &["points.csv:1", "68 points"]);
    fails(&["--seed", "1"], &["points.csv", "splits"]);
    fails(&["--crop", "published", "--margin", "2"], &["--margin"]);

    let line = 1 + good_layout
        .lines()
        .position(|l| l.starts_with("mirror"))
        .expect("mirror");
    let bad = good_layout.replace("[3, 4]]", "[3, 9]]");
    fs::write(&layout, bad).expect("write");
    fails(&[], &[&format!("layout.toml:{line}"), "point 9"]);
    fs::remove_file(&layout).expect("remove");
    fails(&[], &["layout.toml", "--layout"]);
    fs::write(&layout, &good_layout).expect("write");

    fs::write(&points, "").expect("write");
    fails(&[], &["points.csv:1", "empty"]);
    fs::write(&points, good_points.replacen("y3,", "", 1)).expect("write");
    fails(&[], &["points.csv:1", "`y3`"]);
    fs::remove_file(&points).expect("remove");
    fails(&[], &["points.csv"]);

    // One bad row does not stop the others.
    let line = good_points.lines().nth(5).expect("a row").to_string();
    let bad = line.replacen(',', ",z", 1);
    fs::write(&points, good_points.replace(&line, &bad)).expect("write");
    let output = folder.succeed(&prepare);
    assert!(output.contains("119 faces"), "{output}");
    assert!(output.contains("points.csv:6: x0 is `z"), "{output}");
    assert!(folder.join("lists/train.tsv").is_file());
}
