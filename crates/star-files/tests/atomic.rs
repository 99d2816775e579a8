//! What an atomic write promises.

use std::{fs, io::Write, path::Path};

use star_files::{AtomicFile, IMAGE, read_file, read_text, write_atomic};

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

/// A reader that asks for a pipe's bytes gets them; before, the pipe was replaced by a file, and so was /dev/full.
#[cfg(unix)]
#[test]
fn pipes_are_written_and_not_replaced() {
    use std::os::unix::fs::FileTypeExt;
    let folder = tempfile::tempdir().unwrap();
    let pipe = pipe(folder.path());
    let reader = std::thread::spawn({
        let pipe = pipe.clone();
        move || fs::read(pipe).unwrap()
    });
    write_atomic(&pipe, b"through").unwrap();
    assert_eq!(reader.join().unwrap(), b"through");
    assert!(fs::metadata(&pipe).unwrap().file_type().is_fifo());
    assert_eq!(names(folder.path()), ["pipe"]);
}

#[cfg(unix)]
#[test]
fn a_link_stays_and_its_file_is_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let (file, link) = (folder.path().join("file"), folder.path().join("link"));
    fs::write(&file, b"old").unwrap();
    std::os::unix::fs::symlink(&file, &link).unwrap();
    write_atomic(&link, b"new").unwrap();
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert_eq!(fs::read(&file).unwrap(), b"new");
}

/// Without a writer a pipe would be waited for, a device read for ever, and a file of 40 GB fill the memory.
#[cfg(unix)]
#[test]
fn only_files_of_a_size_that_can_be_meant_are_read() {
    let folder = tempfile::tempdir().unwrap();
    for path in [pipe(folder.path()), "/dev/zero".into()] {
        let error = read_file(&path, 10).unwrap_err().to_string();
        assert!(error.contains("a pipe, a socket or a device"), "{error}");
    }
    let sparse = folder.path().join("sparse");
    fs::File::create(&sparse)
        .unwrap()
        .set_len(40 << 30)
        .unwrap();
    let error = read_file(&sparse, IMAGE).unwrap_err().to_string();
    assert!(
        error.contains("42949672960 bytes") && error.contains("at most 536870912"),
        "{error}"
    );
    let path = folder.path().join("a");
    fs::write(&path, b"0123456789").unwrap();
    assert_eq!(read_file(&path, 10).unwrap(), b"0123456789");
    assert!(read_file(&path, 9).is_err());
    assert!(read_file(folder.path(), 10).is_err());
    fs::write(&path, b"\xff").unwrap();
    let error = read_text(&path, 10).unwrap_err().to_string();
    assert!(error.contains("UTF-8"), "{error}");
}

#[cfg(unix)]
fn pipe(folder: &Path) -> std::path::PathBuf {
    let path = folder.join("pipe");
    let made = std::process::Command::new("mkfifo").arg(&path).status();
    assert!(made.unwrap().success());
    path
}
