//! The panic hook. It captures each panic once; layers that catch the panic come later, in any order.

use std::cell::Cell;
use std::panic::PanicHookInfo;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::capture::{CaptureInput, is_capturing};
use super::chain::put_text;
use super::registry;
use crate::model::{ClaimResult, Level, is_suppressed, lock, record_hook_panic, record_hook_set};
use crate::record::ErrorKind;

/// The type name of a panic's event.
const PANIC: &str = "panic";

/// The address of the hook that this crate set last, and its number. While that hook exists, nothing else has the
/// address.
static LAST_HOOK: Mutex<Option<(usize, u64)>> = Mutex::new(None);
/// The number of that hook while it exists, else 0.
static LIVE_HOOK: AtomicU64 = AtomicU64::new(0);

/// Owned by the hook with this number; dropped with it.
struct HookLifetime(u64);

impl HookLifetime {
    fn begin() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let number = NEXT.fetch_add(1, Relaxed);
        LIVE_HOOK.store(number, Relaxed);
        Self(number)
    }
}

impl Drop for HookLifetime {
    fn drop(&mut self) {
        let _newer = LIVE_HOOK.compare_exchange(self.0, 0, Relaxed, Relaxed);
    }
}

thread_local! {
    /// Whether a hook of this crate runs on this thread. Another one that it calls captures nothing.
    static IN_HOOK: Cell<bool> = const { Cell::new(false) };
}

/// Sets a hook of this crate in front of the process's hook, which runs after it. Returns `None` on a panicking thread,
/// where a hook cannot be changed.
///
/// If another hook was set since the last call, this crate's is set again: that hook may not call the one before it. If
/// several hooks of this crate call each other, the first one captures.
pub(crate) fn set_panic_hook() -> Option<ClaimResult> {
    // `take_hook` and `set_hook` panic there, which would abort the process.
    if std::thread::panicking() {
        return None;
    }
    let mut last_hook = lock(&LAST_HOOK);
    let before = std::panic::take_hook();
    let address = |hook: &(dyn Fn(&PanicHookInfo<'_>) + Send + Sync)| {
        std::ptr::from_ref(hook).cast::<()>().addr()
    };
    // The address is not sufficient: after a hook is dropped, another one may get its memory.
    if *last_hook == Some((address(&*before), LIVE_HOOK.load(Relaxed))) {
        std::panic::set_hook(before);
        record_hook_set();
        return Some(ClaimResult::AlreadyClaimed);
    }
    let lifetime = HookLifetime::begin();
    let number = lifetime.0;
    let hook = Box::new(move |info: &PanicHookInfo<'_>| {
        let _owned_by_the_hook = &lifetime;
        let is_outermost = IN_HOOK.try_with(|it| !it.replace(true)).unwrap_or(true);
        if is_outermost {
            capture(info);
        }
        before(info);
        if is_outermost {
            let _ended = IN_HOOK.try_with(|it| it.set(false));
        }
    });
    *last_hook = Some((address(&*hook), number));
    std::panic::set_hook(hook);
    record_hook_set();
    Some(ClaimResult::Claimed)
}

/// Captures a panic.
///
/// It runs while the thread panics, when a second panic aborts the process. So it calls no code of the host and waits
/// for no lock that this thread may hold.
fn capture(info: &PanicHookInfo<'_>) {
    if is_suppressed() || is_capturing() {
        return;
    }
    record_hook_panic();
    let (Some(shared), Some(location)) = (registry::current(), info.location()) else {
        return registry::count_unrouted();
    };
    let payload = info.payload();
    let message = payload
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("a panic whose payload is not a string");
    let input = CaptureInput::new(ErrorKind::Panic, Level::Fatal, location);
    shared.capture(&input, |out| put_text(out, PANIC, message));
}
