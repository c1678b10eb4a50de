//! Panics, captured once each by a hook: layers that catch them come later, in whatever order.

use std::panic::PanicHookInfo;
use std::sync::Once;

use super::ambient;
use super::capture::{Captured, Errors, is_capturing};
use super::chain::put_text;
use crate::model::{EventId, Level, is_own_thread};
use crate::request::ErrorKind;

/// The type that a panic is told under.
const PANIC: &str = "panic";

impl Errors {
    /// Captures from now on what panics outside every monitor's requests too, and hooks panics, once a
    /// process: the hook that was there runs after ours. Whether this monitor is the installed one.
    pub(crate) fn install(&self) -> bool {
        static HOOKED: Once = Once::new();
        HOOKED.call_once(|| {
            let before = std::panic::take_hook();
            std::panic::set_hook(Box::new(move |info| {
                capture(info);
                before(info);
            }));
        });
        ambient::install(&self.shared)
    }
}

/// Runs while a thread panics, where another panic ends the process: nothing foreign is called here, and
/// nothing that may be locked by this thread is waited for.
fn capture(info: &PanicHookInfo<'_>) {
    if is_own_thread() || is_capturing() {
        return;
    }
    let (Some(shared), Some(location)) = (ambient::current(), info.location()) else {
        return ambient::count_unclaimed();
    };
    let payload = info.payload();
    let message = payload
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("a panic whose payload is no text");
    let captured = Captured {
        kind: ErrorKind::Panic,
        event: EventId::random(),
        level: Level::Fatal,
        location,
        details: None,
    };
    shared.capture(&captured, |out| put_text(out, PANIC, message));
}
