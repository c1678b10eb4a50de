use std::time::Duration;

use super::status::{HealthStatus, format_span};
use crate::clock::nanos;

/// How long a sink may have work without a delivery before it is a warning.
const MAX_SINK_STALL: Duration = Duration::from_secs(300);
/// How long a snapshot, or a function of the host that it calls, may take before it is a warning.
const MAX_SNAPSHOT: Duration = Duration::from_secs(30);
/// How long the worker may be unresponsive before it is a warning.
const MAX_WORKER_STALL: Duration = Duration::from_secs(30);

/// The status of a component of the monitor, at the moment when it is read.
///
/// It is a warning at worst: a fault in the monitoring must not take the service out of rotation.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct ComponentStatus {
    pub(crate) status: HealthStatus,
    /// A sentence; empty if the component is healthy.
    pub(crate) output: String,
    /// A value and its unit.
    pub(crate) observed: Option<(f64, &'static str)>,
}

impl ComponentStatus {
    /// A component that works, but not as configured.
    pub(crate) fn warning(sentence: &str) -> Self {
        Self {
            status: HealthStatus::Warn,
            output: sentence.to_owned(),
            observed: None,
        }
    }

    /// The store of captured errors: whether the disk refuses writes, how many damaged files there are, and the bytes of its
    /// files.
    pub(crate) fn store(failing: bool, damaged: u64, bytes: u64) -> Self {
        let refused = "the data directory refuses writes: captured errors are in memory only";
        Self::files(failing.then(|| refused.to_owned()), damaged, bytes)
    }

    /// A store on disk: why and since when it fails, if it does, how many damaged files there are, and the bytes of its
    /// files.
    pub(crate) fn failing_store(
        failure: Option<(String, Duration)>,
        damaged: u64,
        bytes: u64,
    ) -> Self {
        let failure = failure.map(|(why, since)| {
            let since = format_span(nanos(since));
            format!("{why}, for {since} already")
        });
        Self::files(failure, damaged, bytes)
    }

    fn files(failure: Option<String>, damaged: u64, bytes: u64) -> Self {
        let output = if let Some(failure) = failure {
            failure
        } else if damaged > 0 {
            format!(
                "{damaged} damaged files were set aside as `*.corrupt-N`: look at them, then remove them"
            )
        } else {
            String::new()
        };
        let is_healthy = output.is_empty();
        Self {
            status: if is_healthy {
                HealthStatus::Pass
            } else {
                HealthStatus::Warn
            },
            output,
            observed: Some((bytes as f64, "By")),
        }
    }

    /// The worker's thread: whether it runs, and the time since its last round.
    pub(crate) fn worker(alive: bool, beat_age: Duration) -> Self {
        let (status, output) = if !alive {
            let output = "the worker's thread has ended: nothing is written or sent any more";
            (HealthStatus::Warn, output.to_owned())
        } else if beat_age > MAX_WORKER_STALL {
            let age = format_span(nanos(beat_age));
            (
                HealthStatus::Warn,
                format!("the worker has not moved for {age}"),
            )
        } else {
            (HealthStatus::Pass, String::new())
        };
        Self {
            status,
            output,
            observed: Some((beat_age.as_secs_f64(), "s")),
        }
    }

    /// What takes snapshots of all metrics: for how long the current one has been in progress, and the connection pool
    /// whose `state` has not returned for longest.
    pub(crate) fn snapshots(
        running: Option<Duration>,
        slowest_pool: Option<(&str, Duration)>,
    ) -> Self {
        let output = Self::snapshot_problem(running, slowest_pool).unwrap_or_default();
        Self {
            status: if output.is_empty() {
                HealthStatus::Pass
            } else {
                HealthStatus::Warn
            },
            output,
            observed: running.map(|running| (running.as_secs_f64(), "s")),
        }
    }

    /// The sentence about a snapshot that does not end; `None` if it has not been in progress for long.
    pub(crate) fn snapshot_problem(
        running: Option<Duration>,
        slowest_pool: Option<(&str, Duration)>,
    ) -> Option<String> {
        let running = running.filter(|running| *running > MAX_SNAPSHOT)?;
        let span = format_span(nanos(running));
        let cause = match slowest_pool.filter(|(_, age)| *age > MAX_SNAPSHOT) {
            Some((pool, _)) => format!(
                "it waits for `ConnectionPool::state` of the pool `{pool}`; make that function return without waiting"
            ),
            None => "a function that reads a metric, or a read of `/proc`, hangs; a stack trace of the thread `watchpost-io` shows which".to_owned(),
        };
        Some(format!(
            "the snapshot has not ended for {span}, and the next one is taken when it ends: {cause}"
        ))
    }

    /// A connection pool whose `state` does not return; `None` if it has not been called for long.
    pub(crate) fn pool_state(pool: &str, age: Duration) -> Option<Self> {
        (age > MAX_SNAPSHOT).then(|| {
            let span = format_span(nanos(age));
            Self::warning(&format!(
                "`ConnectionPool::state` of the pool `{pool}` has not returned for {span}: what called it waits, and the pool's metrics are missing; make that function return without waiting"
            ))
        })
    }

    /// A sink: how long its work has been waiting, the time since its last delivery, and why it drops records, if it
    /// does.
    pub(crate) fn sink(
        waiting: Option<Duration>,
        last_delivery_age: Option<Duration>,
        problem: Option<String>,
    ) -> Self {
        // The time without a delivery in which there was work.
        let stalled = match (waiting, last_delivery_age) {
            (Some(waiting), Some(age)) => waiting.min(age),
            (Some(waiting), None) => waiting,
            (None, _) => Duration::ZERO,
        };
        let (status, output) = if let Some(problem) = problem {
            (HealthStatus::Warn, problem)
        } else if stalled > MAX_SINK_STALL {
            let span = format_span(nanos(stalled));
            (
                HealthStatus::Warn,
                format!("work is waiting, and nothing was delivered for {span}"),
            )
        } else {
            (HealthStatus::Pass, String::new())
        };
        Self {
            status,
            output,
            observed: last_delivery_age.map(|age| (age.as_secs_f64(), "s")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn a_sink_is_a_warning_while_work_waits_and_nothing_is_delivered() {
        for (waiting, delivered, status) in [
            (None, None, HealthStatus::Pass),
            (None, Some(s(9999)), HealthStatus::Pass),
            (Some(s(299)), None, HealthStatus::Pass),
            (Some(s(301)), None, HealthStatus::Warn),
            (Some(s(301)), Some(s(1)), HealthStatus::Pass),
            (Some(s(1)), Some(s(9999)), HealthStatus::Pass),
            (Some(s(400)), Some(s(9999)), HealthStatus::Warn),
        ] {
            let component = ComponentStatus::sink(waiting, delivered, None);
            assert_eq!(component.status, status, "{waiting:?} {delivered:?}");
            assert_eq!(component.output.is_empty(), status == HealthStatus::Pass);
            let troubled = ComponentStatus::sink(waiting, delivered, Some("why".to_owned()));
            assert_eq!(
                (troubled.status, &*troubled.output),
                (HealthStatus::Warn, "why")
            );
        }
    }

    #[test]
    fn a_store_is_a_warning_while_it_fails_or_has_damaged_files() {
        assert_eq!(
            ComponentStatus::store(false, 0, 9).status,
            HealthStatus::Pass
        );
        for component in [
            ComponentStatus::store(true, 0, 9),
            ComponentStatus::store(false, 2, 9),
        ] {
            assert_eq!(component.status, HealthStatus::Warn);
            assert!(!component.output.is_empty());
        }
    }

    #[test]
    fn a_snapshot_that_does_not_end_is_a_warning_that_says_why() {
        for running in [None, Some(s(30))] {
            let component = ComponentStatus::snapshots(running, Some(("orders", s(99))));
            assert_eq!(component.status, HealthStatus::Pass, "{component:?}");
        }
        let component = ComponentStatus::snapshots(Some(s(45)), Some(("orders", s(44))));
        assert_eq!(component.status, HealthStatus::Warn);
        assert!(
            component
                .output
                .starts_with("the snapshot has not ended for 45 s"),
            "{component:?}"
        );
        assert!(component.output.contains("the pool `orders`"));
        // A pool that was called a moment ago is not the cause.
        let component = ComponentStatus::snapshots(Some(s(45)), Some(("orders", s(1))));
        assert!(component.output.contains("`/proc`"), "{component:?}");
        assert_eq!(ComponentStatus::pool_state("orders", s(30)), None);
        assert!(ComponentStatus::pool_state("orders", s(31)).is_some());
    }

    #[test]
    fn a_worker_is_a_warning_when_it_has_ended_or_is_stuck() {
        assert_eq!(
            ComponentStatus::worker(true, s(1)).status,
            HealthStatus::Pass
        );
        assert_eq!(
            ComponentStatus::worker(false, s(1)).status,
            HealthStatus::Warn
        );
        let stuck = ComponentStatus::worker(true, s(60));
        assert_eq!(stuck.output, "the worker has not moved for 60 s");
    }
}
