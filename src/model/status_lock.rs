//! Locks for reads of a status and for a `drop`, which must not hang in a child made by `fork`.

use std::sync::{
    Mutex, MutexGuard, OnceLock, RwLock, RwLockReadGuard, RwLockWriteGuard, TryLockError,
    TryLockResult,
};
use std::time::Duration;

use super::{lock, read_lock, write_lock};

/// How often, and at which interval, a child made by `fork` tries a lock.
const TRIES: u32 = 5;
const PAUSE: Duration = Duration::from_millis(1);

/// The process in which the first monitor was built.
static FIRST: OnceLock<u32> = OnceLock::new();

/// Records that a monitor is built in this process.
pub(crate) fn record_process() {
    FIRST.get_or_init(std::process::id);
}

/// Locks a mutex for a status read.
///
/// A lock that a thread of the parent held at a `fork` stays locked in the child forever. There this waits a few
/// milliseconds and then returns `None`. In other processes it is never `None`.
pub(crate) fn lock_for_status<T>(mutex: &Mutex<T>) -> Option<MutexGuard<'_, T>> {
    bounded(|| mutex.try_lock(), || lock(mutex))
}

/// Like [`lock_for_status`], for an `RwLock`.
pub(crate) fn read_for_status<T>(lock: &RwLock<T>) -> Option<RwLockReadGuard<'_, T>> {
    bounded(|| lock.try_read(), || read_lock(lock))
}

/// Like [`lock_for_status`], for writing to an `RwLock` in a `drop`, which a thread may run when it ends.
pub(crate) fn write_lock_for_drop<T>(lock: &RwLock<T>) -> Option<RwLockWriteGuard<'_, T>> {
    bounded(|| lock.try_write(), || write_lock(lock))
}

fn bounded<G>(try_lock: impl Fn() -> TryLockResult<G>, wait: impl FnOnce() -> G) -> Option<G> {
    let now = || match try_lock() {
        Ok(guard) => Some(guard),
        Err(TryLockError::Poisoned(error)) => Some(error.into_inner()),
        Err(TryLockError::WouldBlock) => None,
    };
    if let Some(guard) = now() {
        return Some(guard);
    }
    if !is_child() {
        return Some(wait());
    }
    (0..TRIES).find_map(|_| {
        std::thread::sleep(PAUSE);
        now()
    })
}

/// Whether this process was forked from the one in which the first monitor was built.
#[cold]
fn is_child() -> bool {
    FIRST.get().is_some_and(|first| is_forked_from(*first))
}

/// Whether this process is not the one with this ID.
pub(crate) fn is_forked_from(process: u32) -> bool {
    #[cfg(test)]
    if IMITATED.get() {
        return true;
    }
    process != std::process::id()
}

#[cfg(test)]
thread_local! {
    static IMITATED: std::cell::Cell<bool> = const { std::cell::Cell::new(false) };
}

/// Runs code as if this thread were the only one of a child made by `fork`.
#[cfg(test)]
pub(crate) fn as_in_child<R>(run: impl FnOnce() -> R) -> R {
    IMITATED.set(true);
    let done = run();
    IMITATED.set(false);
    done
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_child_does_not_wait_for_a_lock() {
        record_process();
        let (mutex, shared) = (Mutex::new(1), RwLock::new(2));
        as_in_child(|| {
            assert_eq!(lock_for_status(&mutex).as_deref(), Some(&1));
            assert_eq!(read_for_status(&shared).as_deref(), Some(&2));
            assert_eq!(write_lock_for_drop(&shared).as_deref(), Some(&2));
        });
        let (_held, _written) = (mutex.lock().unwrap(), shared.write().unwrap());
        as_in_child(|| {
            assert!(lock_for_status(&mutex).is_none());
            assert!(read_for_status(&shared).is_none());
            assert!(write_lock_for_drop(&shared).is_none());
        });
    }
}
