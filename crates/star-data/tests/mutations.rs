//! Whatever is in a file: a result or an error that says where, never a panic, never memory without end.
//!
//! Good files of every kind that is read are damaged in ways that happen and in ways that do not. The same run gives the same damage;
//! `STAR_MUTATIONS=100000 cargo test --release -p star-data --test mutations` runs longer. `fuzz/` has the same readers for cargo-fuzz.
//!
//! One test only, so that what it allocates is its own.

#[path = "support/heap.rs"]
mod heap;

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use star_data::{
    DataError, Layout,
    decode::{MAX_PIXELS, decode_reporting},
    prepare::{CofwMat, CofwSplit, parse_pts},
    tsv::parse_tsv,
};

#[global_allocator]
static ALLOCATOR: heap::Counting = heap::Counting;

/// Of one file's reading. The files are of some kilobytes.
const MOST_MEMORY: usize = 512 << 20;
const LONGEST: Duration = Duration::from_secs(20);
const USUAL: usize = 20_000;
/// What messages must call the file.
const NAME: &str = "some file";

/// A linear congruential generator: the upper bits are good enough.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = (self.0)
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) % limit.max(1) as u64) as usize
    }
}

/// A reader, good files for it, and what its refusals must look like.
struct Kind {
    name: &'static str,
    good: Vec<Vec<u8>>,
    read: fn(&[u8]) -> Result<(), DataError>,
    says_where: fn(&DataError, &[u8]) -> bool,
    accepted: usize,
    refused: usize,
    memory: usize,
}

fn tsv(bytes: &[u8]) -> Result<(), DataError> {
    let layout = Layout::builtin("cofw29")?;
    for row in parse_tsv(bytes, Path::new(NAME), &layout)? {
        assert_eq!(row.landmarks.len(), 29);
        assert!(
            row.landmarks
                .iter()
                .all(|p| p.x.abs() <= 1e6 && p.y.abs() <= 1e6)
        );
        assert!(row.crop.scale > 0.0 && row.crop.scale.is_finite());
        assert!(row.occluded.is_none_or(|flags| flags.len() == 29));
    }
    Ok(())
}

fn pts(bytes: &[u8]) -> Result<(), DataError> {
    let points = parse_pts(bytes, Path::new(NAME), 68)?;
    assert!(points.len() == 68 && points.iter().all(|p| p.x.is_finite() && p.y.is_finite()));
    Ok(())
}

fn layout(bytes: &[u8]) -> Result<(), DataError> {
    let layout = Layout::from_toml_bytes(bytes, Path::new(NAME))?;
    let again = Layout::from_toml_str(&layout.to_toml(), Path::new("written"))?;
    assert_eq!(again, layout);
    Ok(())
}

fn mat(bytes: &[u8]) -> Result<(), DataError> {
    for face in CofwMat::from_bytes(bytes.to_vec(), Path::new(NAME), CofwSplit::Train)? {
        let face = face?;
        assert!(face.landmarks.len() == 29 && face.occluded.len() == 29);
        assert!(face.picture.width() > 0 && face.picture.height() > 0);
    }
    Ok(())
}

fn picture(bytes: &[u8]) -> Result<(), DataError> {
    let image = decode_reporting(bytes, Path::new(NAME))?.image;
    let pixels = u64::from(image.width()) * u64::from(image.height());
    assert!((1..=MAX_PIXELS).contains(&pixels));
    Ok(())
}

fn names_a_line(error: &DataError, bytes: &[u8]) -> bool {
    let lines = 1 + bytes.iter().filter(|&&b| b == b'\n').count();
    matches!(error, DataError::Parse { line, .. } if (1..=lines).contains(line))
}

/// A variable, or the whole file where it is none: cut off, or no HDF5.
fn names_a_variable(error: &DataError, _: &[u8]) -> bool {
    match error {
        DataError::Mat {
            variable: Some(name),
            ..
        } => name.starts_with("IsTr") || name.starts_with("phisTr"),
        DataError::Mat { message, .. } => message.contains("cut off") || message.contains("7.3"),
        _ => false,
    }
}

fn names_the_picture(error: &DataError, _: &[u8]) -> bool {
    matches!(error, DataError::Image { .. })
}

fn file(path: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests")
        .join(path);
    std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// Two faces, tags and occlusion.
fn good_tsv() -> Vec<u8> {
    let points: Vec<String> = (0..29)
        .map(|i| format!("{}.5,{}", 10 + i, 40 - i))
        .collect();
    let flags = ["0"; 29].join(",");
    let zeros = ["0"; 10].join(",");
    let row = |path: &str, rest: &str| {
        let points = points.join(",");
        format!("{path}\t{zeros}\t{points}\t0.3\t24.25\t26\t{rest}\n")
    };
    let first = row("a b.png", &format!("0,1,0,0,0,1\t{flags}"));
    let head = "image_path\tlandmarks_5pts\tlandmarks\tscale\tcenter_w\tcenter_h\ttags\toccluded\n";
    format!("{head}{first}{}", row("sub/b.png", "\t")).into_bytes()
}

fn good_pts() -> Vec<u8> {
    let points: Vec<String> = (0..68).map(|i| format!("{i}.25 {}\n", 100 - i)).collect();
    format!("version: 1\nn_points: 68\n{{\n{}}}\n", points.concat()).into_bytes()
}

fn kinds() -> Vec<Kind> {
    let kind = |name, good, read, says_where| Kind {
        name,
        good,
        read,
        says_where,
        accepted: 0,
        refused: 0,
        memory: 0,
    };
    let layouts: Vec<Vec<u8>> = Layout::builtin_names()
        .map(|name| file(&format!("../../../configs/layouts/{name}.toml")))
        .collect();
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/pictures");
    let mut names: Vec<PathBuf> = std::fs::read_dir(folder)
        .expect("pictures")
        .map(|entry| entry.expect("picture").path())
        .filter(|path| {
            path.extension()
                .is_some_and(|e| e != "py" && e != "safetensors")
        })
        .collect();
    names.sort();
    let pictures = names
        .iter()
        .map(|name| std::fs::read(name).expect("picture"));
    vec![
        kind("tsv", vec![good_tsv()], tsv, names_a_line),
        kind("pts", vec![good_pts()], pts, names_a_line),
        kind("layout", layouts, layout, names_a_line),
        kind(
            "mat",
            vec![file("cofw/COFW_train_color.mat")],
            mat,
            names_a_variable,
        ),
        kind("image", pictures.collect(), picture, names_the_picture),
    ]
}

const LETTERS: &[u8] = b"0123456789.,-+eE\t\n {}[]\"=\0\xff";

/// Numbers that programs stumble over, as text.
const WORDS: [&str; 16] = [
    "-1",
    "0",
    "1e308",
    "-1e400",
    "nan",
    "inf",
    "1e-320",
    "4294967296",
    "18446744073709551616",
    "-0",
    "1e6",
    "0x10",
    "2147483648",
    "",
    ".",
    "999999999999999999999999999999",
];

/// And as bytes of any width.
const NUMBERS: [u64; 8] = [
    0,
    1,
    0x7f,
    0xffff,
    0x7fff_ffff,
    1 << 40,
    i64::MAX as u64,
    u64::MAX,
];

/// Damages `bytes` in one way.
fn damage(bytes: &mut Vec<u8>, random: &mut Random) {
    let length = bytes.len();
    if length == 0 {
        bytes.push(random.below(256) as u8);
        return;
    }
    // Heads decide more than what follows.
    let near = if random.below(2) == 0 {
        length
    } else {
        length.min(1 + length / 8)
    };
    let at = random.below(near);
    let end = (at + 1 + random.below(40)).min(length);
    match random.below(9) {
        0 => bytes[at] ^= 1 << random.below(8),
        1 => bytes[at] = random.below(256) as u8,
        2 => bytes.truncate(random.below(length)),
        3 => bytes.truncate(length - random.below(length.min(20))),
        4 => bytes.insert(at, LETTERS[random.below(LETTERS.len())]),
        5 => {
            let slice = bytes[at..end].to_vec();
            let to = random.below(length);
            bytes.splice(to..to, slice);
        }
        6 => drop(bytes.drain(at..end)),
        7 => {
            // The number in text at or behind this place.
            let digit = |b: &u8| b.is_ascii_digit() || *b == b'.';
            let Some(start) = bytes[at..].iter().position(digit).map(|i| at + i) else {
                return;
            };
            let rest = bytes[start..].iter().position(|b| !digit(b));
            let stop = rest.map_or(length, |i| start + i);
            let word = WORDS[random.below(WORDS.len())];
            bytes.splice(start..stop, word.bytes());
        }
        _ => {
            let number = NUMBERS[random.below(NUMBERS.len())];
            let width = 1 << random.below(4);
            let number = if random.below(2) == 0 {
                number.to_le_bytes()[..width].to_vec()
            } else {
                number.to_be_bytes()[8 - width..].to_vec()
            };
            let room = width.min(length - at);
            bytes[at..at + room].copy_from_slice(&number[..room]);
        }
    }
}

#[test]
fn damaged_files_are_refused_with_a_place_or_read() {
    let count = match std::env::var("STAR_MUTATIONS") {
        Ok(text) => text.parse().expect("STAR_MUTATIONS is a number"),
        Err(_) => USUAL,
    };
    let mut kinds = kinds();
    for kind in &kinds {
        for good in &kind.good {
            // The pictures of formats that are not read are there to be refused.
            let result = (kind.read)(good);
            assert!(
                result.is_ok() || kind.name == "image",
                "{}: {result:?}",
                kind.name
            );
        }
    }

    // Panics of the crates we read with are caught by ours and become errors. They are counted, and would be noise.
    static CAUGHT: AtomicUsize = AtomicUsize::new(0);
    static READING: AtomicBool = AtomicBool::new(false);
    static LAST: Mutex<String> = Mutex::new(String::new());
    let usual_hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        if !READING.load(Relaxed) {
            usual_hook(info);
            return;
        }
        CAUGHT.fetch_add(1, Relaxed);
        if let Ok(mut last) = LAST.lock() {
            *last = info.to_string();
        }
    }));
    let mut failures = Vec::new();
    let mut slowest = Duration::ZERO;
    for i in 0..count {
        let number = kinds.len();
        let kind = &mut kinds[i % number];
        let mut random = Random(i as u64);
        random.below(2);
        let mut bytes = kind.good[random.below(kind.good.len())].clone();
        for _ in 0..1 + random.below(4) {
            damage(&mut bytes, &mut random);
        }
        READING.store(true, Relaxed);
        let start = Instant::now();
        let read = kind.read;
        let (result, memory) = heap::peak(|| catch_unwind(AssertUnwindSafe(|| read(&bytes))));
        let took = start.elapsed();
        READING.store(false, Relaxed);
        slowest = slowest.max(took);
        kind.memory = kind.memory.max(memory);
        let complaint = match result {
            Err(_) => Some(format!(
                "panics: {}",
                LAST.lock().map(|last| last.clone()).unwrap_or_default()
            )),
            Ok(Ok(())) => {
                kind.accepted += 1;
                None
            }
            Ok(Err(error)) => {
                kind.refused += 1;
                let message = error.to_string();
                let fine = message.starts_with(NAME) && (kind.says_where)(&error, &bytes);
                (!fine).then(|| format!("refused without a place: {message}"))
            }
        };
        let complaint = complaint
            .or_else(|| (memory > MOST_MEMORY).then(|| format!("{memory} bytes allocated")))
            .or_else(|| (took > LONGEST).then(|| format!("took {took:?}")));
        if let Some(complaint) = complaint {
            failures.push(format!("{} {i}: {complaint}", kind.name));
        }
    }
    let _ = std::panic::take_hook();
    for kind in &kinds {
        println!(
            "{}: {} read, {} refused, at most {} KiB allocated",
            kind.name,
            kind.accepted,
            kind.refused,
            kind.memory >> 10
        );
    }
    println!(
        "slowest {slowest:?}; {} panics of dependencies caught",
        CAUGHT.load(Relaxed)
    );
    assert!(
        failures.is_empty(),
        "{} failures:\n{}",
        failures.len(),
        failures[..failures.len().min(20)].join("\n")
    );
    for kind in &kinds {
        let least = count / kinds.len() / 50;
        assert!(
            kind.accepted >= least && kind.refused >= least,
            "{}: {} read, {} refused: the damage is too hard or too soft",
            kind.name,
            kind.accepted,
            kind.refused
        );
    }
}
