//! All float tensors of a network, by published name.

use std::borrow::Borrow;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::hash::Hash;
use std::path::Path;

use burn::module::{Module, Param};
use burn::tensor::backend::Backend;
use burn::tensor::{DType, Tensor, TensorData};

use super::names::{MapNamed, SeeNamed, map_named, see_named};
use crate::config::{DEPTH, StarNetConfig};
use crate::error::{Mismatch, ModelError};
use crate::layers::Layers;
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
    Ok(load_fitting(module, depth, tensors))
}

/// [`load_named_into`] for tensors that are known to [`fit`].
pub(crate) fn load_fitting<B: Backend, M: Module<B>>(
    module: M,
    depth: usize,
    tensors: HashMap<String, TensorData>,
) -> M {
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
    map_named(module, depth, &mut Load(tensors))
}

/// How `tensors` differ from what is expected.
fn compare(
    expected: &BTreeMap<String, Vec<usize>>,
    tensors: &HashMap<String, TensorData>,
) -> Mismatch {
    let mut mismatch = Mismatch::default();
    for (name, wanted) in expected {
        match tensors.get(name) {
            None => mismatch.missing.push(name.clone()),
            Some(data) => {
                let dtype = is_float(data.dtype).then_some(data.dtype);
                let wrong = misshapen(name, &data.shape, dtype, wanted);
                mismatch.misshapen.extend(wrong);
            }
        }
    }
    let unknown = tensors.keys().filter(|&name| !expected.contains_key(name));
    mismatch.unknown = unknown.cloned().collect();
    mismatch.unknown.sort();
    mismatch
}

fn misshapen(
    name: &str,
    shape: &[usize],
    dtype: Option<DType>,
    wanted: &[usize],
) -> Option<String> {
    if dtype.is_none() {
        Some(format!("{name}: not floats"))
    } else if shape != wanted {
        Some(format!("{name}: {shape:?} instead of {wanted:?}"))
    } else {
        None
    }
}

/// What a file says of one of its tensors.
pub(crate) struct Described {
    pub shape: Vec<usize>,
    /// If it holds floats.
    pub dtype: Option<DType>,
}

/// Holds a file's tensors against the network that it is said to be, before anything of the network's size is made: neither
/// need be sensible. Gives the names of the tensors that the network computes with.
///
/// Tensors that are not the network's may be `ignored`.
///
/// # Errors
/// [`ModelError::Mismatch`] listing all that differs; [`ModelError::Format`] if that would be more than half of the network,
/// which no file of this network is, and whose names could take many times the file's size.
pub(crate) fn fit<'a, K, T>(
    path: &Path,
    config: &StarNetConfig,
    found: &'a HashMap<K, T>,
    describe: impl Fn(&T) -> Described,
    ignored: impl Fn(&str, &Described) -> bool,
) -> Result<HashSet<&'a str>, ModelError>
where
    K: Borrow<str> + Hash + Eq,
{
    const SHOWN: usize = 3;
    let (mut expected, mut wrong, mut first) = (0usize, 0usize, Vec::new());
    each_tensor(config, |name, wanted| {
        expected += 1;
        let fits = found.get(name).map(&describe).is_some_and(|described| {
            misshapen(name, &described.shape, described.dtype, wanted).is_none()
        });
        if !fits {
            wrong += 1;
            if first.len() < SHOWN {
                first.push(format!("`{name}`"));
            }
        }
    });
    if wrong > expected / 2 {
        return Err(ModelError::Format {
            path: path.into(),
            what: format!(
                "holds another network than it describes: of {expected} tensors {wrong} are missing or of another shape or type ({}{})",
                first.join(", "),
                if wrong > SHOWN { ", ..." } else { "" }
            ),
        });
    }

    let mut used = HashSet::with_capacity(expected.min(found.len()));
    let mut mismatch = Mismatch {
        path: Some(path.into()),
        ..Mismatch::default()
    };
    each_tensor(config, |name, wanted| match found.get_key_value(name) {
        None => mismatch.missing.push(name.to_string()),
        Some((key, tensor)) => {
            used.insert(key.borrow());
            let Described { shape, dtype } = describe(tensor);
            let wrong = misshapen(name, &shape, dtype, wanted);
            mismatch.misshapen.extend(wrong);
        }
    });
    let unknown = || {
        let others = found.iter().map(|(key, tensor)| (key.borrow(), tensor));
        let others = others.filter(|(name, _)| !used.contains(name));
        others.filter(|(name, tensor)| !ignored(name, &describe(tensor)))
    };
    mismatch.unknown.reserve_exact(unknown().count());
    let names = unknown().map(|(name, _)| name.to_string());
    mismatch.unknown.extend(names);
    if mismatch.is_empty() {
        return Ok(used);
    }
    mismatch.missing.sort_unstable();
    mismatch.unknown.sort_unstable();
    mismatch.misshapen.sort_unstable();
    Err(ModelError::Mismatch(mismatch))
}

/// All parameters and buffers of a network, one after another: published name and shape.
fn each_tensor(config: &StarNetConfig, mut see: impl FnMut(&str, &[usize])) {
    Layers::each(config, &mut |layer, used| {
        if used {
            for (part, shape) in layer.tensors() {
                see(&format!("{}.{part}", layer.name), &shape);
            }
        }
    });
}

/// Refuses numbers that no network can compute with.
///
/// # Errors
/// [`ModelError::Format`] naming the first such tensor, by name.
pub(crate) fn check_finite(
    path: &Path,
    tensors: &HashMap<String, TensorData>,
) -> Result<(), ModelError> {
    let broken = |data: &TensorData| {
        is_float(data.dtype) && data.iter::<f32>().any(|value| !value.is_finite())
    };
    let names = tensors.iter().filter(|(_, data)| broken(data));
    match names.map(|(name, _)| name).min() {
        None => Ok(()),
        Some(name) => Err(ModelError::Format {
            path: path.into(),
            what: format!(
                "`{name}` holds numbers that are not finite (NaN, infinite, or beyond f32): the file is damaged, or its training \
                 diverged; take a copy that is whole, or weights saved before that"
            ),
        }),
    }
}

pub(crate) fn is_float(dtype: DType) -> bool {
    matches!(
        dtype,
        DType::F64 | DType::F32 | DType::Flex32 | DType::F16 | DType::BF16
    )
}
