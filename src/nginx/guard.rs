//! The border that no panic crosses: an unwinding panic in an `extern "C"` function would abort the worker.

use std::hash::RandomState;
use std::hint::black_box;
use std::panic::{catch_unwind, set_hook, AssertUnwindSafe, Location};

use super::log::Log;

/// The name of a thread that may not write to nginx's log: it tells of a panic in its own way.
pub(crate) const HELPER: &str = "token files";

/// Runs a callback's body; `None` after a panic, which the hook has logged.
///
/// The body may leave what it was changing half changed: the caller has to end the session it belonged to.
pub(crate) fn guard<R>(body: impl FnOnce() -> R) -> Option<R> {
    catch_unwind(AssertUnwindSafe(body)).ok()
}

/// Has the memory that is this thread's own be made now: it is made at its first use, and where there is none for it then
/// the C library ends the process.
pub(crate) fn prepare_thread() {
    _ = black_box(RandomState::new());
}

/// Has panics logged where an administrator looks for them, each in one line.
pub(crate) fn install_panic_hook() {
    set_hook(Box::new(|panic| {
        if std::thread::current().name() == Some(HELPER) {
            return;
        }
        let payload = panic.payload();
        let said =
            payload.downcast_ref::<&str>().copied().or(payload.downcast_ref::<String>().map(|it| &**it));
        let place = panic.location().map_or("?", Location::file);
        let line = panic.location().map_or(0, Location::line);
        Log::of_cycle().alert(format_args!("websockify panicked at {place}:{line}: {}", said.unwrap_or("?")));
    }));
}
