//! Zero padding, and the order of pixels that sums over them want.

use super::conv_shape::ConvShape;
use super::transpose::transpose;

impl ConvShape {
    /// The channels `[channels, height, width]` of a face with zero padding.
    pub fn padded(&self, face: &[f32]) -> Vec<f32> {
        let (row, padding) = (self.padded_width(), self.padding());
        let mut padded = vec![0.0; face.len() / self.pixels() * self.padded_len()];
        let channels = padded.chunks_exact_mut(self.padded_len());
        for (to, from) in channels.zip(face.chunks_exact(self.pixels())) {
            let to = to[padding * row + padding..].chunks_mut(row);
            for (to, from) in to.zip(from.chunks_exact(self.width)) {
                to[..self.width].copy_from_slice(from);
            }
        }
        padded
    }

    /// The channels of a face `[channels, height, width]` as `[places, channels]`: the order that sums over pixels want.
    ///
    /// The first pixel is at place `start`, rows are as far apart as padded ones, what is between them is 0.
    pub fn channels_last(&self, face: &[f32], places: usize, start: usize) -> Vec<f32> {
        let channels = face.len() / self.pixels();
        let mut out = vec![0.0; places * channels];
        for y in 0..self.height {
            let to = &mut out[(start + y * self.padded_width()) * channels..];
            let row = &face[y * self.width..];
            transpose(
                row,
                self.pixels(),
                &mut to[..self.width * channels],
                channels,
            );
        }
        out
    }
}
