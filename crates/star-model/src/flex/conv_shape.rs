//! The sizes of a convolution.

/// A "same" convolution of stride 1.
#[derive(Clone, Copy, Debug)]
pub(super) struct ConvShape {
    pub batch: usize,
    pub input: usize,
    pub output: usize,
    pub height: usize,
    pub width: usize,
    /// Odd.
    pub kernel: usize,
}

impl ConvShape {
    pub fn pixels(&self) -> usize {
        self.height * self.width
    }

    /// Of `[batch, input, h, w]`.
    pub fn input_len(&self) -> usize {
        self.batch * self.input * self.pixels()
    }

    /// Of `[batch, output, h, w]`.
    pub fn output_len(&self) -> usize {
        self.batch * self.output * self.pixels()
    }

    /// Of `[output, input, kernel, kernel]`.
    pub fn weight_len(&self) -> usize {
        self.output * self.input * self.taps()
    }

    pub fn padding(&self) -> usize {
        self.kernel / 2
    }

    pub fn taps(&self) -> usize {
        self.kernel * self.kernel
    }

    /// Length of a row with its padding.
    pub fn padded_width(&self) -> usize {
        self.width + 2 * self.padding()
    }

    /// Length of a channel with its padding, and what the last shift reaches over the end.
    pub fn padded_len(&self) -> usize {
        (self.height + 2 * self.padding()) * self.padded_width() + 2 * self.padding()
    }

    /// How far tap `tap` of the kernel reads behind the first one.
    pub fn shift(&self, tap: usize) -> usize {
        tap / self.kernel * self.padded_width() + tap % self.kernel
    }

    /// The convolution that carries gradients from the output to the input.
    pub fn reversed(self) -> Self {
        Self {
            input: self.output,
            output: self.input,
            ..self
        }
    }
}
