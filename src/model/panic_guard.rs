//! Guards around the host's code, so that a panic in it does not lose a request.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

/// A value that is recorded once, when it ends.
pub(crate) trait EndOnPanic {
    /// Ends it with the outcome of a panic.
    fn panicked(self);
}

/// Runs code that may call code of the host. If it panics, the value in `owner` ends with the outcome of a panic. The
/// panic continues.
#[inline]
pub(crate) fn end_on_panic<T: EndOnPanic, R>(
    owner: &mut Option<T>,
    run: impl FnOnce(&mut Option<T>) -> R,
) -> R {
    let mut guard = EndGuard { owner, done: false };
    let value = run(guard.owner);
    guard.done = true;
    value
}

struct EndGuard<'a, T: EndOnPanic> {
    owner: &'a mut Option<T>,
    done: bool,
}

impl<T: EndOnPanic> Drop for EndGuard<'_, T> {
    #[inline]
    fn drop(&mut self) {
        if !self.done
            && let Some(owned) = self.owner.take()
        {
            owned.panicked();
        }
    }
}

/// Runs the host's code where the state is only shared. A panic sets `panicked`, for the end of the value. The panic
/// continues.
#[inline]
pub(crate) fn flag_on_panic<R>(panicked: Option<&AtomicBool>, run: impl FnOnce() -> R) -> R {
    let mut note = FlagGuard {
        panicked,
        done: false,
    };
    let value = run();
    note.done = true;
    value
}

struct FlagGuard<'a> {
    panicked: Option<&'a AtomicBool>,
    done: bool,
}

impl Drop for FlagGuard<'_> {
    #[inline]
    fn drop(&mut self) {
        if !self.done
            && let Some(panicked) = self.panicked
        {
            panicked.store(true, Relaxed);
        }
    }
}

/// Detects whether the host's code that a value owns panics while the value is dropped.
///
/// Call [`begins`](Self::begins) before the fields are dropped, and [`panicked`](Self::panicked) from the field that is
/// dropped after the host's. A thread that panics then and did not before is panicking in the host's `Drop`.
#[derive(Debug, Default)]
pub(crate) struct DropPanicCheck(bool);

impl DropPanicCheck {
    pub(crate) fn begins(&mut self) {
        self.0 = !std::thread::panicking();
    }

    /// Whether the drop panicked. Resets the check.
    pub(crate) fn panicked(&mut self) -> bool {
        std::mem::take(&mut self.0) && std::thread::panicking()
    }
}
