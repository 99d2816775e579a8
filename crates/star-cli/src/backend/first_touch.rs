//! Burn panics where a device is missing or broken; here that becomes an answer.

use std::panic::{UnwindSafe, catch_unwind, set_hook, take_hook};

/// What a first use of a device gives, or in one line why it failed.
///
/// Nothing else may run beside it: panics of any thread are silent meanwhile.
pub fn first_touch<T>(touch: impl FnOnce() -> T + UnwindSafe) -> Result<T, String> {
    let hook = take_hook();
    set_hook(Box::new(|_| ()));
    let touched = catch_unwind(touch);
    set_hook(hook);
    touched.map_err(|cause| {
        let cause = cause
            .downcast_ref::<String>()
            .map(String::as_str)
            .or_else(|| cause.downcast_ref::<&str>().copied())
            .unwrap_or("no further word from the driver");
        cause.lines().next().unwrap_or_default().trim().to_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::first_touch;

    #[test]
    fn a_panic_is_an_answer() {
        assert_eq!(first_touch(|| 3), Ok(3));
        let failed = first_touch(|| -> i32 { panic!("no device {}\nat all", 7) });
        assert_eq!(failed, Err("no device 7".into()));
    }
}
