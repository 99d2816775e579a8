//! What an atomic write promises.

use std::{fs, io::Write, path::Path};

use star_files::{AtomicFile, write_atomic};

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .map(|e| e.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn a_file_is_replaced_and_nothing_stays_beside_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.json");
    write_atomic(&path, b"old").unwrap();
    write_atomic(&path, b"new").unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"new");
    assert_eq!(names(folder.path()), ["a.json"]);
}

#[test]
fn what_is_not_committed_leaves_the_old_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.json");
    write_atomic(&path, b"old").unwrap();
    let mut file = AtomicFile::create(&path).unwrap();
    file.write_all(b"half").unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"old");
    assert_eq!(names(folder.path()).len(), 2);
    drop(file);
    assert_eq!(fs::read(&path).unwrap(), b"old");
    assert_eq!(names(folder.path()), ["a.json"]);
}

/// Files whose names differ only in their endings used to share one temporary file, and swapped contents.
#[test]
fn many_writers_of_one_folder_do_not_mix() {
    let folder = tempfile::tempdir().unwrap();
    let names = ["photo.json", "photo.pts", "photo.png", "photo"];
    std::thread::scope(|scope| {
        for name in names {
            let path = folder.path().join(name);
            scope.spawn(move || {
                for round in 0..50 {
                    let bytes = format!("{name} {round}").repeat(1000);
                    write_atomic(&path, bytes.as_bytes()).unwrap();
                    assert_eq!(fs::read(&path).unwrap(), bytes.as_bytes(), "{name}");
                }
            });
        }
    });
}

#[test]
fn a_missing_folder_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    assert!(write_atomic(&folder.path().join("none/a.json"), b"").is_err());
}

#[cfg(unix)]
#[test]
fn others_may_read_it_as_any_other_file() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let (atomic, plain) = (folder.path().join("a"), folder.path().join("b"));
    write_atomic(&atomic, b"").unwrap();
    fs::write(&plain, b"").unwrap();
    assert_eq!(mode(&atomic), mode(&plain));
}
