//! Panics are logged without what they say; those of requests are counted where requests are served.

use std::panic::{self, PanicHookInfo};

/// From now on a panic is logged with its thread and place in the code.
///
/// Not with its message: `unwrap` prints the value it found, and that may be a secret. Replaces the hook that was there.
pub fn install() {
    panic::set_hook(Box::new(report));
}

fn report(panicked: &PanicHookInfo<'_>) {
    let thread = std::thread::current();
    let thread = thread.name().unwrap_or("unnamed");
    let place = panicked.location().map(ToString::to_string).unwrap_or_default();
    tracing::error!(thread, place, "panic");
}
