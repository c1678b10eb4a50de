//! What the monitor has recorded so far.

use super::doctor::Finding;
use super::handle::Monitor;
use crate::config::Settings;
use crate::context::InFlight;
use crate::db::QueryStats;
use crate::errors::ErrorGroup;
use crate::external::{Dependency, ModelUsage};
use crate::model::{RecordKind, RecordTotals, TraceId};
use crate::trace::KeptTrace;

impl Monitor {
    /// The statistics of each statement digest since the start, in falling order of their total time.
    pub fn queries(&self) -> Vec<QueryStats> {
        self.inner.queries.stats()
    }

    /// How the services do that were called since the start, by name.
    pub fn dependencies(&self) -> Vec<Dependency> {
        self.inner.calls.dependencies()
    }

    /// What was used of models since the start, by day, service, model and route: the newest day first.
    pub fn model_usage(&self) -> Vec<ModelUsage> {
        self.inner.calls.model_usage()
    }

    /// The kept traces that are in memory, the newest first.
    pub fn recent_traces(&self) -> Vec<KeptTrace> {
        self.inner.tracing.recent.traces()
    }

    /// The kept trace of an id, if it is in memory.
    pub fn recent_trace(&self, trace_id: TraceId) -> Option<KeptTrace> {
        self.inner.tracing.recent.trace(trace_id)
    }

    /// The groups of errors captured since the start: at most a thousand, the one seen last first.
    /// What was captured within the last 20 ms may be missing.
    pub fn error_groups(&self) -> Vec<ErrorGroup> {
        self.inner.errors.groups()
    }

    /// The requests under way, the longest first.
    pub fn in_flight(&self) -> Vec<InFlight> {
        self.inner.requests.in_flight()
    }

    /// Returns what became of the records of one kind since the start.
    pub fn totals(&self, kind: RecordKind) -> RecordTotals {
        self.inner.counters.totals(kind)
    }

    /// What is wrong around the monitor, as far as a service that runs can see it; nothing if all is well.
    ///
    /// | about | what it sees |
    /// |---|---|
    /// | `propagator` | OpenTelemetry has none, though [`trace.propagators`](crate::config) wants one |
    /// | `subscriber` | no `tracing` subscriber in use has the monitor's layer |
    /// | `filter` | a filter of the subscriber hides the program's spans from it; reported until the first span arrives |
    /// | `route` | the endpoint layer stands around the router: 100 responses, and no route seen |
    /// | `opentelemetry` | `tracing` events from the files of another version of OpenTelemetry |
    /// | `panic hook` | none was set, or a panic reached a layer and not the hook |
    /// | `capture_error` | errors or panics outside requests were captured by no monitor, and none is installed |
    /// | `data directory` | there is none, or it cannot be written |
    /// | a sink | its receiver responds 404, takes nothing for 30 s, or has a clock that differs by more than a minute |
    ///
    /// What it finds while the service runs is written to the console too, each thing once, ten seconds after the
    /// start or later. It looks at the calling thread's subscriber. What it cannot see, such as two versions of
    /// `metrics`, `cargo tree -d -e normal` shows.
    ///
    /// # Examples
    ///
    /// ```
    /// # fn main() -> watchpost::Result<()> {
    /// let monitor = watchpost::Monitor::builder("shop").env(false).console(false).build()?;
    /// let findings = monitor.doctor();
    /// assert!(findings.iter().any(|finding| finding.about == "subscriber"));
    /// # Ok(())
    /// # }
    /// ```
    pub fn doctor(&self) -> Vec<Finding> {
        self.inner.doctor.findings()
    }

    /// The resolved settings: each with its value, secrets masked, and where it came from.
    pub fn settings(&self) -> &Settings {
        &self.inner.settings
    }
}
