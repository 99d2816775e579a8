//! Whatever is in a file: a result or an error that says where, never a panic, never memory without end.
//!
//! Good files of every kind that is read are damaged in the terms of their format (`support/structured.rs`) and as bytes. The same run gives
//! the same damage; `STAR_MUTATIONS=100000 cargo test --release --test mutations` does so much of it to each kind. `fuzz/` has the same
//! readers for cargo-fuzz.
//!
//! One test at a time, so that what it allocates is its own.

#[path = "support/heap.rs"]
mod heap;
#[path = "support/structured.rs"]
mod structured;

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    sync::{
        LazyLock, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use star_data::{
    DataError, Layout, Point,
    decode::{MAX_PIXELS, decode_reporting},
    prepare::{CofwMat, CofwSplit, LabelFormat, parse_labels, parse_points, parse_pts},
    tsv::parse_tsv,
};
use structured::{NUMBERS, Random, WORDS};

#[global_allocator]
static ALLOCATOR: heap::Counting = heap::Counting;

/// What any file's reading may take: a message, the first entries of lists, a reader's buffers.
const ALWAYS: usize = 64 << 10;
const LONGEST: Duration = Duration::from_secs(20);
/// Of each kind.
const USUAL: usize = 1_500;
/// Damage that repeats things goes on up to this size, bytes.
const LARGEST: usize = 64 << 10;
const LONGEST_MESSAGE: usize = 4_000;
/// What messages must call the file.
const NAME: &str = "some file";

/// Damages a file in the terms of its format.
type Damage = fn(&[u8], &mut Random) -> Vec<u8>;

/// A reader, good files for it, and what its refusals must look like.
struct Kind {
    name: &'static str,
    good: Vec<Vec<u8>>,
    read: fn(&[u8]) -> Result<(), DataError>,
    says_where: fn(&DataError, &[u8]) -> bool,
    damage: Damage,
    /// What reading may take, beside what any file's may: so many times the file, and for images the pixels.
    memory: fn(usize) -> usize,
}

/// Read once: what that takes is not the annotation files'.
fn cofw29() -> &'static Layout {
    static LAYOUT: LazyLock<Layout> =
        LazyLock::new(|| Layout::builtin("cofw29").expect("compiled in"));
    &LAYOUT
}

/// Or without a label, which is NaN in both coordinates.
fn in_an_image(p: &Point) -> bool {
    p.same(Point::MISSING) || p.x.abs() <= 1e6 && p.y.abs() <= 1e6
}

fn tsv(bytes: &[u8]) -> Result<(), DataError> {
    for row in parse_tsv(bytes, Path::new(NAME), cofw29())? {
        assert_eq!(row.landmarks.len(), 29);
        assert!(row.landmarks.iter().all(in_an_image));
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
        assert!(face.image.width() > 0 && face.image.height() > 0);
    }
    Ok(())
}

fn image(bytes: &[u8]) -> Result<(), DataError> {
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

fn names_the_image(error: &DataError, _: &[u8]) -> bool {
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

fn points(bytes: &[u8], name: &str) -> Result<(), DataError> {
    let file = parse_points(bytes, Path::new(name), cofw29())?;
    for face in &file.faces {
        assert_eq!(face.len(), 29);
        assert!(face.iter().all(in_an_image));
    }
    let lines = 1 + bytes.iter().filter(|&&b| b == b'\n').count();
    for (line, reason) in &file.skipped {
        assert!((1..=lines).contains(line) && !reason.is_empty());
        assert!(reason.len() < LONGEST_MESSAGE, "{reason}");
    }
    Ok(())
}

fn csv(bytes: &[u8]) -> Result<(), DataError> {
    points(bytes, "some file.csv")
}

fn json(bytes: &[u8]) -> Result<(), DataError> {
    points(bytes, "some file.json")
}

/// As many points as names in every object, and lines between points that are there.
fn labels(format: LabelFormat, bytes: &[u8]) -> Result<(), DataError> {
    let labels = parse_labels(format, bytes, Path::new(NAME), None)?;
    let points = labels.names.len();
    for object in &labels.objects {
        assert_eq!((object.points.len(), object.hidden.len()), (points, points));
        assert!(object.points.iter().all(in_an_image));
    }
    assert!(labels.bones.iter().flatten().all(|&p| p < points));
    for complaint in &labels.skipped {
        assert!(complaint.reason.len() < LONGEST_MESSAGE, "{complaint}");
    }
    Ok(())
}

/// Two faces with splits and boxes, one of them quoted, and a column of another program.
fn good_csv() -> Vec<u8> {
    let names: Vec<String> = (0..29).map(|k| format!("x{k},y{k}")).collect();
    let points: Vec<String> = (0..29)
        .map(|k| format!("{}.5,{}", 10 + k, 40 - k))
        .collect();
    let points = points.join(",");
    format!(
        "image,{},split,box_x,box_y,box_w,box_h,by\n\"a, b.png\",{points},train,1,2,30.5,40,me\nsub/b.png,{points},test,0,0,9,9,\n",
        names.join(",")
    )
    .into_bytes()
}

fn good_json() -> Vec<u8> {
    let points: Vec<[f64; 2]> = (0..29).map(|k| [10.5 + f64::from(k), 40.0]).collect();
    let face = |name: &str| serde_json::json!({"image": name, "points": points, "split": "train", "box": [1, 2, 30.5, 40], "by": {"who": ["me"]}});
    let faces: Vec<String> = ["a.png", "b.png"].map(|name| face(name).to_string()).into();
    format!("[{}]\n", faces.join(",\n")).into_bytes()
}

/// What text is read into.
fn eight_times(size: usize) -> usize {
    8 * size
}

/// TOML, whose reader makes a list of all signs and a tree of all values; the file's size is limited.
fn toml_tree(size: usize) -> usize {
    128 * size
}

/// Labels: a tree of XML's elements and attributes, and every object with a place for each name that the file has.
fn label_tree(size: usize) -> usize {
    64 * size
}

/// The same, and where the cells of a row end, for as many as a row may have.
fn wide_table(size: usize) -> usize {
    const CELLS: usize = 3 * 4096 + 3;
    64 * size + CELLS * size_of::<usize>()
}

/// Numbers that are packed, as much as packing allows: as they are, and as an image.
fn unpacked(size: usize) -> usize {
    2 * 1_100 * size
}

/// An image in the file's own form, as RGB, and in its decoder's numbers, for as many pixels as a file can have.
fn pixels(size: usize) -> usize {
    const BYTES: usize = 16;
    (size * 10_000).max(1 << 20) * BYTES
}

fn kinds() -> Vec<Kind> {
    let kind = |name, good, read, says_where, damage, memory| Kind {
        name,
        good,
        read,
        says_where,
        damage,
        memory,
    };
    type Read = fn(&[u8]) -> Result<(), DataError>;
    let of_programs: [(&str, &str, Read, Damage); 9] = [
        (
            "coco",
            "coco.json",
            |b| labels(LabelFormat::Coco, b),
            structured::json,
        ),
        (
            "coco of datumaro",
            "coco_datumaro.json",
            |b| labels(LabelFormat::Coco, b),
            structured::json,
        ),
        (
            "label studio",
            "label_studio.json",
            |b| labels(LabelFormat::LabelStudio, b),
            structured::json,
        ),
        (
            "labelme",
            "labelme/clip 2/\u{e9}.json",
            |b| labels(LabelFormat::Labelme, b),
            structured::json,
        ),
        (
            "cvat",
            "cvat.xml",
            |b| labels(LabelFormat::Cvat, b),
            structured::xml,
        ),
        (
            "cvat skeleton",
            "cvat_skeleton.xml",
            |b| labels(LabelFormat::Cvat, b),
            structured::xml,
        ),
        (
            "dlib",
            "dlib.xml",
            |b| labels(LabelFormat::Dlib, b),
            structured::xml,
        ),
        (
            "deeplabcut",
            "deeplabcut.csv",
            |b| labels(LabelFormat::DeepLabCut, b),
            structured::csv,
        ),
        (
            "deeplabcut, several",
            "deeplabcut_several.csv",
            |b| labels(LabelFormat::DeepLabCut, b),
            structured::csv,
        ),
    ];
    let of_programs = of_programs.map(|(name, path, read, damage)| {
        let good = vec![file(&format!("labels/{path}"))];
        let memory = if path.ends_with("csv") {
            wide_table
        } else {
            label_tree
        };
        kind(name, good, read, names_a_line, damage, memory)
    });
    let layouts: Vec<Vec<u8>> = Layout::builtin_names()
        .map(|name| file(&format!("../../../configs/layouts/{name}.toml")))
        .collect();
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/images");
    let mut names: Vec<PathBuf> = std::fs::read_dir(folder)
        .expect("images")
        .map(|entry| entry.expect("image").path())
        .filter(|path| {
            path.extension()
                .is_some_and(|e| e != "py" && e != "safetensors")
        })
        .collect();
    names.sort();
    let images = names.iter().map(|name| std::fs::read(name).expect("image"));
    let own = vec![
        kind(
            "tsv",
            vec![good_tsv()],
            tsv,
            names_a_line,
            structured::tsv,
            eight_times,
        ),
        kind(
            "csv",
            vec![good_csv()],
            csv,
            names_a_line,
            structured::csv,
            eight_times,
        ),
        kind(
            "json",
            vec![good_json()],
            json,
            names_a_line,
            structured::json,
            eight_times,
        ),
        kind(
            "pts",
            vec![good_pts()],
            pts,
            names_a_line,
            structured::pts,
            eight_times,
        ),
        kind(
            "layout",
            layouts,
            layout,
            names_a_line,
            structured::toml,
            toml_tree,
        ),
        kind(
            "mat",
            vec![file("cofw/COFW_train_color.mat")],
            mat,
            names_a_variable,
            structured::hdf5,
            unpacked,
        ),
        kind(
            "image",
            images.collect(),
            image,
            names_the_image,
            structured::image,
            pixels,
        ),
    ];
    own.into_iter().chain(of_programs).collect()
}

const LETTERS: &[u8] = b"0123456789.,-+eE\t\n {}[]\"=\0\xff";

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

/// Tests that measure memory run one after another.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Text of which every sign or two would become a value of tens of bytes.
#[test]
fn text_that_repeats_itself_takes_no_more_than_a_few_times_its_size() {
    let _alone = alone();
    const MANY: usize = 50_000;
    let path = |ending: &str| format!("a.png\t0\t{ending}\n");
    let header = String::from_utf8(good_csv()).expect("text");
    let header = header.lines().next().expect("a header");
    let item = String::from_utf8(good_json()).expect("text");
    let item = item.trim_matches(['[', ']', '\n']).lines().next();
    let item = item.expect("an item").trim_end_matches([',', '}']);
    type Read = fn(&[u8]) -> Result<(), DataError>;
    let cases: [(&str, Read, String, &str); 9] = [
        (
            "tabs",
            tsv,
            "\t".repeat(MANY) + "a",
            ":1: 50001 tab-separated columns",
        ),
        (
            "landmarks",
            tsv,
            path(&("1,".repeat(MANY) + "\t1\t1\t1")),
            ":1: column 3 (landmarks) has 50000 numbers, but layout cofw29 has 29 points",
        ),
        (
            "flags",
            tsv,
            path(&format!(
                "{}\t1\t1\t1\t\t{}",
                vec!["1"; 58].join(","),
                "1,".repeat(MANY)
            )),
            ":1: column 8 (occlusion) has 50000 flags, but layout cofw29 has 29 points",
        ),
        (
            "columns",
            csv,
            format!("{}\n1\n", ",a".repeat(MANY)),
            ":1: 50001 columns; layout cofw29 has 29 points, and there may be 500 other columns",
        ),
        (
            "cells",
            csv,
            format!("{header}\n{}", (",1".repeat(MANY / 100) + "\n").repeat(101)),
            ":2: 501 values, but the header names 65 columns; is a comma or a quote missing?; 101 of the first 101 rows cannot be used",
        ),
        (
            "no-items",
            json,
            format!("[{}0]", "0,".repeat(MANY)),
            ":1: invalid type: whole number `0`, expected a section of keys; 101 of the first 101 rows",
        ),
        (
            "empty-items",
            json,
            format!("[{}{{}}]", "{},".repeat(MANY)),
            ":1: missing key `image`; 101 of the first 101 rows cannot be used",
        ),
        (
            "unused",
            json,
            format!("[{item},\"junk\":[{}0]}}]", "0,".repeat(MANY)),
            "",
        ),
        (
            "text-for-a-number",
            json,
            format!(
                "[{}]",
                vec![format!("\"{}\"", "a".repeat(MANY)); 102].join(",")
            ),
            ":1: invalid type: string \"aaa",
        ),
    ];
    for (name, read, text, expected) in cases {
        let (result, peak) = heap::peak(|| read(text.as_bytes()));
        println!(
            "{name}: {} bytes, {peak} bytes of memory at most",
            text.len()
        );
        assert!(
            peak <= eight_times(text.len()) + ALWAYS,
            "{name}: {peak} bytes for {}",
            text.len()
        );
        match result {
            Ok(()) => assert_eq!(expected, "", "{name} is read"),
            Err(error) => {
                let message = error.to_string();
                assert!(
                    message.starts_with(NAME)
                        && !expected.is_empty()
                        && message.contains(expected)
                        && message.len() < LONGEST_MESSAGE,
                    "{name}: {message}"
                );
            }
        }
    }
}

#[test]
fn damaged_files_are_refused_with_a_place_or_read() {
    let _alone = alone();
    let count = match std::env::var("STAR_MUTATIONS") {
        Ok(text) => text.parse().expect("STAR_MUTATIONS is a number"),
        Err(_) => USUAL,
    };
    let kinds = kinds();
    for kind in &kinds {
        for good in &kind.good {
            // The images of formats that are not read are there to be refused.
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
    for kind in &kinds {
        let (mut accepted, mut refused, mut most, mut ratio) = (0, 0, 0, 0f64);
        let (start, mut slowest) = (Instant::now(), Duration::ZERO);
        for i in 0..count {
            let mut random = Random(i as u64);
            random.below(2);
            let mut bytes = kind.good[random.below(kind.good.len())].clone();
            for _ in 0..1 + random.below(3) {
                if random.below(4) == 0 {
                    damage(&mut bytes, &mut random);
                } else if bytes.len() < LARGEST {
                    bytes = (kind.damage)(&bytes, &mut random);
                }
            }
            READING.store(true, Relaxed);
            let began = Instant::now();
            let read = kind.read;
            let (result, memory) = heap::peak(|| catch_unwind(AssertUnwindSafe(|| read(&bytes))));
            let took = began.elapsed();
            READING.store(false, Relaxed);
            slowest = slowest.max(took);
            most = most.max(memory);
            ratio = ratio.max(memory as f64 / bytes.len().max(ALWAYS / 8) as f64);
            let complaint = match result {
                Err(_) => Some(format!(
                    "panics: {}",
                    LAST.lock().map(|last| last.clone()).unwrap_or_default()
                )),
                Ok(Ok(())) => {
                    accepted += 1;
                    None
                }
                Ok(Err(error)) => {
                    refused += 1;
                    let message = error.to_string();
                    let fine = message.starts_with(NAME)
                        && message.len() < LONGEST_MESSAGE
                        && (kind.says_where)(&error, &bytes);
                    (!fine).then(|| format!("refused without a place: {message}"))
                }
            };
            let complaint = complaint
                .or_else(|| {
                    (memory > (kind.memory)(bytes.len()) + ALWAYS)
                        .then(|| format!("{memory} bytes allocated for a file of {}", bytes.len()))
                })
                .or_else(|| (took > LONGEST).then(|| format!("took {took:?}")));
            if let Some(complaint) = complaint {
                failures.push(format!("{} {i}: {complaint}", kind.name));
            }
        }
        println!(
            "{}: {count} in {:.1?}, {accepted} read, {refused} refused, at most {} KiB and {ratio:.2} times the file (of 8 KiB and more) \
             allocated, slowest {slowest:.1?}",
            kind.name,
            start.elapsed(),
            most >> 10
        );
        let least = count / 50;
        assert!(
            accepted >= least && refused >= least,
            "{}: {accepted} read, {refused} refused: the damage is too hard or too soft",
            kind.name,
        );
    }
    let _ = std::panic::take_hook();
    println!("{} panics of dependencies caught", CAUGHT.load(Relaxed));
    assert!(
        failures.is_empty(),
        "{} failures:\n{}",
        failures.len(),
        failures[..failures.len().min(20)].join("\n")
    );
}
