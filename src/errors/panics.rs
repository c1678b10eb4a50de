//! Panics, captured once each by a hook: layers that catch them come later, in whatever order.

use std::cell::Cell;
use std::panic::PanicHookInfo;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};

use super::ambient;
use super::capture::{Captured, Errors, is_capturing};
use super::chain::put_text;
use crate::model::{EventId, Level, Life, Taken, hook_is_set, hook_saw_panic, is_own_thread};
use crate::request::ErrorKind;

/// The type that a panic is told under.
const PANIC: &str = "panic";

/// Where the hook lies that was set last, and its number. Nothing else lies there as long as it is alive.
static OURS: Mutex<Option<(usize, u64)>> = Mutex::new(None);
/// The number of that hook while it is alive, else 0.
static ALIVE: AtomicU64 = AtomicU64::new(0);

/// Goes with a hook of this number when that is dropped.
struct Alive(u64);

impl Alive {
    fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let number = NEXT.fetch_add(1, Relaxed);
        ALIVE.store(number, Relaxed);
        Self(number)
    }
}

impl Drop for Alive {
    fn drop(&mut self) {
        let _other = ALIVE.compare_exchange(self.0, 0, Relaxed, Relaxed);
    }
}

thread_local! {
    /// Whether a hook of ours is at work on this thread: another of ours below it captures nothing.
    static HOOKED: Cell<bool> = const { Cell::new(false) };
}

impl Errors {
    /// Captures from now on what happens outside every monitor's requests too, unless another monitor does.
    pub(crate) fn install(&self, life: &Life) -> Taken {
        ambient::install(&self.shared, life)
    }

    /// The monitor has ended.
    pub(crate) fn uninstall(&self) {
        ambient::uninstall(&self.shared);
    }
}

/// Makes a hook of ours the first that a panic meets; the one that was there runs after it. `None`: this thread is
/// panicking, and the hook cannot be changed.
///
/// Where somebody has set another hook since, ours is set again: that one may not call the one before it. Of several
/// hooks of ours that call each other the first captures.
pub(crate) fn set_panic_hook() -> Option<Taken> {
    if std::thread::panicking() {
        return None;
    }
    let mut ours = OURS.lock().unwrap_or_else(PoisonError::into_inner);
    let before = std::panic::take_hook();
    let place = |hook: &(dyn Fn(&PanicHookInfo<'_>) + Send + Sync)| {
        std::ptr::from_ref(hook).cast::<()>().addr()
    };
    if *ours == Some((place(&*before), ALIVE.load(Relaxed))) {
        std::panic::set_hook(before);
        hook_is_set();
        return Some(Taken::Before);
    }
    let alive = Alive::new();
    let number = alive.0;
    let hook = Box::new(move |info: &PanicHookInfo<'_>| {
        let _with_it = &alive;
        let outer = HOOKED.try_with(|it| !it.replace(true)).unwrap_or(true);
        if outer {
            capture(info);
        }
        before(info);
        if outer {
            let _ended = HOOKED.try_with(|it| it.set(false));
        }
    });
    *ours = Some((place(&*hook), number));
    std::panic::set_hook(hook);
    hook_is_set();
    Some(Taken::Now)
}

/// Runs while a thread panics, where another panic ends the process: nothing foreign is called here, and
/// nothing that may be locked by this thread is waited for.
fn capture(info: &PanicHookInfo<'_>) {
    if is_own_thread() || is_capturing() {
        return;
    }
    hook_saw_panic();
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
