//! How late the rules are evaluated.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use crate::clock::{Nanos, nanos};

/// The time by which evaluations are late: an evaluation is due one interval after the one before began.
#[derive(Debug)]
pub(super) struct EvaluationLag {
    interval: Nanos,
    /// When the last evaluation began. Before the first one, when the alerts were created.
    begun: AtomicU64,
    /// How late the last evaluation began.
    last: AtomicU64,
}

impl EvaluationLag {
    pub(super) fn new(interval: Duration, now: Nanos) -> Self {
        Self {
            interval: nanos(interval),
            begun: AtomicU64::new(now),
            last: AtomicU64::new(0),
        }
    }

    /// Notes that an evaluation begins.
    pub(super) fn begin(&self, now: Nanos) {
        self.last.store(self.overdue(now), Relaxed);
        self.begun.store(now, Relaxed);
    }

    /// How late the last evaluation began. If the next one has been due for longer, that time, so that evaluations that
    /// hang are visible too.
    pub(super) fn at(&self, now: Nanos) -> Nanos {
        self.last.load(Relaxed).max(self.overdue(now))
    }

    fn overdue(&self, now: Nanos) -> Nanos {
        let since = now.saturating_sub(self.begun.load(Relaxed));
        since.saturating_sub(self.interval)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lag_is_that_of_the_last_evaluation_or_of_the_one_that_is_due() {
        let second = Duration::from_secs(1);
        let at = |seconds: u64| seconds * 1_000_000_000;
        let lag = EvaluationLag::new(10 * second, at(100));
        // Nothing is due before the first interval has passed.
        assert_eq!(lag.at(at(110)), 0);
        assert_eq!(lag.at(at(113)), at(3));
        lag.begin(at(114));
        // It began 4 s late, until one begins in time.
        assert_eq!([lag.at(at(114)), lag.at(at(124))], [at(4), at(4)]);
        assert_eq!(lag.at(at(130)), at(6));
        lag.begin(at(130));
        lag.begin(at(140));
        assert_eq!(lag.at(at(150)), 0);
    }
}
