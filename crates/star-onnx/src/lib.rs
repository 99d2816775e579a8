//! Networks of [`star_model`] as ONNX files.
//!
//! ```
//! use burn::backend::Flex;
//! use star_model::StarNetConfig;
//! use star_onnx::{Options, export};
//!
//! let config = StarNetConfig::new(3, vec![vec![0, 1]]).with_stacks(1).with_channels(8).with_stem(4).with_input_size(64);
//! let net = config.init::<Flex>(&Default::default());
//! let file: Vec<u8> = export(&net, &Options::default(), &Default::default())?;
//! assert!(file.len() > 10_000);
//! # Ok::<(), star_onnx::OnnxError>(())
//! ```
//!
//! The graph computes what [`StarNet::forward_last`](star_model::StarNet::forward_last) computes, for a batch of any size and
//! images of the configured one:
//!
//! | | | |
//! |---|---|---|
//! | in | `image` | `[batch, 3, S, S]`, blue, green, red, each (value - 127.5) / 127.5 |
//! | out | `landmarks` | `[batch, points, 2]`, (x, y) in -1..1, the image's borders |
//! | out | `heatmaps` | `[batch, points, S/4, S/4]`, what the landmarks are read off |
//! | out | `covariance` | `[batch, points, 2, 2]` of each heatmap, in the unit of the landmarks, squared |
//!
//! All of them are f32, in a file of half precision too.

#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod error;
mod graph;
mod network;
mod proto;
mod readout;
mod weights;

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use burn::tensor::backend::Backend;
use prost::Message;
use star_model::StarNet;

pub use error::OnnxError;

/// The versions of ONNX's operators that files can be written for. 13 is the first whose sums and reshapes take their axes as
/// inputs, as the graph gives them; up to 22 its operators mean the same.
pub const OPSETS: RangeInclusive<i64> = 13..=22;
/// What files are written for if nothing else is asked for.
pub const DEFAULT_OPSET: i64 = 17;

/// The input's name.
pub const IMAGE: &str = "image";
/// The outputs' names, in their order.
pub const OUTPUTS: [&str; 3] = ["landmarks", "heatmaps", "covariance"];

/// How a file is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// The version of the operators, one of [`OPSETS`].
    pub opset: i64,
    /// Weights and features as f16. The image, the heatmaps' norm and all that is read off them stay f32.
    pub half: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            opset: DEFAULT_OPSET,
            half: false,
        }
    }
}

/// The file of a network as it is now, in evaluation. `metadata` goes into it as it is.
///
/// # Errors
/// [`OnnxError::Opset`] for a version that is not among [`OPSETS`], [`OnnxError::BeyondHalf`] naming a weight that f16 does not
/// hold, [`OnnxError::TooLarge`] for a network of 2 GiB.
pub fn export<B: Backend>(
    net: &StarNet<B>,
    options: &Options,
    metadata: &BTreeMap<String, String>,
) -> Result<Vec<u8>, OnnxError> {
    if !OPSETS.contains(&options.opset) {
        return Err(OnnxError::Opset(options.opset));
    }
    let graph = network::graph(net, options)?;
    let model = proto::ModelProto {
        ir_version: Some(ir_version(options.opset)),
        producer_name: Some("star".into()),
        producer_version: Some(env!("CARGO_PKG_VERSION").into()),
        graph: Some(graph),
        opset_import: vec![proto::OperatorSetIdProto {
            domain: Some(String::new()),
            version: Some(options.opset),
        }],
        metadata_props: metadata
            .iter()
            .map(|(key, value)| proto::StringStringEntryProto {
                key: Some(key.clone()),
                value: Some(value.clone()),
            })
            .collect(),
    };
    // Readers of protobuf take no more in one message.
    if i32::try_from(model.encoded_len()).is_err() {
        return Err(OnnxError::TooLarge(model.encoded_len()));
    }
    Ok(model.encode_to_vec())
}

/// The version of the file format that came with a version of the operators: older readers know no newer one.
fn ir_version(opset: i64) -> i64 {
    match opset {
        ..=14 => 7,
        15..=18 => 8,
        19..=20 => 9,
        _ => 10,
    }
}
