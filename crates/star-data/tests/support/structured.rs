//! Damage in a format's own terms: cells, keys, values, headers, the fields of HDF5 objects.

use serde_json::Value as Json;
use toml::Value as Toml;

/// A linear congruential generator: the upper bits are good enough.
pub struct Random(pub u64);

impl Random {
    pub fn below(&mut self, limit: usize) -> usize {
        self.0 = (self.0)
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) % limit.max(1) as u64) as usize
    }

    pub fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())]
    }

    /// Mostly a few, at times a thousand: what repeats may ask for much memory.
    fn times(&mut self) -> usize {
        1 << self.below(11)
    }
}

/// Numbers that programs stumble over, as text.
pub const WORDS: [&str; 16] = [
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
pub const NUMBERS: [u64; 8] = [
    0,
    1,
    0x7f,
    0xffff,
    0x7fff_ffff,
    1 << 40,
    i64::MAX as u64,
    u64::MAX,
];

/// What else a cell or a key may say.
const TEXTS: [&str; 12] = [
    "\"",
    "\"\"",
    "image",
    "x0",
    "y28",
    "x29",
    "split",
    "box_w",
    "a b.png",
    "\u{1F980}",
    "{",
    "}",
];

/// Changes one of the parts, or how many there are.
fn parts(parts: &mut Vec<String>, random: &mut Random, change: impl Fn(&mut String, &mut Random)) {
    let count = parts.len();
    let at = random.below(count);
    if count == 0 {
        return;
    }
    match random.below(10) {
        0 => drop(parts.remove(at)),
        1 => {
            let other = random.below(count);
            parts.swap(at, other);
        }
        2 => {
            let part = parts[at].clone();
            let times = random.times();
            let to = random.below(count);
            parts.splice(to..to, std::iter::repeat_n(part, times));
        }
        3 => {
            let other = parts[random.below(count)].clone();
            parts[at] = other;
        }
        _ => change(&mut parts[at], random),
    }
}

fn word(text: &mut String, random: &mut Random) {
    match random.below(6) {
        0 => *text = random.pick(&TEXTS).into(),
        1 => text.push_str(random.pick(&TEXTS)),
        2 => *text = text.repeat(random.times()),
        3 => text.clear(),
        _ => *text = random.pick(&WORDS).into(),
    }
}

/// A table of lines, whose columns are divided by `columns`, and the numbers in them by `numbers`.
fn table(bytes: &[u8], columns: &str, numbers: &str, random: &mut Random) -> Vec<u8> {
    let text = String::from_utf8_lossy(bytes);
    let mut lines: Vec<String> = text.split('\n').map(String::from).collect();
    parts(&mut lines, random, |line, random| {
        let mut cells: Vec<String> = line.split(columns).map(String::from).collect();
        parts(&mut cells, random, |cell, random| {
            let mut values: Vec<String> = cell.split(numbers).map(String::from).collect();
            parts(&mut values, random, word);
            *cell = values.join(numbers);
        });
        *line = cells.join(columns);
    });
    lines.join("\n").into_bytes()
}

pub fn tsv(bytes: &[u8], random: &mut Random) -> Vec<u8> {
    table(bytes, "\t", ",", random)
}

pub fn csv(bytes: &[u8], random: &mut Random) -> Vec<u8> {
    table(bytes, ",", ".", random)
}

/// Elements and attributes a line, and what is between the quotes.
pub fn xml(bytes: &[u8], random: &mut Random) -> Vec<u8> {
    table(bytes, " ", "\"", random)
}

/// A key and its value, or a point and its numbers.
pub fn pts(bytes: &[u8], random: &mut Random) -> Vec<u8> {
    table(bytes, ": ", " ", random)
}

pub fn json(bytes: &[u8], random: &mut Random) -> Vec<u8> {
    let mut value: Json = serde_json::from_slice(bytes).unwrap_or_default();
    json_value(&mut value, random);
    value.to_string().into_bytes()
}

fn json_value(value: &mut Json, random: &mut Random) {
    let deeper = random.below(6) > 0;
    match value {
        Json::Array(items) if deeper && !items.is_empty() => {
            let at = random.below(items.len());
            return json_value(&mut items[at], random);
        }
        Json::Object(items) if deeper && !items.is_empty() => {
            let at = random.below(items.len());
            if let Some((_, inner)) = items.iter_mut().nth(at) {
                return json_value(inner, random);
            }
        }
        _ => {}
    }
    match value {
        Json::Array(items) => match random.below(4) {
            0 => drop(items.pop()),
            1 => items.push(Json::from(random.pick(&NUMBERS))),
            2 => {
                let item = items.first().cloned().unwrap_or_default();
                items.extend(std::iter::repeat_n(item, random.times()));
            }
            _ => items.extend(vec![Json::Object(Default::default()); random.times()]),
        },
        Json::Object(items) => {
            let key = items.keys().next().cloned().unwrap_or_default();
            let inner = items.get(&key).cloned().unwrap_or_default();
            match random.below(3) {
                0 => drop(items.remove(&key)),
                1 => drop(items.insert(random.pick(&TEXTS).into(), inner)),
                _ => {
                    for i in 0..random.times() {
                        items.insert(format!("{key}{i}"), inner.clone());
                    }
                }
            }
        }
        Json::String(text) => word(text, random),
        _ => {
            *value = match random.below(8) {
                0 => Json::Null,
                1 => Json::Array(vec![Json::from(1); random.times()]),
                2 => Json::String(random.pick(&WORDS).into()),
                3 => Json::from(-1.5e300),
                4 => Json::Bool(true),
                _ => Json::from(random.pick(&NUMBERS)),
            }
        }
    }
}

pub fn toml(bytes: &[u8], random: &mut Random) -> Vec<u8> {
    let text = String::from_utf8_lossy(bytes);
    match random.below(3) {
        // As lines: a key or a value.
        0 => table(bytes, " = ", ", ", random),
        _ => {
            let Ok(mut value) = text.parse::<toml::Table>().map(Toml::Table) else {
                return bytes.to_vec();
            };
            toml_value(&mut value, random);
            toml::to_string(&value).unwrap_or_default().into_bytes()
        }
    }
}

fn toml_value(value: &mut Toml, random: &mut Random) {
    let deeper = random.below(6) > 0;
    match value {
        Toml::Array(items) if deeper && !items.is_empty() => {
            let at = random.below(items.len());
            return toml_value(&mut items[at], random);
        }
        Toml::Table(items) if deeper && !items.is_empty() => {
            let at = random.below(items.len());
            if let Some((_, inner)) = items.iter_mut().nth(at) {
                return toml_value(inner, random);
            }
        }
        _ => {}
    }
    match value {
        Toml::Array(items) => match random.below(3) {
            0 => drop(items.pop()),
            1 => items.push(Toml::Integer(random.pick(&NUMBERS) as i64)),
            _ => {
                let item = items.first().cloned().unwrap_or(Toml::Integer(0));
                items.extend(std::iter::repeat_n(item, random.times()));
            }
        },
        Toml::Table(items) => {
            let Some((key, inner)) = items.iter().next().map(|(k, v)| (k.clone(), v.clone()))
            else {
                return;
            };
            match random.below(3) {
                0 => drop(items.remove(&key)),
                1 => drop(items.insert(random.pick(&TEXTS).into(), inner)),
                _ => {
                    for i in 0..random.times() {
                        items.insert(format!("{key}{i}"), inner.clone());
                    }
                }
            }
        }
        Toml::String(text) => word(text, random),
        _ => {
            *value = match random.below(6) {
                0 => Toml::Float(f64::NAN),
                1 => Toml::Array(vec![Toml::Integer(1); random.times()]),
                2 => Toml::String(random.pick(&WORDS).into()),
                3 => Toml::Boolean(true),
                _ => Toml::Integer(random.pick(&NUMBERS) as i64),
            }
        }
    }
}

/// The fields of HDF5's objects: of what has a signature, and of the messages in object headers.
pub fn hdf5(bytes: &[u8], random: &mut Random) -> Vec<u8> {
    const SIGNATURES: [&[u8]; 4] = [b"\x89HDF", b"TREE", b"HEAP", b"SNOD"];
    /// Of a version 1 object header.
    const PREFIX: usize = 16;
    let mut bytes = bytes.to_vec();
    let mut places = Vec::new();
    for at in (0..bytes.len().saturating_sub(PREFIX)).step_by(8) {
        let here = &bytes[at..];
        if SIGNATURES
            .iter()
            .any(|signature| here.starts_with(signature))
        {
            places.push(at + random.below(96));
        } else if here[0] == 1 && here[1] == 0 && here[4..8] == [1, 0, 0, 0] {
            places.push(at + random.below(PREFIX));
            let size = u32::from_le_bytes([here[8], here[9], here[10], here[11]]) as usize;
            let end = (at + PREFIX + size).min(bytes.len().saturating_sub(8));
            let mut message = at + PREFIX;
            while message < end {
                let length =
                    usize::from(bytes[message + 2]) + (usize::from(bytes[message + 3]) << 8);
                places.push(message + random.below(8));
                places.push(message + 8 + random.below(length));
                message += 8 + length;
            }
        }
    }
    let Some(&at) = places.get(random.below(places.len())) else {
        return bytes;
    };
    let width = 1 << random.below(4);
    // Fields lie at multiples of their width.
    let at = at / width * width;
    let end = (at + width).min(bytes.len());
    let Some(field) = bytes.get(at..end) else {
        return bytes;
    };
    let mut old = [0; 8];
    old[..field.len()].copy_from_slice(field);
    let old = u64::from_le_bytes(old);
    let new = match random.below(5) {
        0 => old.wrapping_add(1),
        1 => old.wrapping_sub(1),
        2 => old.wrapping_mul(2 + random.below(1000) as u64),
        3 => random.below(bytes.len()) as u64 / 8 * 8,
        _ => random.pick(&NUMBERS),
    };
    bytes[at..end].copy_from_slice(&new.to_le_bytes()[..end - at]);
    bytes
}

/// Images have too many forms: their heads' fields, in either order of bytes.
pub fn image(bytes: &[u8], random: &mut Random) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    let at = random.below(bytes.len().min(64));
    let number = random.pick(&NUMBERS);
    let width = 1 << random.below(3);
    let end = (at + width).min(bytes.len());
    let number = if random.below(2) == 0 {
        number.to_le_bytes()[..width].to_vec()
    } else {
        number.to_be_bytes()[8 - width..].to_vec()
    };
    bytes[at..end].copy_from_slice(&number[..end - at]);
    bytes
}
