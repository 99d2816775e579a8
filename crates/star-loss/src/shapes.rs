//! Shapes that do not fit stop the program where they come in, with all of them in the message: what Burn's own operations do.

use std::fmt::Write;

use burn::tensor::{Tensor, backend::Backend};

/// # Panics
/// Unless `fit`; with the loss, the rule that was broken and all shapes.
#[track_caller]
pub(crate) fn assert_shapes(fit: bool, loss: &str, rule: &str, shapes: &[(&str, &[usize])]) {
    if !fit {
        let mut text = format!("{loss}: {rule}");
        for (i, (name, shape)) in shapes.iter().enumerate() {
            let before = if i == 0 { ':' } else { ',' };
            write!(text, "{before} {name} {shape:?}").expect("a string takes all text");
        }
        panic!("{text}");
    }
}

/// # Panics
/// Unless both are of points (x, y) and the other dimensions broadcast.
#[track_caller]
pub(crate) fn assert_points<B: Backend, const D: usize>(
    loss: &str,
    output: &Tensor<B, D>,
    target: &Tensor<B, D>,
) {
    let (output, target) = (output.dims(), target.dims());
    let points = output.last() == Some(&2) && target.last() == Some(&2);
    let broadcast = (output.iter().zip(&target)).all(|(a, b)| a == b || *a == 1 || *b == 1);
    assert_shapes(
        points && broadcast,
        loss,
        "output and target must be points (x, y) whose other dimensions agree or are 1",
        &[("output", &output), ("target", &target)],
    );
}
