//! A small interpreter of ONNX graphs, by the operators' definitions, in f64: what a file says, without the code that wrote it.
//!
//! Files are read by [`wire`], which shares no message with what writes them.

pub mod wire;

use std::collections::HashMap;

use burn::tensor::f16;
use wire::{Attribute, Graph, Node, Tensor};

/// Numbers of any type.
#[derive(Clone, Debug, PartialEq)]
pub struct Array {
    pub dims: Vec<usize>,
    pub values: Vec<f64>,
}

impl Array {
    pub fn new(dims: &[usize], values: Vec<f64>) -> Self {
        assert_eq!(dims.iter().product::<usize>(), values.len());
        Self {
            dims: dims.to_vec(),
            values,
        }
    }

    fn integers(&self) -> Vec<i64> {
        self.values.iter().map(|&value| value as i64).collect()
    }

    /// The value at a place of a larger shape that this one is spread over.
    fn spread(&self, place: &[usize]) -> f64 {
        let skip = place.len() - self.dims.len();
        let at = self.dims.iter().zip(&place[skip..]);
        let at = at.fold(0, |at, (&side, &i)| {
            at * side + if side == 1 { 0 } else { i }
        });
        self.values[at]
    }

    fn map(&self, f: impl Fn(f64) -> f64) -> Self {
        Self::new(
            &self.dims,
            self.values.iter().map(|&value| f(value)).collect(),
        )
    }
}

/// All values of a graph, by name, for an image.
pub fn evaluate(graph: &Graph, input: (&str, Array)) -> HashMap<String, Array> {
    let mut values: HashMap<String, Array> = HashMap::new();
    for tensor in &graph.initializer {
        let twice = values.insert(tensor.name.as_str().into(), constant(tensor));
        assert!(twice.is_none(), "{} is there twice", tensor.name.as_str());
    }
    values.insert(input.0.into(), input.1);
    for node in &graph.node {
        let inputs: Vec<&Array> = node
            .input
            .iter()
            .filter(|name| !name.is_empty())
            .map(|name| {
                values
                    .get(name)
                    .unwrap_or_else(|| panic!("{} before {name}", node.name.as_str()))
            })
            .collect();
        let output = run(node, &inputs);
        let [name] = &node.output[..] else {
            panic!("{} has several outputs", node.name.as_str())
        };
        let twice = values.insert(name.clone(), output);
        assert!(twice.is_none(), "{name} is computed twice");
    }
    values
}

pub fn constant(tensor: &Tensor) -> Array {
    let dims: Vec<usize> = tensor.dims.iter().map(|&side| side as usize).collect();
    let raw = &tensor.raw_data;
    let values = match tensor.data_type {
        1 => raw
            .chunks_exact(4)
            .map(|b| f64::from(f32::from_le_bytes(b.try_into().unwrap())))
            .collect(),
        7 => raw
            .chunks_exact(8)
            .map(|b| i64::from_le_bytes(b.try_into().unwrap()) as f64)
            .collect(),
        10 => raw
            .chunks_exact(2)
            .map(|b| f16::from_le_bytes(b.try_into().unwrap()).to_f64())
            .collect(),
        other => panic!("{}: type {other}", tensor.name.as_str()),
    };
    Array::new(&dims, values)
}

fn attribute<'n>(node: &'n Node, name: &str) -> Option<&'n Attribute> {
    node.attribute
        .iter()
        .find(|attribute| attribute.name.as_str() == name)
}

fn ints(node: &Node, name: &str, default: &[i64]) -> Vec<usize> {
    let ints = attribute(node, name).map_or(default, |attribute| attribute.ints.as_slice());
    ints.iter().map(|&value| value as usize).collect()
}

fn int(node: &Node, name: &str, default: i64) -> i64 {
    attribute(node, name).map_or(default, |attribute| attribute.i.expect("a whole number"))
}

fn run(node: &Node, inputs: &[&Array]) -> Array {
    let x = inputs[0];
    let by = |f: fn(f64, f64) -> f64| broadcast(inputs, |v| f(v[0], v[1]));
    match node.op_type.as_str() {
        "Add" => by(|a, b| a + b),
        "Sub" => by(|a, b| a - b),
        "Mul" => by(|a, b| a * b),
        "Div" => by(|a, b| a / b),
        "Max" => by(f64::max),
        "Less" => by(|a, b| f64::from(a < b)),
        // The image is f32, and so is the threshold.
        "GreaterOrEqual" => by(|a, b| f64::from(a >= b)),
        "Where" => broadcast(inputs, |v| if v[0] != 0.0 { v[1] } else { v[2] }),
        "Clip" => broadcast(inputs, |v| v[0].clamp(v[1], v[2])),
        "Abs" => x.map(f64::abs),
        "Neg" => x.map(|v| -v),
        "Exp" => x.map(f64::exp),
        "Reciprocal" => x.map(f64::recip),
        "Relu" => x.map(|v| v.max(0.0)),
        "Sigmoid" => x.map(|v| 1.0 / (1.0 + (-v).exp())),
        "Cast" => match int(node, "to", 0) {
            1 => x.clone(),
            10 => x.map(|v| f16::from_f64(v).to_f64()),
            other => panic!("a cast to {other}"),
        },
        "Shape" => Array::new(&[x.dims.len()], x.dims.iter().map(|&d| d as f64).collect()),
        "Reshape" => {
            let shape = inputs[1].integers();
            let known: i64 = shape.iter().filter(|&&d| d > 0).product();
            let rest = x.values.len() / known as usize;
            let side = |&d: &i64| if d == -1 { rest } else { d as usize };
            Array::new(
                &shape.iter().map(side).collect::<Vec<_>>(),
                x.values.clone(),
            )
        }
        "Unsqueeze" => {
            let mut dims = x.dims.clone();
            dims.insert(inputs[1].integers()[0] as usize, 1);
            Array::new(&dims, x.values.clone())
        }
        "Squeeze" => {
            let mut dims = x.dims.clone();
            assert_eq!(dims.remove(inputs[1].integers()[0] as usize), 1);
            Array::new(&dims, x.values.clone())
        }
        "Expand" => {
            let dims: Vec<usize> = inputs[1].integers().iter().map(|&d| d as usize).collect();
            from_places(&dims, |place| x.spread(place))
        }
        "Slice" => {
            let [from, to, axis] = [1, 2, 3].map(|i| inputs[i].integers()[0] as usize);
            let mut dims = x.dims.clone();
            dims[axis] = to - from;
            from_places(&dims, |place| {
                let mut place = place.to_vec();
                place[axis] += from;
                x.spread(&place)
            })
        }
        "Concat" => {
            let axis = int(node, "axis", 0) as usize;
            let mut dims = x.dims.clone();
            dims[axis] = inputs.iter().map(|part| part.dims[axis]).sum();
            from_places(&dims, |place| {
                let mut place = place.to_vec();
                for part in inputs {
                    if place[axis] < part.dims[axis] {
                        return part.spread(&place);
                    }
                    place[axis] -= part.dims[axis];
                }
                unreachable!()
            })
        }
        "ReduceSum" => {
            let axis = inputs[1].integers()[0] as usize;
            let mut dims = x.dims.clone();
            let count = std::mem::replace(&mut dims[axis], 1);
            let mut sums = from_places(&dims, |place| {
                let mut place = place.to_vec();
                (0..count)
                    .map(|i| {
                        place[axis] = i;
                        x.spread(&place)
                    })
                    .sum()
            });
            if int(node, "keepdims", 1) == 0 {
                sums.dims.remove(axis);
            }
            sums
        }
        "MatMul" => {
            let (rank, y) = (x.dims.len(), inputs[1]);
            let inner = x.dims[rank - 1];
            let mut dims = x.dims.clone();
            dims[rank - 1] = y.dims[rank - 1];
            from_places(&dims, |place| {
                let (mut a, mut b) = (place.to_vec(), place.to_vec());
                (0..inner)
                    .map(|i| {
                        a[rank - 1] = i;
                        b[rank - 2] = i;
                        x.spread(&a) * y.spread(&b)
                    })
                    .sum()
            })
        }
        "BatchNormalization" => {
            let epsilon = f64::from(attribute(node, "epsilon").unwrap().f.expect("a number"));
            let [scale, shift, mean, variance] = [1, 2, 3, 4].map(|i| &inputs[i].values);
            from_places(&x.dims, |place| {
                let c = place[1];
                (x.spread(place) - mean[c]) / (variance[c] + epsilon).sqrt() * scale[c] + shift[c]
            })
        }
        "InstanceNormalization" => {
            let epsilon = f64::from(attribute(node, "epsilon").unwrap().f.expect("a number"));
            let (pixels, maps) = (x.dims[2] * x.dims[3], x.dims[1]);
            let values = x.values.chunks(pixels).enumerate().flat_map(|(i, map)| {
                let mean = map.iter().sum::<f64>() / pixels as f64;
                let variance = map.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / pixels as f64;
                let (scale, shift) = (inputs[1].values[i % maps], inputs[2].values[i % maps]);
                map.iter()
                    .map(move |v| (v - mean) / (variance + epsilon).sqrt() * scale + shift)
            });
            Array::new(&x.dims, values.collect())
        }
        "MaxPool" => {
            assert_eq!(
                (
                    ints(node, "kernel_shape", &[]),
                    ints(node, "strides", &[1, 1])
                ),
                (vec![2, 2], vec![2, 2])
            );
            let [batch, channels, h, w] = x.dims[..] else {
                panic!()
            };
            from_places(&[batch, channels, h / 2, w / 2], |p| {
                let four = [(0, 0), (0, 1), (1, 0), (1, 1)];
                let four = four.map(|(y, z)| x.spread(&[p[0], p[1], 2 * p[2] + y, 2 * p[3] + z]));
                four.into_iter().fold(f64::NEG_INFINITY, f64::max)
            })
        }
        "Resize" => {
            let text = |name| attribute(node, name).unwrap().s.clone().expect("a text");
            assert_eq!(text("mode"), "nearest");
            assert_eq!(text("coordinate_transformation_mode"), "asymmetric");
            assert_eq!(text("nearest_mode"), "floor");
            assert_eq!(node.input[1], "");
            let scales = &inputs[1].values;
            let dims: Vec<usize> = x
                .dims
                .iter()
                .zip(scales)
                .map(|(&d, s)| (d as f64 * s) as usize)
                .collect();
            from_places(&dims, |place| {
                let from: Vec<usize> = place
                    .iter()
                    .zip(scales)
                    .map(|(&i, s)| (i as f64 / s) as usize)
                    .collect();
                x.spread(&from)
            })
        }
        "Conv" => convolve(node, x, inputs[1], inputs[2]),
        other => panic!("{} is a {other}", node.name.as_str()),
    }
}

fn convolve(node: &Node, x: &Array, weight: &Array, bias: &Array) -> Array {
    let (pads, strides) = (ints(node, "pads", &[0; 4]), ints(node, "strides", &[1, 1]));
    let [batch, inputs, h, w] = x.dims[..] else {
        panic!()
    };
    let [outputs, _, kh, kw] = weight.dims[..] else {
        panic!()
    };
    assert_eq!(weight.dims[1], inputs, "{}", node.name.as_str());
    assert_eq!(ints(node, "kernel_shape", &[]), [kh, kw]);
    let [oh, ow] = [
        (h + pads[0] + pads[2] - kh) / strides[0] + 1,
        (w + pads[1] + pads[3] - kw) / strides[1] + 1,
    ];
    from_places(&[batch, outputs, oh, ow], |place| {
        let mut sum = bias.values[place[1]];
        for c in 0..inputs {
            let map = &x.values[(place[0] * inputs + c) * h * w..][..h * w];
            let kernel = &weight.values[(place[1] * inputs + c) * kh * kw..][..kh * kw];
            for (k, weight) in kernel.iter().enumerate() {
                let row = (place[2] * strides[0] + k / kw).wrapping_sub(pads[0]);
                let column = (place[3] * strides[1] + k % kw).wrapping_sub(pads[1]);
                if row < h && column < w {
                    sum += weight * map[row * w + column];
                }
            }
        }
        sum
    })
}

fn broadcast(inputs: &[&Array], f: impl Fn(&[f64]) -> f64) -> Array {
    let rank = inputs.iter().map(|input| input.dims.len()).max().unwrap();
    let side = |axis: usize| {
        let sides = inputs.iter().filter_map(|input| {
            let skip = rank - input.dims.len();
            axis.checked_sub(skip).map(|axis| input.dims[axis])
        });
        sides.max().unwrap()
    };
    let dims: Vec<usize> = (0..rank).map(side).collect();
    for input in inputs {
        let fits = |(own, side): (&usize, &usize)| own == side || *own == 1;
        assert!(
            input.dims.iter().rev().zip(dims.iter().rev()).all(fits),
            "{:?} over {dims:?}",
            input.dims
        );
    }
    from_places(&dims, |place| {
        let values: Vec<f64> = inputs.iter().map(|input| input.spread(place)).collect();
        f(&values)
    })
}

/// The array of a value for every place.
fn from_places(dims: &[usize], mut value: impl FnMut(&[usize]) -> f64) -> Array {
    let count = dims.iter().product();
    let mut place = vec![0; dims.len()];
    let mut values = Vec::with_capacity(count);
    for _ in 0..count {
        values.push(value(&place));
        for axis in (0..dims.len()).rev() {
            place[axis] += 1;
            if place[axis] < dims[axis] {
                break;
            }
            place[axis] = 0;
        }
    }
    Array::new(dims, values)
}
