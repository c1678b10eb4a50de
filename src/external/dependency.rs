use std::sync::Arc;
use std::time::Duration;

use super::service_limits::Limit;
use crate::clock::Nanos;

/// The minimum number of recent calls before a service can be degraded or down by its error rate.
const MIN_CALLS: usize = 5;
/// The error rate of recent calls from which on a service is down.
const DOWN: f64 = 0.5;
/// The error rate of recent calls from which on a service is degraded.
const DEGRADED: f64 = 0.1;

/// The begin of the reason for a state that comes from a requested pause.
const PAUSE: &str = "it asked to be called no earlier than in";

/// The state of a service that the host calls, returned by [`Monitor::dependencies`](crate::Monitor::dependencies).
///
/// "Recent" calls are the last 256 calls of the last five minutes.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Dependency {
    /// The name that was given to [`Monitor::external`](crate::Monitor::external).
    pub service: Arc<str>,
    /// Whether the service is up, degraded or down.
    pub state: DependencyState,
    /// The reason for the state, one sentence; empty if the service is up.
    pub reason: String,
    /// The number of calls that have ended since the start, with any outcome.
    pub calls: u64,
    /// Calls that got no response, or a 5xx or 429.
    pub errors: u64,
    /// Errors that were timeouts.
    pub timeouts: u64,
    /// Calls that were dropped before the end of the response.
    pub cancelled: u64,
    /// Recent calls per second.
    pub rate: f64,
    /// The share of recent calls that failed, from 0 to 1.
    pub error_rate: f64,
    /// The 95th percentile of the durations of recent calls; zero if there are none.
    pub p95: Duration,
    /// The last error since the start.
    pub last_error: Option<LastError>,
    /// The rate limits that the service has reported, at most 16 windows.
    pub limits: Vec<Limit>,
}

/// The last error of a service.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct LastError {
    /// The `error.type`: the status, the type of the error, or `timeout`.
    pub error: String,
    /// The time since the error.
    pub age: Duration,
}

/// Whether a service can be relied on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum DependencyState {
    /// The service responds, or was not called recently.
    Up,
    /// At least one in ten of five or more recent calls failed, or the service requested a pause.
    Degraded,
    /// At least half of five or more recent calls failed.
    Down,
}

impl DependencyState {
    /// Returns the name of the state: `up`, `degraded` or `down`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Degraded => "degraded",
            Self::Down => "down",
        }
    }
}

/// The number of calls of a service since the start.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct ServiceTotals {
    pub(super) calls: u64,
    pub(super) errors: u64,
    pub(super) timeouts: u64,
    pub(super) cancelled: u64,
}

/// A recent call.
#[derive(Debug, Clone, Copy)]
pub(super) struct RecentCall {
    pub(super) at: Nanos,
    pub(super) duration: Nanos,
    pub(super) failed: bool,
}

impl Dependency {
    /// Whether the service is degraded because it requested a pause, and not by failures.
    #[cfg(any(test, feature = "dashboard"))]
    pub(crate) fn is_backing_off(&self) -> bool {
        self.reason.starts_with(PAUSE)
    }

    /// Derives the state of a service from its recent calls, the oldest first, and from the wait that it requested.
    pub(super) fn assess(
        service: &Arc<str>,
        totals: ServiceTotals,
        recent: &[RecentCall],
        now: Nanos,
        last_error: Option<LastError>,
        back_off: Option<Duration>,
    ) -> Self {
        let count = recent.len();
        let failed = recent.iter().filter(|call| call.failed).count();
        let error_rate = failed as f64 / count.max(1) as f64;
        // Failures weigh more than a requested pause: a service that fails and asks for a pause is shown as failing.
        let (state, reason) = if count >= MIN_CALLS && error_rate >= DEGRADED {
            let error = last_error.as_ref().map_or("", |last| &last.error);
            let reason =
                format!("{failed} of the last {count} calls failed, the last one with `{error}`");
            let is_down = error_rate >= DOWN;
            let state = if is_down {
                DependencyState::Down
            } else {
                DependencyState::Degraded
            };
            (state, reason)
        } else if let Some(wait) = back_off {
            let seconds = wait.as_secs().max(1);
            let reason = format!("{PAUSE} {seconds} s");
            (DependencyState::Degraded, reason)
        } else {
            (DependencyState::Up, String::new())
        };
        // The rate covers at least a second, so that a single call is not a rate of thousands.
        let oldest = recent.first().map_or(now, |call| call.at);
        let span = Duration::from_nanos(now.saturating_sub(oldest))
            .as_secs_f64()
            .max(1.0);
        Self {
            service: Arc::clone(service),
            state,
            reason,
            calls: totals.calls,
            errors: totals.errors,
            timeouts: totals.timeouts,
            cancelled: totals.cancelled,
            rate: count as f64 / span,
            error_rate,
            p95: p95(recent),
            last_error,
            limits: Vec::new(),
        }
    }
}

/// The exact 95th percentile of the durations.
fn p95(recent: &[RecentCall]) -> Duration {
    let mut durations: Vec<_> = recent.iter().map(|call| call.duration).collect();
    durations.sort_unstable();
    let rank = (durations.len() * 95).div_ceil(100);
    let found = rank.checked_sub(1).and_then(|rank| durations.get(rank));
    Duration::from_nanos(found.copied().unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Nanos = 1_000_000_000;

    fn assess(calls: &[bool], back_off: Option<Duration>) -> Dependency {
        let call = |(n, failed): (usize, &bool)| RecentCall {
            at: n as u64 * SECOND,
            duration: (n as u64 + 1) * SECOND,
            failed: *failed,
        };
        let recent: Vec<_> = calls.iter().enumerate().map(call).collect();
        let last = LastError {
            error: "503".to_owned(),
            age: Duration::ZERO,
        };
        let now = calls.len() as u64 * SECOND;
        Dependency::assess(
            &"openai".into(),
            ServiceTotals::default(),
            &recent,
            now,
            Some(last),
            back_off,
        )
    }

    #[test]
    fn a_service_is_judged_by_its_recent_calls() {
        use DependencyState::{Degraded, Down, Up};
        let (ok, bad) = (false, true);
        let cases: [(&[bool], DependencyState); 7] = [
            (&[], Up),
            (&[bad; 4], Up),
            (&[bad; 5], Down),
            (&[ok, ok, ok, bad, bad], Degraded),
            (&[ok, bad, bad, ok, bad, bad], Down),
            (&[ok; 20], Up),
            (&[ok, ok, ok, ok, ok, ok, ok, ok, ok, ok, bad], Up),
        ];
        for (calls, state) in cases {
            let dependency = assess(calls, None);
            assert_eq!(dependency.state, state, "{calls:?}");
            assert_eq!(
                dependency.reason.is_empty(),
                state == Up,
                "{}",
                dependency.reason
            );
        }
        let five = assess(&[bad; 5], None);
        assert_eq!(
            five.reason,
            "5 of the last 5 calls failed, the last one with `503`"
        );
        assert_eq!((five.rate, five.error_rate), (1.0, 1.0));
        assert_eq!(five.p95, Duration::from_secs(5));
        let waiting = assess(&[ok], Some(Duration::from_secs(9)));
        assert_eq!(waiting.state, Degraded);
        assert!(waiting.is_backing_off() && !five.is_backing_off());
        assert_eq!(
            waiting.reason,
            "it asked to be called no earlier than in 9 s"
        );
    }
}
