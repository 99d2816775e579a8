//! `cargo xtask dist`: an archive to hand out, and its checksum.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, ExitCode},
};

use crate::star::{backend_of, build, root, target};

/// What lies beside the program, from the workspace's folder.
const FILES: [&str; 6] = [
    "README.md",
    "CHANGELOG.md",
    "LICENSE-APACHE",
    "LICENSE-MIT",
    "NOTICE",
    "models/ibug68-small.md",
];
/// Shells and the names that they look for.
const COMPLETIONS: [(&str, &str); 4] = [
    ("bash", "star.bash"),
    ("zsh", "_star"),
    ("fish", "star.fish"),
    ("powershell", "_star.ps1"),
];

pub fn run(args: &[String]) -> Result<ExitCode, String> {
    let backend = backend_of(args)?.unwrap_or("flex");
    let program = build(backend)?;
    let dist = target().join("dist");
    let archive = archive(&program, &dist, &name(backend)?)?;
    let bytes = fs::metadata(&archive).map_err(|e| said(&archive, e))?.len();
    println!(
        "{} ({:.1} MB), its checksum in {}",
        archive.display(),
        bytes as f64 / 1e6,
        dist.join("SHA256SUMS").display()
    );
    Ok(ExitCode::SUCCESS)
}

/// `star-0.1.0-x86_64-unknown-linux-gnu`, with the backend if it is not the default one.
fn name(backend: &str) -> Result<String, String> {
    let manifest = fs::read_to_string(root().join("Cargo.toml")).map_err(|e| e.to_string())?;
    let version = (manifest.lines())
        .find_map(|line| line.strip_prefix("version = \"")?.strip_suffix('"'))
        .ok_or("Cargo.toml names no version")?;
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let said = output(Command::new(rustc).arg("-vV"))?;
    let host = (said.lines())
        .find_map(|line| line.strip_prefix("host: "))
        .ok_or("rustc -vV names no host")?;
    let backend = match backend {
        "flex" => String::new(),
        other => format!("-{other}"),
    };
    Ok(format!("star-{version}-{host}{backend}"))
}

/// Puts the program and what belongs to it into `dist/NAME`, packs that as `dist/NAME.tar.gz`, and writes `dist/SHA256SUMS`.
fn archive(program: &Path, dist: &Path, name: &str) -> Result<PathBuf, String> {
    let folder = dist.join(name);
    // What an earlier call left must not be packed.
    if folder.exists() {
        fs::remove_dir_all(&folder).map_err(|e| said(&folder, e))?;
    }
    let completions = folder.join("completions");
    fs::create_dir_all(&completions).map_err(|e| said(&completions, e))?;
    let star = folder.join(format!("star{}", std::env::consts::EXE_SUFFIX));
    fs::copy(program, &star).map_err(|e| said(program, e))?;
    for file in FILES {
        let from = root().join(file);
        let to = folder.join(from.file_name().unwrap_or_default());
        fs::copy(&from, &to).map_err(|e| said(&from, e))?;
    }
    for (shell, file) in COMPLETIONS {
        let text = output(Command::new(&star).args(["completions", shell]))?;
        let to = completions.join(file);
        fs::write(&to, text).map_err(|e| said(&to, e))?;
    }
    output(
        Command::new(&star)
            .args(["man", "--out"])
            .arg(folder.join("man/man1")),
    )?;

    // Both tools are part of every Linux and macOS; Windows has tar, and no program for the checksum that is called the same.
    let archive = format!("{name}.tar.gz");
    output(
        Command::new("tar")
            .args(["-czf", &archive, name])
            .current_dir(dist),
    )?;
    let sums = checksums(dist, &archive)?;
    let to = dist.join("SHA256SUMS");
    fs::write(&to, sums).map_err(|e| said(&to, e))?;
    Ok(dist.join(archive))
}

/// A line for `sha256sum --check`.
fn checksums(dist: &Path, archive: &str) -> Result<String, String> {
    let sum = |program: &str, args: &[&str]| {
        output(
            Command::new(program)
                .args(args)
                .arg(archive)
                .current_dir(dist),
        )
    };
    sum("sha256sum", &[])
        .or_else(|_| sum("shasum", &["-a", "256"]))
        .map_err(|e| format!("neither sha256sum nor shasum gave the archive's checksum: {e}"))
}

fn output(command: &mut Command) -> Result<String, String> {
    let name = format!("{:?}", command.get_program());
    let output = command.output().map_err(|e| format!("{name}: {e}"))?;
    if !output.status.success() {
        let why = String::from_utf8_lossy(&output.stderr);
        return Err(format!("{name} failed: {}", why.trim()));
    }
    String::from_utf8(output.stdout).map_err(|e| format!("{name}: {e}"))
}

fn said(path: &Path, error: std::io::Error) -> String {
    format!("{}: {error}", path.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A stub stands for the program: it writes what `man` would, and says what it was asked.
    #[cfg(unix)]
    #[test]
    fn an_archive_holds_the_program_and_its_checksum_is_right() {
        use std::os::unix::fs::PermissionsExt;

        let folder = std::env::temp_dir().join(format!("star-dist-{}", std::process::id()));
        fs::create_dir_all(&folder).expect("a temporary folder");
        let stub = folder.join("stub");
        fs::write(
            &stub,
            "#!/bin/sh\nif [ $1 = man ]; then mkdir -p $3; echo page > $3/star.1; fi\necho $*\n",
        )
        .expect("a stub");
        fs::set_permissions(&stub, fs::Permissions::from_mode(0o755)).expect("it runs");
        let dist = folder.join("dist");
        // CHANGELOG and the others are the workspace's own.
        let packed = archive(&stub, &dist, "star-1").expect("packed");

        let check = Command::new("sha256sum")
            .args(["--check", "SHA256SUMS"])
            .current_dir(&dist)
            .status();
        if let Ok(status) = check {
            assert!(status.success());
        }
        let there = folder.join("there");
        fs::create_dir_all(&there).expect("a folder");
        let tar = |args: &[&str]| {
            let mut command = Command::new("tar");
            output(command.args(args).arg(&packed).current_dir(&there)).expect("unpacked")
        };
        tar(&["-xzf"]);
        let said = output(&mut Command::new(there.join("star-1/star"))).expect("the program runs");
        assert_eq!(said, "\n");
        for file in [
            "LICENSE-MIT",
            "NOTICE",
            "ibug68-small.md",
            "completions/_star",
            "man/man1/star.1",
        ] {
            assert!(there.join("star-1").join(file).is_file(), "{file}");
        }
        let bash = fs::read_to_string(there.join("star-1/completions/star.bash")).expect("a file");
        assert_eq!(bash, "completions bash\n");
        fs::remove_dir_all(folder).expect("clean up");
    }

    #[test]
    fn an_archive_is_named_after_version_and_machine() {
        let plain = name("flex").expect("a name");
        assert!(
            plain.starts_with("star-") && plain.matches('-').count() >= 3,
            "{plain}"
        );
        assert_eq!(name("cuda").expect("a name"), format!("{plain}-cuda"));
    }
}
