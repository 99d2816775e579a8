//! Batch normalisation with the published program's conventions.

use burn::module::{Initializer, Module, Param, RunningState};
use burn::tensor::Tensor;
use burn::tensor::activation::relu;
use burn::tensor::backend::Backend;

use crate::mode::Mode;
use crate::shapes::assert_shapes;

/// Added to the variance.
pub const EPSILON: f64 = 1e-5;
/// The fraction of the batch in the new running statistics.
pub const MOMENTUM: f64 = 0.1;

/// Batch normalisation over `[batch, channels, h, w]`.
///
/// Burn's own differs in two ways that matter here. Its running variance is the biased one, while the published weights
/// hold the unbiased one (divided by n - 1). And its running statistics become visible one step late, while the moving
/// average of the weights and the checkpoints read them right after the step.
#[derive(Module, Debug)]
pub struct BatchNorm<B: Backend> {
    /// Gamma, `[channels]`.
    pub weight: Param<Tensor<B, 1>>,
    /// Beta, `[channels]`.
    pub bias: Param<Tensor<B, 1>>,
    /// `[channels]`
    pub running_mean: RunningState<Tensor<B, 1>>,
    /// Unbiased, `[channels]`.
    pub running_var: RunningState<Tensor<B, 1>>,
}

impl<B: Backend> BatchNorm<B> {
    /// Gamma 1, beta 0, mean 0, variance 1.
    pub fn new(channels: usize, device: &B::Device) -> Self {
        Self {
            weight: Initializer::Ones.init([channels], device),
            bias: Initializer::Zeros.init([channels], device),
            running_mean: RunningState::new(Tensor::zeros([channels], device)),
            running_var: RunningState::new(Tensor::ones([channels], device)),
        }
    }

    /// `[batch, channels, h, w]`, same shape out.
    ///
    /// In training mode there must be more than one value a channel; the variance of a single one is taken as 0.
    ///
    /// # Panics
    /// If `x` has another number of channels than the norm, or no pixels.
    pub fn forward(&self, x: Tensor<B, 4>, mode: Mode) -> Tensor<B, 4> {
        self.forward_then(x, mode, false)
    }

    /// ReLU of [`BatchNorm::forward`].
    ///
    /// # Panics
    /// As there.
    pub fn forward_relu(&self, x: Tensor<B, 4>, mode: Mode) -> Tensor<B, 4> {
        self.forward_then(x, mode, true)
    }

    /// # Panics
    /// Unless a tensor of this shape, `[batch, channels, h, w]`, can be normalised.
    #[track_caller]
    pub(crate) fn assert_fits(&self, x: [usize; 4]) {
        let (mean, variance) = (self.running_mean.value(), self.running_var.value());
        let own = [
            self.weight.dims(),
            self.bias.dims(),
            mean.dims(),
            variance.dims(),
        ];
        assert_shapes(
            own.iter().all(|own| own[0] == x[1]),
            "batch norm",
            "the input must have as many channels as the norm",
            &[
                ("input", &x),
                ("weight", &own[0]),
                ("bias", &own[1]),
                ("running mean", &own[2]),
                ("running variance", &own[3]),
            ],
        );
        let pixels = !x[1..].contains(&0);
        let rule = "channels and pixels must not be 0";
        assert_shapes(pixels, "batch norm", rule, &[("input", &x)]);
    }

    fn forward_then(&self, x: Tensor<B, 4>, mode: Mode, with_relu: bool) -> Tensor<B, 4> {
        self.assert_fits(x.dims());
        #[cfg(feature = "flex")]
        if let Some(y) = self.forward_on_flex(&x, mode, with_relu) {
            return y;
        }
        let y = self.forward_plain(x, mode);
        if with_relu { relu(y) } else { y }
    }

    /// The fast kernel of one backend; `None` on all others.
    #[cfg(feature = "flex")]
    fn forward_on_flex(
        &self,
        x: &Tensor<B, 4>,
        mode: Mode,
        with_relu: bool,
    ) -> Option<Tensor<B, 4>> {
        match mode {
            Mode::Train(_) => {
                let (gamma, beta) = (self.weight.val(), self.bias.val());
                let [batch, _, h, w] = x.dims();
                let normalised = crate::flex::norm_relu(x, &gamma, &beta, EPSILON, with_relu)?;
                self.move_statistics(normalised.mean, normalised.variance, batch * h * w);
                Some(normalised.y)
            }
            Mode::Eval => {
                let (scale, shift) = self.scale_and_shift();
                crate::flex::scale_relu(x, &scale, &shift, with_relu)
            }
        }
    }

    fn forward_plain(&self, x: Tensor<B, 4>, mode: Mode) -> Tensor<B, 4> {
        match mode {
            Mode::Train(_) => self.forward_train(x),
            Mode::Eval => {
                let [batch, channels, h, w] = x.dims();
                let (scale, shift) = self.scale_and_shift();
                let y = x.reshape([batch, channels, h * w]) * per_channel(scale, batch)
                    + per_channel(shift, batch);
                y.reshape([batch, channels, h, w])
            }
        }
    }

    /// The normalisation by running statistics as `x * scale + shift`, `[channels]` each.
    pub(crate) fn scale_and_shift(&self) -> (Tensor<B, 1>, Tensor<B, 1>) {
        let std = (self.running_var.value() + EPSILON).sqrt();
        let scale = self.weight.val() / std;
        let shift = self.bias.val() - self.running_mean.value() * scale.clone();
        (scale, shift)
    }

    fn forward_train(&self, x: Tensor<B, 4>) -> Tensor<B, 4> {
        let [batch, channels, h, w] = x.dims();
        let count = batch * h * w;
        // Two passes (mean, then squares around it): a single pass loses the digits that matter when |mean| >> std.
        let x = x.reshape([batch, channels, h * w]);
        let mean = batch_mean(x.clone());
        let centred = x - per_channel(mean.clone(), batch);
        let variance = batch_mean(centred.clone() * centred.clone());

        self.move_statistics(mean.detach(), variance.clone().detach(), count);

        let scale = self.weight.val() / (variance + EPSILON).sqrt();
        let y = centred * per_channel(scale, batch) + per_channel(self.bias.val(), batch);
        y.reshape([batch, channels, h, w])
    }

    fn move_statistics(&self, mean: Tensor<B, 1>, variance: Tensor<B, 1>, count: usize) {
        let unbiased = count as f64 / count.saturating_sub(1).max(1) as f64;
        let moved = |state: &RunningState<Tensor<B, 1>>, batch: Tensor<B, 1>| {
            // Loaded statistics would be tracked as parameters are; as buffers they have no gradient.
            let value = state.value_sync().detach() * (1.0 - MOMENTUM) + batch * MOMENTUM;
            state.update(value);
            // An update stays pending until the next one; asking for the value brings it in at once.
            state.value_sync();
        };
        moved(&self.running_mean, mean);
        moved(&self.running_var, variance * unbiased);
    }

    /// A copy that shares no running statistics with the original.
    pub(crate) fn unshared(&self) -> Self {
        Self {
            running_mean: RunningState::new(self.running_mean.value_sync()),
            running_var: RunningState::new(self.running_var.value_sync()),
            ..self.clone()
        }
    }
}

/// One value a channel, `[channels]` -> `[batch, channels, 1]`, for sums and products with `[batch, channels, pixels]`.
///
/// Burn's CPU backend is 50 times slower where the batch has to be spread as well, so it is repeated beforehand.
pub(crate) fn per_channel<B: Backend>(values: Tensor<B, 1>, batch: usize) -> Tensor<B, 3> {
    let [channels] = values.dims();
    values.reshape([1, channels, 1]).repeat_dim(0, batch)
}

/// `[batch, channels, pixels]` -> `[channels]`
fn batch_mean<B: Backend>(x: Tensor<B, 3>) -> Tensor<B, 1> {
    let [_, channels, _] = x.dims();
    x.mean_dim(2).mean_dim(0).reshape([channels])
}
