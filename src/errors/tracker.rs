use std::error::Error;
use std::panic::Location;
use std::path::Path;
use std::sync::{Arc, Weak};

use super::backtraces::BacktraceQueue;
use super::capture::CaptureInput;
use super::chain::{put_chain, put_text};
use super::config::ErrorsConfig;
use super::durable_waiters::DurableWaiters;
use super::groups::{ErrorGroup, ErrorGroups, ErrorQuery, GroupsSetup};
use super::registry::{self, AnyMonitor};
use super::sentry::{self, Outbox, SentrySetup};
use super::shared::CaptureState;
use crate::context::{ReadDriverError, Requests};
use crate::model::{ClaimResult, Diagnostics, EventId, Level, MonitorLifetime};
use crate::record::ErrorKind;
use crate::trace::Traces;
use crate::users::UserTracker;
use crate::worker::{Deadlines, PeriodicTask, RecordQueue, RemoteSetup, SpoolStatus, SpoolWriter};

/// Captures, groups and stores the errors of one monitor. Cheap to clone; clones share everything.
#[derive(Debug, Clone)]
pub(crate) struct ErrorTracker {
    pub(super) shared: Arc<CaptureState>,
}

/// The parts of a monitor that an [`ErrorTracker`] works with.
pub(crate) struct ErrorTrackerSetup<'a> {
    pub(crate) config: &'a ErrorsConfig,
    pub(crate) record_queue: &'a Arc<RecordQueue>,
    pub(crate) requests: &'a Arc<Requests>,
    /// Stores events, where there is a data directory.
    pub(crate) store: Option<SpoolWriter>,
    /// Where the groups are stored, if there is a data directory.
    pub(crate) directory: Option<&'a Path>,
    /// Hashes the users of the events.
    pub(crate) users: &'a Arc<UserTracker>,
    pub(crate) release: &'a str,
    pub(crate) environment: &'a str,
    pub(crate) diagnostics: &'a Arc<Diagnostics>,
    /// Finds the current plain OpenTelemetry span, where traces are on.
    pub(crate) traces: Option<Arc<Traces>>,
    /// Reads code and constraint of a database driver's error.
    pub(crate) read_driver_error: ReadDriverError,
}

impl ErrorTracker {
    pub(crate) fn new(setup: ErrorTrackerSetup<'_>) -> Self {
        let last_number = setup.store.as_ref().map_or(0, SpoolWriter::last);
        let groups = ErrorGroups::new(&GroupsSetup {
            clock: setup.requests.clock(),
            users: setup.users,
            release: setup.release,
            environment: setup.environment,
            directory: setup.directory,
            first_number: last_number + 1,
            record_queue: setup.record_queue,
            diagnostics: setup.diagnostics,
        });
        let shared = CaptureState {
            record_queue: Arc::clone(setup.record_queue),
            requests: Arc::clone(setup.requests),
            backtraces: BacktraceQueue::new(setup.config.backtraces),
            groups,
            first_number: last_number + 1,
            outbox: Outbox::new(setup.config.dsn.is_some()),
            store: setup.store,
            durable_waiters: DurableWaiters::new(),
            traces: setup.traces,
            read_driver_error: setup.read_driver_error,
        };
        Self {
            shared: Arc::new(shared),
        }
    }

    /// Sets what watches the deadlines of durable captures.
    pub(crate) fn set_deadlines(&self, deadlines: Deadlines) {
        self.shared.durable_waiters.set_deadlines(deadlines);
    }

    /// Makes `monitor` the one that its requests, and `capture_error` in them, use.
    pub(crate) fn register(&self, monitor: Weak<AnyMonitor>) {
        registry::register(&self.shared, monitor);
    }

    /// Captures outside requests too from now on, unless another monitor that still works does.
    pub(crate) fn install(&self, life: &MonitorLifetime) -> ClaimResult {
        registry::install(self.shared.requests.number(), life)
    }

    /// Removes the monitor from the process: its last handle is dropped.
    pub(crate) fn unregister(&self) {
        registry::unregister(self.shared.requests.number());
    }

    /// Captures an error with its sources.
    #[track_caller]
    pub(crate) fn capture_error<E: Error + ?Sized>(&self, error: &E) -> EventId {
        let input = CaptureInput::new(ErrorKind::Error, Level::Error, Location::caller());
        let read_driver_error = self.shared.read_driver_error;
        self.shared
            .capture(&input, |out| put_chain(out, error, read_driver_error))
    }

    /// Captures a text.
    #[track_caller]
    pub(crate) fn capture_message(&self, level: Level, text: &str) -> EventId {
        let input = CaptureInput::new(ErrorKind::Message, level, Location::caller());
        self.shared.capture(&input, |out| put_text(out, "", text))
    }

    /// The sink that sends events to Sentry; `None` if this build or this system cannot, which is then reported.
    pub(crate) fn sentry_sink(&self, setup: SentrySetup<'_>) -> Option<RemoteSetup> {
        sentry::remote(&self.shared, setup)
    }

    /// The state of the store; `None` where there is none, and in a child process whose parent held its lock.
    pub(crate) fn store_status(&self) -> Option<SpoolStatus> {
        self.shared.store.as_ref().and_then(SpoolWriter::status)
    }

    #[cfg(test)]
    pub(crate) fn while_store_is_locked<R>(&self, run: impl FnOnce() -> R) -> R {
        match &self.shared.store {
            Some(store) => store.while_locked(run),
            None => run(),
        }
    }

    /// The tasks that watch and store the groups.
    pub(crate) fn tasks(&self) -> Vec<PeriodicTask> {
        self.shared.groups.tasks()
    }

    /// The groups of captured errors, and their states.
    pub(crate) fn error_groups(&self) -> &ErrorGroups {
        &self.shared.groups
    }

    /// The groups of captured errors, the most recently seen first.
    pub(crate) fn groups(&self) -> Vec<ErrorGroup> {
        self.shared.groups.list(&ErrorQuery::default())
    }
}
