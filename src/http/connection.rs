//! Event streams and upgraded connections, which go on after their request.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::task::{Context, Poll, ready};

use pin_project_lite::pin_project;

use super::panic::count_panic;
use super::series::HttpInstruments;
use super::stream_end::StreamEndRecord;
use crate::clock::{Nanos, seconds};
use crate::context::{self, OperationIds, Requests, Slot};
use crate::metrics::{Histogram, UpDownCounter};
use crate::model::{DropPanicCheck, EndOnPanic, Outcome, SpanId, TraceId, end_on_panic};
use crate::semconv;
use crate::trace::Traces;

/// Records one event stream or upgraded connection: one more under way while it lives, its duration and outcome when it
/// ends.
#[derive(Debug)]
pub(super) struct ConnectionRecorder {
    requests: Arc<Requests>,
    /// Decides at the end on a trace that started with the connection; `None` where it continues the request's trace.
    traces: Option<Arc<Traces>>,
    duration: Histogram,
    active: UpDownCounter,
    route: Box<str>,
    ids: OperationIds,
    start: Nanos,
    /// Not listed among the requests under way: the request is over. `None` while the thread's stack holds it.
    slot: Option<Arc<Slot>>,
    bytes: u64,
    /// The outcome if it is dropped now.
    outcome: Outcome,
    panicked: AtomicBool,
    dropping: DropPanicCheck,
    end_record: Option<StreamEndRecord>,
}

/// What is known of a connection when it starts.
pub(super) struct ConnectionStart<'a> {
    pub(super) route: &'a str,
    pub(super) ids: OperationIds,
    /// The slot of the request that it comes from.
    pub(super) parent: Option<Arc<Slot>>,
    /// For the trace of a connection without a request.
    pub(super) traces: Option<&'a Arc<Traces>>,
    pub(super) outcome_if_dropped: Outcome,
    /// The log record of its end.
    pub(super) end_record: Option<StreamEndRecord>,
}

impl ConnectionRecorder {
    pub(super) fn start(
        requests: &Arc<Requests>,
        instruments: &HttpInstruments,
        start: ConnectionStart<'_>,
    ) -> Self {
        let ConnectionStart {
            route,
            ids,
            parent,
            traces,
            outcome_if_dropped,
            end_record,
        } = start;
        let active = instruments
            .connections
            .with([(semconv::HTTP_ROUTE, route.to_owned())]);
        // From here on the connection is open. Its drop counts it down again.
        active.add(1);
        let start = requests.clock().now();
        // A connection that comes from a request belongs to that request's trace, which the request decides.
        let traces = traces.filter(|_| parent.is_none()).cloned();
        let slot = match parent {
            // A trace of its own is listed, so that one which stays open for too long is decided before its end.
            None if traces.is_some() => requests.new_trace_slot(),
            parent => requests.unlisted_slot(parent),
        };
        slot.open(ids, start);
        Self {
            start,
            requests: Arc::clone(requests),
            traces,
            duration: instruments.connection_duration.clone(),
            active,
            route: route.into(),
            ids,
            slot: Some(slot),
            bytes: 0,
            outcome: outcome_if_dropped,
            panicked: AtomicBool::new(false),
            dropping: DropPanicCheck::default(),
            end_record,
        }
    }

    /// Makes the connection the thread's current operation until the value is dropped.
    pub(super) fn enter(&mut self) -> CurrentConnection<'_> {
        CurrentConnection::enter(&mut self.slot, self.ids.span)
    }

    pub(super) fn add_bytes(&mut self, bytes: usize) {
        self.bytes = self.bytes.saturating_add(bytes as u64);
    }

    /// Ends the connection with an outcome.
    pub(super) fn end(mut self: Box<Self>, outcome: Outcome) {
        self.outcome = outcome;
    }

    /// Where a panic is noted of code that runs behind a shared reference.
    pub(super) fn panic_flag(&self) -> &AtomicBool {
        &self.panicked
    }

    /// Must be called before the fields of this value's owner are dropped: the host's part is dropped before it, and may
    /// panic.
    pub(super) fn drop_started(&mut self) {
        self.dropping.begins();
    }
}

impl EndOnPanic for Box<ConnectionRecorder> {
    #[cold]
    fn panicked(self) {
        count_panic(self.requests.number());
        self.end(Outcome::Panicked);
    }
}

impl Drop for ConnectionRecorder {
    fn drop(&mut self) {
        let now = self.requests.clock().now();
        if self.dropping.panicked() | *self.panicked.get_mut() {
            count_panic(self.requests.number());
            self.outcome = Outcome::Panicked;
        }
        let life = now.saturating_sub(self.start);
        self.active.add(-1);
        // A request's trace is decided by the request; one without a request ends here.
        if let (Some(traces), Some(slot)) = (&self.traces, &self.slot) {
            traces.rootless_ended(slot);
        }
        let labels = [
            (semconv::HTTP_ROUTE, self.route.to_string()),
            (semconv::WATCHPOST_OUTCOME, self.outcome.as_str().to_owned()),
        ];
        self.duration
            .with(labels)
            .record_traced(seconds(life), self.ids.trace, now);
        if let Some(record) = &self.end_record {
            record.queue(self.outcome, life, self.bytes, now);
        }
    }
}

/// An upgraded connection, such as a WebSocket, made by [`Monitor::connection`](crate::Monitor::connection).
#[derive(Debug)]
#[must_use = "a connection is counted while `run` is awaited"]
pub struct Connection {
    requests: Arc<Requests>,
    traces: Option<Arc<Traces>>,
    instruments: Arc<HttpInstruments>,
    name: String,
    /// The request that is upgraded, if this was made in its handler.
    upgraded: Option<Arc<Slot>>,
}

impl Connection {
    pub(super) fn new(
        requests: &Arc<Requests>,
        traces: Option<&Arc<Traces>>,
        instruments: &Arc<HttpInstruments>,
        name: String,
    ) -> Self {
        let upgraded = context::current_slot(requests.number()).map(|(slot, _)| slot);
        Self {
            requests: Arc::clone(requests),
            traces: traces.cloned(),
            instruments: Arc::clone(instruments),
            name,
            upgraded,
        }
    }

    /// Runs the connection's task and records it. `watchpost_http_connections` counts it while it runs;
    /// `watchpost_http_connection_duration_seconds` records its duration when it ends, with the outcome `completed`,
    /// `cancelled` if the future was dropped before, or `panicked`. A panic goes on unchanged.
    ///
    /// If `connection` was called in the handler of the request that was upgraded, the events and spans of the task belong
    /// to that request's trace. Otherwise the spans are a trace of their own, which is kept or dropped when the task ends,
    /// or after `trace.max_open`.
    ///
    /// # Cancel safety
    ///
    /// That of `task`: dropping the future drops the task and ends the connection.
    pub fn run<F: Future>(self, task: F) -> RunConnection<F> {
        let ids = OperationIds {
            trace: match &self.upgraded {
                Some(slot) => slot.ids().trace,
                None => TraceId::random(),
            },
            span: SpanId::random(),
            route: self.requests.routes().named(&self.name),
        };
        let start = ConnectionStart {
            route: &self.requests.routes().name(ids.route),
            ids,
            parent: self.upgraded,
            traces: self.traces.as_ref(),
            outcome_if_dropped: Outcome::Cancelled,
            end_record: None,
        };
        let recorder = ConnectionRecorder::start(&self.requests, &self.instruments, start);
        RunConnection {
            task,
            connection: Some(Box::new(recorder)),
        }
    }
}

pin_project! {
    /// The future of [`Connection::run`].
    #[derive(Debug)]
    #[must_use = "futures do nothing unless awaited"]
    pub struct RunConnection<F> {
        // Before `connection`: what its drop does still belongs to the connection.
        #[pin]
        task: F,
        connection: Option<Box<ConnectionRecorder>>,
    }

    impl<F> PinnedDrop for RunConnection<F> {
        fn drop(this: Pin<&mut Self>) {
            if let Some(connection) = this.project().connection {
                connection.drop_started();
            }
        }
    }
}

impl<F: Future> Future for RunConnection<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let output = ready!(end_on_panic(this.connection, |connection| {
            let _current = connection.as_deref_mut().map(ConnectionRecorder::enter);
            this.task.poll(cx)
        }));
        if let Some(connection) = this.connection.take() {
            connection.end(Outcome::Completed);
        }
        Poll::Ready(output)
    }
}

/// Keeps a connection the thread's current operation until it is dropped.
pub(super) struct CurrentConnection<'a> {
    slot: &'a mut Option<Arc<Slot>>,
    span: SpanId,
}

impl<'a> CurrentConnection<'a> {
    fn enter(slot: &'a mut Option<Arc<Slot>>, span: SpanId) -> Self {
        *slot = slot.take().and_then(|slot| context::enter(slot, span));
        Self { slot, span }
    }
}

impl Drop for CurrentConnection<'_> {
    fn drop(&mut self) {
        if self.slot.is_none() {
            *self.slot = context::leave(self.span);
        }
    }
}
