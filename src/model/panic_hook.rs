//! Compares the panics that the panic hook saw with those that layers saw. A panic that reaches a layer but not the
//! hook shows that the hook is not called.

use std::cell::RefCell;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed};

/// The maximum number of calls of the hook that are remembered for a layer that sees their panic on another thread: as
/// many as may panic at the same time. With more, it would take longer to notice that the hook is no longer called.
const MAX_UNMATCHED: u32 = 256;
/// The maximum number of monitors for which a thread stores the last panic.
const MONITORS: usize = 8;

static PANIC_COUNTS: PanicCounts = PanicCounts::new();
/// The number of the last panic.
static PANICS: AtomicU64 = AtomicU64::new(0);

/// The counts of the process.
struct PanicCounts {
    /// Whether a hook of ours was ever set.
    set: AtomicBool,
    /// Calls of the hook for panics that no layer has seen yet.
    unmatched: AtomicU32,
    /// Panics that a layer saw and the hook did not see.
    missed: AtomicU64,
}

thread_local! {
    static THREAD_PANICS: RefCell<ThreadPanics> = const { RefCell::new(ThreadPanics { last: 0, seen: true, seen_by: Vec::new() }) };
}

/// The last panic of a thread.
struct ThreadPanics {
    /// Its number; 0 if there was none.
    last: u64,
    /// Whether a layer has seen it.
    seen: bool,
    /// For each monitor, the last panic that its layers saw on this thread.
    seen_by: Vec<(u32, u64)>,
}

impl ThreadPanics {
    /// Records that a monitor's layer sees the last panic. `false` if it has seen that one before, so that this is
    /// another.
    fn sees(&mut self, monitor: u32) -> bool {
        let last = self.last;
        if let Some((_, seen)) = self.seen_by.iter_mut().find(|(of, _)| *of == monitor) {
            return std::mem::replace(seen, last) != last;
        }
        if last == 0 {
            return false;
        }
        if self.seen_by.len() == MONITORS {
            self.seen_by.remove(0);
        }
        self.seen_by.push((monitor, last));
        true
    }

    fn begins(&mut self, seen: bool) {
        self.last = PANICS.fetch_add(1, Relaxed) + 1;
        self.seen = seen;
    }
}

impl PanicCounts {
    const fn new() -> Self {
        Self {
            set: AtomicBool::new(false),
            unmatched: AtomicU32::new(0),
            missed: AtomicU64::new(0),
        }
    }

    fn record_hook_set(&self) {
        self.set.store(true, Relaxed);
        self.missed.store(0, Relaxed);
    }

    fn record_hook_panic(&self) {
        let more = |unmatched: u32| (unmatched < MAX_UNMATCHED).then_some(unmatched + 1);
        let _counted = self.unmatched.fetch_update(Relaxed, Relaxed, more);
        let _ended = THREAD_PANICS.try_with(|here| {
            if let Ok(mut here) = here.try_borrow_mut() {
                here.begins(false);
            }
        });
    }

    fn record_layer_panic(&self, monitor: u32) {
        let _ended = THREAD_PANICS.try_with(|here| {
            let Ok(mut here) = here.try_borrow_mut() else {
                return;
            };
            if here.sees(monitor) {
                if !std::mem::replace(&mut here.seen, true) {
                    self.take_unmatched();
                }
                return;
            }
            if !self.take_unmatched() {
                self.missed.fetch_add(1, Relaxed);
            }
            // Numbered, since the layers of other monitors see the same panic.
            here.begins(true);
            here.sees(monitor);
        });
    }

    fn take_unmatched(&self) -> bool {
        let less = |unmatched: u32| unmatched.checked_sub(1);
        self.unmatched.fetch_update(Relaxed, Relaxed, less).is_ok()
    }
}

/// Records that a hook of ours is the first one from now on.
pub(crate) fn record_hook_set() {
    PANIC_COUNTS.record_hook_set();
}

/// Whether a hook of ours has ever been set in this process.
pub(crate) fn has_panic_hook() -> bool {
    PANIC_COUNTS.set.load(Relaxed)
}

/// The number of panics that layers saw and no hook of ours did, since the hook was last set.
pub(crate) fn missed_panics() -> u64 {
    PANIC_COUNTS.missed.load(Relaxed)
}

/// Records a call of the hook. It calls no foreign code and waits for no lock.
pub(crate) fn record_hook_panic() {
    PANIC_COUNTS.record_hook_panic();
}

/// Records that a layer of a monitor saw a panic. One that the hook saw on another thread (`resume_unwind`) counts as
/// seen.
#[cold]
#[inline(never)]
pub(crate) fn record_layer_panic(monitor: u32) {
    PANIC_COUNTS.record_layer_panic(monitor);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_missed_if_no_hook_saw_it_on_any_thread() {
        let counts = PanicCounts::new();
        let elsewhere = || {
            std::thread::scope(|scope| scope.spawn(|| counts.record_hook_panic()).join().unwrap());
        };
        // The layers of two monitors see each.
        let missed = || {
            let before = counts.missed.load(Relaxed);
            counts.record_layer_panic(1);
            counts.record_layer_panic(2);
            counts.missed.load(Relaxed) - before
        };
        for _ in 0..3 {
            counts.record_hook_panic();
            assert_eq!(missed(), 0);
        }
        assert_eq!((missed(), missed()), (1, 1));
        elsewhere();
        assert_eq!((missed(), missed()), (0, 1));
        // Panics outside requests hide at most `MAX_UNMATCHED` panics.
        for _ in 0..300 {
            elsewhere();
        }
        let hidden = (0..300).take_while(|_| missed() == 0).count();
        assert_eq!(hidden, MAX_UNMATCHED as usize);
        counts.record_hook_set();
        assert_eq!(counts.missed.load(Relaxed), 0);
    }
}
