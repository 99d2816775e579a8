//! Sums of products over a map's pixels, to f32 on every device.
//!
//! The losses subtract such sums from each other: STAR's denominator `1 - sum p p` is 1e-5 for a map of one pixel. GPUs round the factors of a
//! matrix product to TF32, whose 10 bits leave an error of 5e-4 in it. Where that may happen, factors are multiplied one by one and then summed, which
//! no device rounds; elsewhere a matrix product is several times faster, since nothing of the maps' size is written.

use burn::tensor::{
    DType, Tensor,
    backend::{Backend, DTypeUsage},
};

/// How sums of products are computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Products {
    /// As matrix products.
    Matrix,
    /// Multiplied one by one, then summed.
    OneByOne,
}

impl Products {
    /// What keeps f32 on a device.
    pub fn on<B: Backend>(device: &B::Device) -> Self {
        #[cfg(test)]
        if let Some(forced) = tests::forced() {
            return forced;
        }
        match rounds::<B>(device) {
            true => Self::OneByOne,
            false => Self::Matrix,
        }
    }

    /// `[maps, n]`, `[maps, n]` -> `[maps, 1]`
    pub fn dot<B: Backend>(self, a: Tensor<B, 2>, b: Tensor<B, 2>) -> Tensor<B, 2> {
        let [maps, n] = a.dims();
        match self {
            Self::Matrix => {
                matmul(a.reshape([maps, 1, n]), b.reshape([maps, n, 1])).reshape([maps, 1])
            }
            Self::OneByOne => (a * b).sum_dim(1),
        }
    }

    /// The sum of each row of `maps` `[maps, height, width]` by each of the weights `[maps, width]`: `[maps, height]` each.
    pub fn rows<B: Backend, const K: usize>(
        self,
        maps: Tensor<B, 3>,
        weights: [Tensor<B, 2>; K],
    ) -> [Tensor<B, 2>; K] {
        let [count, height, width] = maps.dims();
        match self {
            Self::Matrix => {
                let rows = matmul(maps, Tensor::stack::<3>(weights.into(), 2));
                std::array::from_fn(|k| rows.clone().narrow(2, k, 1).reshape([count, height]))
            }
            Self::OneByOne => weights.map(|weights| {
                let weighted = maps.clone() * weights.reshape([count, 1, width]);
                weighted.sum_dim(2).reshape([count, height])
            }),
        }
    }

    /// The sum of each column of `maps` `[maps, height, width]`, times `factor`: `[maps, width]`.
    pub fn columns<B: Backend>(self, maps: Tensor<B, 3>, factor: f64) -> Tensor<B, 2> {
        let [count, height, width] = maps.dims();
        match self {
            Self::Matrix => {
                let factors = Tensor::full([1, 1, height], factor, (&maps.device(), maps.dtype()));
                matmul(factors, maps)
            }
            Self::OneByOne => (maps * factor).sum_dim(1),
        }
        .reshape([count, width])
    }
}

/// Whether matrix products of a device may round `f32`.
fn rounds<B: Backend>(device: &B::Device) -> bool {
    #[cfg(test)]
    if tests::in_tf32() {
        return true;
    }
    B::dtype_usage(device, DType::F32).contains(DTypeUsage::Accelerated)
}

fn matmul<B: Backend>(a: Tensor<B, 3>, b: Tensor<B, 3>) -> Tensor<B, 3> {
    #[cfg(test)]
    if tests::in_tf32() {
        return tests::tf32(a).matmul(tests::tf32(b));
    }
    a.matmul(b)
}

#[cfg(test)]
mod tests;
