//! Finds the operation that a `tracing` event belongs to, and adds the event to its span.

use std::sync::Arc;

use tracing::span::Id;
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::{LookupSpan, SpanRef};

use super::SpanLayer;
use super::span_extension::SpanExtension;
use crate::clock::Nanos;
use crate::context::{self, Slot};
use crate::model::SpanId;
use crate::trace::span_record::{SpanStatus, put_tracing_event};
use crate::trace::{callsite_filter, entered_spans, event};

/// An event, as encoded for its log record.
pub(crate) struct EncodedEvent<'a> {
    pub(crate) at: Nanos,
    /// The number of the callsite, with [`event::SHORTENED`] set if a field was truncated or dropped.
    pub(crate) callsite: u32,
    /// The fields, as encoded by [`event::put_fields`].
    pub(crate) fields: &'a [u8],
}

impl SpanLayer {
    /// Returns the IDs of the operation that an event belongs to: the current operation, unless the event has an
    /// explicit parent or is an explicit root.
    #[inline]
    pub(crate) fn ids<S>(
        &self,
        event: &Event<'_>,
        context: &Context<'_, S>,
    ) -> Option<context::OperationIds>
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        match event.parent() {
            Some(parent) => self.ids_of_parent(parent, context),
            None if event.is_root() => None,
            None => self.ids_here(),
        }
    }

    /// Returns the IDs of the current operation.
    pub(crate) fn ids_here(&self) -> Option<context::OperationIds> {
        match &self.traces {
            Some(traces) => {
                traces.with_current(|slot, span| context::OperationIds { span, ..slot.ids() })
            }
            None => context::current(self.requests.number()),
        }
    }

    /// Returns the IDs of the explicit parent of an event.
    fn ids_of_parent<S>(&self, id: &Id, context: &Context<'_, S>) -> Option<context::OperationIds>
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        if !self.makes_spans()
            && let Some(here) = self.ids_here()
            && entered_spans::is_last(self.requests.number(), id.into_u64())
            && self.is_of_tracing(here.span)
        {
            // The ID of a span of tracing-opentelemetry's layer is only known while the span is current.
            return Some(here);
        }
        self.with(id, context, |of| context::OperationIds {
            span: of.span,
            ..of.slot.ids()
        })
    }

    /// Returns the callsite number of an event that the levels enable as part of a span. If events are not recorded,
    /// this includes only those at the level ERROR, which set the status of their span.
    #[inline]
    pub(crate) fn wanted(&self, event: &Event<'_>) -> Option<u32> {
        if self.traces.is_none() || !(self.events || self.sets_error_status(event)) {
            return None;
        }
        callsite_filter::wanted_event(event, &self.levels)
    }

    /// Whether an event sets the status of a span that this layer records.
    #[inline]
    pub(super) fn sets_error_status(&self, event: &Event<'_>) -> bool {
        *event.metadata().level() == Level::ERROR && self.makes_spans()
    }

    /// Whether tracing-opentelemetry's layer records an event of this operation, because it records the span.
    #[inline]
    pub(crate) fn is_recorded_elsewhere<S>(
        &self,
        event: &Event<'_>,
        ids: context::OperationIds,
        context: &Context<'_, S>,
    ) -> bool
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        !self.makes_spans() && self.is_recorded_by_otel_layer(event, ids, context)
    }

    #[cold]
    fn is_recorded_by_otel_layer<S>(
        &self,
        event: &Event<'_>,
        ids: context::OperationIds,
        context: &Context<'_, S>,
    ) -> bool
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        if self
            .traces
            .as_ref()
            .is_some_and(|it| it.foreign_otel().has_layer())
        {
            // The service's own layer may record every span: its filters are unknown.
            return context.event_span(event).is_some();
        }
        match event.parent().map(|parent| context.span(parent)) {
            // That layer records the spans that the levels enable.
            Some(named) => named.is_some_and(|named| {
                callsite_filter::wanted(named.metadata(), &self.levels).is_some()
            }),
            None => self.is_of_tracing(ids.span),
        }
    }

    /// Whether tracing-opentelemetry's layer created the span for a `tracing` span.
    pub(super) fn is_of_tracing(&self, span: SpanId) -> bool {
        let traces = self.traces.as_ref();
        traces.is_some_and(|traces| traces.sdk_spans().is_of_tracing(span))
    }

    /// Adds an event to the span `ids`, which its log record names.
    ///
    /// An event at the level ERROR sets the status of its `tracing` span to an error, as tracing-opentelemetry does.
    pub(crate) fn on_event<S>(
        &self,
        event: &Event<'_>,
        ids: context::OperationIds,
        encoded: &EncodedEvent<'_>,
        context: &Context<'_, S>,
    ) where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        // The log record has named `ids` already. Each step below adds the event to the span with exactly these IDs, or
        // leaves it to the next step; none chooses another span.
        let put = |out: &mut Vec<u8>| {
            put_tracing_event(out, encoded.at, encoded.callsite, encoded.fields);
        };
        let mut add_to_span = |span: &SpanRef<'_, S>| {
            let mut extensions = span.extensions_mut();
            let of = extensions
                .get_mut::<SpanExtension>()
                .and_then(|all| all.of_mut(self.requests.number()))
                .filter(|of| of.span == ids.span);
            let Some(recorded) = of.and_then(|of| of.recorded.as_mut()) else {
                return false;
            };
            if self.sets_error_status(event) {
                recorded.status = SpanStatus::Error;
                recorded.error_message = event::error_message(event.metadata(), encoded.fields);
            }
            if self.events {
                recorded.events.put(put);
            }
            true
        };
        // 1. The innermost `tracing` span, which is usually the one.
        let innermost = context.event_span(event);
        if innermost.as_ref().is_some_and(&mut add_to_span) {
            return;
        }
        let add_if_root = |slot: &Arc<Slot>| {
            let is_root = slot.ids().span == ids.span;
            if is_root && self.events {
                slot.trace_buffer().add_event(self.max_events(), put);
            }
            is_root
        };
        // 2. The root of the current trace, if no `tracing` span lies between. It can be a `tracing` span itself, which
        //    step 1 or 3 then finds with its own list of events.
        let add_to_current_root =
            |slot: &Arc<Slot>, _| (innermost.is_none() || slot.is_request()) && add_if_root(slot);
        if event.is_contextual()
            && context::with_current(Some(self.requests.number()), add_to_current_root)
                == Some(true)
        {
            return;
        }
        // 3. Outer `tracing` spans: the innermost one may not be recorded, or may contain a span from another source.
        let outer = innermost.as_ref().and_then(SpanRef::parent);
        let mut outer = outer.iter().flat_map(SpanRef::scope);
        if outer.any(|span| add_to_span(&span)) || !self.events {
            return;
        }
        // 4. A span of another source, such as a query or a plain OpenTelemetry span. It has no list of its own, so the
        //    trace's buffer stores the event until the span ends.
        if let Some(slot) = self.slot_of(event, context)
            && slot.ids().trace == ids.trace
            && !add_if_root(&slot)
        {
            slot.trace_buffer()
                .add_span_event(ids.span, self.max_events(), put);
        }
    }

    /// Returns the maximum number of events of a span.
    fn max_events(&self) -> u32 {
        let traces = self.traces.as_ref();
        traces.map_or(0, |traces| traces.limits().events)
    }

    /// Returns the slot of the operation that an event belongs to.
    #[cold]
    fn slot_of<S>(&self, event: &Event<'_>, context: &Context<'_, S>) -> Option<Arc<Slot>>
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        match event.parent() {
            Some(parent) => self.with(parent, context, |of| Arc::clone(&of.slot)),
            None => self.traces.as_ref()?.current().map(|(slot, _)| slot),
        }
    }
}
