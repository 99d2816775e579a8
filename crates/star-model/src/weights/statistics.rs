//! The running statistics of batch norms, apart from the weights: what copies of a network on several devices each move for themselves.

use std::collections::HashMap;

use burn::module::Param;
use burn::tensor::backend::Backend;
use burn::tensor::{Tensor, TensorPrimitive};

use super::names::{MapNamed, SeeNamed, map_named, see_named};
use crate::config::DEPTH;
use crate::net::StarNet;
use crate::shapes::assert_shapes;

/// Running means and variances, by published name.
pub struct Statistics<B: Backend>(HashMap<String, TensorPrimitive<B>>);

impl<B: Backend> Statistics<B> {
    /// Those of a network, on `device`.
    pub fn of(net: &StarNet<B>, device: &B::Device) -> Self {
        struct See<'a, B: Backend>(&'a B::Device, HashMap<String, TensorPrimitive<B>>);
        impl<B: Backend> SeeNamed<B> for See<'_, B> {
            fn see<const D: usize>(&mut self, name: String, param: &Param<Tensor<B, D>>) {
                if is_statistic(&name) {
                    let value = param.val().detach().to_device(self.0);
                    self.1.insert(name, value.into_primitive());
                }
            }
        }
        let mut see = See(device, HashMap::new());
        see_named(net, DEPTH, &mut see);
        Self(see.1)
    }
}

/// `net` with the mean of several networks' running statistics, each with its fraction; the fractions add up to 1.
///
/// What agrees with `net`'s own everywhere stays as it is, to the last bit.
///
/// # Panics
/// If the statistics are those of another network: a norm is missing, left over or has another number of channels.
pub fn average_statistics<B: Backend>(
    net: StarNet<B>,
    fractions: Vec<(f64, Statistics<B>)>,
) -> StarNet<B> {
    struct Move<B: Backend>(Vec<(f64, Statistics<B>)>);
    impl<B: Backend> MapNamed<B> for Move<B> {
        fn map<const D: usize>(
            &mut self,
            name: String,
            param: Param<Tensor<B, D>>,
        ) -> Param<Tensor<B, D>> {
            if !is_statistic(&name) {
                return param;
            }
            let own = param.val().detach();
            let mut moved = own.clone();
            for (fraction, statistics) in &mut self.0 {
                let there = statistics.0.remove(&name);
                let there = there.unwrap_or_else(|| panic!("{name} is not among the statistics"));
                let there = Tensor::from_primitive(there);
                assert_shapes(
                    there.shape() == own.shape(),
                    "statistics",
                    "those of a norm must have as many channels as the norm",
                    &[("norm", &own.shape()), (name.as_str(), &there.shape())],
                );
                moved = moved + (there - own.clone()) * *fraction;
            }
            Param::initialized(param.id, moved)
        }
    }
    let mut moving = Move(fractions);
    let net = map_named(net, DEPTH, &mut moving);
    let left = moving
        .0
        .iter()
        .flat_map(|(_, statistics)| statistics.0.keys());
    // The first by name, so that the message is the same each time.
    if let Some(name) = left.min() {
        panic!("{name} is among the statistics, and the network has no such norm");
    }
    net
}

fn is_statistic(name: &str) -> bool {
    name.ends_with(".running_mean") || name.ends_with(".running_var")
}
