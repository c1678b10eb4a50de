//! A span that has started and not ended: finds its parent and runs code in it.

use std::sync::Arc;

use super::config::Propagators;
use super::otel_context::{self, OtelContext};
use super::span_record::{SpanRecord, SpanStatus};
use super::span_template::{CountAttributes, SpanTemplate};
use super::trace_sender::{RootEnd, RootRecord};
use super::traces::Traces;
use crate::clock::Nanos;
use crate::context::{self, AddOutcome, NO_REQUEST, OperationIds, QueryTiming, Requests, Slot};
use crate::model::{KeepReason, SpanId, TraceId};

/// The place of a span in its trace: the slot and the parent span.
pub(super) struct SpanParent {
    pub(super) slot: Arc<Slot>,
    pub(super) parent: SpanId,
    /// The OpenTelemetry context that is attached while the span is current. Only a root has one; its children find the
    /// trace in it.
    pub(super) root: Option<OtelContext>,
}

impl SpanParent {
    /// Returns the place of a new span: a child of the current operation, or else the root of a new trace.
    #[inline]
    pub(super) fn find(traces: &Traces, span: SpanId, start: Nanos) -> Self {
        match traces.current() {
            Some((slot, parent)) => Self {
                slot,
                parent,
                root: None,
            },
            None => Self::root(traces, span, start),
        }
    }

    /// Returns the place of the root of a new trace.
    #[cold]
    pub(super) fn root(traces: &Traces, span: SpanId, start: Nanos) -> Self {
        // A trace without a request gets a slot of its own. It is listed, so that a trace that stays open too long is
        // decided, and not pooled: such roots are rare compared to requests.
        let requests = traces.requests();
        let slot = requests.new_trace_slot();
        let trace = TraceId::random();
        let ids = OperationIds {
            trace,
            span,
            route: NO_REQUEST,
        };
        slot.open(ids, start);
        slot.set_poll_start(None);
        let sampling = traces.sample(trace, NO_REQUEST, None);
        slot.set_sampling(sampling, "");
        Self {
            slot,
            parent: SpanId::NIL,
            root: Some(if traces.foreign_otel().service_owns_contexts() {
                OtelContext::none()
            } else {
                OtelContext::new(trace, span, sampling, "")
            }),
        }
    }
}

/// Ends a span. If it is the root, also ends the trace.
pub(super) fn end_span(
    traces: &Traces,
    place: &SpanParent,
    record: &SpanRecord<'_>,
    panicked: bool,
) {
    let slot = &place.slot;
    // 1. A child waits in the buffer for its root. Its further events, if it has any, are there as well.
    if place.root.is_none() {
        if slot.trace_buffer().has_span_events() {
            end_with_events(traces, slot, record);
        } else {
            traces.span_ended(slot, record);
        }
        return;
    }
    // 2. A root decides its trace. The worst that happened is the reason: a panic also sets the status to an error, and a
    //    failed root may be slow, too.
    let ids = slot.ids();
    let slow = traces.is_slow(None, record.end.saturating_sub(record.start));
    let why = match record.status {
        _ if panicked => Some(KeepReason::Panic),
        SpanStatus::Error => Some(KeepReason::Error),
        _ => slow.then_some(KeepReason::Slow),
    };
    // 3. From here on the trace is not in flight. Its sampling decision and `tracestate` stay readable in the slot.
    slot.close();
    let end = RootEnd {
        trace: ids.trace,
        trace_state: &slot.trace_state(),
        why,
        sampling: traces.sampling(slot),
        now: record.end,
    };
    traces.root_ended(slot, &end, &RootRecord::Span(record));
}

/// Ends a span that may have events in addition to those of its record.
#[cold]
fn end_with_events(traces: &Traces, slot: &Slot, record: &SpanRecord<'_>) {
    let Some(more) = slot.trace_buffer().take_span_events(record.span) else {
        return traces.span_ended(slot, record);
    };
    let events = [record.events, &more.bytes].concat();
    let record = SpanRecord {
        events: &events,
        left_out: record.left_out.saturating_add(more.left_out),
        ..*record
    };
    traces.span_ended(slot, &record);
}

/// A span that has started but not ended; its attributes are set when it ends. Its owner must end it with the
/// [`Traces`] that it was started with.
pub(crate) struct ActiveSpan {
    place: SpanParent,
    span: SpanId,
    start: Nanos,
    panicked: bool,
}

impl ActiveSpan {
    /// Starts a span as a child of the current operation, or else as the root of a new trace.
    #[expect(
        clippy::inline_always,
        reason = "it is built where it stays, not moved there"
    )]
    #[inline(always)]
    pub(crate) fn at(traces: &Traces, start: Nanos) -> Self {
        let span = SpanId::random();
        Self {
            place: SpanParent::find(traces, span, start),
            span,
            start,
            panicked: false,
        }
    }

    /// Returns the slot of the span's trace.
    #[inline]
    pub(crate) fn slot(&self) -> &Arc<Slot> {
        &self.place.slot
    }

    /// Runs code in the span, which is the thread's current operation during the call.
    pub(crate) fn inside<R>(&mut self, work: impl FnOnce() -> R) -> R {
        let attached = self.place.root.as_ref().map(OtelContext::attach);
        // `enter` has no effect on a thread that is ending.
        drop(context::enter(Arc::clone(&self.place.slot), self.span));
        let mut inside = EnterGuard {
            open: self,
            returned: false,
        };
        let done = work();
        inside.returned = true;
        drop(inside);
        drop(attached);
        done
    }

    /// Passes `put` the propagation headers of an outgoing call whose span this is.
    pub(crate) fn put_headers(
        &self,
        traces: &Traces,
        propagators: Propagators,
        put: &mut dyn FnMut(&'static str, &str),
    ) {
        let slot = &self.place.slot;
        let prefers_foreign =
            traces.foreign_otel().service_owns_contexts() && !traces.sender().is_exported();
        otel_context::headers(
            slot,
            self.span,
            traces.sampling(slot),
            propagators,
            prefers_foreign,
            put,
        );
    }

    /// Ends the span with the data of `record`, except for the IDs and times, which the span replaces with its own.
    pub(crate) fn end(&self, traces: &Traces, end: Nanos, record: &SpanRecord<'_>) {
        let record = SpanRecord {
            span: self.span,
            parent: self.place.parent,
            start: self.start,
            end,
            ..*record
        };
        end_span(traces, &self.place, &record, self.panicked);
    }

    /// Counts a query and ends its span from a template, with these counts. Returns whether the span was ended.
    ///
    /// It was not ended if it is a root, is late, has events or finds no room. The caller must then [end](Self::end) it
    /// with its record.
    #[inline]
    pub(crate) fn end_query(
        &self,
        query: &QueryTiming<'_>,
        prepared: &SpanTemplate,
        counts: &CountAttributes,
    ) -> bool {
        let numbers = [
            self.span.to_u64(),
            self.place.parent.to_u64(),
            self.start,
            query.end,
        ];
        // The template has no place for events, and a root is not buffered. Such a query is only counted here.
        let slot = &self.place.slot;
        if self.place.root.is_some() || slot.trace_buffer().has_span_events_of(self.span) {
            slot.count_query(query);
            return false;
        }
        let put = |out: &mut Vec<u8>| prepared.put(out, numbers, counts);
        let added = slot.add_query(query, prepared.later, put);
        matches!(added, AddOutcome::Buffered | AddOutcome::Discarded)
    }
}

/// An [`ActiveSpan`] with the [`Traces`] that it was started with.
pub(crate) struct OwnedSpan {
    traces: Arc<Traces>,
    begun: ActiveSpan,
}

impl OwnedSpan {
    /// Returns the traces that record the span.
    pub(crate) fn traces(&self) -> &Traces {
        &self.traces
    }

    /// Starts a span as a child of the current operation, or else as the root of a new trace.
    pub(crate) fn begin(traces: Arc<Traces>) -> Self {
        let start = traces.requests().clock().now();
        Self {
            begun: ActiveSpan::at(&traces, start),
            traces,
        }
    }

    pub(crate) fn start(&self) -> Nanos {
        self.begun.start
    }

    /// Returns the slot of the span's trace.
    pub(crate) fn slot(&self) -> &Arc<Slot> {
        self.begun.slot()
    }

    /// Whether code that ran in the span panicked.
    pub(crate) fn panicked(&self) -> bool {
        self.begun.panicked
    }

    pub(crate) fn now(&self) -> Nanos {
        self.traces.requests().clock().now()
    }

    /// Runs code in the span, which is the thread's current operation during the call.
    pub(crate) fn inside<R>(&mut self, work: impl FnOnce() -> R) -> R {
        self.begun.inside(work)
    }

    /// Passes `put` the propagation headers of an outgoing call whose span this is.
    pub(crate) fn put_headers(
        &self,
        propagators: Propagators,
        put: &mut dyn FnMut(&'static str, &str),
    ) {
        self.begun.put_headers(&self.traces, propagators, put);
    }

    /// Ends the span with the data of `record`, except for the IDs and times, which the span replaces with its own.
    pub(crate) fn end(&self, end: Nanos, record: &SpanRecord<'_>) {
        self.begun.end(&self.traces, end, record);
    }
}

/// Passes `put` the propagation headers of an outgoing call if no spans are recorded. They name the current request.
pub(crate) fn put_request_headers(
    requests: &Requests,
    propagators: Propagators,
    put: &mut dyn FnMut(&'static str, &str),
) {
    if let Some((slot, span)) = context::current_slot(requests.number()) {
        let sampling = slot.sampling().unwrap_or_default();
        otel_context::headers(&slot, span, sampling, propagators, false, put);
    }
}

/// Leaves the span when the code in it ends. If it is dropped before the code returned, the code panicked.
struct EnterGuard<'a> {
    open: &'a mut ActiveSpan,
    returned: bool,
}

impl Drop for EnterGuard<'_> {
    fn drop(&mut self) {
        context::leave(self.open.span);
        self.open.panicked |= !self.returned;
    }
}
