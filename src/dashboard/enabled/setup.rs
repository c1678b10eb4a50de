//! What the dashboard reads.

use std::sync::Arc;

use tokio::runtime::Handle;

use super::alert_source::AlertSource;
use crate::access::TokenResolver;
use crate::anomaly::AnomalyWatcher;
use crate::clock::Clock;
use crate::context::Requests;
use crate::dashboard::DashboardConfig;
use crate::db::Queries;
use crate::errors::ErrorTracker;
use crate::external::ExternalCalls;
use crate::health::Health;
use crate::history::History;
use crate::http::HttpConfig;
use crate::logs::{LogLevels, LogSearch, OwnLog, RecentLogStore};
use crate::metrics::Metrics;
use crate::model::{Diagnostics, EventId, RecordCounters, TraceId};
use crate::system::SystemReader;
use crate::trace::{RecentTraces, TraceStore, Traces};
use crate::users::UserTracker;
use crate::worker::SinkObserver;

/// The parts of a monitor that the dashboard reads. None of them keeps the monitor's worker running.
pub(crate) struct DashboardSetup {
    pub(crate) config: DashboardConfig,
    pub(crate) http: HttpConfig,
    pub(crate) service: String,
    pub(crate) version: Option<String>,
    pub(crate) environment: Option<String>,
    pub(crate) clock: Clock,
    /// The worker's runtime.
    pub(crate) handle: Handle,
    pub(crate) diagnostics: Arc<Diagnostics>,
    pub(crate) keys: TokenResolver,
    pub(crate) metrics: Metrics,
    pub(crate) history: History,
    pub(crate) anomalies: AnomalyWatcher,
    pub(crate) alerts: AlertSource,
    pub(crate) health: Health,
    pub(crate) system: Arc<SystemReader>,
    pub(crate) users: Arc<UserTracker>,
    pub(crate) calls: Arc<ExternalCalls>,
    pub(crate) queries: Arc<Queries>,
    pub(crate) requests: Arc<Requests>,
    pub(crate) recent: Arc<RecentTraces>,
    /// The kept traces in the data directory.
    pub(crate) trace_store: Option<TraceStore>,
    pub(crate) traces: Option<Arc<Traces>>,
    pub(crate) errors: ErrorTracker,
    pub(crate) logs: Arc<RecentLogStore>,
    pub(crate) log_search: LogSearch,
    pub(crate) log_levels: Arc<LogLevels>,
    /// Takes the records of what operators change.
    pub(crate) log: OwnLog,
    pub(crate) counters: Arc<RecordCounters>,
    pub(crate) sinks: SinkObserver,
    /// The parts of the monitor that the settings decide about.
    pub(crate) parts: Vec<MonitorPart>,
    /// What the doctor finds. It may call code of the host.
    pub(crate) findings: Box<dyn Fn() -> Vec<String> + Send + Sync>,
    /// Whether the process globals were installed.
    pub(crate) is_installed: Box<dyn Fn() -> bool + Send + Sync>,
    /// Captures an error, in a trace.
    pub(crate) test_error: Box<dyn Fn() -> TestOutcome + Send + Sync>,
    /// Records a trace.
    pub(crate) test_trace: Box<dyn Fn() -> TestOutcome + Send + Sync>,
}

/// A part of the monitor, for a new user.
#[derive(Debug, Clone)]
pub(crate) struct MonitorPart {
    pub(crate) name: &'static str,
    pub(crate) state: PartState,
    pub(crate) text: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PartState {
    On,
    Off,
    Problem,
}

impl PartState {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::On => "on",
            Self::Off => "off",
            Self::Problem => "problem",
        }
    }
}

/// What a test of the monitor made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct TestOutcome {
    pub(crate) trace_id: Option<TraceId>,
    pub(crate) event_id: Option<EventId>,
}

impl DashboardSetup {
    /// Milliseconds since the Unix epoch.
    pub(super) fn now(&self) -> u64 {
        self.clock.wall(self.clock.now()) / 1_000_000
    }
}
