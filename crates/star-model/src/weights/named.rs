//! All float tensors of a network, by published name.

use std::collections::{BTreeMap, HashMap, HashSet};

use burn::module::{Module, Param};
use burn::tensor::backend::Backend;
use burn::tensor::{DType, Tensor, TensorData};

use super::names::{MapNamed, SeeNamed, map_named, see_named};
use crate::config::DEPTH;
use crate::error::{Mismatch, ModelError};
use crate::net::StarNet;

/// All parameters and buffers (running statistics, the edge-to-landmark weights) with their published names, as f32.
///
/// Copies them off the device: for files and tests, not for every step.
pub fn named_tensors<B: Backend>(net: &StarNet<B>) -> Vec<(String, TensorData)> {
    named_tensors_of(net, DEPTH)
}

/// [`named_tensors`] of one block; `depth` is the number of levels of an hourglass in it.
pub fn named_tensors_of<B: Backend, M: Module<B>>(
    module: &M,
    depth: usize,
) -> Vec<(String, TensorData)> {
    struct Collect(Vec<(String, TensorData)>);
    impl<B: Backend> SeeNamed<B> for Collect {
        fn see<const D: usize>(&mut self, name: String, param: &Param<Tensor<B, D>>) {
            let data = param.val().into_data().convert::<f32>();
            self.0.push((name, data));
        }
    }
    let mut collect = Collect(Vec::new());
    see_named(module, depth, &mut collect);
    collect.0
}

/// The shapes of all parameters and buffers, by published name.
pub fn named_shapes<B: Backend, M: Module<B>>(
    module: &M,
    depth: usize,
) -> BTreeMap<String, Vec<usize>> {
    struct Shapes(BTreeMap<String, Vec<usize>>);
    impl<B: Backend> SeeNamed<B> for Shapes {
        fn see<const D: usize>(&mut self, name: String, param: &Param<Tensor<B, D>>) {
            self.0.insert(name, param.lazy_shape().to_vec());
        }
    }
    let mut shapes = Shapes(BTreeMap::new());
    see_named(module, depth, &mut shapes);
    shapes.0
}

/// `net` with all its parameters and buffers replaced by those of the same published name.
///
/// Any float type is converted. The result shares no running statistics with `net` or its clones.
///
/// # Errors
/// [`ModelError::Mismatch`] listing every tensor that is missing, unknown, or of another shape or type; nothing is
/// loaded then.
pub fn load_named<B: Backend>(
    net: StarNet<B>,
    tensors: HashMap<String, TensorData>,
) -> Result<StarNet<B>, ModelError> {
    load_named_into(net.unshared(), DEPTH, tensors)
}

/// [`load_named`] for one block; `depth` is the number of levels of an hourglass in it. Clones of the block see the new
/// running statistics too.
///
/// # Errors
/// As there.
pub fn load_named_into<B: Backend, M: Module<B>>(
    module: M,
    depth: usize,
    tensors: HashMap<String, TensorData>,
) -> Result<M, ModelError> {
    let mismatch = compare(&named_shapes(&module, depth), &tensors);
    if !mismatch.is_empty() {
        return Err(ModelError::Mismatch(mismatch));
    }
    struct Load(HashMap<String, TensorData>);
    impl<B: Backend> MapNamed<B> for Load {
        fn map<const D: usize>(
            &mut self,
            name: String,
            param: Param<Tensor<B, D>>,
        ) -> Param<Tensor<B, D>> {
            match self.0.remove(&name) {
                Some(data) => {
                    let id = param.id;
                    let tensor = Tensor::from_data(data.convert::<f32>(), &param.lazy_device());
                    param.transform_for_load(tensor, id)
                }
                None => param,
            }
        }
    }
    Ok(map_named(module, depth, &mut Load(tensors)))
}

/// How `tensors` differ from what is expected.
pub(crate) fn compare(
    expected: &BTreeMap<String, Vec<usize>>,
    tensors: &HashMap<String, TensorData>,
) -> Mismatch {
    let found = tensors.iter().map(|(name, data)| {
        let dtype = is_float(data.dtype).then_some(data.dtype);
        (name.as_str(), data.shape.as_slice(), dtype)
    });
    compare_shapes(expected, found)
}

/// How tensors (name, shape, float type if it is one) differ from what is expected.
pub(crate) fn compare_shapes<'a>(
    expected: &BTreeMap<String, Vec<usize>>,
    found: impl Iterator<Item = (&'a str, &'a [usize], Option<DType>)>,
) -> Mismatch {
    let mut mismatch = Mismatch::default();
    let mut seen = HashSet::new();
    for (name, shape, dtype) in found {
        seen.insert(name);
        match expected.get(name) {
            None => mismatch.unknown.push(name.to_string()),
            Some(_) if dtype.is_none() => mismatch.misshapen.push(format!("{name}: not floats")),
            Some(wanted) if wanted != shape => {
                let wrong = format!("{name}: {shape:?} instead of {wanted:?}");
                mismatch.misshapen.push(wrong);
            }
            Some(_) => {}
        }
    }
    let missing = expected.keys().filter(|name| !seen.contains(name.as_str()));
    mismatch.missing = missing.cloned().collect();
    mismatch.unknown.sort();
    mismatch.misshapen.sort();
    mismatch
}

pub(crate) fn is_float(dtype: DType) -> bool {
    matches!(
        dtype,
        DType::F64 | DType::F32 | DType::Flex32 | DType::F16 | DType::BF16
    )
}
