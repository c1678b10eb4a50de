//! Locks that recover from poison.
//!
//! A panic while a lock is held poisons it. The data under the locks of this crate stays usable then: each critical
//! section leaves it consistent at every point where it can panic. So the poison is ignored, and a panic in one thread
//! never becomes a panic in another.

use std::sync::{
    LockResult, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard,
    TryLockError,
};

/// Locks a mutex, poisoned or not.
#[inline]
pub(crate) fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    recover(mutex.lock())
}

/// Locks a mutex, poisoned or not. `None` if another thread holds it.
pub(crate) fn try_lock<T: ?Sized>(mutex: &Mutex<T>) -> Option<MutexGuard<'_, T>> {
    match mutex.try_lock() {
        Ok(guard) => Some(guard),
        Err(TryLockError::Poisoned(error)) => Some(error.into_inner()),
        Err(TryLockError::WouldBlock) => None,
    }
}

/// Locks an `RwLock` for reading, poisoned or not.
#[inline]
pub(crate) fn read_lock<T: ?Sized>(lock: &RwLock<T>) -> RwLockReadGuard<'_, T> {
    recover(lock.read())
}

/// Locks an `RwLock` for writing, poisoned or not.
#[inline]
pub(crate) fn write_lock<T: ?Sized>(lock: &RwLock<T>) -> RwLockWriteGuard<'_, T> {
    recover(lock.write())
}

/// Returns the value of a lock, a condition variable or `get_mut`, poisoned or not.
#[inline]
pub(crate) fn recover<T>(result: LockResult<T>) -> T {
    result.unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_poisoned_lock_is_locked() {
        let (mut mutex, shared) = (Mutex::new(1), RwLock::new(2));
        let poisoned = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let (_mutex, _shared) = (lock(&mutex), write_lock(&shared));
            std::panic::resume_unwind(Box::new(()));
        }));
        assert!(poisoned.is_err() && mutex.is_poisoned() && shared.is_poisoned());
        *lock(&mutex) += 1;
        *write_lock(&shared) += 1;
        assert_eq!((*lock(&mutex), *read_lock(&shared)), (2, 3));
        assert_eq!(try_lock(&mutex).map(|guard| *guard), Some(2));
        assert!(!mutex.is_poisoned() || try_lock(&mutex).is_some());
        assert_eq!(*recover(mutex.get_mut()), 2);
    }
}
