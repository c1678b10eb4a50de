//! The layer that records `tracing` spans and events in their trace.

mod events;
mod span_extension;
mod status;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use tracing::Subscriber;
use tracing::span::{Attributes, Id, Record};
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::{LookupSpan, SpanRef};

pub(crate) use self::events::EncodedEvent;
use self::span_extension::{MonitorSpan, RecordingSpan, SpanExtension};
pub(crate) use self::status::OtelConflicts;
use crate::context::{self, Requests, Slot};
use crate::model::{LevelDirectives, SpanId, is_suppressed};
use crate::trace::active_span::SpanParent;
use crate::trace::attribute_buffer::AttributeBuffer;
use crate::trace::entered_spans::{self, EnteredSpan};
use crate::trace::otel_context::{OtelContext, current_span};
use crate::trace::span_fields::SpanFields;
use crate::trace::span_record::{SpanKind, SpanStatus, put_link};
use crate::trace::traces::Traces;
use crate::trace::{SpanBackend, callsite_filter, layer_probe};

/// Records `tracing` spans, and `tracing` events as events of their span.
#[derive(Debug)]
pub(crate) struct SpanLayer {
    requests: Arc<Requests>,
    /// If `None`, no spans are recorded. Events in a `tracing` span still find their request.
    traces: Option<Arc<Traces>>,
    levels: Arc<LevelDirectives>,
    /// The layer that records spans. If it is another layer, that layer also records the events in its spans.
    spans: SpanBackend,
    events: bool,
    activity: LayerActivity,
}

/// The configuration of a [`SpanLayer`].
pub(crate) struct SpanLayerConfig {
    pub(crate) levels: Arc<LevelDirectives>,
    /// The layer that records `tracing` spans.
    pub(crate) backend: SpanBackend,
    /// Whether `tracing` events are recorded as events of their span.
    pub(crate) events: bool,
}

/// Which callbacks the layer has received. A composed layer may belong to a subscriber that is never used.
#[derive(Debug, Default)]
struct LayerActivity {
    has_received_events: AtomicBool,
    has_received_spans: AtomicBool,
}

impl SpanLayer {
    pub(crate) fn new(
        requests: Arc<Requests>,
        traces: Option<Arc<Traces>>,
        config: SpanLayerConfig,
    ) -> Self {
        Self {
            requests,
            traces,
            levels: config.levels,
            spans: config.backend,
            events: config.events,
            activity: LayerActivity::default(),
        }
    }

    /// Whether this layer records `tracing` spans. Otherwise a layer of tracing-opentelemetry does: either this
    /// monitor's, or the service's own over a joined provider.
    #[inline]
    fn makes_spans(&self) -> bool {
        let beside = self.traces.as_ref().map(|traces| traces.foreign_otel());
        match beside.filter(|it| it.has_layer()) {
            Some(beside) => !beside.is_joined(),
            None => self.spans == SpanBackend::Watchpost,
        }
    }

    #[cold]
    fn first_span(&self) {
        self.activity.has_received_spans.store(true, Relaxed);
        if let Some(traces) = &self.traces {
            traces.foreign_otel().probe_once();
        }
    }

    /// Returns the slot and the parent of a new span: the current operation, or the explicit parent.
    fn parent<S>(
        &self,
        attributes: &Attributes<'_>,
        span: &SpanRef<'_, S>,
    ) -> Option<(Arc<Slot>, SpanId)>
    where
        S: for<'a> LookupSpan<'a>,
    {
        let number = self.requests.number();
        if attributes.is_contextual()
            && let Some((slot, current)) = context::current_slot(number)
        {
            let parent = match &self.traces {
                Some(traces) => traces.innermost(&slot, current),
                None => current,
            };
            return Some((slot, parent));
        }
        if let Some(parent) = span.parent() {
            let extensions = parent.extensions();
            let all = extensions.get::<SpanExtension>();
            if let Some(of) = all.and_then(|all| all.of(number)) {
                return Some((Arc::clone(&of.slot), of.span));
            }
        }
        let traces = self
            .traces
            .as_ref()
            .filter(|_| attributes.is_contextual())?;
        traces.sdk_spans().current()
    }

    pub(crate) fn on_new_span<S>(
        &self,
        attributes: &Attributes<'_>,
        id: &Id,
        context: &Context<'_, S>,
    ) where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        // Spans of our own threads and of code that they run are not the service's.
        if is_suppressed() {
            return;
        }
        if !self.activity.has_received_spans.load(Relaxed) {
            self.first_span();
        }
        let Some(span) = context.span(id) else { return };
        // 1. Find the parent before the extensions are locked below: the lock of the parent's extensions is taken for
        //    it, and the layer must never hold two of them.
        let parent = self.parent(attributes, &span);
        let wanted = self
            .traces
            .as_ref()
            .filter(|_| self.makes_spans())
            .filter(|_| callsite_filter::wanted(attributes.metadata(), &self.levels).is_some());
        // 2. A span that is not recorded still leads to its request: events in it, and spans below it, find the enclosing
        //    operation here, on whatever thread they are.
        let of = match (wanted, parent) {
            (Some(traces), parent) => self.begin(traces, attributes, parent),
            (None, Some((slot, span))) => MonitorSpan {
                monitor: self.requests.number(),
                slot,
                span,
                recorded: None,
            },
            (None, None) => return,
        };
        // 3. Several monitors may share a subscriber. The first one needs no further allocation.
        let mut extensions = span.extensions_mut();
        if let Some(SpanExtension { others, .. }) = extensions.get_mut() {
            others.push(of);
        } else {
            extensions.insert(SpanExtension {
                first: of,
                others: Vec::new(),
            });
        }
    }

    fn begin(
        &self,
        traces: &Arc<Traces>,
        attributes: &Attributes<'_>,
        parent: Option<(Arc<Slot>, SpanId)>,
    ) -> MonitorSpan {
        let (span, start) = (SpanId::random(), self.requests.clock().now());
        let place = match parent {
            Some((slot, parent)) => SpanParent {
                slot,
                parent,
                root: None,
            },
            None => SpanParent::root(traces, span, start),
        };
        let limits = traces.limits();
        let mut fields = SpanFields::new(limits);
        attributes.record(&mut fields);
        MonitorSpan {
            monitor: self.requests.number(),
            slot: Arc::clone(&place.slot),
            span,
            recorded: Some(RecordingSpan {
                place,
                start,
                kind: SpanKind::Internal,
                status: SpanStatus::Unset,
                error_message: String::new(),
                fields,
                events: AttributeBuffer::events(limits),
                links: AttributeBuffer::links(limits),
            }),
        }
    }

    /// Runs `work` with this monitor's data of the span. `work` must call no code of the host.
    fn with<S, R>(
        &self,
        id: &Id,
        context: &Context<'_, S>,
        work: impl FnOnce(&mut MonitorSpan) -> R,
    ) -> Option<R>
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        let span = context.span(id)?;
        let mut extensions = span.extensions_mut();
        let of = extensions
            .get_mut::<SpanExtension>()?
            .of_mut(self.requests.number())?;
        Some(work(of))
    }

    pub(crate) fn on_record<S>(&self, id: &Id, values: &Record<'_>, context: &Context<'_, S>)
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        let Some(traces) = &self.traces else {
            return;
        };
        // The values are formatted outside the lock of the extensions, because `Debug` is code of the host.
        let mut fields = SpanFields::new(traces.limits());
        values.record(&mut fields);
        self.with(id, context, |of| {
            if let Some(recorded) = &mut of.recorded {
                recorded.fields.append(fields);
            }
        });
    }

    pub(crate) fn on_follows_from<S>(&self, id: &Id, follows: &Id, context: &Context<'_, S>)
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        if layer_probe::run_step(self.requests.number(), id, context) {
            return;
        }
        let Some((trace, span)) = self.with(follows, context, |of| (of.slot.ids().trace, of.span))
        else {
            return;
        };
        self.with(id, context, |of| {
            if let Some(recorded) = &mut of.recorded {
                recorded.links.put(|out| put_link(out, trace, span, &[]));
            }
        });
    }

    pub(crate) fn on_enter<S>(&self, id: &Id, context: &Context<'_, S>)
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        let entered = self.with(id, context, |of| {
            let root = of.recorded.as_ref().and_then(|it| it.place.root.clone());
            (Arc::clone(&of.slot), of.span, root)
        });
        let Some((slot, span, root)) = entered else {
            return;
        };
        // The context is attached outside the lock of the extensions, because contexts hold values of the host. It is
        // attached before the operation is entered, and detached after the operation was left.
        let attached = match &root {
            Some(root) => Some(root.attach()),
            None => self.context_of(&slot).map(|context| context.attach()),
        };
        let entered = EnteredSpan {
            monitor: self.requests.number(),
            id: id.into_u64(),
            span,
            attached,
        };
        // A thread that is ending has no list, and so would never leave the operation.
        if entered_spans::push(entered) {
            drop(context::enter(slot, span));
        }
    }

    /// Returns the OpenTelemetry context for a span whose trace is not current on the thread, such as that of a spawned
    /// task. OpenTelemetry spans join the trace through it. tracing-opentelemetry's layer attaches its own context.
    #[inline]
    fn context_of(&self, slot: &Arc<Slot>) -> Option<OtelContext> {
        let same = |here: &Arc<Slot>, _| Arc::ptr_eq(here, slot);
        let is_here = context::with_current(Some(self.requests.number()), same) == Some(true);
        if is_here || !self.makes_spans() {
            return None;
        }
        self.new_context_of(slot)
    }

    #[cold]
    fn new_context_of(&self, slot: &Slot) -> Option<OtelContext> {
        let traces = self.traces.as_ref()?;
        let ids = slot.ids();
        if traces.foreign_otel().service_owns_contexts() {
            return None;
        }
        if current_span().is_some_and(|(trace, _)| trace == ids.trace) {
            return None;
        }
        let (sampling, state) = (traces.sampling(slot), slot.trace_state());
        Some(OtelContext::new(ids.trace, ids.span, sampling, &state))
    }

    pub(crate) fn on_exit(&self, id: &Id) {
        leave_span(self.requests.number(), id);
    }

    pub(crate) fn on_close<S>(&self, id: &Id, context: &Context<'_, S>)
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        let Some(traces) = &self.traces else { return };
        let Some(span) = context.span(id) else { return };
        // The data is taken under the lock of the extensions, and the span is ended without it: ending a root may send
        // its whole trace.
        let taken = {
            let mut extensions = span.extensions_mut();
            let of = extensions
                .get_mut::<SpanExtension>()
                .and_then(|all| all.of_mut(self.requests.number()));
            of.and_then(|of| Some((of.span, of.recorded.take()?)))
        };
        if let Some((id, recorded)) = taken {
            recorded.end(traces, id, span.metadata());
        }
    }
}

/// Leaves a span that the thread entered under this monitor.
#[inline]
pub(crate) fn leave_span(monitor: u32, id: &Id) {
    if let Some(left) = entered_spans::take(monitor, id.into_u64()) {
        context::leave_only(left.span);
    }
}
