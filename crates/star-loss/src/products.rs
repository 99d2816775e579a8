//! Sums of products over a map's pixels, to f32 on every device.
//!
//! The losses subtract such sums from each other: STAR's denominator `1 - sum p p` is 1e-5 for a map of one pixel. GPUs round the factors of a
//! matrix product to TF32, whose 10 bits leave an error of 5e-4 in it. Where that may happen, factors are multiplied one by one and then summed, which
//! no device rounds; elsewhere a matrix product is several times faster, since nothing of the maps' size is written.

use burn::tensor::{
    DType, Tensor,
    backend::{Backend, DTypeUsage},
};

/// What is known of maps before their moments are taken; no gradients.
pub(crate) struct Overview<B: Backend> {
    /// The largest absolute value of each map, `[maps, 1]`.
    pub magnitude: Tensor<B, 2>,
    /// The sum of each column times a factor, `[maps, width]`.
    pub columns: Tensor<B, 2>,
}

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

    /// Of `maps` `[maps, height, width]`, the columns times `factor`.
    pub fn overview<B: Backend>(self, maps: Tensor<B, 3>, factor: f64) -> Overview<B> {
        #[cfg(feature = "flex")]
        if let Some(overview) = self.if_fused(|| crate::flex::overview(&maps, factor)) {
            return overview;
        }
        let [count, height, width] = maps.dims();
        let flat = maps.clone().reshape([count, height * width]);
        let (largest, smallest) = (flat.clone().max_dim(1), flat.min_dim(1));
        Overview {
            magnitude: largest.max_pair(-smallest),
            columns: self.columns(maps, factor),
        }
    }

    /// Sums of the rows of `maps` `[maps, height, width]` as [`Self::rows`], and of the squares of each map times `scale` `[maps, 1]`: `[maps, 1]`.
    /// The gradient of the squares takes one of their two factors for a constant.
    pub fn sums<B: Backend>(
        self,
        maps: Tensor<B, 3>,
        weights: [Tensor<B, 2>; 3],
        scale: Tensor<B, 2>,
    ) -> ([Tensor<B, 2>; 3], Tensor<B, 2>) {
        #[cfg(feature = "flex")]
        if let Some(sums) = self.if_fused(|| crate::flex::sums(&maps, &weights, &scale)) {
            return sums;
        }
        let [count, height, width] = maps.dims();
        let rows = self.rows(maps.clone(), weights);
        let maps = maps.reshape([count, height * width]);
        let fixed = maps.clone().detach() * scale;
        (rows, self.dot(maps, fixed))
    }

    /// What kernels of our own give, unless a test plays another device.
    #[cfg(feature = "flex")]
    pub fn if_fused<T>(self, run: impl FnOnce() -> Option<T>) -> Option<T> {
        #[cfg(test)]
        if tests::in_tf32() {
            return None;
        }
        if self == Self::Matrix { run() } else { None }
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
