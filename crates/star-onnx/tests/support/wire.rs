//! Reads ONNX files field by field, by the numbers in ONNX's own `onnx.proto`, without prost and without our messages.
//!
//! A small reader of our own because no crate does: onnx-protobuf 0.2.3 does not compile beside today's protobuf, and tract-onnx and
//! candle-onnx bring a whole runtime along.

use std::collections::BTreeMap;

/// A field's value.
enum Field<'a> {
    Varint(u64),
    Bytes(&'a [u8]),
    Fixed32([u8; 4]),
}

/// A message's fields with their numbers, in the file's order.
fn fields(mut bytes: &[u8]) -> Vec<(u64, Field<'_>)> {
    let mut fields = Vec::new();
    while !bytes.is_empty() {
        let key = varint(&mut bytes);
        let value = match key & 7 {
            0 => Field::Varint(varint(&mut bytes)),
            2 => {
                let length = varint(&mut bytes) as usize;
                let (value, rest) = bytes.split_at(length);
                bytes = rest;
                Field::Bytes(value)
            }
            5 => {
                let (value, rest) = bytes.split_first_chunk().expect("four bytes");
                bytes = rest;
                Field::Fixed32(*value)
            }
            other => panic!("wire type {other}"),
        };
        fields.push((key >> 3, value));
    }
    fields
}

fn varint(bytes: &mut &[u8]) -> u64 {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (&byte, rest) = bytes.split_first().expect("a byte");
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            break;
        }
    }
    value
}

impl<'a> Field<'a> {
    fn int(&self) -> i64 {
        match self {
            Self::Varint(value) => value.cast_signed(),
            _ => panic!("no whole number"),
        }
    }

    fn bytes(&self) -> &'a [u8] {
        match self {
            Self::Bytes(bytes) => bytes,
            _ => panic!("no bytes"),
        }
    }

    fn text(&self) -> String {
        String::from_utf8(self.bytes().to_vec()).expect("text")
    }

    /// One of a list of whole numbers, or all of it in one piece.
    fn ints(&self, list: &mut Vec<i64>) {
        match self {
            Self::Varint(value) => list.push(value.cast_signed()),
            Self::Bytes(bytes) => {
                let mut bytes = *bytes;
                while !bytes.is_empty() {
                    list.push(varint(&mut bytes).cast_signed());
                }
            }
            Self::Fixed32(_) => panic!("no list of whole numbers"),
        }
    }
}

#[derive(Default)]
pub struct Model {
    pub ir_version: i64,
    pub producer_name: String,
    pub graph: Graph,
    /// Domain and version.
    pub opset_import: Vec<(String, i64)>,
    pub metadata_props: BTreeMap<String, String>,
}

#[derive(Clone, Default)]
pub struct Graph {
    pub node: Vec<Node>,
    pub initializer: Vec<Tensor>,
    pub input: Vec<Border>,
    pub output: Vec<Border>,
}

#[derive(Clone, Default)]
pub struct Node {
    pub input: Vec<String>,
    pub output: Vec<String>,
    pub name: String,
    pub op_type: String,
    pub attribute: Vec<Attribute>,
}

/// What its type says that it is; nothing else may be given.
#[derive(Clone, Default)]
pub struct Attribute {
    pub name: String,
    pub f: Option<f32>,
    pub i: Option<i64>,
    pub s: Option<String>,
    pub ints: Vec<i64>,
    pub kind: i64,
}

#[derive(Clone, Default)]
pub struct Tensor {
    pub dims: Vec<i64>,
    pub data_type: i64,
    pub name: String,
    pub raw_data: Vec<u8>,
}

#[derive(Clone, Default)]
pub struct Border {
    pub name: String,
    pub elem_type: i64,
    /// Names or numbers.
    pub sides: Vec<String>,
}

impl Model {
    pub fn read(file: &[u8]) -> Self {
        let mut model = Self::default();
        for (number, field) in fields(file) {
            match number {
                1 => model.ir_version = field.int(),
                2 => model.producer_name = field.text(),
                3 => {}
                7 => model.graph = Graph::read(field.bytes()),
                8 => {
                    let [domain, version] = pair(field.bytes());
                    let version = version.map_or(0, |version| version.int());
                    model
                        .opset_import
                        .push((domain.map_or(String::new(), |d| d.text()), version));
                }
                14 => {
                    let [key, value] = pair(field.bytes());
                    let text = |field: Option<Field>| field.expect("a text").text();
                    let twice = model.metadata_props.insert(text(key), text(value));
                    assert!(twice.is_none());
                }
                other => panic!("field {other} of a model"),
            }
        }
        model
    }
}

/// Fields 1 and 2.
fn pair(bytes: &[u8]) -> [Option<Field<'_>>; 2] {
    let mut pair = [None, None];
    for (number, field) in fields(bytes) {
        pair[number as usize - 1] = Some(field);
    }
    pair
}

impl Graph {
    fn read(bytes: &[u8]) -> Self {
        let mut graph = Self::default();
        for (number, field) in fields(bytes) {
            match number {
                1 => graph.node.push(Node::read(field.bytes())),
                2 => assert!(!field.text().is_empty(), "a graph must have a name"),
                5 => graph.initializer.push(Tensor::read(field.bytes())),
                11 => graph.input.push(Border::read(field.bytes())),
                12 => graph.output.push(Border::read(field.bytes())),
                other => panic!("field {other} of a graph"),
            }
        }
        graph
    }
}

impl Node {
    fn read(bytes: &[u8]) -> Self {
        let mut node = Self::default();
        for (number, field) in fields(bytes) {
            match number {
                1 => node.input.push(field.text()),
                2 => node.output.push(field.text()),
                3 => node.name = field.text(),
                4 => node.op_type = field.text(),
                5 => node.attribute.push(Attribute::read(field.bytes())),
                other => panic!("field {other} of a node"),
            }
        }
        node
    }
}

impl Attribute {
    fn read(bytes: &[u8]) -> Self {
        let mut attribute = Self::default();
        for (number, field) in fields(bytes) {
            match number {
                1 => attribute.name = field.text(),
                2 => match field {
                    Field::Fixed32(bytes) => attribute.f = Some(f32::from_le_bytes(bytes)),
                    _ => panic!("no f32"),
                },
                3 => attribute.i = Some(field.int()),
                4 => attribute.s = Some(field.text()),
                8 => field.ints(&mut attribute.ints),
                20 => attribute.kind = field.int(),
                other => panic!("field {other} of an attribute"),
            }
        }
        let kind = match &attribute {
            Self { f: Some(_), .. } => 1,
            Self { i: Some(_), .. } => 2,
            Self { s: Some(_), .. } => 3,
            _ => 7,
        };
        assert_eq!(attribute.kind, kind, "{}", attribute.name);
        attribute
    }
}

impl Tensor {
    fn read(bytes: &[u8]) -> Self {
        let mut tensor = Self::default();
        for (number, field) in fields(bytes) {
            match number {
                1 => field.ints(&mut tensor.dims),
                2 => tensor.data_type = field.int(),
                8 => tensor.name = field.text(),
                9 => tensor.raw_data = field.bytes().to_vec(),
                other => panic!("field {other} of a tensor"),
            }
        }
        tensor
    }
}

impl Border {
    fn read(bytes: &[u8]) -> Self {
        let mut border = Self::default();
        for (number, field) in fields(bytes) {
            match number {
                1 => border.name = field.text(),
                // A type, a tensor's type, its element and its shape, the shape's dimensions, a dimension's number or name.
                2 => {
                    let [tensor, _] = pair(field.bytes());
                    let [element, shape] = pair(tensor.expect("a tensor").bytes());
                    border.elem_type = element.expect("an element type").int();
                    for (_, dimension) in fields(shape.expect("a shape").bytes()) {
                        let [value, name] = pair(dimension.bytes());
                        let side = value.map(|value| value.int().to_string());
                        border
                            .sides
                            .push(side.unwrap_or_else(|| name.expect("a name").text()));
                    }
                }
                3 => {}
                other => panic!("field {other} of a value"),
            }
        }
        border
    }
}
