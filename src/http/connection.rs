//! What lives on after its request: event streams and upgraded sockets.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

use super::series::{Instruments, seconds};
use crate::clock::Nanos;
use crate::metrics::{Histogram, UpDownCounter};
use crate::model::{SpanId, TraceId};
use crate::request::{self, Ids, Requests, Slot};
use crate::semconv;

/// Counts the life of one stream: one more while it lives, its duration when it is dropped.
#[derive(Debug)]
pub(super) struct Stream {
    requests: Arc<Requests>,
    duration: Histogram,
    active: UpDownCounter,
    ids: Ids,
    start: Nanos,
    /// In no list: the request itself is over.
    slot: Option<Arc<Slot>>,
}

impl Stream {
    pub(super) fn begin(
        requests: &Arc<Requests>,
        instruments: &Instruments,
        route: &str,
        ids: Ids,
        goes_on: Option<Arc<Slot>>,
    ) -> Self {
        let labels = || [(semconv::HTTP_ROUTE, route.to_owned())];
        let active = instruments.connections.with(labels());
        active.add(1);
        let start = requests.clock().now();
        let slot = requests.unlisted_slot(goes_on);
        slot.open(ids, start);
        Self {
            start,
            requests: Arc::clone(requests),
            duration: instruments.connection.with(labels()),
            active,
            ids,
            slot: Some(slot),
        }
    }

    /// The stream is the thread's current request until the value is dropped.
    pub(super) fn enter(&mut self) -> Current<'_> {
        Current::enter(&mut self.slot, self.ids.span)
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        let now = self.requests.clock().now();
        self.active.add(-1);
        self.duration
            .record_traced(seconds(now.saturating_sub(self.start)), self.ids.trace, now);
    }
}

/// An upgraded connection, made by [`Monitor::connection`](crate::Monitor::connection).
#[derive(Debug)]
#[must_use = "a connection is counted while `run` is awaited"]
pub struct Connection {
    requests: Arc<Requests>,
    instruments: Arc<Instruments>,
    name: String,
    /// The request that was upgraded, if this is its handler.
    upgraded: Option<Arc<Slot>>,
}

impl Connection {
    pub(super) fn new(
        requests: &Arc<Requests>,
        instruments: &Arc<Instruments>,
        name: String,
    ) -> Self {
        let upgraded = request::current_slot(requests.number()).map(|(slot, _)| slot);
        Self {
            requests: Arc::clone(requests),
            instruments: Arc::clone(instruments),
            name,
            upgraded,
        }
    }

    /// Runs the connection's task: counted in `watchpost_http_connections` while it runs and in
    /// `watchpost_http_connection_duration_seconds` when it ends or is dropped. Its `tracing` events
    /// carry the trace id of the request that was upgraded, if `connection` was called in its handler.
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
            route: self.requests.routes().id(&self.name),
        };
        RunConnection {
            task,
            stream: Stream::begin(
                &self.requests,
                &self.instruments,
                &self.name,
                ids,
                self.upgraded,
            ),
        }
    }
}

pin_project! {
    /// The future of [`Connection::run`].
    #[derive(Debug)]
    #[must_use = "futures do nothing unless awaited"]
    pub struct RunConnection<F> {
        #[pin]
        task: F,
        stream: Stream,
    }
}

impl<F: Future> Future for RunConnection<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let _current = this.stream.enter();
        this.task.poll(cx)
    }
}

/// The stream is the thread's current request until this is dropped.
pub(super) struct Current<'a>(&'a mut Option<Arc<Slot>>, SpanId);

impl<'a> Current<'a> {
    fn enter(slot: &'a mut Option<Arc<Slot>>, span: SpanId) -> Self {
        *slot = slot.take().and_then(|slot| request::enter(slot, span));
        Self(slot, span)
    }
}

impl Drop for Current<'_> {
    fn drop(&mut self) {
        if self.0.is_none() {
            *self.0 = request::leave(self.1);
        }
    }
}
