use std::cell::Cell;

/// Marks a response of this crate's own pages (metrics, health) in its extensions. The endpoint layer does not record
/// such a request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct OwnResponse;

thread_local! {
    // It has no destructor, so that it can be read while the thread ends.
    static SUPPRESSED: Cell<bool> = const { Cell::new(false) };
}

/// Suppresses telemetry on the calling thread permanently, because it runs only this crate's work. Events of libraries
/// on this thread are not recorded: they would describe the monitor itself.
pub(crate) fn suppress_thread() {
    SUPPRESSED.set(true);
}

/// Whether telemetry is suppressed on this thread now, because it runs this crate's work.
#[inline]
pub(crate) fn is_suppressed() -> bool {
    SUPPRESSED.get()
}

/// Runs this crate's work on a thread of the host with telemetry suppressed, such as a response of ours and the drop of
/// its request.
#[inline]
pub(crate) fn suppressed<T>(work: impl FnOnce() -> T) -> T {
    let _before = RestoreOnDrop(SUPPRESSED.replace(true));
    work()
}

/// Runs the host's code on a thread of ours, such as a health check, without suppression: its telemetry is the host's.
pub(crate) fn unsuppressed<T>(work: impl FnOnce() -> T) -> T {
    let _before = RestoreOnDrop(SUPPRESSED.replace(false));
    work()
}

/// Restores the earlier state on drop, also when a panic unwinds.
struct RestoreOnDrop(bool);

impl Drop for RestoreOnDrop {
    fn drop(&mut self) {
        SUPPRESSED.set(self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suppression_is_restored_after_a_panic() {
        assert!(!is_suppressed());
        assert!(suppressed(|| is_suppressed()
            && !unsuppressed(is_suppressed)
            && is_suppressed()));
        let panics = || suppressed(|| std::panic::resume_unwind(Box::new(())));
        assert!(std::panic::catch_unwind(panics).is_err());
        assert!(!is_suppressed());
    }
}
