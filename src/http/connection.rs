//! What lives on after its request: event streams and upgraded sockets.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::task::{Context, Poll, ready};

use pin_project_lite::pin_project;

use super::panic::saw_panic;
use super::series::{HttpInstruments, seconds};
use super::stream_end::StreamEndRecord;
use crate::clock::Nanos;
use crate::context::{self, Ids, Requests, Slot};
use crate::metrics::{Histogram, UpDownCounter};
use crate::model::{DropPanicCheck, EndOnPanic, Outcome, SpanId, TraceId, end_on_panic};
use crate::semconv;
use crate::trace::Traces;

/// Counts the life of one stream: one more while it lives, its duration and outcome when it ends.
#[derive(Debug)]
pub(super) struct ConnectionRecorder {
    requests: Arc<Requests>,
    /// Decides the trace at the end, where it began with the stream and no request decides it.
    traces: Option<Arc<Traces>>,
    duration: Histogram,
    active: UpDownCounter,
    route: Box<str>,
    ids: Ids,
    start: Nanos,
    /// In no list: the request itself is over.
    slot: Option<Arc<Slot>>,
    bytes: u64,
    /// The outcome if it is dropped now.
    outcome: Outcome,
    panicked: AtomicBool,
    dropping: DropPanicCheck,
    last: Option<StreamEndRecord>,
}

impl ConnectionRecorder {
    /// A stream begins, with the outcome that it has if it is dropped before its end.
    pub(super) fn begin(
        requests: &Arc<Requests>,
        instruments: &HttpInstruments,
        route: &str,
        ids: Ids,
        goes_on: Option<Arc<Slot>>,
        traces: Option<&Arc<Traces>>,
        dropped: Outcome,
    ) -> Self {
        let active = instruments
            .connections
            .with([(semconv::HTTP_ROUTE, route.to_owned())]);
        active.add(1);
        let start = requests.clock().now();
        let traces = traces.filter(|_| goes_on.is_none()).cloned();
        let slot = match goes_on {
            // A trace of its own is listed, so that one open for too long is decided before its end.
            None if traces.is_some() => requests.new_trace_slot(),
            goes_on => requests.unlisted_slot(goes_on),
        };
        slot.open(ids, start);
        Self {
            start,
            requests: Arc::clone(requests),
            traces,
            duration: instruments.connection.clone(),
            active,
            route: route.into(),
            ids,
            slot: Some(slot),
            bytes: 0,
            outcome: dropped,
            panicked: AtomicBool::new(false),
            dropping: DropPanicCheck::default(),
            last: None,
        }
    }

    /// Adds the log record of its end.
    pub(super) fn with_record(mut self, last: Option<StreamEndRecord>) -> Self {
        self.last = last;
        self
    }

    /// The stream is the thread's current request until the value is dropped.
    pub(super) fn enter(&mut self) -> CurrentConnection<'_> {
        CurrentConnection::enter(&mut self.slot, self.ids.span)
    }

    /// Counts bytes.
    pub(super) fn sent(&mut self, bytes: usize) {
        self.bytes = self.bytes.saturating_add(bytes as u64);
    }

    /// The stream ends with this outcome, now.
    pub(super) fn end(mut self: Box<Self>, outcome: Outcome) {
        self.outcome = outcome;
    }

    /// Where a panic is noted of code that is called while the stream is shared.
    pub(super) fn panic_note(&self) -> &AtomicBool {
        &self.panicked
    }

    /// What owns the stream is dropped, the host's part of it first.
    pub(super) fn dropping(&mut self) {
        self.dropping.begins();
    }
}

impl EndOnPanic for Box<ConnectionRecorder> {
    #[cold]
    fn panicked(self) {
        saw_panic(self.requests.number());
        self.end(Outcome::Panicked);
    }
}

impl Drop for ConnectionRecorder {
    fn drop(&mut self) {
        let now = self.requests.clock().now();
        if self.dropping.panicked() | *self.panicked.get_mut() {
            saw_panic(self.requests.number());
            self.outcome = Outcome::Panicked;
        }
        let life = now.saturating_sub(self.start);
        self.active.add(-1);
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
        if let Some(last) = &self.last {
            last.queue(self.outcome, life, self.bytes, now);
        }
    }
}

/// An upgraded connection, made by [`Monitor::connection`](crate::Monitor::connection).
#[derive(Debug)]
#[must_use = "a connection is counted while `run` is awaited"]
pub struct Connection {
    requests: Arc<Requests>,
    traces: Option<Arc<Traces>>,
    instruments: Arc<HttpInstruments>,
    name: String,
    /// The request that was upgraded, if this is its handler.
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

    /// Runs the connection's task: counted in `watchpost_http_connections` while it runs and in
    /// `watchpost_http_connection_duration_seconds` when it ends, with the outcome `completed`, `cancelled` if it is
    /// dropped before, or `panicked`. Its `tracing` events carry the trace id of the request that was upgraded, if
    /// `connection` was called in its handler, and its spans belong to the request's trace. Otherwise its spans are a
    /// trace of their own, which is kept or dropped when the task ends, or after `trace.max_open`.
    ///
    /// # Cancel safety
    ///
    /// As `task` is: dropping the future drops the task and ends the count.
    pub fn run<F: Future>(self, task: F) -> RunConnection<F> {
        let ids = Ids {
            trace: match &self.upgraded {
                Some(slot) => slot.ids().trace,
                None => TraceId::random(),
            },
            span: SpanId::random(),
            route: self.requests.routes().named(&self.name),
        };
        RunConnection {
            task,
            stream: Some(Box::new(ConnectionRecorder::begin(
                &self.requests,
                &self.instruments,
                &self.requests.routes().name(ids.route),
                ids,
                self.upgraded,
                self.traces.as_ref(),
                Outcome::Cancelled,
            ))),
        }
    }
}

pin_project! {
    /// The future of [`Connection::run`].
    #[derive(Debug)]
    #[must_use = "futures do nothing unless awaited"]
    pub struct RunConnection<F> {
        // Before `stream`: what it drops still belongs to the connection.
        #[pin]
        task: F,
        stream: Option<Box<ConnectionRecorder>>,
    }

    impl<F> PinnedDrop for RunConnection<F> {
        fn drop(this: Pin<&mut Self>) {
            if let Some(stream) = this.project().stream {
                stream.dropping();
            }
        }
    }
}

impl<F: Future> Future for RunConnection<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let output = ready!(end_on_panic(this.stream, |stream| {
            let _current = stream.as_deref_mut().map(ConnectionRecorder::enter);
            this.task.poll(cx)
        }));
        if let Some(stream) = this.stream.take() {
            stream.end(Outcome::Completed);
        }
        Poll::Ready(output)
    }
}

/// The stream is the thread's current request until this is dropped.
pub(super) struct CurrentConnection<'a>(&'a mut Option<Arc<Slot>>, SpanId);

impl<'a> CurrentConnection<'a> {
    fn enter(slot: &'a mut Option<Arc<Slot>>, span: SpanId) -> Self {
        *slot = slot.take().and_then(|slot| context::enter(slot, span));
        Self(slot, span)
    }
}

impl Drop for CurrentConnection<'_> {
    fn drop(&mut self) {
        if self.0.is_none() {
            *self.0 = context::leave(self.1);
        }
    }
}
