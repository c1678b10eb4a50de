//! What the panic hook saw, beside what layers saw: a panic that reaches a layer without the hook shows that the hook is
//! not called.

use std::cell::RefCell;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed};

/// Calls of the hook that may wait for a layer that sees their panic on another thread: as many as panic at once. More
/// would hide for longer that the hook is called no more.
const MOST_SPARE: u32 = 256;
/// The maximum number of monitors for which a thread remembers the last panic.
const MONITORS: usize = 8;

static COUNTS: Counts = Counts::new();
/// Numbers panics.
static PANICS: AtomicU64 = AtomicU64::new(0);

/// What a process counts.
struct Counts {
    /// Whether a hook of ours was ever set.
    set: AtomicBool,
    /// Calls of the hook whose panic no layer has seen so far.
    spare: AtomicU32,
    /// Panics that a layer saw and the hook did not.
    missed: AtomicU64,
}

thread_local! {
    static HERE: RefCell<Here> = const { RefCell::new(Here { last: 0, seen: true, by: Vec::new() }) };
}

/// The last panic of a thread.
struct Here {
    /// Its number; 0: there was none.
    last: u64,
    /// Whether a layer saw it.
    seen: bool,
    /// The last panic that each monitor's layers saw here.
    by: Vec<(u32, u64)>,
}

impl Here {
    /// A monitor's layer sees the last panic. `false`: it has seen that one before, so this is another.
    fn sees(&mut self, monitor: u32) -> bool {
        let last = self.last;
        if let Some((_, seen)) = self.by.iter_mut().find(|(of, _)| *of == monitor) {
            return std::mem::replace(seen, last) != last;
        }
        if last == 0 {
            return false;
        }
        if self.by.len() == MONITORS {
            self.by.remove(0);
        }
        self.by.push((monitor, last));
        true
    }

    fn begins(&mut self, seen: bool) {
        self.last = PANICS.fetch_add(1, Relaxed) + 1;
        self.seen = seen;
    }
}

impl Counts {
    const fn new() -> Self {
        Self {
            set: AtomicBool::new(false),
            spare: AtomicU32::new(0),
            missed: AtomicU64::new(0),
        }
    }

    fn record_hook_set(&self) {
        self.set.store(true, Relaxed);
        self.missed.store(0, Relaxed);
    }

    fn record_hook_panic(&self) {
        let more = |spare: u32| (spare < MOST_SPARE).then_some(spare + 1);
        let _counted = self.spare.fetch_update(Relaxed, Relaxed, more);
        let _ended = HERE.try_with(|here| {
            if let Ok(mut here) = here.try_borrow_mut() {
                here.begins(false);
            }
        });
    }

    fn record_layer_panic(&self, monitor: u32) {
        let _ended = HERE.try_with(|here| {
            let Ok(mut here) = here.try_borrow_mut() else {
                return;
            };
            if here.sees(monitor) {
                if !std::mem::replace(&mut here.seen, true) {
                    self.take_spare();
                }
                return;
            }
            if !self.take_spare() {
                self.missed.fetch_add(1, Relaxed);
            }
            // The layers of other monitors see the same panic.
            here.begins(true);
            here.sees(monitor);
        });
    }

    fn take_spare(&self) -> bool {
        let less = |spare: u32| spare.checked_sub(1);
        self.spare.fetch_update(Relaxed, Relaxed, less).is_ok()
    }
}

/// A hook of ours is the first that a panic meets from now on.
pub(crate) fn record_hook_set() {
    COUNTS.record_hook_set();
}

/// Whether a hook of ours was ever set in this process.
pub(crate) fn has_panic_hook() -> bool {
    COUNTS.set.load(Relaxed)
}

/// Panics that layers saw and no hook of ours did, since the hook was set last.
pub(crate) fn missed_panics() -> u64 {
    COUNTS.missed.load(Relaxed)
}

/// The hook was called. It calls nothing foreign and waits for no lock.
pub(crate) fn record_hook_panic() {
    COUNTS.record_hook_panic();
}

/// A layer of a monitor saw a panic. One that the hook saw on another thread (`resume_unwind`) counts as seen.
#[cold]
#[inline(never)]
pub(crate) fn record_layer_panic(monitor: u32) {
    COUNTS.record_layer_panic(monitor);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_missed_if_no_hook_saw_it_on_any_thread() {
        let counts = Counts::new();
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
        // What panics outside requests hides no more than so many.
        for _ in 0..300 {
            elsewhere();
        }
        let hidden = (0..300).take_while(|_| missed() == 0).count();
        assert_eq!(hidden, MOST_SPARE as usize);
        counts.record_hook_set();
        assert_eq!(counts.missed.load(Relaxed), 0);
    }
}
