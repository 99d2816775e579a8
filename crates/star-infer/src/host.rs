//! Numbers off a device: where it shows that something failed on it.

use burn::tensor::{Element, Tensor, backend::Backend};

use crate::error::InferError;

/// A tensor's numbers, in order.
///
/// # Errors
/// When this or an operation before it failed, as on a GPU whose memory ran out: a queue tells of that only when it is read.
pub fn to_host<B: Backend, const D: usize, E: Element>(
    tensor: Tensor<B, D>,
) -> Result<Vec<E>, InferError> {
    let data = tensor.try_into_data();
    let data = data.map_err(|e| InferError::Device(essence(&e.to_string())))?;
    Ok(data.iter::<E>().collect())
}

/// What a person can use of a GPU's message: not the kernel's source, not the stack.
fn essence(message: &str) -> String {
    const LINES: usize = 12;
    let end = ["[Source]", "Backtrace"];
    let lines = message.lines().map(str::trim);
    let lines = lines.take_while(|line| !end.iter().any(|end| line.starts_with(end)));
    let lines: Vec<&str> = lines
        .filter(|line| !line.is_empty() && *line != "Caused by:")
        .take(LINES)
        .collect();
    lines.join("\n  ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_without_sources_and_stacks() {
        let message = "An error happened\nCaused by:\n  [Compilation Error]\n\n    line 3: no min\n[Source]\n#include\nBacktrace:\n";
        assert_eq!(
            essence(message),
            "An error happened\n  [Compilation Error]\n  line 3: no min"
        );
        assert_eq!(essence(&"long\n".repeat(99)).lines().count(), 12);
    }
}
