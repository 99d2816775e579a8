//! Standard output that cannot be written: a full disk is an error in words, not a panic of `println!`.

use std::{
    any::Any,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind, set_hook, take_hook},
};

use crate::error::CliError;

/// What `println!` panics with.
const FAILED: &str = "failed printing to stdout";

/// Runs `work`; where it cannot print, that is its error.
pub fn guarded<T>(work: impl FnOnce() -> Result<T, CliError>) -> Result<T, CliError> {
    let before = take_hook();
    set_hook(Box::new(move |panic| {
        if said(panic.payload()).is_none() {
            before(panic);
        }
    }));
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|payload| match said(&*payload) {
        Some(what) => Err(CliError::Usage(format!(
            "standard output cannot be written{what}; what was printed so far may be cut off"
        ))),
        None => resume_unwind(payload),
    })
}

/// What follows in such a panic's message; None for other panics.
fn said(payload: &(dyn Any + Send)) -> Option<&str> {
    let text = payload.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| payload.downcast_ref::<&str>().copied())?
        .strip_prefix(FAILED)
}
