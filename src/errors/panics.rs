//! Panics, captured once each by a hook: layers that catch them come later, in whatever order.

use std::cell::Cell;
use std::panic::PanicHookInfo;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};

use super::capture::{CaptureInput, ErrorTracker, is_capturing};
use super::chain::put_text;
use super::global;
use crate::model::{
    ClaimResult, EventId, Level, MonitorLifetime, is_suppressed, record_hook_panic, record_hook_set,
};
use crate::record::ErrorKind;

/// The type that a panic is told under.
const PANIC: &str = "panic";

/// Where the hook lies that was set last, and its number. Nothing else lies there as long as it is alive.
static LAST_HOOK: Mutex<Option<(usize, u64)>> = Mutex::new(None);
/// The number of that hook while it is alive, else 0.
static LIVE_HOOK: AtomicU64 = AtomicU64::new(0);

/// Goes with a hook of this number when that is dropped.
struct HookLifetime(u64);

impl HookLifetime {
    fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let number = NEXT.fetch_add(1, Relaxed);
        LIVE_HOOK.store(number, Relaxed);
        Self(number)
    }
}

impl Drop for HookLifetime {
    fn drop(&mut self) {
        let _other = LIVE_HOOK.compare_exchange(self.0, 0, Relaxed, Relaxed);
    }
}

thread_local! {
    /// Whether a hook of ours is at work on this thread: another of ours below it captures nothing.
    static IN_HOOK: Cell<bool> = const { Cell::new(false) };
}

impl ErrorTracker {
    /// Captures from now on what happens outside every monitor's requests too, unless another monitor does.
    pub(crate) fn install(&self, life: &MonitorLifetime) -> ClaimResult {
        global::install(&self.shared, life)
    }

    /// The monitor has ended.
    pub(crate) fn uninstall(&self) {
        global::uninstall(&self.shared);
    }
}

/// Makes a hook of ours the first that a panic meets; the one that was there runs after it. `None`: this thread is
/// panicking, and the hook cannot be changed.
///
/// Where somebody has set another hook since, ours is set again: that one may not call the one before it. Of several
/// hooks of ours that call each other the first captures.
pub(crate) fn set_panic_hook() -> Option<ClaimResult> {
    if std::thread::panicking() {
        return None;
    }
    let mut ours = LAST_HOOK.lock().unwrap_or_else(PoisonError::into_inner);
    let before = std::panic::take_hook();
    let place = |hook: &(dyn Fn(&PanicHookInfo<'_>) + Send + Sync)| {
        std::ptr::from_ref(hook).cast::<()>().addr()
    };
    if *ours == Some((place(&*before), LIVE_HOOK.load(Relaxed))) {
        std::panic::set_hook(before);
        record_hook_set();
        return Some(ClaimResult::AlreadyClaimed);
    }
    let alive = HookLifetime::new();
    let number = alive.0;
    let hook = Box::new(move |info: &PanicHookInfo<'_>| {
        let _with_it = &alive;
        let outer = IN_HOOK.try_with(|it| !it.replace(true)).unwrap_or(true);
        if outer {
            capture(info);
        }
        before(info);
        if outer {
            let _ended = IN_HOOK.try_with(|it| it.set(false));
        }
    });
    *ours = Some((place(&*hook), number));
    std::panic::set_hook(hook);
    record_hook_set();
    Some(ClaimResult::Claimed)
}

/// Runs while a thread panics, where another panic ends the process: nothing foreign is called here, and
/// nothing that may be locked by this thread is waited for.
fn capture(info: &PanicHookInfo<'_>) {
    if is_suppressed() || is_capturing() {
        return;
    }
    record_hook_panic();
    let (Some(shared), Some(location)) = (global::current(), info.location()) else {
        return global::count_unclaimed();
    };
    let payload = info.payload();
    let message = payload
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("a panic whose payload is no text");
    let captured = CaptureInput {
        kind: ErrorKind::Panic,
        event: EventId::random(),
        level: Level::Fatal,
        location,
        details: None,
    };
    shared.capture(&captured, |out| put_text(out, PANIC, message));
}
