//! Putting a graph together: nodes in the order of computation, constants once each.

use std::collections::HashSet;

use burn::tensor::f16;

use crate::error::OnnxError;
use crate::proto::{
    AttributeProto, AttributeType, Dimension, FLOAT, FLOAT16, GraphProto, INT64, NodeProto,
    TensorProto, TensorShapeProto, TensorTypeProto, TypeProto, ValueInfoProto,
};

/// A type of numbers in the graph.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Float {
    F32,
    F16,
}

impl Float {
    /// Its number in the file.
    pub fn code(self) -> i32 {
        match self {
            Self::F32 => FLOAT,
            Self::F16 => FLOAT16,
        }
    }

    fn suffix(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::F16 => "f16",
        }
    }
}

/// What a node is told besides its inputs.
pub enum Attribute<'a> {
    Int(&'a str, i64),
    Ints(&'a str, &'a [i64]),
    Float(&'a str, f32),
    Text(&'a str, &'a str),
}

/// A graph so far. Values are known by their names.
#[derive(Default)]
pub struct Graph {
    nodes: Vec<NodeProto>,
    constants: Vec<TensorProto>,
    known: HashSet<String>,
}

impl Graph {
    /// Appends a node; gives the name of its one output, which is the node's too.
    pub fn node(
        &mut self,
        operator: &str,
        inputs: &[&str],
        output: &str,
        attributes: &[Attribute],
    ) -> String {
        self.nodes.push(NodeProto {
            input: inputs.iter().map(|&name| name.into()).collect(),
            output: vec![output.into()],
            name: Some(output.into()),
            op_type: Some(operator.into()),
            attribute: attributes.iter().map(Attribute::message).collect(),
        });
        output.into()
    }

    /// A tensor of numbers that is not computed; the same name stands for the same tensor.
    ///
    /// # Errors
    /// For a number that f16 does not hold, if it is to be f16.
    pub fn floats(
        &mut self,
        name: &str,
        dims: &[usize],
        values: &[f32],
        float: Float,
    ) -> Result<String, OnnxError> {
        if self.known.insert(name.into()) {
            let raw = match float {
                Float::F32 => values
                    .iter()
                    .flat_map(|value| value.to_le_bytes())
                    .collect(),
                Float::F16 => halves(name, values)?,
            };
            self.constant(name, dims, float.code(), raw);
        }
        Ok(name.into())
    }

    /// As many times the same number, `[count]`.
    pub fn repeated(
        &mut self,
        value: f32,
        count: usize,
        float: Float,
    ) -> Result<String, OnnxError> {
        let name = format!("constant.{value}x{count}.{}", float.suffix());
        self.floats(&name, &[count], &vec![value; count], float)
    }

    /// One f32.
    pub fn number(&mut self, value: f32) -> Result<String, OnnxError> {
        let name = format!("constant.{value:?}");
        self.floats(&name, &[], &[value], Float::F32)
    }

    /// Whole numbers, `[count]`: axes, places, shapes.
    pub fn integers(&mut self, values: &[i64]) -> String {
        let text: Vec<String> = values.iter().map(ToString::to_string).collect();
        let name = format!("constant.[{}]", text.join(","));
        if self.known.insert(name.clone()) {
            let raw = values
                .iter()
                .flat_map(|value| value.to_le_bytes())
                .collect();
            self.constant(&name, &[values.len()], INT64, raw);
        }
        name
    }

    fn constant(&mut self, name: &str, dims: &[usize], data_type: i32, raw: Vec<u8>) {
        self.constants.push(TensorProto {
            dims: dims.iter().map(|&side| side as i64).collect(),
            data_type: Some(data_type),
            name: Some(name.into()),
            raw_data: Some(raw),
        });
    }

    /// The sum over an axis, which stays with one place.
    pub fn sum(&mut self, x: &str, axis: i64, output: &str) -> String {
        let axes = self.integers(&[axis]);
        let keep = [Attribute::Int("keepdims", 1)];
        self.node("ReduceSum", &[x, &axes], output, &keep)
    }

    pub fn cast(&mut self, x: &str, to: Float, output: &str) -> String {
        let to = [Attribute::Int("to", i64::from(to.code()))];
        self.node("Cast", &[x], output, &to)
    }

    pub fn finish(
        self,
        name: &str,
        input: Vec<ValueInfoProto>,
        output: Vec<ValueInfoProto>,
    ) -> GraphProto {
        GraphProto {
            node: self.nodes,
            name: Some(name.into()),
            initializer: self.constants,
            input,
            output,
        }
    }
}

impl Attribute<'_> {
    fn message(&self) -> AttributeProto {
        let (name, kind) = match self {
            Self::Int(name, _) => (name, AttributeType::Int),
            Self::Ints(name, _) => (name, AttributeType::Ints),
            Self::Float(name, _) => (name, AttributeType::Float),
            Self::Text(name, _) => (name, AttributeType::String),
        };
        let mut message = AttributeProto {
            name: Some((*name).into()),
            kind: Some(kind.into()),
            ..AttributeProto::default()
        };
        match self {
            Self::Int(_, value) => message.i = Some(*value),
            Self::Ints(_, values) => message.ints = values.to_vec(),
            Self::Float(_, value) => message.f = Some(*value),
            Self::Text(_, text) => message.s = Some(text.as_bytes().to_vec()),
        }
        message
    }
}

/// A value at the graph's border: `[batch, sides...]`, f32.
pub fn border(name: &str, sides: &[usize], meaning: &str) -> ValueInfoProto {
    let batch = Dimension {
        dim_value: None,
        dim_param: Some("batch".into()),
    };
    let sides = sides.iter().map(|&side| Dimension {
        dim_value: Some(side as i64),
        dim_param: None,
    });
    let shape = TensorShapeProto {
        dim: std::iter::once(batch).chain(sides).collect(),
    };
    ValueInfoProto {
        name: Some(name.into()),
        r#type: Some(TypeProto {
            tensor_type: Some(TensorTypeProto {
                elem_type: Some(FLOAT),
                shape: Some(shape),
            }),
        }),
        doc_string: Some(meaning.into()),
    }
}

fn halves(name: &str, values: &[f32]) -> Result<Vec<u8>, OnnxError> {
    let mut raw = Vec::with_capacity(2 * values.len());
    for &value in values {
        let half = f16::from_f32(value);
        if !half.is_finite() {
            return Err(OnnxError::BeyondHalf {
                name: name.into(),
                value,
            });
        }
        raw.extend(half.to_le_bytes());
    }
    Ok(raw)
}
