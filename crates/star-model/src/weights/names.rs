//! The names tensors have in published weight files.
//!
//! Fields are named as published where they can be; the few that are not are translated here.

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::Tensor;
use burn::tensor::backend::Backend;

/// The published name of the tensor at `path`, the field names and indices from the network down to the tensor.
///
/// `depth`: levels of an hourglass, each of which published names write as one `low2`.
pub(crate) fn published_name(path: &[String], depth: usize) -> String {
    let mut name: Vec<&str> = Vec::with_capacity(path.len() + depth);
    let mut rest = path;
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        match (first.as_str(), after.first().map(String::as_str)) {
            // The stem is a list, whose entry 2 is the pooling.
            ("stem", Some(part)) => {
                let index = match part {
                    "conv" => "0",
                    "block1" => "1",
                    "block2" => "3",
                    _ => "4",
                };
                name.extend(["pre", index]);
                rest = &after[1..];
            }
            ("features", Some(stack)) => {
                name.extend(["features", stack]);
                if let Some(part) = after.get(1) {
                    name.push(if part == "block" { "0" } else { "1" });
                }
                rest = after.get(2..).unwrap_or_default();
            }
            // An hourglass contains a smaller one, its `low2`.
            ("levels", Some(level)) => {
                let level: usize = level.parse().unwrap_or(0);
                name.extend(std::iter::repeat_n("low2", level));
                rest = &after[1..];
            }
            ("innermost", _) => name.extend(std::iter::repeat_n("low2", depth)),
            ("aam", _) => {}
            (same, _) => name.push(same),
        }
    }
    name.join(".")
}

/// Sees every float tensor of a module, parameters and buffers, with its published name.
pub(crate) trait SeeNamed<B: Backend> {
    fn see<const D: usize>(&mut self, name: String, param: &Param<Tensor<B, D>>);
}

/// Replaces float tensors of a module by published name.
pub(crate) trait MapNamed<B: Backend> {
    fn map<const D: usize>(
        &mut self,
        name: String,
        param: Param<Tensor<B, D>>,
    ) -> Param<Tensor<B, D>>;
}

/// Visits `module`, whose hourglasses have `depth` levels.
pub(crate) fn see_named<B: Backend, M: Module<B>>(
    module: &M,
    depth: usize,
    seer: &mut impl SeeNamed<B>,
) {
    module.visit(&mut Walker {
        path: Vec::new(),
        depth,
        inner: seer,
    });
}

/// Maps `module`, whose hourglasses have `depth` levels.
pub(crate) fn map_named<B: Backend, M: Module<B>>(
    module: M,
    depth: usize,
    mapper: &mut impl MapNamed<B>,
) -> M {
    module.map(&mut Walker {
        path: Vec::new(),
        depth,
        inner: mapper,
    })
}

struct Walker<'a, T> {
    path: Vec<String>,
    depth: usize,
    inner: &'a mut T,
}

impl<T> Walker<'_, T> {
    fn name(&self) -> String {
        published_name(&self.path, self.depth)
    }
}

impl<B: Backend, T: SeeNamed<B>> ModuleVisitor<B> for Walker<'_, T> {
    fn enter_module(&mut self, name: &str, _container: &str) {
        self.path.push(name.to_string());
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<B, D>>) {
        self.inner.see(self.name(), param);
    }
}

impl<B: Backend, T: MapNamed<B>> ModuleMapper<B> for Walker<'_, T> {
    fn enter_module(&mut self, name: &str, _container: &str) {
        self.path.push(name.to_string());
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.pop();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<B, D>>) -> Param<Tensor<B, D>> {
        self.inner.map(self.name(), param)
    }
}
