//! The state that captures, the worker and the sinks share.

use std::sync::Arc;

use super::backtraces::BacktraceQueue;
use super::durable_waiters::DurableWaiters;
use super::groups::ErrorGroups;
use super::sentry::Outbox;
use crate::context::{self, ReadDriverError, Requests, Slot};
use crate::model::SpanId;
use crate::trace::Traces;
use crate::worker::{RecordQueue, SpoolWriter};

/// The state for capturing errors, one instance for each monitor.
#[derive(Debug)]
pub(super) struct CaptureState {
    pub(super) record_queue: Arc<RecordQueue>,
    pub(super) requests: Arc<Requests>,
    pub(super) backtraces: BacktraceQueue,
    pub(super) groups: ErrorGroups,
    /// Stores events on disk; `None` without a data directory.
    pub(super) store: Option<SpoolWriter>,
    /// The number of the first record that this process stores.
    pub(super) first_number: u64,
    /// Events queued for the Sentry sink; `None` without a DSN.
    pub(super) outbox: Option<Outbox>,
    pub(super) durable_waiters: Arc<DurableWaiters>,
    /// Finds the current plain OpenTelemetry span; `None` where traces are off.
    pub(super) traces: Option<Arc<Traces>>,
    /// Reads code and constraint of a database driver's error.
    pub(super) read_driver_error: ReadDriverError,
}

impl CaptureState {
    /// Calls `look` with the operation that is current on this thread. `look` must not call code of the host.
    pub(super) fn with_current<R>(&self, look: impl FnOnce(&Arc<Slot>, SpanId) -> R) -> Option<R> {
        // Finding a plain span calls OpenTelemetry, which is not allowed in a panic hook: a panic there aborts.
        match self.traces.as_deref().filter(|_| !std::thread::panicking()) {
            Some(traces) => traces.with_current(look),
            None => context::with_current(Some(self.requests.number()), look),
        }
    }
}
