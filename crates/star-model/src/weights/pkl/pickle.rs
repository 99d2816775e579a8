//! Python's pickle format, as far as PyTorch's checkpoints use it.
//!
//! A pickle is a program for a small stack machine. This one only builds data: it knows how tensors and ordered dictionaries
//! are put together, and every other Python object becomes an opaque value. Nothing of a file is ever executed. Values lie in
//! one list and refer to each other by index, so that no nesting, sharing or cycle in a file costs more than its bytes.

use std::collections::HashMap;

use burn::tensor::DType;

use super::bytes::{Bytes, Malformed};

/// The index of a value.
pub type Id = usize;

/// A value.
#[derive(Debug, Clone)]
pub enum Value {
    /// Any Python object that no weights depend on.
    Opaque,
    Bool(bool),
    Int(i64),
    Text(String),
    Tuple(Vec<Id>),
    List(Vec<Id>),
    Dict(Vec<(Id, Id)>),
    /// A class or function: module and name.
    Global(String, String),
    Storage(Storage),
    Tensor(TensorRef),
}

/// A block of numbers elsewhere in the file.
#[derive(Debug, Clone)]
pub struct Storage {
    /// `None`: of a type that neither weights nor counters have.
    pub dtype: Option<DType>,
    /// Bytes of one number.
    pub width: usize,
    pub key: String,
    /// Count of numbers.
    pub numel: usize,
}

/// A tensor: a view of a storage.
#[derive(Debug, Clone)]
pub struct TensorRef {
    pub storage: Storage,
    /// In numbers, not bytes.
    pub offset: usize,
    pub shape: Vec<usize>,
    pub strides: Vec<usize>,
}

/// What a pickle holds.
#[derive(Debug)]
pub struct Pickle {
    values: Vec<Value>,
    pub root: Id,
}

impl Pickle {
    pub fn get(&self, id: Id) -> &Value {
        self.values.get(id).unwrap_or(&Value::Opaque)
    }

    /// The value of a text key in a dictionary.
    pub fn entry(&self, dict: Id, key: &str) -> Option<Id> {
        self.entries(dict)?
            .into_iter()
            .rev()
            .find(|(name, _)| *name == key)
            .map(|(_, id)| id)
    }

    /// The entries of a dictionary whose keys are texts.
    pub fn entries(&self, dict: Id) -> Option<Vec<(&str, Id)>> {
        let Value::Dict(entries) = self.get(dict) else {
            return None;
        };
        let text = |&(key, value): &(Id, Id)| match self.get(key) {
            Value::Text(text) => Some((text.as_str(), value)),
            _ => None,
        };
        Some(entries.iter().filter_map(text).collect())
    }

    /// All storages it mentions.
    pub fn storages(&self) -> impl Iterator<Item = &Storage> {
        self.values.iter().filter_map(|value| match value {
            Value::Storage(storage) => Some(storage),
            _ => None,
        })
    }

    /// Reads one pickle and leaves `bytes` behind it.
    pub fn read(bytes: &mut Bytes) -> Result<Self, Malformed> {
        let mut machine = Machine::default();
        loop {
            let op = bytes.u8()?;
            if op == b'.' {
                break;
            }
            machine.step(op, bytes)?;
        }
        let root = machine.pop()?;
        Ok(Self {
            values: machine.values,
            root,
        })
    }
}

#[derive(Default)]
struct Machine {
    values: Vec<Value>,
    stack: Vec<Id>,
    /// Heights of the stack.
    marks: Vec<usize>,
    memo: HashMap<u32, Id>,
}

impl Machine {
    fn step(&mut self, op: u8, bytes: &mut Bytes) -> Result<(), Malformed> {
        match op {
            // Protocol, frame: nothing to do.
            0x80 => bytes.skip(1)?,
            0x95 => bytes.skip(8)?,

            b'(' => self.marks.push(self.stack.len()),
            b'0' => drop(self.pop()?),
            b'1' => drop(self.pop_to_mark()?),
            b'2' => {
                let top = self.top()?;
                self.stack.push(top);
            }

            b'q' => self.memorise(u32::from(bytes.u8()?))?,
            b'r' => {
                let slot = bytes.u32()?;
                self.memorise(slot)?;
            }
            0x94 => {
                let slot = u32::try_from(self.memo.len()).map_err(|_| damaged())?;
                self.memorise(slot)?;
            }
            b'h' => self.recall(u32::from(bytes.u8()?))?,
            b'j' => {
                let slot = bytes.u32()?;
                self.recall(slot)?;
            }

            b'N' => self.push(Value::Opaque),
            0x88 => self.push(Value::Bool(true)),
            0x89 => self.push(Value::Bool(false)),
            b'J' => self.push(Value::Int(i64::from(bytes.u32()?.cast_signed()))),
            b'K' => self.push(Value::Int(i64::from(bytes.u8()?))),
            b'M' => self.push(Value::Int(i64::from(bytes.u16()?))),
            0x8a => {
                let size = usize::from(bytes.u8()?);
                self.long(bytes.take(size)?);
            }
            0x8b => {
                let size = bytes.u32()? as usize;
                self.long(bytes.take(size)?);
            }
            b'G' => {
                bytes.skip(8)?;
                self.push(Value::Opaque);
            }

            b'X' | b'T' => {
                let size = bytes.u32()? as usize;
                self.text(bytes.take(size)?)?;
            }
            0x8c | b'U' => {
                let size = usize::from(bytes.u8()?);
                self.text(bytes.take(size)?)?;
            }
            0x8d => {
                let size = usize::try_from(bytes.u64()?).map_err(|_| damaged())?;
                self.text(bytes.take(size)?)?;
            }
            b'B' => {
                let size = bytes.u32()? as usize;
                bytes.skip(size)?;
                self.push(Value::Opaque);
            }
            b'C' => {
                let size = usize::from(bytes.u8()?);
                bytes.skip(size)?;
                self.push(Value::Opaque);
            }

            b')' => self.push(Value::Tuple(Vec::new())),
            0x85..=0x87 => self.tuple(usize::from(op - 0x84))?,
            b't' => {
                let items = self.pop_to_mark()?;
                self.push(Value::Tuple(items));
            }
            b']' => self.push(Value::List(Vec::new())),
            b'l' => {
                let items = self.pop_to_mark()?;
                self.push(Value::List(items));
            }
            b'a' => {
                let item = self.pop()?;
                self.append(vec![item])?;
            }
            b'e' => {
                let items = self.pop_to_mark()?;
                self.append(items)?;
            }
            b'}' => self.push(Value::Dict(Vec::new())),
            b's' => {
                let (value, key) = (self.pop()?, self.pop()?);
                self.set_items(&[key, value])?;
            }
            b'u' => {
                let items = self.pop_to_mark()?;
                self.set_items(&items)?;
            }
            // Sets.
            0x8f => self.push(Value::Opaque),
            0x90 => drop(self.pop_to_mark()?),
            0x91 => {
                self.pop_to_mark()?;
                self.push(Value::Opaque);
            }

            b'c' => {
                let (module, name) = (line(bytes)?, line(bytes)?);
                self.push(Value::Global(module, name));
            }
            0x93 => {
                let (name, module) = (self.pop()?, self.pop()?);
                let global = match (&self.values[module], &self.values[name]) {
                    (Value::Text(module), Value::Text(name)) => {
                        Value::Global(module.clone(), name.clone())
                    }
                    _ => return Err(damaged()),
                };
                self.push(global);
            }
            b'Q' => self.storage()?,
            b'R' | 0x81 => {
                let (arguments, callable) = (self.pop()?, self.pop()?);
                let object = self.call(callable, arguments);
                self.push(object);
            }
            // An object's state: none that weights depend on.
            b'b' => drop(self.pop()?),
            other => {
                return Err(Malformed(format!(
                    "its pickle holds the instruction {other:#04x}, which no PyTorch checkpoint does"
                )));
            }
        }
        Ok(())
    }

    fn push(&mut self, value: Value) {
        self.stack.push(self.values.len());
        self.values.push(value);
    }

    /// Takes the top of the stack; nothing below the last mark.
    fn pop(&mut self) -> Result<Id, Malformed> {
        let top = self.top()?;
        self.stack.pop();
        Ok(top)
    }

    fn top(&self) -> Result<Id, Malformed> {
        let floor = self.marks.last().copied().unwrap_or(0);
        match self.stack.last() {
            Some(&id) if self.stack.len() > floor => Ok(id),
            _ => Err(damaged()),
        }
    }

    fn pop_to_mark(&mut self) -> Result<Vec<Id>, Malformed> {
        let mark = self.marks.pop().ok_or_else(damaged)?;
        Ok(self.stack.split_off(mark.min(self.stack.len())))
    }

    fn memorise(&mut self, slot: u32) -> Result<(), Malformed> {
        let top = self.top()?;
        self.memo.insert(slot, top);
        Ok(())
    }

    fn recall(&mut self, slot: u32) -> Result<(), Malformed> {
        let id = *self.memo.get(&slot).ok_or_else(damaged)?;
        self.stack.push(id);
        Ok(())
    }

    /// A little-endian two's complement integer of any size; what needs more than 64 bits counts nothing here.
    fn long(&mut self, bytes: &[u8]) {
        let negative = bytes.last().is_some_and(|byte| byte & 0x80 != 0);
        let mut wide = [if negative { 0xff } else { 0 }; 8];
        let value = match wide.get_mut(..bytes.len()) {
            Some(low) => {
                low.copy_from_slice(bytes);
                Value::Int(i64::from_le_bytes(wide))
            }
            None => Value::Opaque,
        };
        self.push(value);
    }

    fn text(&mut self, bytes: &[u8]) -> Result<(), Malformed> {
        let text = std::str::from_utf8(bytes).map_err(|_| damaged())?;
        self.push(Value::Text(text.into()));
        Ok(())
    }

    fn tuple(&mut self, length: usize) -> Result<(), Malformed> {
        let mut items = Vec::with_capacity(length);
        for _ in 0..length {
            items.push(self.pop()?);
        }
        items.reverse();
        self.push(Value::Tuple(items));
        Ok(())
    }

    fn append(&mut self, items: Vec<Id>) -> Result<(), Malformed> {
        let list = self.top()?;
        if let Value::List(list) = &mut self.values[list] {
            list.extend(items);
        }
        Ok(())
    }

    fn set_items(&mut self, items: &[Id]) -> Result<(), Malformed> {
        let dict = self.top()?;
        if let Value::Dict(dict) = &mut self.values[dict] {
            dict.extend(items.chunks_exact(2).map(|pair| (pair[0], pair[1])));
        }
        Ok(())
    }

    /// `("storage", type, key, device, count, ...)`
    fn storage(&mut self) -> Result<(), Malformed> {
        let id = self.pop()?;
        let Value::Tuple(parts) = &self.values[id] else {
            return Err(damaged());
        };
        let part = |i: usize| parts.get(i).map(|&id| &self.values[id]);
        let storage = match (part(1), part(2), part(4)) {
            (Some(Value::Global(_, class)), Some(Value::Text(key)), Some(Value::Int(numel))) => {
                let (dtype, width) = match class.as_str() {
                    "FloatStorage" => (Some(DType::F32), 4),
                    "DoubleStorage" => (Some(DType::F64), 8),
                    "HalfStorage" => (Some(DType::F16), 2),
                    "BFloat16Storage" => (Some(DType::BF16), 2),
                    "LongStorage" => (Some(DType::I64), 8),
                    "ComplexFloatStorage" => (None, 8),
                    "IntStorage" => (None, 4),
                    "ShortStorage" => (None, 2),
                    "CharStorage" | "ByteStorage" | "BoolStorage" => (None, 1),
                    _ => {
                        return Err(Malformed(format!(
                            "it holds numbers of the unknown type {class}"
                        )));
                    }
                };
                Storage {
                    dtype,
                    width,
                    key: key.clone(),
                    numel: usize::try_from(*numel).map_err(|_| damaged())?,
                }
            }
            _ => return Err(damaged()),
        };
        self.push(Value::Storage(storage));
        Ok(())
    }

    /// What a call gives, for the few callables that weights are made with.
    fn call(&self, callable: Id, arguments: Id) -> Value {
        let Value::Global(module, name) = &self.values[callable] else {
            return Value::Opaque;
        };
        let Value::Tuple(arguments) = &self.values[arguments] else {
            return Value::Opaque;
        };
        match (module.as_str(), name.as_str()) {
            ("torch._utils", "_rebuild_tensor_v2" | "_rebuild_tensor") => {
                self.tensor(arguments).map_or(Value::Opaque, Value::Tensor)
            }
            ("torch._utils", "_rebuild_parameter") => {
                match arguments.first().map(|&id| &self.values[id]) {
                    Some(Value::Tensor(tensor)) => Value::Tensor(tensor.clone()),
                    _ => Value::Opaque,
                }
            }
            ("collections", "OrderedDict") => Value::Dict(self.pairs(arguments)),
            _ => Value::Opaque,
        }
    }

    /// `(storage, offset, shape, strides, ...)`
    fn tensor(&self, arguments: &[Id]) -> Option<TensorRef> {
        let value = |i: usize| arguments.get(i).map(|&id| &self.values[id]);
        let Value::Storage(storage) = value(0)? else {
            return None;
        };
        let Value::Int(offset) = value(1)? else {
            return None;
        };
        let numbers = |value: &Value| -> Option<Vec<usize>> {
            let Value::Tuple(items) = value else {
                return None;
            };
            let number = |&id: &Id| match self.values[id] {
                Value::Int(number) => usize::try_from(number).ok(),
                _ => None,
            };
            items.iter().map(number).collect()
        };
        let tensor = TensorRef {
            storage: storage.clone(),
            offset: usize::try_from(*offset).ok()?,
            shape: numbers(value(2)?)?,
            strides: numbers(value(3)?)?,
        };
        (tensor.shape.len() == tensor.strides.len()).then_some(tensor)
    }

    /// `([(key, value), ...],)` or nothing.
    fn pairs(&self, arguments: &[Id]) -> Vec<(Id, Id)> {
        let Some(Value::List(items)) = arguments.first().map(|&id| &self.values[id]) else {
            return Vec::new();
        };
        let pair = |&id: &Id| match &self.values[id] {
            Value::Tuple(pair) | Value::List(pair) => match pair[..] {
                [key, value] => Some((key, value)),
                _ => None,
            },
            _ => None,
        };
        items.iter().filter_map(pair).collect()
    }
}

fn line(bytes: &mut Bytes) -> Result<String, Malformed> {
    let line = std::str::from_utf8(bytes.line()?).map_err(|_| damaged())?;
    Ok(line.into())
}

fn damaged() -> Malformed {
    Malformed("its pickle is damaged".into())
}
