//! The time source: monotonic nanoseconds for measuring, a wall-clock anchor for telling.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

#[cfg_attr(not(target_os = "linux"), path = "std_monotonic.rs")]
mod monotonic;

/// Monotonic nanoseconds since the clock was made. A plain number, so that it fits an atomic.
pub(crate) type Nanos = u64;

/// Where a monitor's time comes from. Cheap to clone; clones share the anchor.
///
/// Durations, time-outs and back-off use [`now`](Self::now), which no step of the wall clock moves.
/// Wall time is told as an anchor plus the monotonic reading; the worker renews the anchor, so that a
/// step of the wall clock shows in the lines within a second and never in a duration.
#[derive(Debug, Clone)]
pub(crate) struct Clock {
    /// The machine's monotonic reading when the clock was made.
    origin: Nanos,
    /// The reading of a clock that is driven.
    driven: Option<Arc<AtomicU64>>,
    /// Nanoseconds since the Unix epoch at `now() == 0`.
    anchor: Arc<AtomicU64>,
}

impl Clock {
    /// The machine's clocks.
    pub(crate) fn system() -> Self {
        let clock = Self {
            driven: None,
            ..Self::driven(Duration::ZERO)
        };
        clock.renew_anchor();
        clock
    }

    /// A clock that stands until it is told to move, at `wall` since the Unix epoch.
    pub(crate) fn driven(wall: Duration) -> Self {
        Self {
            origin: monotonic::now(),
            driven: Some(Arc::default()),
            anchor: Arc::new(AtomicU64::new(nanos(wall))),
        }
    }

    /// Monotonic nanoseconds since the clock was made.
    #[inline]
    pub(crate) fn now(&self) -> Nanos {
        match &self.driven {
            None => monotonic::now().saturating_sub(self.origin),
            Some(now) => now.load(Relaxed),
        }
    }

    /// The wall time at a monotonic reading, in nanoseconds since the Unix epoch.
    #[inline]
    pub(crate) fn wall(&self, at: Nanos) -> u64 {
        self.anchor.load(Relaxed).saturating_add(at)
    }

    /// Reads the wall clock again. A driven clock keeps its anchor.
    #[expect(clippy::disallowed_methods, reason = "the one home of the wall clock")]
    pub(crate) fn renew_anchor(&self) {
        if self.driven.is_none() {
            // A clock before 1970 tells the epoch.
            let wall = SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .unwrap_or_default();
            self.anchor
                .store(nanos(wall).saturating_sub(self.now()), Relaxed);
        }
    }

    /// Moves a driven clock on; a system clock takes no notice.
    #[cfg(any(test, feature = "testing"))]
    pub(crate) fn advance(&self, by: Duration) {
        if let Some(now) = &self.driven {
            now.fetch_add(nanos(by), Relaxed);
        }
    }
}

/// A duration as nanoseconds, at most 584 years.
#[inline]
pub(crate) fn nanos(duration: Duration) -> Nanos {
    duration
        .as_secs()
        .saturating_mul(1_000_000_000)
        .saturating_add(u64::from(duration.subsec_nanos()))
}

/// Nanoseconds as seconds.
#[inline]
pub(crate) fn seconds(nanos: Nanos) -> f64 {
    // Half of 584 years is long enough, and a signed number takes one instruction.
    nanos.cast_signed() as f64 / 1e9
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

    #[test]
    fn wall_time_is_close_to_the_machines() {
        let clock = Clock::system();
        let told = Duration::from_nanos(clock.wall(clock.now()));
        let machine = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        assert!(machine.abs_diff(told) < Duration::from_secs(5));
    }
}
