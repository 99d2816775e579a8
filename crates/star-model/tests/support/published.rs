//! Checkpoints as PyTorch writes them, instruction by instruction: to build hostile ones and to damage good ones in their own terms.

use burn::tensor::{bf16, f16};
use star_model::{StarNetConfig, named_tensors};

use super::Plain;

/// One instruction of a pickle with its argument.
#[derive(Clone, Debug, PartialEq)]
pub enum Op {
    /// Without an argument.
    Bare(u8),
    Byte(u8, u8),
    Short(u8, u16),
    Word(u8, u32),
    /// `LONG1`: its length in one byte.
    Long(Vec<u8>),
    /// `BINUNICODE`: its length in four bytes.
    Text(Vec<u8>),
    /// Module and name, a line each.
    Global(&'static str, String),
}

use Op::*;

impl Op {
    fn write(&self, out: &mut Vec<u8>) {
        match self {
            Bare(op) => out.push(*op),
            Byte(op, value) => out.extend([*op, *value]),
            Short(op, value) => {
                out.push(*op);
                out.extend(value.to_le_bytes());
            }
            Word(op, value) => {
                out.push(*op);
                out.extend(value.to_le_bytes());
            }
            Long(bytes) => {
                out.extend([0x8a, bytes.len() as u8]);
                out.extend(bytes);
            }
            Text(bytes) => {
                out.push(b'X');
                out.extend((bytes.len() as u32).to_le_bytes());
                out.extend(bytes);
            }
            Global(module, name) => {
                out.push(b'c');
                out.extend(format!("{module}\n{name}\n").bytes());
            }
        }
    }
}

pub fn text(text: &str) -> Op {
    Text(text.into())
}

/// The shortest way to write a number, as Python's pickler picks it.
pub fn number(value: u64) -> Op {
    match value {
        0..=0xff => Byte(b'K', value as u8),
        0x100..=0xffff => Short(b'M', value as u16),
        0x1_0000..=0x7fff_ffff => Word(b'J', value as u32),
        _ => {
            let mut long = value.to_le_bytes().to_vec();
            long.push(0);
            // The last byte holds the sign.
            while let [.., before, 0] = long[..]
                && before & 0x80 == 0
            {
                long.pop();
            }
            Long(long)
        }
    }
}

/// Puts instructions one after another and remembers values as Python's pickler does.
#[derive(Default)]
pub struct Writer {
    pub ops: Vec<Op>,
    slots: u32,
}

impl Writer {
    pub fn new() -> Self {
        let mut writer = Self::default();
        writer.op(Byte(0x80, 2));
        writer
    }

    pub fn op(&mut self, op: Op) -> &mut Self {
        self.ops.push(op);
        self
    }

    pub fn ops(&mut self, ops: impl IntoIterator<Item = Op>) -> &mut Self {
        self.ops.extend(ops);
        self
    }

    /// Remembers the top of the stack; gives its slot.
    pub fn keep(&mut self) -> u32 {
        let slot = self.slots;
        self.slots += 1;
        self.op(match u8::try_from(slot) {
            Ok(slot) => Byte(b'q', slot),
            Err(_) => Word(b'r', slot),
        });
        slot
    }

    pub fn recall(&mut self, slot: u32) -> &mut Self {
        self.op(match u8::try_from(slot) {
            Ok(slot) => Byte(b'h', slot),
            Err(_) => Word(b'j', slot),
        })
    }

    /// The first time as it is, then from the memo.
    fn once(&mut self, slot: &mut Option<u32>, op: Op) {
        match *slot {
            Some(slot) => {
                self.recall(slot);
            }
            None => {
                self.op(op);
                *slot = Some(self.keep());
            }
        }
    }

    fn numbers(&mut self, values: &[u64]) {
        if values.len() > 3 {
            self.op(Bare(b'('));
        }
        for &value in values {
            self.op(number(value));
        }
        self.op(Bare(match values.len() {
            0 => b')',
            n @ 1..=3 => 0x84 + n as u8,
            _ => b't',
        }));
        if !values.is_empty() {
            self.keep();
        }
    }

    pub fn end(&mut self) -> Vec<Op> {
        self.op(Bare(b'.'));
        std::mem::take(&mut self.ops)
    }
}

/// A tensor to put into a checkpoint.
#[derive(Clone, Debug)]
pub struct Entry {
    pub name: String,
    pub shape: Vec<u64>,
    pub values: Vec<f32>,
}

/// A checkpoint in parts.
#[derive(Clone)]
pub struct Published {
    /// Of the tensors, in the order of the storages.
    pub names: Vec<String>,
    pub pickle: Vec<Op>,
    /// Key and numbers of each storage.
    pub storages: Vec<(String, Vec<u8>)>,
}

/// What a checkpoint's dictionaries hold.
pub enum Tree<'a> {
    Dict(Vec<(&'a str, Tree<'a>)>),
    /// A state dictionary, its numbers stored so.
    State(&'a [Entry], Stored),
    /// A number, as an epoch is.
    Number(u64),
}

/// A type of stored numbers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Stored {
    F32,
    F16,
    Bf16,
}

impl Stored {
    fn class(self) -> &'static str {
        match self {
            Self::F32 => "FloatStorage",
            Self::F16 => "HalfStorage",
            Self::Bf16 => "BFloat16Storage",
        }
    }

    pub fn bytes(self, values: &[f32]) -> Vec<u8> {
        let each = |&value: &f32| match self {
            Self::F32 => value.to_le_bytes().to_vec(),
            Self::F16 => f16::from_f32(value).to_le_bytes().to_vec(),
            Self::Bf16 => bf16::from_f32(value).to_le_bytes().to_vec(),
        };
        values.iter().flat_map(each).collect()
    }

    /// What a number is after it was stored so.
    pub fn round(self, value: f32) -> f32 {
        match self {
            Self::F32 => value,
            Self::F16 => f16::from_f32(value).to_f32(),
            Self::Bf16 => bf16::from_f32(value).to_f32(),
        }
    }
}

/// Writes trees, each text and class that PyTorch writes once and then remembers likewise.
struct Trees {
    w: Writer,
    legacy: bool,
    names: Vec<String>,
    storages: Vec<(String, Vec<u8>)>,
    storage: Option<u32>,
    rebuild: Option<u32>,
    classes: Vec<(Stored, Option<u32>)>,
    cpu: Option<u32>,
    dict: Option<u32>,
}

impl Trees {
    fn write(&mut self, tree: &Tree) {
        match tree {
            Tree::Number(value) => {
                self.w.op(number(*value));
            }
            Tree::Dict(entries) => {
                self.w.op(Bare(b'}'));
                self.w.keep();
                let several = entries.len() > 1;
                if several {
                    self.w.op(Bare(b'('));
                }
                for (key, tree) in entries {
                    self.w.op(text(key));
                    self.w.keep();
                    self.write(tree);
                }
                if !entries.is_empty() {
                    self.w.op(Bare(if several { b'u' } else { b's' }));
                }
            }
            Tree::State(entries, stored) => self.state(entries, *stored),
        }
    }

    fn state(&mut self, entries: &[Entry], stored: Stored) {
        let w = &mut self.w;
        w.once(&mut self.dict, Global("collections", "OrderedDict".into()));
        w.op(Bare(b')')).op(Bare(b'R'));
        w.keep();
        w.op(Bare(b'('));
        if !self.classes.iter().any(|(known, _)| *known == stored) {
            self.classes.push((stored, None));
        }
        for entry in entries {
            // Addresses in the older format, numbers in the newer one.
            let i = self.storages.len();
            let key = if self.legacy {
                format!("{}", 94_825_476_812_345 + 64 * i)
            } else {
                i.to_string()
            };
            w.op(text(&entry.name));
            w.keep();
            let name = "_rebuild_tensor_v2".into();
            w.once(&mut self.rebuild, Global("torch._utils", name));
            w.op(Bare(b'(')).op(Bare(b'('));
            w.once(&mut self.storage, text("storage"));
            for (known, slot) in &mut self.classes {
                if *known == stored {
                    w.once(slot, Global("torch", stored.class().into()));
                }
            }
            w.op(text(&key));
            w.keep();
            w.once(&mut self.cpu, text("cpu"));
            w.op(number(entry.values.len() as u64));
            if self.legacy {
                w.op(Bare(b'N'));
            }
            w.op(Bare(b't'));
            w.keep();
            w.op(Bare(b'Q')).op(Byte(b'K', 0));
            w.numbers(&entry.shape);
            let mut strides = vec![1; entry.shape.len()];
            for d in (1..strides.len()).rev() {
                strides[d - 1] = strides[d] * entry.shape[d];
            }
            w.numbers(&strides);
            w.op(Bare(0x89));
            w.once(&mut self.dict, Bare(b'N'));
            w.op(Bare(b')')).op(Bare(b'R'));
            w.keep();
            w.op(Bare(b't'));
            w.keep();
            w.op(Bare(b'R'));
            w.keep();
            self.names.push(entry.name.clone());
            self.storages.push((key, stored.bytes(&entry.values)));
        }
        w.op(Bare(b'u'));
    }
}

impl Published {
    /// `{"net": OrderedDict of tensors}`, as the published program's files are.
    pub fn of(entries: &[Entry], legacy: bool) -> Self {
        let state = Tree::State(entries, Stored::F32);
        Self::of_tree(&Tree::Dict(vec![("net", state)]), legacy)
    }

    /// Any dictionaries, or one state dictionary by itself. The older format is for [`Stored::F32`] only.
    pub fn of_tree(tree: &Tree, legacy: bool) -> Self {
        let mut trees = Trees {
            w: Writer::new(),
            legacy,
            names: Vec::new(),
            storages: Vec::new(),
            storage: None,
            rebuild: None,
            classes: Vec::new(),
            cpu: None,
            dict: None,
        };
        trees.write(tree);
        Self {
            names: trees.names,
            pickle: trees.w.end(),
            storages: trees.storages,
        }
    }

    /// A network's checkpoint.
    pub fn of_net(config: &StarNetConfig, legacy: bool) -> Self {
        let net = config.init::<Plain>(&Default::default());
        let entries = named_tensors(&net).into_iter().map(|(name, data)| Entry {
            name,
            shape: data.shape.iter().map(|&side| side as u64).collect(),
            values: data.iter::<f32>().collect(),
        });
        Self::of(&entries.collect::<Vec<_>>(), legacy)
    }

    /// The file in the format before PyTorch 1.6; a storage's count is what it says, whatever its numbers are.
    pub fn legacy(&self) -> Vec<u8> {
        let mut file = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.".to_vec();
        file.extend(b"\x80\x02M\xe9\x03.");
        let mut system = Writer::new();
        system.op(Bare(b'}')).op(Bare(b'('));
        system.op(text("protocol_version")).op(number(1001));
        system.op(text("little_endian")).op(Bare(0x88));
        system.op(Bare(b'u'));
        write(&system.end(), &mut file);
        write(&self.pickle, &mut file);
        let mut keys = Writer::new();
        keys.op(Bare(b']')).op(Bare(b'('));
        keys.ops(self.storages.iter().map(|(key, _)| text(key)));
        keys.op(Bare(b'e'));
        write(&keys.end(), &mut file);
        for (_, bytes) in &self.storages {
            file.extend((bytes.len() as u64 / 4).to_le_bytes());
            file.extend(bytes);
        }
        file
    }

    /// The archive of the format since then.
    pub fn archive(&self) -> Archive {
        let mut pickle = Vec::new();
        write(&self.pickle, &mut pickle);
        let mut files = vec![("archive/data.pkl".to_string(), pickle)];
        files.push(("archive/byteorder".into(), b"little".to_vec()));
        let storages = self.storages.iter();
        files.extend(storages.map(|(key, bytes)| (format!("archive/data/{key}"), bytes.clone())));
        files.push(("archive/version".into(), b"3\n".to_vec()));
        Archive::of(files)
    }
}

pub fn write(ops: &[Op], out: &mut Vec<u8>) {
    for op in ops {
        op.write(out);
    }
}

/// A pickle as the newer format's one file `data.pkl`, without any numbers.
pub fn only_pickle(ops: Vec<Op>) -> Vec<u8> {
    let published = Published {
        names: Vec::new(),
        pickle: ops,
        storages: Vec::new(),
    };
    published.archive().bytes()
}

/// A line of a zip archive's directory. What it says may be wrong.
#[derive(Clone)]
pub struct Line {
    pub name: Vec<u8>,
    pub method: u16,
    pub crc: u32,
    pub packed: u32,
    pub size: u32,
    pub extra: Vec<u8>,
    pub comment: u16,
    pub local: u32,
}

/// A zip archive in parts.
#[derive(Clone)]
pub struct Archive {
    /// The files with their own headers.
    pub body: Vec<u8>,
    pub lines: Vec<Line>,
    /// What the end record says.
    pub count: u16,
    pub directory: u32,
}

impl Archive {
    /// Files as they are, without checksums (PyTorch can leave them out).
    pub fn of(files: Vec<(String, Vec<u8>)>) -> Self {
        let mut body = Vec::new();
        let mut lines = Vec::new();
        for (name, content) in files {
            let local = body.len() as u32;
            body.extend(b"PK\x03\x04");
            body.extend([0; 22]);
            body.extend((name.len() as u16).to_le_bytes());
            body.extend([0, 0]);
            body.extend(name.bytes());
            body.extend(&content);
            lines.push(Line {
                name: name.into_bytes(),
                method: 0,
                crc: 0,
                packed: content.len() as u32,
                size: content.len() as u32,
                extra: Vec::new(),
                comment: 0,
                local,
            });
        }
        Self {
            count: lines.len() as u16,
            directory: body.len() as u32,
            body,
            lines,
        }
    }

    pub fn bytes(&self) -> Vec<u8> {
        let mut file = self.body.clone();
        for line in &self.lines {
            file.extend(b"PK\x01\x02");
            file.extend([0; 6]);
            file.extend(line.method.to_le_bytes());
            file.extend([0; 4]);
            for word in [line.crc, line.packed, line.size] {
                file.extend(word.to_le_bytes());
            }
            for short in [
                line.name.len() as u16,
                line.extra.len() as u16,
                line.comment,
            ] {
                file.extend(short.to_le_bytes());
            }
            file.extend([0; 8]);
            file.extend(line.local.to_le_bytes());
            file.extend(&line.name);
            file.extend(&line.extra);
        }
        file.extend(b"PK\x05\x06");
        file.extend([0; 4]);
        file.extend(self.count.to_le_bytes());
        file.extend(self.count.to_le_bytes());
        file.extend([0; 4]);
        file.extend(self.directory.to_le_bytes());
        file.extend([0, 0]);
        file
    }
}
