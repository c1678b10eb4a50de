//! The time source: monotonic nanoseconds to measure durations, and an anchor to convert them to wall-clock time.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

#[cfg_attr(not(target_os = "linux"), path = "std_monotonic.rs")]
mod monotonic;
mod nanos;
mod rfc3339;

pub(crate) use self::nanos::{Nanos, nanos, seconds, wall_nanos};
pub(crate) use self::rfc3339::rfc3339;

/// The clock of a monitor. Cheap to clone; clones share the anchor.
///
/// Durations, timeouts and back-off use [`now`](Self::now), which is independent of steps of the wall clock. Wall time
/// is an anchor plus the monotonic reading. The worker renews the anchor, so that log records follow a step of the wall
/// clock within about a second, and durations never do.
#[derive(Debug, Clone)]
pub(crate) struct Clock {
    /// The system's monotonic reading when the clock was made.
    origin: Nanos,
    /// The state of a driven clock; `None` for the system's clock.
    driven: Option<Arc<DrivenClock>>,
    /// Nanoseconds since the Unix epoch at `now() == 0`.
    anchor: Arc<AtomicU64>,
}

/// A clock that a test moves, and that it can let run.
#[derive(Debug)]
struct DrivenClock {
    /// How far it was moved.
    moved: AtomicU64,
    /// The system's monotonic reading when it began to run; [`STANDS`](Self::STANDS) until then.
    runs_since: AtomicU64,
}

impl DrivenClock {
    const STANDS: Nanos = Nanos::MAX;

    fn now(&self) -> Nanos {
        let moved = self.moved.load(Relaxed);
        match self.runs_since.load(Relaxed) {
            Self::STANDS => moved,
            since => moved.saturating_add(monotonic::now().saturating_sub(since)),
        }
    }
}

impl Clock {
    /// The system's clocks.
    pub(crate) fn system() -> Self {
        let clock = Self {
            driven: None,
            ..Self::driven(Duration::ZERO)
        };
        clock.renew_anchor();
        clock
    }

    /// A clock for tests that stands still until `advance` is called. It starts at `wall` since the Unix epoch.
    pub(crate) fn driven(wall: Duration) -> Self {
        Self {
            origin: monotonic::now(),
            driven: Some(Arc::new(DrivenClock {
                moved: AtomicU64::new(0),
                runs_since: AtomicU64::new(DrivenClock::STANDS),
            })),
            anchor: Arc::new(AtomicU64::new(nanos(wall))),
        }
    }

    /// Monotonic nanoseconds since the clock was made.
    #[inline]
    pub(crate) fn now(&self) -> Nanos {
        match &self.driven {
            None => monotonic::now().saturating_sub(self.origin),
            Some(driven) => driven.now(),
        }
    }

    /// The wall time at a monotonic reading, in nanoseconds since the Unix epoch.
    #[inline]
    pub(crate) fn wall(&self, at: Nanos) -> u64 {
        self.anchor.load(Relaxed).saturating_add(at)
    }

    /// Reads the wall clock again. A driven clock keeps its anchor.
    #[expect(
        clippy::disallowed_methods,
        reason = "the only place that reads the wall clock"
    )]
    pub(crate) fn renew_anchor(&self) {
        if self.driven.is_none() {
            // A wall clock before 1970 counts as the epoch.
            let wall = SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .unwrap_or_default();
            self.anchor
                .store(nanos(wall).saturating_sub(self.now()), Relaxed);
        }
    }

    /// Moves a driven clock forward. Has no effect on a system clock.
    #[cfg(any(test, feature = "testing"))]
    pub(crate) fn advance(&self, by: Duration) {
        if let Some(driven) = &self.driven {
            driven.moved.fetch_add(nanos(by), Relaxed);
        }
    }

    /// Lets a driven clock go on with the system's. Has no effect on a system clock, or on one that runs already.
    #[cfg(feature = "testing")]
    pub(crate) fn run(&self) {
        if let Some(driven) = &self.driven {
            let (stands, now) = (DrivenClock::STANDS, monotonic::now());
            // A failure means that it runs already.
            let _already = driven
                .runs_since
                .compare_exchange(stands, now, Relaxed, Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_driven_clock_stands_until_it_is_moved() {
        let clock = Clock::driven(Duration::from_secs(100));
        let other = clock.clone();
        assert_eq!((clock.now(), clock.wall(clock.now())), (0, 100_000_000_000));
        other.advance(Duration::from_secs(2));
        clock.renew_anchor();
        assert_eq!(clock.wall(clock.now()), 102_000_000_000);
    }

    #[cfg(feature = "testing")]
    #[test]
    fn a_driven_clock_that_runs_goes_on_from_where_it_was_moved() {
        let clock = Clock::driven(Duration::from_secs(100));
        let other = clock.clone();
        clock.advance(Duration::from_secs(2));
        clock.run();
        let begin = other.now();
        assert!(begin >= 2_000_000_000);
        while other.now() == begin {
            std::hint::spin_loop();
        }
        // To run again changes nothing, and it can still be moved.
        let before = other.now();
        clock.run();
        clock.advance(Duration::from_secs(1));
        assert!(other.now() - before >= 1_000_000_000);
        assert!(clock.wall(clock.now()) >= 103_000_000_000);
    }

    #[test]
    fn wall_time_is_close_to_the_machines() {
        let clock = Clock::system();
        let wall = Duration::from_nanos(clock.wall(clock.now()));
        let machine = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        assert!(machine.abs_diff(wall) < Duration::from_secs(5));
    }
}
