use std::sync::Arc;
use std::time::Duration;

use super::quota::Limit;
use crate::clock::Nanos;

/// Recent calls that must be there before a service is called bad.
const ENOUGH: usize = 5;
/// A service of which so great a part of the recent calls failed is down ..
const DOWN: f64 = 0.5;
/// .. or, from this part on, degraded.
const DEGRADED: f64 = 0.1;

/// How a service elsewhere does, as [`Monitor::dependencies`](crate::Monitor::dependencies) tells it.
///
/// "Recent" calls are the last 256 of the last five minutes.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Dependency {
    /// Its name here.
    pub service: Arc<str>,
    /// Up, degraded or down.
    pub state: DependencyState,
    /// Why, in a sentence; empty while it is up.
    pub reason: String,
    /// Calls since the start that ended, however.
    pub calls: u64,
    /// Those without an answer, and those answered by a 5xx or 429.
    pub errors: u64,
    /// Those of the errors that ran out of time.
    pub timeouts: u64,
    /// Calls that were dropped before the end of their answer.
    pub cancelled: u64,
    /// Recent calls a second.
    pub rate: f64,
    /// The part of recent calls that failed, from 0 to 1.
    pub error_rate: f64,
    /// 95 of 100 recent calls took no longer; zero without one.
    pub p95: Duration,
    /// The last error.
    pub last_error: Option<LastError>,
    /// Its limits, as its answers told them.
    pub limits: Vec<Limit>,
}

/// The last failure of a service.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct LastError {
    /// `error.type`: the status, the error's type, or `timeout`.
    pub error: String,
    /// How long ago.
    pub age: Duration,
}

/// Whether a service can be relied on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum DependencyState {
    /// It answers, or was not asked.
    Up,
    /// One in ten recent calls failed, or it asked to be left alone.
    Degraded,
    /// Half of the recent calls failed, of five or more.
    Down,
}

impl DependencyState {
    /// The name, in lower case.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Degraded => "degraded",
            Self::Down => "down",
        }
    }
}

/// A recent call.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seen {
    pub(super) at: Nanos,
    pub(super) duration: Nanos,
    pub(super) failed: bool,
}

impl Dependency {
    /// What recent calls, the oldest first, say of a service.
    pub(super) fn judged(
        service: &Arc<str>,
        recent: &[Seen],
        now: Nanos,
        last_error: Option<LastError>,
        rests: Option<Duration>,
    ) -> Self {
        let (count, failed) = (
            recent.len(),
            recent.iter().filter(|seen| seen.failed).count(),
        );
        let error_rate = failed as f64 / count.max(1) as f64;
        let (state, reason) = judge(count, failed, error_rate, last_error.as_ref(), rests);
        // Over a second at least: one call is no rate of thousands.
        let begun = recent.first().map_or(now, |seen| seen.at);
        let span = Duration::from_nanos(now.saturating_sub(begun))
            .as_secs_f64()
            .max(1.0);
        Self {
            service: Arc::clone(service),
            state,
            reason,
            calls: 0,
            errors: 0,
            timeouts: 0,
            cancelled: 0,
            rate: count as f64 / span,
            error_rate,
            p95: p95(recent),
            last_error,
            limits: Vec::new(),
        }
    }
}

fn judge(
    count: usize,
    failed: usize,
    error_rate: f64,
    last: Option<&LastError>,
    rests: Option<Duration>,
) -> (DependencyState, String) {
    let bad = count >= ENOUGH && error_rate >= DEGRADED;
    if bad {
        let error = last.map_or("", |last| &last.error);
        let reason =
            format!("{failed} of the last {count} calls failed, the last one with `{error}`");
        let is_down = error_rate >= DOWN;
        let state = if is_down {
            DependencyState::Down
        } else {
            DependencyState::Degraded
        };
        return (state, reason);
    }
    match rests {
        Some(rests) => (
            DependencyState::Degraded,
            format!(
                "it asked to be left alone for another {} s",
                rests.as_secs().max(1)
            ),
        ),
        None => (DependencyState::Up, String::new()),
    }
}

fn p95(recent: &[Seen]) -> Duration {
    let mut durations: Vec<_> = recent.iter().map(|seen| seen.duration).collect();
    durations.sort_unstable();
    let rank = (durations.len() * 95).div_ceil(100);
    let found = rank.checked_sub(1).and_then(|rank| durations.get(rank));
    Duration::from_nanos(found.copied().unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Nanos = 1_000_000_000;

    fn judged(calls: &[bool], rests: Option<Duration>) -> Dependency {
        let seen = |(n, failed): (usize, &bool)| Seen {
            at: n as u64 * SECOND,
            duration: (n as u64 + 1) * SECOND,
            failed: *failed,
        };
        let recent: Vec<_> = calls.iter().enumerate().map(seen).collect();
        let last = LastError {
            error: "503".to_owned(),
            age: Duration::ZERO,
        };
        let now = calls.len() as u64 * SECOND;
        Dependency::judged(&"openai".into(), &recent, now, Some(last), rests)
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
            let judged = judged(calls, None);
            assert_eq!(judged.state, state, "{calls:?}");
            assert_eq!(judged.reason.is_empty(), state == Up, "{}", judged.reason);
        }
        let five = judged(&[bad; 5], None);
        assert_eq!(
            five.reason,
            "5 of the last 5 calls failed, the last one with `503`"
        );
        assert_eq!((five.rate, five.error_rate), (1.0, 1.0));
        assert_eq!(five.p95, Duration::from_secs(5));
        let resting = judged(&[ok], Some(Duration::from_secs(9)));
        assert_eq!(resting.state, Degraded);
        assert_eq!(resting.reason, "it asked to be left alone for another 9 s");
    }
}
