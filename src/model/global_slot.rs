use std::sync::atomic::{AtomicU32, Ordering::Acquire, Ordering::Release};
use std::sync::{Arc, RwLock};

use super::{MonitorLifetime, read_lock, write_lock};

/// The result of a monitor's claim to a global of the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ClaimResult {
    /// The monitor has it from now on.
    Claimed,
    /// The monitor has had it since an earlier call.
    AlreadyClaimed,
    /// Another monitor that is running has it.
    HeldByOther,
    /// Code other than this crate has set it.
    Foreign,
}

/// The target of a global that can be set only once: the part of the monitor that claimed it first, and after that
/// monitor's end the part of the next one.
///
/// In a process with one monitor, access costs one load of a flag that is never written.
#[derive(Debug)]
pub(crate) struct GlobalSlot<T> {
    /// The part of the first monitor. It is never removed, like the global itself.
    first: T,
    /// How often another monitor has taken over.
    changes: AtomicU32,
    now: RwLock<CurrentOwner<T>>,
}

#[derive(Debug)]
struct CurrentOwner<T> {
    later: Option<Arc<T>>,
    life: MonitorLifetime,
}

impl<T> GlobalSlot<T> {
    pub(crate) fn new(first: T, life: MonitorLifetime) -> Self {
        Self {
            first,
            changes: AtomicU32::new(0),
            now: RwLock::new(CurrentOwner { later: None, life }),
        }
    }

    /// How often another monitor has taken over.
    #[inline]
    pub(crate) fn changes(&self) -> u32 {
        self.changes.load(Acquire)
    }

    /// Runs `run` with the part of the monitor that has the global now, without holding a lock.
    #[inline]
    pub(crate) fn with<R>(&self, run: impl FnOnce(&T) -> R) -> R {
        if self.changes() > 0 {
            return self.with_later(run);
        }
        run(&self.first)
    }

    #[cold]
    #[inline(never)]
    fn with_later<R>(&self, run: impl FnOnce(&T) -> R) -> R {
        match self.later() {
            Some(later) => run(&later),
            None => run(&self.first),
        }
    }

    fn later(&self) -> Option<Arc<T>> {
        let now = read_lock(&self.now);
        now.later.clone()
    }

    /// The part of the monitor that claimed the global first.
    pub(crate) fn first(&self) -> &T {
        &self.first
    }

    /// Whether this monitor has the global.
    pub(crate) fn is_owned_by(&self, life: &MonitorLifetime) -> bool {
        let now = read_lock(&self.now);
        now.life.is(life)
    }

    /// Gives the global to this monitor if its current owner has ended.
    pub(crate) fn claim(&self, part: T, life: &MonitorLifetime) -> ClaimResult {
        let mut now = write_lock(&self.now);
        if now.life.is(life) {
            return ClaimResult::AlreadyClaimed;
        }
        if !now.life.has_ended() {
            return ClaimResult::HeldByOther;
        }
        let before = now.later.replace(Arc::new(part));
        now.life = life.clone();
        self.changes.fetch_add(1, Release);
        drop(now);
        // After the lock is released: this may be the last reference, whose drop runs arbitrary code.
        drop(before);
        ClaimResult::Claimed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_one_follows_the_end_of_the_one_before() {
        let lives: [MonitorLifetime; 3] = Default::default();
        let [first, second, third] = &lives;
        let global = GlobalSlot::new(1, first.clone());
        let now = || global.with(|part| *part);
        assert_eq!(global.claim(1, first), ClaimResult::AlreadyClaimed);
        assert_eq!(
            (global.claim(2, second), now()),
            (ClaimResult::HeldByOther, 1)
        );
        first.end();
        assert_eq!((global.claim(2, second), now()), (ClaimResult::Claimed, 2));
        assert_eq!(global.claim(2, second), ClaimResult::AlreadyClaimed);
        assert_eq!(global.claim(1, first), ClaimResult::HeldByOther);
        second.end();
        assert_eq!((global.claim(3, third), now()), (ClaimResult::Claimed, 3));
        assert_eq!((global.changes(), *global.first()), (2, 1));
    }
}
