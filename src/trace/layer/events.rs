//! Which operation a `tracing` event belongs to, and how it becomes a part of its span.

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

/// An event as it was encoded for its log record.
pub(crate) struct EncodedEvent<'a> {
    pub(crate) at: Nanos,
    /// The number of its callsite, with [`event::SHORTENED`] if a field was cut or left out.
    pub(crate) callsite: u32,
    /// Its fields, as [`event::put_fields`] wrote them.
    pub(crate) fields: &'a [u8],
}

impl SpanLayer {
    /// The ids of the operation that an event belongs to: the one that is current, unless the event names another span,
    /// or none.
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

    /// The ids of the operation that is current.
    pub(crate) fn ids_here(&self) -> Option<context::OperationIds> {
        match &self.traces {
            Some(traces) => {
                traces.with_current(|slot, span| context::OperationIds { span, ..slot.ids() })
            }
            None => context::current(self.requests.number()),
        }
    }

    /// The ids of the span that an event names as its own, where that is not the current one.
    fn ids_of_parent<S>(&self, id: &Id, context: &Context<'_, S>) -> Option<context::OperationIds>
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        if !self.makes_spans()
            && let Some(here) = self.ids_here()
            && entered_spans::is_last(self.requests.number(), id.into_u64())
            && self.is_of_tracing(here.span)
        {
            // The id of a span of that layer is known while it is current alone.
            return Some(here);
        }
        self.with(id, context, |of| context::OperationIds {
            span: of.span,
            ..of.slot.ids()
        })
    }

    /// The callsite of an event that is to be part of a span: the levels want it. Also that of an event of the level
    /// ERROR alone, which sets its span's status.
    #[inline]
    pub(crate) fn wanted(&self, event: &Event<'_>) -> Option<u32> {
        if self.traces.is_none() || !(self.events || self.fails(event)) {
            return None;
        }
        callsite_filter::wanted_event(event, &self.levels)
    }

    /// Whether an event sets the status of a span that this layer makes.
    #[inline]
    pub(super) fn fails(&self, event: &Event<'_>) -> bool {
        *event.metadata().level() == Level::ERROR && self.makes_spans()
    }

    /// Whether an event of this operation is left to tracing-opentelemetry's layer, whose span that is.
    #[inline]
    pub(crate) fn leaves<S>(
        &self,
        event: &Event<'_>,
        ids: context::OperationIds,
        context: &Context<'_, S>,
    ) -> bool
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        !self.makes_spans() && self.is_theirs(event, ids, context)
    }

    #[cold]
    fn is_theirs<S>(
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
            // The service's own layer makes spans of all, under filters that nobody knows.
            return context.event_span(event).is_some();
        }
        match event.parent().map(|parent| context.span(parent)) {
            // That layer makes spans of those that the levels want.
            Some(named) => named.is_some_and(|named| {
                callsite_filter::wanted(named.metadata(), &self.levels).is_some()
            }),
            None => self.is_of_tracing(ids.span),
        }
    }

    /// Whether tracing-opentelemetry's layer made the span of a `tracing` span.
    pub(super) fn is_of_tracing(&self, span: SpanId) -> bool {
        let traces = self.traces.as_ref();
        traces.is_some_and(|traces| traces.sdk_spans().is_of_tracing(span))
    }

    /// Makes an event a part of the span that its log record names, `ids`.
    /// One of the level ERROR makes its `tracing` span's status an error, as tracing-opentelemetry does.
    pub(crate) fn on_event<S>(
        &self,
        event: &Event<'_>,
        ids: context::OperationIds,
        encoded: &EncodedEvent<'_>,
        context: &Context<'_, S>,
    ) where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        let put = |out: &mut Vec<u8>| {
            put_tracing_event(out, encoded.at, encoded.callsite, encoded.fields);
        };
        let mut into = |span: &SpanRef<'_, S>| {
            let mut extensions = span.extensions_mut();
            let of = extensions
                .get_mut::<SpanExtension>()
                .and_then(|all| all.of_mut(self.requests.number()))
                .filter(|of| of.span == ids.span);
            let Some(recorded) = of.and_then(|of| of.recorded.as_mut()) else {
                return false;
            };
            if self.fails(event) {
                recorded.status = SpanStatus::Error;
                recorded.said = event::said_of_error(event.metadata(), encoded.fields);
            }
            if self.events {
                recorded.events.put(put);
            }
            true
        };
        let innermost = context.event_span(event);
        if innermost.as_ref().is_some_and(&mut into) {
            return;
        }
        let in_root = |slot: &Arc<Slot>| {
            let is_root = slot.ids().span == ids.span;
            if is_root && self.events {
                slot.trace_buffer().add_event(put);
            }
            is_root
        };
        // A root may be a `tracing` span itself.
        let at_once =
            |slot: &Arc<Slot>, _| (innermost.is_none() || slot.is_request()) && in_root(slot);
        if event.is_contextual()
            && context::with_current(Some(self.requests.number()), at_once) == Some(true)
        {
            return;
        }
        // What of `tracing` lies around spans that are not its own, or is not recorded.
        let outer = innermost.as_ref().and_then(SpanRef::parent);
        let mut outer = outer.iter().flat_map(SpanRef::scope);
        if outer.any(|span| into(&span)) || !self.events {
            return;
        }
        if let Some(slot) = self.slot_of(event, context)
            && slot.ids().trace == ids.trace
            && !in_root(&slot)
        {
            slot.trace_buffer().add_span_event(ids.span, put);
        }
    }

    /// The slot of the operation that an event belongs to.
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
