//! The parts of a monitor, which its handles share.

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::alerts::AlertsHandle;
use super::dashboard::DashboardState;
use super::data_dir::DataDir;
use super::doctor::DoctorTask;
use super::globals::InstallHistory;
use super::history::HistoryState;
use super::log_files::LogFilesState;
use super::serve::ServerCounters;
use super::shipping::LogShipping;
use super::tracing::Tracing;
use crate::config::{InstallConfig, Settings};
use crate::content::ContentInstruments;
use crate::context::Requests;
use crate::db::Queries;
use crate::errors::ErrorTracker;
use crate::external::ExternalCalls;
use crate::health::Health;
use crate::http::LayerContext;
use crate::logs::{LogLevels, LogSearch, RecentLogStore};
use crate::metrics::Metrics;
use crate::model::{Diagnostics, MonitorLifetime, RecordCounters};
use crate::system::SystemReader;
use crate::trace::Propagators;
use crate::users::UserTracker;
use crate::worker::{RecordQueue, Worker};

/// The parts of a monitor.
pub(super) struct MonitorState {
    pub(super) requests: Arc<Requests>,
    pub(super) metrics: Metrics,
    pub(super) record_queue: Arc<RecordQueue>,
    pub(super) counters: Arc<RecordCounters>,
    pub(super) diagnostics: Arc<Diagnostics>,
    pub(super) levels: Arc<LogLevels>,
    pub(super) tracing: Tracing,
    pub(super) inbound: LayerContext,
    pub(super) queries: Arc<Queries>,
    pub(super) calls: Arc<ExternalCalls>,
    pub(super) content: ContentInstruments,
    pub(super) errors: ErrorTracker,
    pub(super) recent_logs: Arc<RecentLogStore>,
    pub(super) log_files: Option<LogFilesState>,
    pub(super) shipping: Option<LogShipping>,
    pub(super) log_search: LogSearch,
    pub(super) health: Health,
    pub(super) dashboard: DashboardState,
    pub(super) history: HistoryState,
    pub(super) alerts: AlertsHandle,
    pub(super) worker: Arc<Worker>,
    pub(super) settings: Settings,
    pub(super) users: Arc<UserTracker>,
    pub(super) drain_wait: Duration,
    pub(super) propagators: Propagators,
    /// The globals that `install` sets.
    pub(super) install: InstallConfig,
    pub(super) installs: Mutex<InstallHistory>,
    pub(super) life: MonitorLifetime,
    /// Whether the host has taken the `tracing` layer for its own subscriber.
    pub(super) gave_layer: AtomicBool,
    /// The data directory; holds its lock.
    pub(super) data_dir: Option<DataDir>,
    /// The reason why the configured data directory is not used.
    pub(super) data_dir_problem: Option<String>,
    pub(super) server_counters: Arc<ServerCounters>,
    pub(super) doctor: DoctorTask,
    pub(super) system: Arc<SystemReader>,
}

impl MonitorState {
    /// Ends the monitor: it is no longer ready, and no check runs.
    pub(super) fn end(&self) {
        self.life.end();
        self.dashboard.end();
        self.health.set_draining(true);
        self.health.stop();
    }
}

impl Drop for MonitorState {
    fn drop(&mut self) {
        self.life.end();
        self.dashboard.end();
        self.errors.unregister();
        // Must run before the worker is dropped, because the timers of the checks need its runtime.
        self.health.stop();
    }
}
