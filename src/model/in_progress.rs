use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use crate::clock::Nanos;

/// Since when work that may hang has been in progress. Of several calls at once, the first is measured.
#[derive(Debug, Default)]
pub(crate) struct InProgress {
    /// The time of the begin plus one; 0 while nothing is measured.
    since: AtomicU64,
}

impl InProgress {
    /// Runs `work`, which begins at `now`.
    pub(crate) fn track<R>(&self, now: Nanos, work: impl FnOnce() -> R) -> R {
        let begin = now.saturating_add(1);
        let is_first = self
            .since
            .compare_exchange(0, begin, Relaxed, Relaxed)
            .is_ok();
        // Ends also when `work` panics.
        let _ended = is_first.then(|| MeasuredCall(&self.since));
        work()
    }

    /// For how long it has been in progress at `now`.
    pub(crate) fn age(&self, now: Nanos) -> Option<Duration> {
        let since = self.since.load(Relaxed).checked_sub(1)?;
        Some(Duration::from_nanos(now.saturating_sub(since)))
    }
}

/// The call that is measured.
struct MeasuredCall<'a>(&'a AtomicU64);

impl Drop for MeasuredCall<'_> {
    fn drop(&mut self) {
        self.0.store(0, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::catch_panic;

    #[test]
    fn the_first_of_several_calls_is_measured_until_it_ends() {
        let (progress, second) = (InProgress::default(), Duration::from_secs(1));
        assert_eq!(progress.age(5), None);
        progress.track(0, || {
            assert_eq!(progress.age(1_000_000_000), Some(second));
            progress.track(500_000_000, || ());
            assert_eq!(progress.age(1_000_000_000), Some(second));
            // A clock that is behind.
            assert_eq!(progress.age(0), Some(Duration::ZERO));
        });
        assert_eq!(progress.age(5), None);
        catch_panic(|| progress.track(7, || std::panic::resume_unwind(Box::new(()))));
        assert_eq!(progress.age(9), None);
    }
}
