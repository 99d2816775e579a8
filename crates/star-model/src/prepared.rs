//! A network that only predicts: its weights are laid out once for how they are used.

#[cfg(feature = "flex")]
mod flex;

use burn::tensor::{Tensor, backend::Backend};

use crate::{
    config::StarNetConfig,
    net::{StackOutput, StarNet},
};

/// A network in evaluation, for as many images as there are.
///
/// On the CPU backend `flex` it is a program of its own: maps are `[height, width, channels]`, norms, ReLU and additions happen inside the
/// products around them, kernels of large maps are transformed (Winograd), and memory is used again from call to call. Elsewhere it is the
/// network as it was. Either way it gives what [`StarNet::forward_last`] gives, to rounding.
#[derive(Debug)]
pub struct Prepared<B: Backend> {
    config: StarNetConfig,
    kind: Kind<B>,
}

#[derive(Debug)]
enum Kind<B: Backend> {
    Plain(Box<StarNet<B>>),
    #[cfg(feature = "flex")]
    Fast(Box<flex::Network>),
}

impl<B: Backend> StarNet<B> {
    /// The network as it is now, for predicting. What is trained later does not change it.
    pub fn prepare(&self) -> Prepared<B> {
        self.clone().into_prepared()
    }

    /// As [`Self::prepare`], of a network that is not needed any more: its weights need not be in memory twice.
    pub fn into_prepared(self) -> Prepared<B> {
        Prepared {
            config: self.config().clone(),
            kind: self.kind(),
        }
    }

    fn kind(self) -> Kind<B> {
        #[cfg(feature = "flex")]
        if star_flex::as_ref::<_, StarNet<burn::backend::Flex>>(&self).is_some_and(is_f32) {
            return star_flex::own(self)
                .and_then(flex::Network::of)
                .map(|network| Kind::Fast(Box::new(network)))
                .expect("a network of this type, of f32");
        }
        Kind::Plain(Box::new(self.unshared()))
    }
}

/// Whether all its numbers are `f32`.
#[cfg(feature = "flex")]
fn is_f32(net: &StarNet<burn::backend::Flex>) -> bool {
    use burn::{
        backend::Flex,
        module::{Module, ModuleVisitor, Param},
        tensor::DType,
    };
    struct AllF32(bool);
    impl ModuleVisitor<Flex> for AllF32 {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<Flex, D>>) {
            self.0 &= param.val().dtype() == DType::F32;
        }
    }
    let mut all = AllF32(true);
    net.visit(&mut all);
    all.0
}

impl<B: Backend> Prepared<B> {
    /// What it was built from.
    pub fn config(&self) -> &StarNetConfig {
        &self.config
    }

    /// The last stack's output; images as for [`StarNet::forward`].
    ///
    /// # Panics
    /// As [`StarNet::forward_last`]; on `flex` also for images whose numbers are not `f32`.
    pub fn forward(&self, images: Tensor<B, 4>) -> StackOutput<B> {
        match &self.kind {
            Kind::Plain(net) => net.forward_last(images),
            #[cfg(feature = "flex")]
            Kind::Fast(network) => self.forward_fast(network, images),
        }
    }
}

#[cfg(feature = "flex")]
impl<B: Backend> Prepared<B> {
    fn forward_fast(&self, network: &flex::Network, images: Tensor<B, 4>) -> StackOutput<B> {
        use burn::{backend::Flex, tensor::Shape};
        use star_flex::{as_ref, floats, from_vec, own, tensor};

        crate::net::assert_images(images.dims());
        let images = as_ref::<_, Tensor<Flex, 4>>(&images)
            .and_then(floats)
            .expect("a network that was prepared from f32 on this backend gets such images");
        let [batch, _, height, width] = images.shape().dims();
        // Inside the pool: whoever calls would otherwise wait at every step, and wake up again.
        let mut faces = Vec::new();
        rayon::scope(|_| faces = network.run(&images, [height, width]));
        let points = self.config.points;
        let [h, w] = [height, width].map(|side| side.div_ceil(2) / 2);
        let edges = self.config.edges.len();
        let mut all = [const { Vec::new() }; 4];
        for face in faces {
            let parts = [
                face.landmarks,
                face.heatmaps,
                face.point_maps,
                face.edge_maps,
            ];
            for (all, part) in all.iter_mut().zip(parts) {
                if all.is_empty() {
                    *all = part;
                } else {
                    all.extend(part);
                }
            }
        }
        let [landmarks, heatmaps, point_maps, edge_maps] = all;
        let maps = |values, count| {
            own(tensor::<4>(from_vec(
                values,
                Shape::new([batch, count, h, w]),
            )))
            .expect("the backend is this one")
        };
        StackOutput {
            landmarks: own(tensor::<3>(from_vec(
                landmarks,
                Shape::new([batch, points, 2]),
            )))
            .expect("the backend is this one"),
            heatmaps: maps(heatmaps, points),
            point_maps: self.config.aam.then(|| maps(point_maps, points)),
            edge_maps: self.config.aam.then(|| maps(edge_maps, edges)),
        }
    }
}
