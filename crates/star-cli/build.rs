//! The commit that `star --version` names. Outside a git checkout (a package from a registry) there is none, and nothing is said of it.

use std::{path::Path, process::Command};

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let Some(commit) = git(&["rev-parse", "--short=12", "HEAD"]) else {
        return;
    };
    let changed = git(&["status", "--porcelain", "--untracked-files=no"]).unwrap_or_default();
    let dirty = if changed.is_empty() { "" } else { "-dirty" };
    println!("cargo::rustc-env=STAR_COMMIT={commit}{dirty}");
    // A commit, a checkout of another branch, and `git add` touch one of these; in a worktree they lie elsewhere, so git is asked.
    for name in ["HEAD", "index", "logs/HEAD"] {
        if let Some(path) =
            git(&["rev-parse", "--git-path", name]).filter(|p| Path::new(p).exists())
        {
            println!("cargo::rerun-if-changed={path}");
        }
    }
}

fn git(args: &[&str]) -> Option<String> {
    let output = Command::new("git").args(args).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}
