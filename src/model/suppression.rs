use std::cell::Cell;

/// The mark of an answer that this crate gave itself (a scrape, a health probe), put into the
/// response's extensions. The endpoint layer keeps such a request out of series, records and lines.
#[derive(Debug, Clone, Copy)]
pub(crate) struct OwnResponse;

thread_local! {
    // Without a destructor, so that it can be read while the thread ends.
    static OWN: Cell<bool> = const { Cell::new(false) };
}

/// Says that the calling thread runs this crate's work alone: what the libraries under it log there is not
/// recorded, for it would be about ourselves.
pub(crate) fn suppress_thread() {
    OWN.set(true);
}

/// Whether what runs now on this thread is this crate's work.
#[inline]
pub(crate) fn is_suppressed() -> bool {
    OWN.get()
}

/// Runs this crate's work on a thread of the host's: an answer of ours, with the drop of its request.
#[inline]
pub(crate) fn suppressed<T>(work: impl FnOnce() -> T) -> T {
    let _before = Before(OWN.replace(true));
    work()
}

/// Runs the host's code on a thread of ours: what it has to say is the host's.
pub(crate) fn unsuppressed<T>(work: impl FnOnce() -> T) -> T {
    let _before = Before(OWN.replace(false));
    work()
}

/// What held before, put back when this is dropped, by a panic too.
struct Before(bool);

impl Drop for Before {
    fn drop(&mut self) {
        OWN.set(self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whose_work_it_is_comes_back_after_a_panic_too() {
        assert!(!is_suppressed());
        assert!(suppressed(|| is_suppressed()
            && !unsuppressed(is_suppressed)
            && is_suppressed()));
        let panics = || suppressed(|| std::panic::resume_unwind(Box::new(())));
        assert!(std::panic::catch_unwind(panics).is_err());
        assert!(!is_suppressed());
    }
}
