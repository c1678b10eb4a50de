//! `tracing` spans as spans of their trace.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::{Dispatch, Event, Level, Metadata, Subscriber};
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::{LookupSpan, SpanRef};

use super::active_span::{SpanParent, end_span};
use super::attribute_buffer::AttributeBuffer;
use super::entered_spans::{self, EnteredSpan};
use super::otel_context::{OtelContext, current_span};
use super::span_fields::SpanFields;
use super::span_record::{SpanKind, SpanRecord, SpanStatus, put_link, put_tracing_event};
use super::traces::Traces;
use super::{SpanBackend, callsite_filter, event, layer_probe};
use crate::clock::Nanos;
use crate::context::{self, Requests, Slot};
use crate::model::codec::Reader;
use crate::model::{LevelDirectives, SpanId, is_suppressed};

/// Makes spans of `tracing` spans, and their events' part of them.
#[derive(Debug)]
pub(crate) struct SpanLayer {
    requests: Arc<Requests>,
    /// `None`: no spans are made; events in a `tracing` span still find their request.
    traces: Option<Arc<Traces>>,
    levels: Arc<LevelDirectives>,
    /// Who makes spans; where it is not this layer, events in a span are not for it either.
    spans: SpanBackend,
    events: bool,
    standing: LayerActivity,
}

/// What the layer has heard. A layer that was composed may stand in a subscriber that never came into use.
#[derive(Debug, Default)]
struct LayerActivity {
    hears_events: AtomicBool,
    hears_spans: AtomicBool,
}

/// What a `tracing` span is to the monitors whose layers saw it; in its extensions.
struct SpanExtension {
    first: MonitorSpan,
    others: Vec<MonitorSpan>,
}

struct MonitorSpan {
    monitor: u32,
    slot: Arc<Slot>,
    /// The span itself where it is recorded, else the one that it lies in.
    span: SpanId,
    recorded: Option<RecordingSpan>,
}

/// A span under way.
struct RecordingSpan {
    place: SpanParent,
    start: Nanos,
    kind: SpanKind,
    status: SpanStatus,
    /// What the last event of the level ERROR said.
    said: String,
    fields: SpanFields,
    events: AttributeBuffer,
    links: AttributeBuffer,
}

impl SpanExtension {
    fn of(&self, monitor: u32) -> Option<&MonitorSpan> {
        std::iter::once(&self.first)
            .chain(&self.others)
            .find(|of| of.monitor == monitor)
    }

    fn of_mut(&mut self, monitor: u32) -> Option<&mut MonitorSpan> {
        std::iter::once(&mut self.first)
            .chain(&mut self.others)
            .find(|of| of.monitor == monitor)
    }
}

impl SpanLayer {
    pub(crate) fn new(
        requests: Arc<Requests>,
        traces: Option<Arc<Traces>>,
        levels: Arc<LevelDirectives>,
        (spans, events): (SpanBackend, bool),
    ) -> Self {
        Self {
            requests,
            traces,
            levels,
            spans,
            events,
            standing: LayerActivity::default(),
        }
    }

    /// An event has come, or a question that only a subscriber in use hands on.
    #[inline]
    pub(crate) fn note_heard(&self) {
        if !self.standing.hears_events.load(Relaxed) {
            self.standing.hears_events.store(true, Relaxed);
        }
    }

    /// Looks whether a subscriber that has the layer has one of tracing-opentelemetry that is not this monitor's.
    pub(crate) fn look_for_theirs(&self, subscriber: &Dispatch) {
        if let Some(traces) = &self.traces {
            traces.foreign_otel().look_in(subscriber);
        }
    }

    /// The layer is in a subscriber that has no layer of others.
    pub(crate) fn note_alone(&self) {
        if let Some(traces) = &self.traces {
            traces.foreign_otel().note_layer(false);
        }
    }

    /// Whether this layer makes spans of `tracing` spans. Else a layer of tracing-opentelemetry does: this monitor's, or
    /// the service's own over a provider that brings them here.
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
        self.standing.hears_spans.store(true, Relaxed);
        if let Some(traces) = &self.traces {
            traces.foreign_otel().look_for_layer();
        }
    }

    /// Whether a subscriber with the layer in it is or was in use.
    pub(crate) fn is_heard(&self) -> bool {
        self.standing.hears_events.load(Relaxed) || self.standing.hears_spans.load(Relaxed)
    }

    /// Up to which level spans of a target would be recorded, if no span has ever come.
    pub(crate) fn misses(&self, target: &str) -> Option<LevelFilter> {
        let silent = self.traces.is_some() && !self.standing.hears_spans.load(Relaxed);
        silent.then(|| self.levels.level_of(target))
    }

    /// What is wrong between the service's own OpenTelemetry and this monitor: about its provider, and about layers of
    /// tracing-opentelemetry.
    pub(crate) fn besides(&self) -> [Option<&'static str>; 2] {
        let Some(beside) = self.traces.as_ref().map(|traces| traces.foreign_otel()) else {
            return [None, None];
        };
        let provider = beside.misses_spans().then_some(
            "the service has an OpenTelemetry provider of its own that was not joined: its spans go to its exporter, complete and by its sampler, with trace IDs that are not those of the requests here, and they are no part of this monitor's traces: build it with `monitor.otel().join(builder, sampler)`, or use `monitor.otel().tracer_provider()` in its place",
        );
        let theirs = self.spans == SpanBackend::TracingOpentelemetry;
        let hears = self.standing.hears_spans.load(Relaxed);
        let layer = if beside.has_layer() {
            (theirs && !beside.is_joined()).then_some(
                "the subscriber has a layer of tracing-opentelemetry of the service's own, and a span takes the data of one alone: `monitor.otel().tracing_layer()` stepped aside, and the monitor's own layer makes the spans of its traces: remove one of the two, or build the service's provider with `monitor.otel().join(builder, sampler)`",
            )
        } else {
            (theirs && hears && !beside.was_asked()).then_some(
                "`trace.spans` is `tracing-opentelemetry` and its layer is in no subscriber, so `tracing` spans are no part of traces: add `.with(monitor.otel().tracing_layer())` behind `.with(monitor.tracing_layer())`",
            )
        };
        [provider, layer]
    }

    /// The most verbose level of the spans that it wants.
    pub(crate) fn max_level(&self) -> LevelFilter {
        if self.traces.is_some() {
            self.levels.max()
        } else {
            LevelFilter::OFF
        }
    }

    /// Where a new span lies: in the operation that is current, or under the parent that its code names.
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
        if is_suppressed() {
            return;
        }
        if !self.standing.hears_spans.load(Relaxed) {
            self.first_span();
        }
        let Some(span) = context.span(id) else { return };
        let parent = self.parent(attributes, &span);
        let wanted = self
            .traces
            .as_ref()
            .filter(|_| self.makes_spans())
            .filter(|_| callsite_filter::wanted(attributes.metadata(), &self.levels).is_some());
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
        let mut fields = SpanFields::new();
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
                said: String::new(),
                fields,
                events: AttributeBuffer::events(),
                links: AttributeBuffer::links(),
            }),
        }
    }

    /// Runs `work` with what the span is to this monitor. `work` calls nothing foreign.
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
        // The values are formatted outside the extensions' lock: `Debug` is foreign.
        let mut fields = SpanFields::new();
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
        if layer_probe::answer(self.requests.number(), id, context) {
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
    fn fails(&self, event: &Event<'_>) -> bool {
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
    fn is_of_tracing(&self, span: SpanId) -> bool {
        let traces = self.traces.as_ref();
        traces.is_some_and(|traces| traces.sdk_spans().is_of_tracing(span))
    }

    /// Makes an event a part of the span that its log record names, `ids`. It comes with its time, callsite and fields.
    /// One of the level ERROR makes its `tracing` span's status an error, as tracing-opentelemetry does.
    pub(crate) fn on_event<S>(
        &self,
        event: &Event<'_>,
        ids: context::OperationIds,
        (at, callsite, fields): (Nanos, u32, &[u8]),
        context: &Context<'_, S>,
    ) where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        let put = |out: &mut Vec<u8>| put_tracing_event(out, at, callsite, fields);
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
                recorded.said = event::said_of_error(event.metadata(), fields);
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
        if entered_spans::push(entered) {
            drop(context::enter(slot, span));
        }
    }

    /// The context for a span of a trace that the thread is not in, such as that of a spawned task: spans of OpenTelemetry
    /// join the trace by it. tracing-opentelemetry's layer makes one itself.
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
        if traces.foreign_otel().leaves_contexts() {
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

/// The thread leaves a span that it entered under this monitor.
#[inline]
pub(crate) fn leave_span(monitor: u32, id: &Id) {
    if let Some(left) = entered_spans::take(monitor, id.into_u64()) {
        context::leave_only(left.span);
    }
}

impl RecordingSpan {
    fn end(self, traces: &Traces, span: SpanId, metadata: &Metadata<'_>) {
        let fields = &self.fields;
        let panicked = std::thread::panicking();
        let status = match fields.status.unwrap_or(self.status) {
            SpanStatus::Unset if panicked => SpanStatus::Error,
            status => status,
        };
        let status_text = Reader::new(&fields.status_text).str();
        let said = match &*self.said {
            _ if status != SpanStatus::Error => "",
            "" if panicked => "panicked",
            said => said,
        };
        let record = SpanRecord {
            span,
            parent: self.place.parent,
            start: self.start,
            end: traces.requests().clock().now(),
            kind: fields.kind.unwrap_or(self.kind),
            status,
            name: Reader::new(&fields.name).str().unwrap_or(metadata.name()),
            status_text: status_text.unwrap_or(said),
            scope: metadata.target(),
            attributes: fields.attributes.bytes(),
            events: self.events.bytes(),
            links: self.links.bytes(),
            left_out: fields.attributes.left_out() + self.events.left_out() + self.links.left_out(),
        };
        end_span(traces, &self.place, &record, panicked);
    }
}
