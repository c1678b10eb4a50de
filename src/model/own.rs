use std::cell::Cell;

/// The mark of an answer that this crate gave itself (a scrape, a health probe), put into the
/// response's extensions. The endpoint layer keeps such a request out of series, records and lines.
#[derive(Debug, Clone, Copy)]
pub(crate) struct OwnAnswer;

thread_local! {
    // Without a destructor, so that it can be read while the thread ends.
    static OWN: Cell<bool> = const { Cell::new(false) };
}

/// Says that the calling thread runs this crate's work alone: what the libraries under it log there is not
/// recorded, for it would be about ourselves.
pub(crate) fn mark_own_thread() {
    OWN.set(true);
}

/// Whether [`mark_own_thread`] was called on this thread.
#[inline]
pub(crate) fn is_own_thread() -> bool {
    OWN.get()
}
