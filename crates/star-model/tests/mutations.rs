//! Weight files damaged in their own terms: instructions of pickles, lines of zip directories, values of JSON headers, numbers.
//!
//! Whatever comes of it: a network, or an error that names the file; never a panic, never more than a few times the file in memory. The same
//! run does the same damage. `STAR_MUTATIONS=100000 cargo test --release --test mutations` does so much of it to each format; `fuzz/`
//! has the same readers for cargo-fuzz.
//!
//! One test only, so that what it allocates is its own.

mod support;

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::time::Instant;

use serde_json::Value;
use star_model::{
    ModelError, PklWeights, PublishedState, StarNet, StarNetConfig, import_pkl, load_weights,
    named_tensors, pkl_state, save_weights,
};
use support::Plain;
use support::heap::{self, Counting};
use support::published::{
    Archive, Entry, Line,
    Op::{self, Bare, Byte, Global, Long, Short, Text, Word},
    Published, Stored, Tree,
};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Of each format.
const USUAL: usize = 500;

/// What reading may take beyond 8 times the file: a message, the first entries of lists and hash maps, the reader's own small things.
const ALWAYS: usize = 64 << 10;

/// Texts that are repeated are shorter, bytes: damage to damage does not grow without end.
const LONG: usize = 1_000;

/// Small and fast: xorshift.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        ((self.0 >> 16) % limit.max(1) as u64) as usize
    }

    fn pick<T: Clone>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())].clone()
    }
}

/// Numbers that programs stumble over.
const NUMBERS: [u64; 18] = [
    0,
    1,
    2,
    3,
    5,
    8,
    0x7f,
    0xff,
    0x100,
    0xffff,
    0x1_0000,
    0x7fff_ffff,
    0xffff_ffff,
    1 << 40,
    1 << 61,
    i64::MAX as u64,
    1 << 63,
    u64::MAX,
];

const NAMES: [&str; 10] = [
    "",
    "net",
    "net_ema",
    "storage",
    "e2h_transform.weight",
    "out_heatmaps.0.conv.weight",
    "out_heatmaps.63.conv.weight",
    "out_heatmaps.18446744073709551615.conv.weight",
    "pre.0.conv.weight",
    "pre.0.bn.num_batches_tracked",
];

const GLOBALS: [(&str, &str); 11] = [
    ("torch", "HalfStorage"),
    ("torch", "BFloat16Storage"),
    ("torch", "DoubleStorage"),
    ("torch", "LongStorage"),
    ("torch", "BoolStorage"),
    ("torch", "QUInt8Storage"),
    ("torch._utils", "_rebuild_tensor_v2"),
    ("torch._utils", "_rebuild_parameter"),
    ("collections", "OrderedDict"),
    ("os", "system"),
    ("builtins", "eval"),
];

/// Every instruction that is read without an argument, and one that is not.
const BARE: &[u8] = b"(012N)]}taeslRQb.\x81\x85\x86\x87\x88\x89\x8f\x90\x91\x93\x94\xff";

fn mutate_op(op: &mut Op, random: &mut Random) {
    let value = random.pick(&NUMBERS);
    match op {
        Bare(op) => *op = random.pick(BARE),
        Byte(_, old) => *old = value as u8,
        Short(_, old) => *old = value as u16,
        Word(_, old) => *old = value as u32,
        Long(bytes) => *bytes = value.to_le_bytes()[..1 + random.below(8)].to_vec(),
        Text(bytes) => match random.below(5) {
            3 if bytes.len() < LONG => *bytes = bytes.repeat(500),
            0 => *bytes = random.pick(&NAMES).into(),
            1 => bytes.truncate(random.below(bytes.len())),
            2 => bytes.push(random.below(256) as u8),
            _ => {
                let at = random.below(bytes.len());
                if let Some(byte) = bytes.get_mut(at) {
                    *byte = b"0123456789._abc\xff"[random.below(16)];
                }
            }
        },
        Global(module, name) => {
            let other = random.pick(&GLOBALS);
            (*module, *name) = (other.0, other.1.into());
        }
    }
}

fn mutate_pickle(ops: &mut Vec<Op>, random: &mut Random) {
    // The first instructions decide more than what follows, as do the last ones.
    let length = ops.len();
    let at = match random.below(4) {
        0 => random.below(length.min(40)),
        1 => length - 1 - random.below(length.min(40)),
        _ => random.below(length),
    };
    match random.below(8) {
        0..=2 => mutate_op(&mut ops[at], random),
        3 => drop(ops.remove(at)),
        4 => {
            let other = random.below(length);
            ops.swap(at, other);
        }
        5 => {
            let end = (at + 1 + random.below(30)).min(length);
            let slice = ops[at..end].to_vec();
            let times = 1 + random.below(40);
            let slices = (0..times).flat_map(|_| slice.iter().cloned());
            let to = random.below(length);
            ops.splice(to..to, slices.collect::<Vec<_>>());
        }
        6 => {
            let new = match random.below(3) {
                0 => Bare(random.pick(BARE)),
                1 => Byte(random.pick(b"hqK"), random.below(256) as u8),
                _ => Word(random.pick(b"jrJ"), random.pick(&NUMBERS) as u32),
            };
            let times = 1 << random.below(12);
            ops.splice(at..at, std::iter::repeat_n(new, times));
        }
        _ => {
            // A number of the next tuple: a shape's, a stride's.
            let is_number = |op: &Op| matches!(op, Byte(b'K', _) | Short(..) | Long(_));
            if let Some(found) = ops[at..].iter().position(is_number) {
                ops[at + found] = support::published::number(random.pick(&NUMBERS));
            }
        }
    }
}

fn mutate_storages(published: &mut Published, random: &mut Random) {
    let count = published.storages.len();
    let at = random.below(count);
    let Some((key, bytes)) = published.storages.get_mut(at) else {
        return;
    };
    match random.below(6) {
        0 => bytes.truncate(random.below(bytes.len())),
        1 => bytes.extend([0; 4]),
        2 => *key = random.below(count).to_string(),
        3 => drop(published.storages.remove(at)),
        4 => published.storages.swap(at, random.below(count)),
        _ => {
            let number = random.pick(&[f32::NAN, f32::INFINITY, -f32::INFINITY, f32::MAX, 0.0]);
            let place = 4 * random.below(bytes.len() / 4);
            if let Some(place) = bytes.get_mut(place..place + 4) {
                place.copy_from_slice(&number.to_le_bytes());
            }
        }
    }
}

fn mutate_archive(archive: &mut Archive, random: &mut Random) {
    let value = random.pick(&NUMBERS);
    let count = archive.lines.len();
    let at = random.below(count);
    match random.below(12) {
        0 => archive.count = value as u16,
        1 => archive.directory = value as u32,
        2 => drop(archive.lines.remove(at)),
        3 => archive.lines.swap(at, random.below(count)),
        4 => {
            let line = archive.lines[at].clone();
            archive
                .lines
                .extend(std::iter::repeat_n(line, 1 << random.below(10)));
            archive.count = archive.lines.len() as u16;
        }
        field => {
            let other = archive.lines[random.below(count)].clone();
            let line: &mut Line = &mut archive.lines[at];
            match field {
                5 => line.method = value as u16,
                6 => line.crc = value as u32,
                7 => (line.size, line.packed) = (value as u32, value as u32),
                8 => line.local = value as u32,
                9 => line.name = other.name,
                10 => {
                    (line.local, line.size, line.packed) = (other.local, other.size, other.packed)
                }
                _ => {
                    // Sizes in 64 bits.
                    (line.size, line.packed) = (u32::MAX, u32::MAX);
                    line.extra = vec![1, 0, 16, 0];
                    line.extra.extend([value.to_le_bytes(); 2].concat());
                    line.comment = random.pick(&NUMBERS[..4]) as u16;
                }
            }
        }
    }
}

fn damage_bytes(bytes: &mut Vec<u8>, random: &mut Random) {
    let length = bytes.len();
    // Heads decide more than what follows.
    let near = [length, length.min(400)][random.below(2)];
    let at = random.below(near);
    match random.below(3) {
        0 => bytes.truncate(at),
        1 => bytes[at] = random.below(256) as u8,
        _ => {
            let value = random.pick(&NUMBERS).to_le_bytes();
            let end = (at + 8).min(length);
            bytes[at..end].copy_from_slice(&value[..end - at]);
        }
    }
}

fn mutated_pkl(good: &Published, legacy: bool, random: &mut Random) -> Vec<u8> {
    let mut published = good.clone();
    for _ in 0..1 + random.below(3) {
        match random.below(8) {
            0 | 1 => mutate_storages(&mut published, random),
            _ => mutate_pickle(&mut published.pickle, random),
        }
    }
    let mut bytes = if legacy {
        published.legacy()
    } else {
        let mut archive = published.archive();
        if random.below(3) == 0 {
            mutate_archive(&mut archive, random);
        }
        archive.bytes()
    };
    if random.below(8) == 0 {
        damage_bytes(&mut bytes, random);
    }
    bytes
}

/// A weights file in parts.
struct Weights {
    header: Value,
    numbers: Vec<u8>,
}

impl Weights {
    fn split(file: &[u8]) -> Self {
        let (length, rest) = file.split_first_chunk::<8>().unwrap();
        let (header, numbers) = rest.split_at(u64::from_le_bytes(*length) as usize);
        Self {
            header: serde_json::from_slice(header).unwrap(),
            numbers: numbers.to_vec(),
        }
    }
}

/// Goes some way down and changes what is there.
fn mutate_json(value: &mut Value, random: &mut Random) {
    let deeper = random.below(8) > 0;
    match value {
        Value::Object(map) if deeper && !map.is_empty() => {
            let at = random.below(map.len());
            if let Some((_, inner)) = map.iter_mut().nth(at) {
                return mutate_json(inner, random);
            }
        }
        Value::Array(list) if deeper && !list.is_empty() => {
            let at = random.below(list.len());
            return mutate_json(&mut list[at], random);
        }
        // JSON inside a text.
        Value::String(text) if text.starts_with('{') && deeper => {
            if let Ok(mut inner) = serde_json::from_str::<Value>(text) {
                mutate_json(&mut inner, random);
                *text = inner.to_string();
                return;
            }
        }
        _ => {}
    }
    match value {
        Value::Object(map) => {
            let at = random.below(map.len());
            let Some((key, inner)) = map.iter().nth(at).map(|(k, v)| (k.clone(), v.clone())) else {
                return;
            };
            match random.below(4) {
                0 => drop(map.remove(&key)),
                3 if key.len() < LONG => drop(map.insert(key.repeat(500), inner)),
                1 => drop(map.insert(random.pick(&NAMES).into(), inner)),
                _ => {
                    for i in 0..1 << random.below(8) {
                        map.insert(format!("{key}.{i}"), inner.clone());
                    }
                }
            }
        }
        Value::Array(list) => match random.below(3) {
            0 => drop(list.pop()),
            1 => list.push(Value::from(random.pick(&NUMBERS))),
            _ => {
                let item = list.first().cloned().unwrap_or(Value::Array(Vec::new()));
                list.extend(std::iter::repeat_n(item, 1 << random.below(12)));
            }
        },
        Value::String(text) => match random.below(5) {
            3 if text.len() < LONG => *text = text.repeat(500),
            0 => {
                *text = random
                    .pick(&["F64", "F16", "BF16", "I64", "BOOL", "F4", "", "\0"])
                    .into()
            }
            1 => text.truncate(text.floor_char_boundary(random.below(text.len()))),
            2 => text.push_str("\\\"{\u{1F980}"),
            _ => *value = Value::Null,
        },
        Value::Number(_) => {
            *value = match random.below(8) {
                0 => Value::from(-1),
                1 => Value::from(1.5),
                _ => Value::from(random.pick(&NUMBERS)),
            }
        }
        Value::Bool(flag) => *flag = !*flag,
        Value::Null => *value = Value::from(0),
    }
}

fn mutated_weights(good: &Weights, random: &mut Random) -> Vec<u8> {
    let mut header = good.header.clone();
    let mut numbers = good.numbers.clone();
    for _ in 0..1 + random.below(3) {
        match random.below(8) {
            0 => damage_bytes(&mut numbers, random),
            1 => numbers.resize(random.below(2 * good.numbers.len()), 0),
            // The metadata is one entry of hundreds.
            2..=4 => {
                if let Some(metadata) = header.get_mut("__metadata__") {
                    mutate_json(metadata, random);
                }
            }
            _ => mutate_json(&mut header, random),
        }
        if numbers.is_empty() {
            break;
        }
    }
    let header = header.to_string();
    let length = match random.below(16) {
        0 => random.pick(&NUMBERS),
        _ => header.len() as u64,
    };
    let mut bytes = [&length.to_le_bytes(), header.as_bytes(), &numbers].concat();
    if random.below(8) == 0 {
        damage_bytes(&mut bytes, random);
    }
    bytes
}

type Reader = fn(&Path) -> Result<(), ModelError>;

fn read_pkl(path: &Path) -> Result<(), ModelError> {
    import_pkl::<Plain>(path, PklWeights::Net, &Default::default()).map(|_| ())
}

fn read_state(path: &Path) -> Result<(), ModelError> {
    pkl_state(path, PklWeights::Net).map(|_| ())
}

fn read_weights(path: &Path) -> Result<(), ModelError> {
    load_weights::<Plain>(path, &Default::default()).map(|_| ())
}

struct Format<'a> {
    name: &'a str,
    make: &'a dyn Fn(&mut Random) -> Vec<u8>,
    read: Reader,
}

/// Two networks in dictionaries in a dictionary, all names with a prefix.
fn wrapped(net: &StarNet<Plain>) -> Published {
    let entries: Vec<Entry> = named_tensors(net)
        .into_iter()
        .map(|(name, data)| Entry {
            name: format!("module.{name}"),
            shape: data.shape.iter().map(|&side| side as u64).collect(),
            values: data.iter::<f32>().collect(),
        })
        .collect();
    let state = || Tree::State(&entries, Stored::F32);
    let inner = Tree::Dict(vec![("net", state()), ("net_ema", state())]);
    let tree = Tree::Dict(vec![("epoch", Tree::Number(7)), ("model", inner)]);
    Published::of_tree(&tree, false)
}

#[test]
fn damaged_weights_are_refused_by_name_or_read() {
    let count = match std::env::var("STAR_MUTATIONS") {
        Ok(text) => text.parse().expect("STAR_MUTATIONS is a number"),
        Err(_) => USUAL,
    };
    let config = StarNetConfig::new(3, vec![vec![0, 1], vec![1, 2]])
        .with_stacks(1)
        .with_channels(2)
        .with_stem(2);
    let (legacy, newer) = (
        Published::of_net(&config, true),
        Published::of_net(&config, false),
    );
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let own = folder.join("to-damage.safetensors");
    let net = config.init::<Plain>(&Default::default());
    let extra = BTreeMap::from([("star.provenance".to_string(), "a test".to_string())]);
    save_weights(&net, &config, &extra, &own).unwrap();
    let weights = Weights::split(&std::fs::read(&own).unwrap());
    let wrapped = wrapped(&net);
    let foreign = folder.join("foreign-to-damage.safetensors");
    PublishedState::of(&net)
        .write_safetensors(&foreign)
        .unwrap();
    let foreign = Weights::split(&std::fs::read(&foreign).unwrap());

    let formats = [
        Format {
            name: "pkl, older format",
            make: &|random| mutated_pkl(&legacy, true, random),
            read: read_pkl,
        },
        Format {
            name: "pkl, zip",
            make: &|random| mutated_pkl(&newer, false, random),
            read: read_pkl,
        },
        Format {
            name: "pkl as published state",
            make: &|random| mutated_pkl(&newer, false, random),
            read: read_state,
        },
        Format {
            name: "pkl in a wrapping",
            make: &|random| mutated_pkl(&wrapped, false, random),
            read: read_pkl,
        },
        Format {
            name: "safetensors with PyTorch's names",
            make: &|random| mutated_weights(&foreign, random),
            read: read_pkl,
        },
        Format {
            name: "weights safetensors",
            make: &|random| mutated_weights(&weights, random),
            read: read_weights,
        },
    ];
    let path = folder.join("damaged");
    let named = format!("{}: ", path.display());
    let mut failures = Vec::new();
    for Format { name, make, read } in formats {
        let (mut fine, mut errors, mut most, mut beyond) = (0, 0, 0f64, 0usize);
        let start = Instant::now();
        for i in 0..count {
            let mut random = Random((i as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15));
            let bytes = make(&mut random);
            std::fs::write(&path, &bytes).unwrap();
            let (result, peak) = heap::peak(|| catch_unwind(AssertUnwindSafe(|| read(&path))));
            let complaint = match result {
                Err(_) => Some("panics".to_string()),
                Ok(Ok(())) => {
                    fine += 1;
                    None
                }
                Ok(Err(error)) => {
                    errors += 1;
                    let message = error.to_string();
                    let what = message.strip_prefix(&named).unwrap_or_default();
                    // A message is read by people.
                    let fine = !what.is_empty() && message.len() < 4_000;
                    (!fine).then_some(message)
                }
            };
            most = most.max(peak as f64 / bytes.len().max(ALWAYS / 8) as f64);
            beyond = beyond.max(peak.saturating_sub(8 * bytes.len()));
            let memory = (peak > 8 * bytes.len() + ALWAYS)
                .then(|| format!("{peak} bytes of memory for a file of {}", bytes.len()));
            failures.extend(
                (complaint.into_iter().chain(memory)).map(|what| format!("{name} {i}: {what}")),
            );
        }
        println!(
            "{name}: {count} in {:.0?}, {fine} read, {errors} refused, at most {most:.2} times the file (of {} KiB and more) in memory, \
             at most {beyond} bytes beyond 8 times",
            start.elapsed(),
            (ALWAYS / 8) >> 10,
        );
        assert!(
            fine >= count / 100 && errors >= count / 10,
            "{name}: {fine} read, {errors} refused: the damage is too hard or too soft"
        );
    }
    assert!(
        failures.is_empty(),
        "{} failures:\n{}",
        failures.len(),
        failures[..failures.len().min(20)].join("\n")
    );
}
