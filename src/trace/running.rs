//! A span under way that this crate made.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use super::bounded::Bounded;
use super::context::OtelContext;
use super::span::{SpanKind, SpanRecord, SpanStatus};
use super::traces::{RootEnd, RootForm, Traces};
use crate::clock::Nanos;
use crate::model::wire::Reader;
use crate::model::{Attributes, Kept, SpanId, TraceId};
use crate::request::{self, Ids, NO_REQUEST, Slot};
use crate::semconv;

/// Where a span hangs: in whose slot, under which span.
pub(super) struct Place {
    pub(super) slot: Arc<Slot>,
    pub(super) parent: SpanId,
    /// The context that is attached while the span is current; a root's alone, for its children find the
    /// trace in it.
    pub(super) root: Option<OtelContext>,
}

impl Place {
    /// The place of a new span: under what is current, else as the root of a new trace.
    pub(super) fn find(traces: &Traces, span: SpanId, start: Nanos) -> Self {
        let inside = traces.with_current(|slot, parent| Self {
            slot: Arc::clone(slot),
            parent,
            root: None,
        });
        inside.unwrap_or_else(|| Self::root(traces, span, start))
    }

    /// The place of the root of a new trace.
    pub(super) fn root(traces: &Traces, span: SpanId, start: Nanos) -> Self {
        let requests = traces.requests();
        let slot = requests.new_trace_slot();
        let trace = TraceId::random();
        let ids = Ids {
            trace,
            span,
            route: NO_REQUEST,
        };
        slot.open(ids, start);
        slot.polled(None);
        let sampled = traces.chooses(trace, NO_REQUEST);
        Self {
            slot,
            parent: SpanId::NIL,
            root: Some(OtelContext::new(trace, span, sampled, "")),
        }
    }
}

/// A span under way. Dropped before its end, it was cancelled, or what ran in it panicked.
pub(super) struct Running {
    traces: Arc<Traces>,
    place: Place,
    span: SpanId,
    start: Nanos,
    name: Cow<'static, str>,
    kind: SpanKind,
    attributes: Attributes,
    panicked: bool,
    ended: bool,
}

impl Running {
    pub(super) fn begin(
        traces: Arc<Traces>,
        name: Cow<'static, str>,
        kind: SpanKind,
        attributes: Attributes,
    ) -> Self {
        let (span, start) = (SpanId::random(), traces.requests().clock().now());
        Self {
            place: Place::find(&traces, span, start),
            traces,
            span,
            start,
            name,
            kind,
            attributes,
            panicked: false,
            ended: false,
        }
    }

    /// Runs code in the span: it is the thread's current operation meanwhile.
    pub(super) fn inside<R>(running: &mut Option<Self>, work: impl FnOnce() -> R) -> R {
        let Some(running) = running else {
            return work();
        };
        let attached = running.place.root.as_ref().map(OtelContext::attach);
        let span = running.span;
        // A thread that is ending enters nothing.
        drop(request::enter(Arc::clone(&running.place.slot), span));
        let mut inside = Inside {
            running,
            returned: false,
        };
        let done = work();
        inside.returned = true;
        drop(inside);
        drop(attached);
        done
    }

    /// The operation is over. `text` is length-prefixed.
    pub(super) fn end(
        mut self,
        status: SpanStatus,
        text: Option<&[u8]>,
        error_type: Option<&'static str>,
    ) {
        let text = text.and_then(|text| Reader::new(text).str());
        if let Some(error_type) = error_type {
            self.attributes.insert(semconv::ERROR_TYPE, error_type);
        }
        self.finish(status, text.unwrap_or_default());
    }

    fn finish(&mut self, status: SpanStatus, text: &str) {
        self.ended = true;
        let now = self.traces.requests().clock().now();
        let mut attributes = Bounded::attributes();
        attributes.all(&self.attributes);
        let record = SpanRecord {
            span: self.span,
            parent: self.place.parent,
            start: self.start,
            end: now,
            kind: self.kind,
            status,
            name: &self.name,
            status_text: text,
            scope: "",
            attributes: attributes.bytes(),
            events: &[],
            links: &[],
            left_out: attributes.left_out(),
        };
        end_span(&self.traces, &self.place, &record, self.panicked);
    }
}

/// Ends a span, or the trace where it is the root.
pub(super) fn end_span(traces: &Traces, place: &Place, record: &SpanRecord<'_>, panicked: bool) {
    let slot = &place.slot;
    if place.root.is_none() {
        traces.span_ended(slot, record);
        return;
    }
    let ids = slot.ids();
    let slow = traces.is_slow(None, record.end.saturating_sub(record.start));
    let why = match record.status {
        _ if panicked => Some(Kept::Panic),
        SpanStatus::Error => Some(Kept::Error),
        _ => slow.then_some(Kept::Slow),
    };
    slot.close();
    let end = RootEnd {
        trace: ids.trace,
        trace_state: "",
        why,
        head: traces.chooses(ids.trace, ids.route),
        parent: false,
        now: record.end,
    };
    traces.root_ended(slot, &end, &RootForm::Span(record));
}

impl Drop for Running {
    fn drop(&mut self) {
        if self.ended {
            return;
        }
        if self.panicked {
            self.attributes.insert(semconv::ERROR_TYPE, "panicked");
            self.finish(SpanStatus::Error, "panicked");
        } else {
            self.attributes
                .insert(semconv::WATCHPOST_OUTCOME, "cancelled");
            self.finish(SpanStatus::Unset, "");
        }
    }
}

impl fmt::Debug for Running {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Running")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// Code runs in the span. Dropped before it returned, it panicked.
struct Inside<'a> {
    running: &'a mut Running,
    returned: bool,
}

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        request::leave(self.running.span);
        self.running.panicked |= !self.returned;
    }
}
