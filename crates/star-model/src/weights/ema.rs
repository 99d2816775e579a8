//! The moving average of a network's weights.

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::backend::Backend;
use burn::tensor::{Tensor, TensorPrimitive};

use crate::net::StarNet;
use crate::shapes::assert_shapes;

/// `ema` moved towards `net`: `decay * ema + (1 - decay) * net` for every parameter and buffer (running statistics and
/// edge-to-landmark weights included), on the device.
///
/// Both must be of the same configuration, and on a backend without autodiff (`net.valid()`). Start from
/// [`StarNet::unshared`] or from `valid()`, never from a clone, or training changes the average's running statistics.
///
/// # Panics
/// If they are of different configurations.
pub fn ema_update<B: Backend>(ema: StarNet<B>, net: &StarNet<B>, decay: f64) -> StarNet<B> {
    assert_eq!(
        ema.config(),
        net.config(),
        "moving average: both networks must be of one configuration"
    );
    let mut collect = Collect(Vec::new());
    net.visit(&mut collect);
    ema.map(&mut Blend {
        tensors: collect.0.into_iter(),
        fraction: 1.0 - decay,
    })
}

/// The tensors in the order of visits, their ranks forgotten.
struct Collect<B: Backend>(Vec<TensorPrimitive<B>>);

impl<B: Backend> ModuleVisitor<B> for Collect<B> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<B, D>>) {
        self.0.push(param.val().into_primitive());
    }
}

struct Blend<B: Backend> {
    tensors: std::vec::IntoIter<TensorPrimitive<B>>,
    fraction: f64,
}

impl<B: Backend> ModuleMapper<B> for Blend<B> {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<B, D>>) -> Param<Tensor<B, D>> {
        let tensor = self.tensors.next().expect("of one configuration");
        let target = Tensor::<B, D>::from_primitive(tensor);
        let (found, own) = (target.shape(), param.shape());
        assert_shapes(
            found == own,
            "moving average",
            "tensors must be of one shape",
            &[("average", &own), ("network", &found)],
        );
        // As a step towards the target, so that what is equal stays equal to the last bit.
        let fraction = self.fraction;
        param.map(|ema| (target - ema.clone()) * fraction + ema)
    }
}
