//! A panic on a GPU's thread ends the program.
//!
//! Burn sends operations to a thread for each device. When one of them panics there, as it does when the GPU's memory runs out, that thread drops it
//! and goes on: what should have been computed stays whatever was in memory, and training would go on with it, to the end and without a word.

use std::{
    panic::{PanicHookInfo, set_hook, take_hook},
    thread,
};

use star_infer::InferError;

use crate::error::CliError;

/// From now on. Other threads' panics are handled as before.
pub fn end_on_device_panic() {
    let before = take_hook();
    set_hook(Box::new(move |panic| {
        if !thread::current().name().is_some_and(is_a_devices) {
            return before(panic);
        }
        let error = CliError::from(InferError::Device(cause(panic)));
        eprintln!("error: {error}{}", error.advice());
        std::process::exit(1);
    }));
}

/// How cubecl 0.10 names its threads (`device/handle/channel.rs`): DS, a letter for what it serves, and the device's numbers.
fn is_a_devices(name: &str) -> bool {
    let mut rest = name.strip_prefix("DS").unwrap_or_default().chars();
    rest.next().is_some_and(char::is_alphabetic) && rest.next() == Some('-')
}

fn cause(panic: &PanicHookInfo) -> String {
    let said = panic.payload_as_str().unwrap_or("no further word");
    said.lines().next().unwrap_or_default().trim().to_owned()
}

#[cfg(test)]
mod tests {
    use std::{panic::catch_unwind, process::Command};

    use super::*;

    const INNER: &str = "STAR_TEST_DEVICE_PANIC";

    /// In a process of its own, since it ends one.
    #[test]
    fn a_devices_panic_is_not_survived_and_others_are() {
        if let Ok(name) = std::env::var(INNER) {
            end_on_device_panic();
            let thread = thread::Builder::new().name(name);
            let caught = thread.spawn(|| catch_unwind(|| panic!("can't allocate\nmore")).is_err());
            assert!(caught.expect("a thread").join().expect("caught"));
            return;
        }
        let run = |thread: &str| {
            let me = std::env::current_exe().expect("a test");
            let mut me = Command::new(me);
            me.args(["a_devices_panic_is_not_survived", "--nocapture"]);
            me.env(INNER, thread).output().expect("it runs")
        };
        let device = run("DSD-0-0");
        assert_eq!(device.status.code(), Some(1));
        let said = String::from_utf8_lossy(&device.stderr).into_owned();
        assert!(
            said.contains("device failed: can't allocate\nIf its memory"),
            "{said}"
        );
        for thread in ["main", "DSP", "worker-DSD-0", ""] {
            assert!(run(thread).status.success(), "{thread}");
        }
    }
}
