use std::time::Duration;

use super::state::told;
use crate::clock::nanos;

/// A sink that has had work for this long without a delivery is told.
const SINK_PATIENCE: Duration = Duration::from_secs(300);
/// A worker that has not shown itself for this long is told.
const WORKER_PATIENCE: Duration = Duration::from_secs(30);

/// How something is, in the words of the health format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(crate) enum HealthStatus {
    #[default]
    Pass,
    Warn,
    Fail,
}

impl HealthStatus {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Warn => "warn",
            Self::Fail => "fail",
        }
    }
}

/// What a run of a check has to say beside its success.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct SuccessDetail {
    /// A sentence that makes the success a warning.
    pub(crate) warning: Option<String>,
    pub(crate) observed: Option<(f64, &'static str)>,
}

/// How one of the monitor's own parts is, read at once whenever it is asked for. No reading makes the
/// host unready: that monitoring is ill is no reason to take the host's traffic away.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct ComponentStatus {
    pub(crate) status: HealthStatus,
    /// A sentence; empty where there is nothing to say.
    pub(crate) output: String,
    /// A value and its unit.
    pub(crate) observed: Option<(f64, &'static str)>,
}

impl ComponentStatus {
    /// A part that works, but not as it was set up to.
    pub(crate) fn warning(sentence: &str) -> Self {
        Self {
            status: HealthStatus::Warn,
            output: sentence.to_owned(),
            observed: None,
        }
    }

    /// A store on disk: whether the disk refuses it, how many damaged files lie there, and the bytes of its files.
    pub(crate) fn store(failing: bool, damaged: u64, bytes: u64) -> Self {
        let output = if failing {
            "the data directory refuses what is captured: it is in memory alone".to_owned()
        } else if damaged > 0 {
            format!(
                "{damaged} damaged files were set aside as `*.corrupt-N`: look at them, then remove them"
            )
        } else {
            String::new()
        };
        let well = output.is_empty();
        Self {
            status: if well {
                HealthStatus::Pass
            } else {
                HealthStatus::Warn
            },
            output,
            observed: Some((bytes as f64, "By")),
        }
    }

    /// The worker's thread: whether it runs, and when it last showed itself.
    pub(crate) fn worker(alive: bool, beat_age: Duration) -> Self {
        let (status, output) = if !alive {
            let output = "the worker's thread has ended: nothing is written or sent any more";
            (HealthStatus::Warn, output.to_owned())
        } else if beat_age > WORKER_PATIENCE {
            let age = told(nanos(beat_age));
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

    /// A sink: since when work waits for it, the age of its last delivery, and why it drops what it is given.
    pub(crate) fn sink(
        waiting: Option<Duration>,
        last_delivery_age: Option<Duration>,
        trouble: Option<String>,
    ) -> Self {
        // Work that has waited for less than the patience, or beside which something was delivered.
        let unserved = match (waiting, last_delivery_age) {
            (Some(waiting), Some(age)) => waiting.min(age),
            (Some(waiting), None) => waiting,
            (None, _) => Duration::ZERO,
        };
        let (status, output) = if let Some(trouble) = trouble {
            (HealthStatus::Warn, trouble)
        } else if unserved > SINK_PATIENCE {
            let span = told(nanos(unserved));
            (
                HealthStatus::Warn,
                format!("work waits, and nothing was delivered for {span}"),
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
    fn a_sink_is_ill_when_work_waits_and_nothing_is_delivered() {
        for (waiting, delivered, status) in [
            (None, None, HealthStatus::Pass),
            (None, Some(s(9999)), HealthStatus::Pass),
            (Some(s(299)), None, HealthStatus::Pass),
            (Some(s(301)), None, HealthStatus::Warn),
            (Some(s(301)), Some(s(1)), HealthStatus::Pass),
            (Some(s(1)), Some(s(9999)), HealthStatus::Pass),
            (Some(s(400)), Some(s(9999)), HealthStatus::Warn),
        ] {
            let reading = ComponentStatus::sink(waiting, delivered, None);
            assert_eq!(reading.status, status, "{waiting:?} {delivered:?}");
            assert_eq!(reading.output.is_empty(), status == HealthStatus::Pass);
            let troubled = ComponentStatus::sink(waiting, delivered, Some("why".to_owned()));
            assert_eq!(
                (troubled.status, &*troubled.output),
                (HealthStatus::Warn, "why")
            );
        }
    }

    #[test]
    fn a_store_warns_while_it_fails_or_damaged_files_lie_there() {
        assert_eq!(
            ComponentStatus::store(false, 0, 9).status,
            HealthStatus::Pass
        );
        for reading in [
            ComponentStatus::store(true, 0, 9),
            ComponentStatus::store(false, 2, 9),
        ] {
            assert_eq!(reading.status, HealthStatus::Warn);
            assert!(!reading.output.is_empty());
        }
    }

    #[test]
    fn a_worker_is_ill_when_it_is_gone_or_stuck() {
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
