//! Python's pickle format, as far as PyTorch's checkpoints use it.
//!
//! A pickle is a program for a small stack machine. This one only builds data: it knows how tensors and ordered dictionaries
//! are put together, and every other Python object becomes an opaque value. Nothing of a file is ever executed. Values are one
//! word each and refer to each other by index, texts are the file's own bytes, and every list pays for its growth: no nesting,
//! sharing or cycle in a file costs more than its [`Budget`].

use burn::tensor::DType;

use super::bytes::Bytes;
use crate::error::shorten;
use crate::weights::budget::Budget;
use crate::weights::malformed::Malformed;

/// The most dimensions of a tensor; a network's have up to 4.
pub const MAX_DIMS: usize = 8;

/// A value: small numbers as they are, everything else by its place in one of the [`Pickle`]'s lists.
#[derive(Debug, Clone, Copy)]
pub enum Value {
    /// Any Python object that no weights depend on.
    Opaque,
    Bool(bool),
    Int(i32),
    /// An integer that needs more than 32 bits.
    Wide(u32),
    Text(u32),
    Tuple(u32),
    List(u32),
    Dict(u32),
    /// A class or function.
    Global(u32),
    Storage(u32),
    Tensor(u32),
}

/// A block of numbers elsewhere in the file.
#[derive(Debug, Clone, Copy)]
pub struct Storage<'a> {
    /// `None`: of a type that neither weights nor counters have.
    pub dtype: Option<DType>,
    /// Bytes of one number.
    pub width: usize,
    pub key: &'a str,
    /// Count of numbers.
    pub numel: usize,
}

/// A tensor: a view of a storage.
#[derive(Debug, Clone)]
pub struct TensorRef<'p> {
    pub storage: Storage<'p>,
    /// In numbers, not bytes.
    pub offset: usize,
    /// At most [`MAX_DIMS`] sides.
    pub shape: Vec<usize>,
    /// As many.
    pub strides: Vec<usize>,
}

/// A tensor as it is kept: any number of them may share their tuples and storages.
#[derive(Debug)]
struct TensorParts {
    storage: u32,
    offset: usize,
    shape: u32,
    strides: u32,
}

/// Where a tuple's values are in the list of all of them.
#[derive(Debug)]
struct Span {
    from: u32,
    to: u32,
}

/// What a pickle holds.
#[derive(Debug, Default)]
pub struct Pickle<'a> {
    wides: Vec<i64>,
    texts: Vec<&'a str>,
    /// The values in all tuples.
    items: Vec<Value>,
    tuples: Vec<Span>,
    lists: Vec<Vec<Value>>,
    dicts: Vec<Vec<(Value, Value)>>,
    /// Module and name.
    globals: Vec<(&'a str, &'a str)>,
    storages: Vec<Storage<'a>>,
    tensors: Vec<TensorParts>,
}

impl<'a> Pickle<'a> {
    /// Reads one pickle and leaves `bytes` behind it; gives the value that it is, too.
    pub fn read(bytes: &mut Bytes<'a>, budget: &mut Budget) -> Result<(Self, Value), Malformed> {
        let mut machine = Machine {
            pickle: Self::default(),
            size: bytes.left(),
            budget,
            stack: Vec::new(),
            marks: Vec::new(),
            memo: Vec::new(),
        };
        loop {
            let op = bytes.u8()?;
            if op == b'.' {
                break;
            }
            machine.step(op, bytes)?;
        }
        let root = machine.pop()?;
        let Machine {
            pickle,
            budget,
            stack,
            marks,
            memo,
            ..
        } = machine;
        budget.give_back(stack);
        budget.give_back(marks);
        budget.give_back(memo);
        Ok((pickle, root))
    }

    /// The last value of a text key in a dictionary.
    pub fn entry(&self, dict: Value, key: &str) -> Option<Value> {
        let entries = self.entries(dict)?;
        let found = entries.filter(|(name, _)| *name == key);
        found.last().map(|(_, value)| value)
    }

    /// The entries of a dictionary whose keys are texts.
    pub fn entries(&self, dict: Value) -> Option<impl Iterator<Item = (&'a str, Value)> + '_> {
        let Value::Dict(dict) = dict else { return None };
        let entries = self.dicts.get(dict as usize)?.iter();
        Some(entries.filter_map(|&(key, value)| Some((self.text(key)?, value))))
    }

    /// How many dictionaries it holds: [`Value::Dict`] is below that.
    pub fn dictionaries(&self) -> usize {
        self.dicts.len()
    }

    pub fn text(&self, value: Value) -> Option<&'a str> {
        match value {
            Value::Text(at) => self.texts.get(at as usize).copied(),
            _ => None,
        }
    }

    pub fn list(&self, value: Value) -> Option<&[Value]> {
        match value {
            Value::List(at) => self.lists.get(at as usize).map(Vec::as_slice),
            _ => None,
        }
    }

    pub fn tensor(&self, value: Value) -> Option<TensorRef<'a>> {
        let Value::Tensor(at) = value else {
            return None;
        };
        let parts = self.tensors.get(at as usize)?;
        Some(TensorRef {
            storage: *self.storages.get(parts.storage as usize)?,
            offset: parts.offset,
            shape: self.sides(Value::Tuple(parts.shape))?.collect(),
            strides: self.sides(Value::Tuple(parts.strides))?.collect(),
        })
    }

    /// All storages it mentions.
    pub fn storages(&self) -> &[Storage<'a>] {
        &self.storages
    }

    fn tuple(&self, value: Value) -> Option<&[Value]> {
        let Value::Tuple(at) = value else {
            return None;
        };
        let span = self.tuples.get(at as usize)?;
        self.items.get(span.from as usize..span.to as usize)
    }

    fn int(&self, value: Value) -> Option<i64> {
        match value {
            Value::Int(small) => Some(i64::from(small)),
            Value::Wide(at) => self.wides.get(at as usize).copied(),
            _ => None,
        }
    }

    /// A count or a place.
    fn count(&self, value: Value) -> Option<usize> {
        usize::try_from(self.int(value)?).ok()
    }

    /// The numbers of a tuple that can be a tensor's shape or strides.
    fn sides(&self, value: Value) -> Option<impl Iterator<Item = usize> + '_> {
        let sides = self.tuple(value)?;
        let fine = sides.len() <= MAX_DIMS && sides.iter().all(|&side| self.count(side).is_some());
        fine.then(|| sides.iter().filter_map(|&side| self.count(side)))
    }
}

struct Machine<'a, 'b> {
    pickle: Pickle<'a>,
    /// Bytes of it and of what follows.
    size: usize,
    budget: &'b mut Budget,
    stack: Vec<Value>,
    /// Heights of the stack.
    marks: Vec<usize>,
    /// By slot.
    memo: Vec<Value>,
}

impl<'a> Machine<'a, '_> {
    fn step(&mut self, op: u8, bytes: &mut Bytes<'a>) -> Result<(), Malformed> {
        match op {
            // Protocol, frame: nothing to do.
            0x80 => bytes.skip(1)?,
            0x95 => bytes.skip(8)?,

            b'(' => {
                let height = self.stack.len();
                self.budget.push(&mut self.marks, height)?;
            }
            b'0' => drop(self.pop()?),
            b'1' => {
                let from = self.mark()?;
                self.stack.truncate(from);
            }
            b'2' => {
                let top = self.top()?;
                self.push(top)?;
            }

            b'q' => self.memorise(usize::from(bytes.u8()?))?,
            b'r' => {
                let slot = bytes.u32()? as usize;
                self.memorise(slot)?;
            }
            0x94 => self.memorise(self.memo.len())?,
            b'h' => self.recall(usize::from(bytes.u8()?))?,
            b'j' => {
                let slot = bytes.u32()? as usize;
                self.recall(slot)?;
            }

            b'N' => self.push(Value::Opaque)?,
            0x88 => self.push(Value::Bool(true))?,
            0x89 => self.push(Value::Bool(false))?,
            b'J' => self.push(Value::Int(bytes.u32()?.cast_signed()))?,
            b'K' => self.push(Value::Int(i32::from(bytes.u8()?)))?,
            b'M' => self.push(Value::Int(i32::from(bytes.u16()?)))?,
            0x8a => {
                let size = usize::from(bytes.u8()?);
                self.long(bytes.take(size)?)?;
            }
            0x8b => {
                let size = bytes.u32()? as usize;
                self.long(bytes.take(size)?)?;
            }
            b'G' => {
                bytes.skip(8)?;
                self.push(Value::Opaque)?;
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
                self.push(Value::Opaque)?;
            }
            b'C' => {
                let size = usize::from(bytes.u8()?);
                bytes.skip(size)?;
                self.push(Value::Opaque)?;
            }

            b')' => self.tuple(self.stack.len())?,
            0x85..=0x87 => {
                let from = self.above(usize::from(op - 0x84))?;
                self.tuple(from)?;
            }
            b't' => {
                let from = self.mark()?;
                self.tuple(from)?;
            }
            b']' => self.list(self.stack.len())?,
            b'l' => {
                let from = self.mark()?;
                self.list(from)?;
            }
            b'a' => {
                let from = self.above(1)?;
                self.append(from)?;
            }
            b'e' => {
                let from = self.mark()?;
                self.append(from)?;
            }
            b'}' => self.new_dict(Vec::new())?,
            b's' => {
                let from = self.above(2)?;
                self.set_items(from)?;
            }
            b'u' => {
                let from = self.mark()?;
                self.set_items(from)?;
            }
            // Sets.
            0x8f => self.push(Value::Opaque)?,
            0x90 => {
                let from = self.mark()?;
                self.stack.truncate(from);
            }
            0x91 => {
                let from = self.mark()?;
                self.stack.truncate(from);
                self.push(Value::Opaque)?;
            }

            b'c' => {
                let (module, name) = (line(bytes)?, line(bytes)?);
                self.global(module, name)?;
            }
            0x93 => {
                let (name, module) = (self.pop()?, self.pop()?);
                let text = |value| self.pickle.text(value).ok_or_else(damaged);
                let (module, name) = (text(module)?, text(name)?);
                self.global(module, name)?;
            }
            b'Q' => self.storage()?,
            b'R' | 0x81 => {
                let (arguments, callable) = (self.pop()?, self.pop()?);
                self.call(callable, arguments)?;
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

    fn push(&mut self, value: Value) -> Result<(), Malformed> {
        self.budget.push(&mut self.stack, value)
    }

    /// Takes the top of the stack; nothing below the last mark.
    fn pop(&mut self) -> Result<Value, Malformed> {
        let top = self.top()?;
        self.stack.pop();
        Ok(top)
    }

    fn top(&self) -> Result<Value, Malformed> {
        let at = self.above(1)?;
        self.stack.get(at).copied().ok_or_else(damaged)
    }

    /// The height of the stack without its `count` top values, which must be above the last mark.
    fn above(&self, count: usize) -> Result<usize, Malformed> {
        let floor = self.marks.last().copied().unwrap_or(0);
        let height = self.stack.len().checked_sub(count);
        height.filter(|&height| height >= floor).ok_or_else(damaged)
    }

    /// The height of the last mark, which is taken away.
    fn mark(&mut self) -> Result<usize, Malformed> {
        let mark = self.marks.pop().ok_or_else(damaged)?;
        Ok(mark.min(self.stack.len()))
    }

    fn memorise(&mut self, slot: usize) -> Result<(), Malformed> {
        let top = self.top()?;
        if let Some(taken) = self.memo.get_mut(slot) {
            *taken = top;
            return Ok(());
        }
        // Slots are numbered as they come; a number beyond all that the file could have filled is damage.
        if slot > self.size {
            return Err(damaged());
        }
        while self.memo.len() < slot {
            self.budget.push(&mut self.memo, Value::Opaque)?;
        }
        self.budget.push(&mut self.memo, top)
    }

    fn recall(&mut self, slot: usize) -> Result<(), Malformed> {
        let value = *self.memo.get(slot).ok_or_else(damaged)?;
        self.push(value)
    }

    /// A little-endian two's complement integer of any size; what needs more than 64 bits counts nothing here.
    fn long(&mut self, bytes: &[u8]) -> Result<(), Malformed> {
        let negative = bytes.last().is_some_and(|byte| byte & 0x80 != 0);
        let mut wide = [if negative { 0xff } else { 0 }; 8];
        let value = match wide.get_mut(..bytes.len()) {
            Some(low) => {
                low.copy_from_slice(bytes);
                let value = i64::from_le_bytes(wide);
                match i32::try_from(value) {
                    Ok(small) => Value::Int(small),
                    Err(_) => Value::Wide(add(&mut self.pickle.wides, value, self.budget)?),
                }
            }
            None => Value::Opaque,
        };
        self.push(value)
    }

    fn text(&mut self, bytes: &'a [u8]) -> Result<(), Malformed> {
        let text = std::str::from_utf8(bytes).map_err(|_| damaged())?;
        let text = add(&mut self.pickle.texts, text, self.budget)?;
        self.push(Value::Text(text))
    }

    fn global(&mut self, module: &'a str, name: &'a str) -> Result<(), Malformed> {
        let global = add(&mut self.pickle.globals, (module, name), self.budget)?;
        self.push(Value::Global(global))
    }

    /// Makes a tuple of the stack's values from a height on.
    fn tuple(&mut self, from: usize) -> Result<(), Malformed> {
        let index = |n: usize| u32::try_from(n).map_err(|_| damaged());
        let begin = index(self.pickle.items.len())?;
        for &item in self.stack.get(from..).unwrap_or_default() {
            self.budget.push(&mut self.pickle.items, item)?;
        }
        let span = Span {
            from: begin,
            to: index(self.pickle.items.len())?,
        };
        self.stack.truncate(from);
        let tuple = add(&mut self.pickle.tuples, span, self.budget)?;
        self.push(Value::Tuple(tuple))
    }

    /// Makes a list of the stack's values from a height on.
    fn list(&mut self, from: usize) -> Result<(), Malformed> {
        let items = self.stack.get(from..).unwrap_or_default();
        self.budget.charge(items.len(), size_of::<Value>())?;
        let list = add(&mut self.pickle.lists, items.to_vec(), self.budget)?;
        self.stack.truncate(from);
        self.push(Value::List(list))
    }

    /// Moves the stack's values from a height on into the list below them.
    fn append(&mut self, from: usize) -> Result<(), Malformed> {
        if let Value::List(list) = self.below(from)?
            && let Some(list) = self.pickle.lists.get_mut(list as usize)
        {
            for &item in self.stack.get(from..).unwrap_or_default() {
                self.budget.push(list, item)?;
            }
        }
        self.stack.truncate(from);
        Ok(())
    }

    fn new_dict(&mut self, entries: Vec<(Value, Value)>) -> Result<(), Malformed> {
        let dict = add(&mut self.pickle.dicts, entries, self.budget)?;
        self.push(Value::Dict(dict))
    }

    /// Moves the stack's values from a height on, keys and values in turn, into the dictionary below them.
    fn set_items(&mut self, from: usize) -> Result<(), Malformed> {
        if let Value::Dict(dict) = self.below(from)?
            && let Some(dict) = self.pickle.dicts.get_mut(dict as usize)
        {
            for pair in self.stack.get(from..).unwrap_or_default().chunks_exact(2) {
                self.budget.push(dict, (pair[0], pair[1]))?;
            }
        }
        self.stack.truncate(from);
        Ok(())
    }

    /// The value under a height of the stack, not below the last mark.
    fn below(&self, height: usize) -> Result<Value, Malformed> {
        let floor = self.marks.last().copied().unwrap_or(0);
        let at = height.checked_sub(1).filter(|&at| at >= floor);
        let value = at.and_then(|at| self.stack.get(at));
        value.copied().ok_or_else(damaged)
    }

    /// `("storage", type, key, device, count, ...)`
    fn storage(&mut self) -> Result<(), Malformed> {
        let id = self.pop()?;
        let pickle = &self.pickle;
        let parts = pickle.tuple(id).ok_or_else(damaged)?;
        let part = |i: usize| parts.get(i).copied().ok_or_else(damaged);
        let Value::Global(class) = part(1)? else {
            return Err(damaged());
        };
        let (_, class) = *pickle.globals.get(class as usize).ok_or_else(damaged)?;
        let (dtype, width) = match class {
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
                    "it holds numbers of the unknown type {}",
                    shorten(class)
                )));
            }
        };
        let storage = Storage {
            dtype,
            width,
            key: pickle.text(part(2)?).ok_or_else(damaged)?,
            numel: pickle.count(part(4)?).ok_or_else(damaged)?,
        };
        let storage = add(&mut self.pickle.storages, storage, self.budget)?;
        self.push(Value::Storage(storage))
    }

    /// What a call gives, for the few callables that weights are made with.
    fn call(&mut self, callable: Value, arguments: Value) -> Result<(), Malformed> {
        let global = match callable {
            Value::Global(at) => self.pickle.globals.get(at as usize).copied(),
            _ => None,
        };
        let pickle = &self.pickle;
        let (Some(global), Some(arguments)) = (global, pickle.tuple(arguments)) else {
            return self.push(Value::Opaque);
        };
        match global {
            ("torch._utils", "_rebuild_tensor_v2" | "_rebuild_tensor") => {
                let value = match pickle.rebuilt(arguments) {
                    Some(parts) => {
                        Value::Tensor(add(&mut self.pickle.tensors, parts, self.budget)?)
                    }
                    None => Value::Opaque,
                };
                self.push(value)
            }
            ("torch._utils", "_rebuild_parameter") => match arguments.first() {
                Some(&tensor @ Value::Tensor(_)) => self.push(tensor),
                _ => self.push(Value::Opaque),
            },
            ("collections", "OrderedDict") => {
                let pairs = pickle.pairs(arguments, self.budget)?;
                self.new_dict(pairs)
            }
            _ => self.push(Value::Opaque),
        }
    }
}

impl Pickle<'_> {
    /// `(storage, offset, shape, strides, ...)`
    fn rebuilt(&self, arguments: &[Value]) -> Option<TensorParts> {
        let &[
            Value::Storage(storage),
            offset,
            Value::Tuple(shape),
            Value::Tuple(strides),
            ..,
        ] = arguments
        else {
            return None;
        };
        let sides = |tuple| Some(self.sides(Value::Tuple(tuple))?.count());
        (sides(shape)? == sides(strides)?).then_some(TensorParts {
            storage,
            offset: self.count(offset)?,
            shape,
            strides,
        })
    }

    /// `([(key, value), ...],)` or nothing.
    fn pairs(
        &self,
        arguments: &[Value],
        budget: &mut Budget,
    ) -> Result<Vec<(Value, Value)>, Malformed> {
        let mut pairs = Vec::new();
        let list = arguments.first().and_then(|&list| self.list(list));
        for &item in list.unwrap_or_default() {
            if let Some(&[key, value]) = self.tuple(item).or_else(|| self.list(item)) {
                budget.push(&mut pairs, (key, value))?;
            }
        }
        Ok(pairs)
    }
}

/// Adds to one of a pickle's lists; gives its place there.
fn add<T>(list: &mut Vec<T>, item: T, budget: &mut Budget) -> Result<u32, Malformed> {
    let place = u32::try_from(list.len()).map_err(|_| damaged())?;
    budget.push(list, item)?;
    Ok(place)
}

fn line<'a>(bytes: &mut Bytes<'a>) -> Result<&'a str, Malformed> {
    std::str::from_utf8(bytes.line()?).map_err(|_| damaged())
}

fn damaged() -> Malformed {
    Malformed("its pickle is damaged".into())
}
