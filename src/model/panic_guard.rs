//! The host's code called from places where a panic would lose a request.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

/// What is recorded once, at its end.
pub(crate) trait EndOnPanic {
    /// Ends it as panicked.
    fn panicked(self);
}

/// Runs code that may call the host's. If it panics, what `owner` owns ends as panicked; the panic goes on.
#[inline]
pub(crate) fn end_on_panic<T: EndOnPanic, R>(
    owner: &mut Option<T>,
    run: impl FnOnce(&mut Option<T>) -> R,
) -> R {
    let mut guard = Guard { owner, done: false };
    let value = run(guard.owner);
    guard.done = true;
    value
}

struct Guard<'a, T: EndOnPanic> {
    owner: &'a mut Option<T>,
    done: bool,
}

impl<T: EndOnPanic> Drop for Guard<'_, T> {
    #[inline]
    fn drop(&mut self) {
        if !self.done
            && let Some(owned) = self.owner.take()
        {
            owned.panicked();
        }
    }
}

/// Runs code of the host's where the state is only shared. A panic is noted for its end; the panic goes on.
#[inline]
pub(crate) fn flag_on_panic<R>(panicked: Option<&AtomicBool>, run: impl FnOnce() -> R) -> R {
    let mut note = Note {
        panicked,
        done: false,
    };
    let value = run();
    note.done = true;
    value
}

struct Note<'a> {
    panicked: Option<&'a AtomicBool>,
    done: bool,
}

impl Drop for Note<'_> {
    #[inline]
    fn drop(&mut self) {
        if !self.done
            && let Some(panicked) = self.panicked
        {
            panicked.store(true, Relaxed);
        }
    }
}

/// Whether the code of the host's that a value owns panics while the value is dropped.
///
/// [`begins`](Self::begins) is called before the fields are dropped, [`panicked`](Self::panicked) by the one that is
/// dropped after the host's: a thread that panics then and did not before panics in the host's `Drop`.
#[derive(Debug, Default)]
pub(crate) struct DropPanicCheck(bool);

impl DropPanicCheck {
    pub(crate) fn begins(&mut self) {
        self.0 = !std::thread::panicking();
    }

    /// Forgets what it knew.
    pub(crate) fn panicked(&mut self) -> bool {
        std::mem::take(&mut self.0) && std::thread::panicking()
    }
}
