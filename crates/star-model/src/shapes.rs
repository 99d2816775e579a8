//! Shapes that do not fit stop the program where they come in, with all of them in the message: what Burn's own operations do.
//!
//! Without this a kernel would read rows of another length than they have, and a broadcast would go unnoticed.

use std::fmt::Write;

/// # Panics
/// Unless `fit`; with the operation, the rule that was broken and all shapes.
#[track_caller]
pub(crate) fn assert_shapes(fit: bool, operation: &str, rule: &str, shapes: &[(&str, &[usize])]) {
    if !fit {
        let mut text = format!("{operation}: {rule}");
        for (i, (name, shape)) in shapes.iter().enumerate() {
            let before = if i == 0 { ':' } else { ',' };
            write!(text, "{before} {name} {shape:?}").expect("a string takes all text");
        }
        panic!("{text}");
    }
}
