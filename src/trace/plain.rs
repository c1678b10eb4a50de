//! Plain OpenTelemetry spans: those that the SDK's tracer makes. They join the trace that is current where they
//! start.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, Weak};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use opentelemetry::trace::{
    Link, SpanContext, SpanId as OtelSpanId, SpanKind as OtelKind, SpanRef, Status,
    TraceContextExt, TraceId as OtelTraceId, TraceState,
};
use opentelemetry::{Array, Context, KeyValue, Value};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{
    SamplingDecision, SamplingResult, SdkTracerProvider, ShouldSample, Span, SpanData,
    SpanProcessor,
};
use rustc_hash::FxHashMap;

use super::bounded::Bounded;
use super::joined::Ids as JoinedIds;
use super::open::{Place, end_span};
use super::otel_context::OtelContext;
use super::span::{SpanKind, SpanRecord, SpanStatus, ValueRef, put_event, put_link, put_value};
use super::traces::Traces;
use super::unique::is_made_of_tracing;
use crate::clock::Nanos;
use crate::context::{self, Ids, Slot};
use crate::model::codec::Reader;
use crate::model::{Sampling, SpanId, TraceId, cut};

/// Spans are spread over so many tables by their ids, which are random.
const SHARDS: usize = 16;
/// Spans under way that a table knows; more of them are not ours to know.
const MAX_OPEN: usize = 6_250;
/// Bytes of a text in an array.
const MAX_ITEM: usize = 1024;

/// The plain spans of one monitor that are under way.
#[derive(Debug, Default)]
pub(crate) struct PlainSpans {
    count: AtomicUsize,
    open: [Mutex<FxHashMap<SpanId, Open>>; SHARDS],
}

/// Where a plain span hangs.
#[derive(Debug, Clone)]
struct Open {
    slot: Arc<Slot>,
    /// What of ours was current when it started: it lies below that, and above what is entered later.
    above: SpanId,
    parent: SpanId,
    /// Whether it is the root of a trace that it began.
    is_root: bool,
    /// Whether tracing-opentelemetry's layer made it of a `tracing` span.
    of_tracing: bool,
}

impl PlainSpans {
    /// Whether none is under way, told without a lock.
    #[inline]
    fn is_empty(&self) -> bool {
        self.count.load(Relaxed) == 0
    }

    #[expect(
        clippy::indexing_slicing,
        reason = "the index is taken modulo the length"
    )]
    fn table(&self, span: SpanId) -> MutexGuard<'_, FxHashMap<SpanId, Open>> {
        let table = &self.open[span.to_u64() as usize % SHARDS];
        table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn find(&self, span: SpanId) -> Option<Open> {
        self.table(span).get(&span).cloned()
    }

    fn insert(&self, span: SpanId, open: Open) {
        let mut all = self.table(span);
        if all.len() < MAX_OPEN && all.insert(span, open).is_none() {
            self.count.fetch_add(1, Relaxed);
        }
    }

    fn remove(&self, span: SpanId) -> Option<Open> {
        let removed = self.table(span).remove(&span);
        if removed.is_some() {
            self.count.fetch_sub(1, Relaxed);
        }
        removed
    }

    /// Whether a span is one that tracing-opentelemetry's layer, as this crate composes it, makes of a `tracing` span.
    pub(super) fn is_of_tracing(&self, span: SpanId) -> bool {
        !self.is_empty()
            && self
                .table(span)
                .get(&span)
                .is_some_and(|open| open.of_tracing)
    }

    /// The innermost operation: the plain span that is current, if it started under what of ours is current now.
    #[inline]
    pub(super) fn innermost(&self, slot: &Slot, current: SpanId) -> SpanId {
        if self.is_empty() {
            return current;
        }
        self.below(slot, current).unwrap_or(current)
    }

    /// Where a span lies that starts while a plain span is current and nothing of ours is.
    #[cold]
    pub(super) fn current(&self) -> Option<(Arc<Slot>, SpanId)> {
        if self.is_empty() {
            return None;
        }
        let (trace, span) = super::otel_context::current_span()?;
        let open = self.find(span)?;
        (trace == open.slot.ids().trace).then_some((open.slot, span))
    }

    #[cold]
    fn below(&self, slot: &Slot, current: SpanId) -> Option<SpanId> {
        let (trace, span) = super::otel_context::current_span()?;
        let open = self.find(span)?;
        (trace == slot.ids().trace && open.above == current).then_some(span)
    }
}

/// Calls of `set_attribute` on one span that the SDK keeps. It keeps each of them, also those of one key, of which the
/// last counts; a span has fewer keys.
pub(super) const MAX_SET: usize = 1024;

/// The traces of each monitor, for what has a context alone.
static ALL: RwLock<Vec<(u32, Weak<Traces>)>> = RwLock::new(Vec::new());

/// The context that a call to elsewhere carries, where `context` is the thread's current one and an operation of ours
/// lies inside its span: that has no context of its own.
pub(crate) fn outgoing(context: &Context) -> Option<Context> {
    let monitor = context::with_current(None, |slot, _| slot.monitor())?;
    let of = context.span();
    let of = of.span_context();
    let ids = (trace_id(of.trace_id()), span_id(of.span_id()));
    if super::otel_context::current_span() != Some(ids) {
        return None;
    }
    let traces = {
        let all = ALL.read().unwrap_or_else(PoisonError::into_inner);
        let (_, traces) = all.iter().find(|(number, _)| *number == monitor)?;
        traces.upgrade()?
    };
    if traces.beside().leaves_contexts() && !traces.is_sent() {
        // The receiver of the service's provider gets the span of its context, and none gets ours.
        return None;
    }
    let (slot, span) = traces.current()?;
    (slot.ids().trace == ids.0 && span != ids.1).then(|| {
        context.with_remote_span_context(SpanContext::new(
            of.trace_id(),
            OtelSpanId::from(span.to_u64()),
            of.trace_flags(),
            false,
            of.trace_state().clone(),
        ))
    })
}

/// The provider whose tracers' spans join our traces.
pub(crate) fn provider(traces: &Arc<Traces>) -> SdkTracerProvider {
    let mut all = ALL.write().unwrap_or_else(PoisonError::into_inner);
    all.retain(|(_, traces)| traces.strong_count() > 0);
    all.push((traces.requests().number(), Arc::downgrade(traces)));
    drop(all);
    SdkTracerProvider::builder()
        .with_sampler(RecordAll(Arc::clone(traces)))
        .with_span_processor(Processor(Arc::clone(traces)))
        .with_id_generator(JoinedIds::new(traces))
        .with_max_attributes_per_span(MAX_SET as u32)
        .with_resource(Resource::builder_empty().build())
        .build()
}

/// Records every span: what is kept is decided when the trace's root has ended. The flag that is sent on is the
/// parent's within this process; for the first span here, what the sampler says of its parent elsewhere.
#[derive(Debug, Clone)]
struct RecordAll(Arc<Traces>);

impl ShouldSample for RecordAll {
    fn should_sample(
        &self,
        parent: Option<&Context>,
        trace: OtelTraceId,
        _: &str,
        _: &OtelKind,
        _: &[KeyValue],
        _: &[Link],
    ) -> SamplingResult {
        let span = parent.map(|context| context.span());
        let parent = span.as_ref().map(SpanRef::span_context);
        let parent = parent.filter(|parent| parent.is_valid());
        let sampled = match parent {
            Some(parent) if !parent.is_remote() => parent.is_sampled(),
            None if let Some(sampled) = self.0.sampled_here(trace_id(trace)) => sampled,
            parent => first_here(&self.0, trace_id(trace), parent).is_sampled(),
        };
        SamplingResult {
            decision: if sampled {
                SamplingDecision::RecordAndSample
            } else {
                SamplingDecision::RecordOnly
            },
            attributes: Vec::new(),
            trace_state: parent.map_or(TraceState::NONE, |parent| parent.trace_state().clone()),
        }
    }
}

/// The decision on a trace that begins in this process with a plain span, whose parent is elsewhere. The host has read
/// the parent from where it comes, and so trusts it.
fn first_here(traces: &Traces, trace: TraceId, parent: Option<&SpanContext>) -> Sampling {
    let sampling = traces.sample(
        trace,
        context::NO_REQUEST,
        parent.map(SpanContext::is_sampled),
    );
    sampling.with_flags(parent.map_or(0, |parent| parent.trace_flags().to_u8()))
}

/// Brings spans to their trace.
#[derive(Debug)]
pub(super) struct Processor(pub(super) Arc<Traces>);

impl SpanProcessor for Processor {
    fn on_start(&self, span: &mut Span, context: &Context) {
        use opentelemetry::trace::Span as _;
        let own = span.span_context();
        let (id, trace) = (span_id(own.span_id()), trace_id(own.trace_id()));
        let parent = context.span();
        let parent = parent.span_context();
        let parent_id = span_id(parent.span_id());
        let (traces, plain) = (&self.0, self.0.plain());
        let number = traces.requests().number();
        let here = context::current_slot(number);
        let is_unknown = || {
            // A span of a provider that knows nothing of us.
            parent.is_valid() && !parent.is_remote() && traces.requests().of_trace(trace).is_none()
        };
        let current = here.filter(|(slot, _)| slot.ids().trace == trace || is_unknown());
        let place = if let Some(open) = plain.find(parent_id) {
            // Below a plain span, and below what of ours was entered in it since.
            let entered = current.filter(|(_, span)| *span != open.above);
            let above = entered.as_ref().map_or(open.above, |(_, span)| *span);
            let parent = if entered.is_some() { above } else { parent_id };
            Some((open.slot, above, parent))
        } else if let Some((slot, span)) = current {
            Some((slot, span, span))
        } else if parent.is_valid() && !parent.is_remote() {
            let slot = traces.requests().of_trace(trace);
            slot.map(|slot| (slot, parent_id, parent_id))
        } else {
            let slot = traces.requests().new_trace_slot();
            let route = context::NO_REQUEST;
            slot.open(
                Ids {
                    trace,
                    span: id,
                    route,
                },
                traces.requests().clock().now(),
            );
            slot.polled(None);
            let caller = Some(parent).filter(|parent| parent.is_valid());
            let state = parent.trace_state().header();
            slot.sample(first_here(traces, trace, caller), &state);
            let open = Open {
                slot,
                above: id,
                parent: parent_id,
                is_root: true,
                of_tracing: is_made_of_tracing(),
            };
            return plain.insert(id, open);
        };
        // One whose place is not found goes the way of orphans.
        if let Some((slot, above, parent)) = place {
            let open = Open {
                slot,
                above,
                parent,
                is_root: false,
                of_tracing: is_made_of_tracing(),
            };
            plain.insert(id, open);
        }
    }

    fn on_end(&self, span: SpanData) {
        let traces = &self.0;
        let open = traces.plain().remove(span_id(span.span_context.span_id()));
        let written = Written::new(traces, &span);
        let parent = open.as_ref().map(|open| open.parent);
        let record = written.record(traces, &span, parent);
        match open {
            None => traces.orphan_ended(trace_id(span.span_context.trace_id()), &record),
            Some(open) => {
                let ids = open.slot.ids();
                let root = open
                    .is_root
                    .then(|| OtelContext::new(ids.trace, ids.span, Sampling::default(), ""));
                let place = Place {
                    slot: open.slot,
                    parent: open.parent,
                    root,
                };
                end_span(traces, &place, &record, false);
            }
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
        Ok(())
    }
}

pub(super) fn trace_id(id: OtelTraceId) -> TraceId {
    TraceId::from_u128(u128::from_be_bytes(id.to_bytes()))
}

pub(super) fn span_id(id: OtelSpanId) -> SpanId {
    SpanId::from_u64(u64::from_be_bytes(id.to_bytes()))
}

/// The parts of a span in their compact form.
struct Written {
    attributes: Bounded,
    events: Bounded,
    links: Bounded,
}

impl Written {
    fn new(traces: &Traces, span: &SpanData) -> Self {
        let mut written = Self {
            attributes: Bounded::attributes(),
            events: Bounded::events(),
            links: Bounded::links(),
        };
        put_attributes(&mut written.attributes, &span.attributes);
        for event in span.events.iter() {
            let mut fields = Bounded::small_attributes();
            put_attributes(&mut fields, &event.attributes);
            let (at, name) = (reading(traces, event.timestamp), &event.name);
            written
                .events
                .put(|out| put_event(out, at, name, fields.bytes()));
        }
        for link in span.links.iter() {
            let mut fields = Bounded::small_attributes();
            put_attributes(&mut fields, &link.attributes);
            let to: &SpanContext = &link.span_context;
            let (trace, span) = (trace_id(to.trace_id()), span_id(to.span_id()));
            written
                .links
                .put(|out| put_link(out, trace, span, fields.bytes()));
        }
        written.attributes.lost(span.dropped_attributes_count);
        written.events.lost(span.events.dropped_count);
        written.links.lost(span.links.dropped_count);
        written
    }

    fn record<'a>(
        &'a self,
        traces: &Traces,
        span: &'a SpanData,
        parent: Option<SpanId>,
    ) -> SpanRecord<'a> {
        let (status, status_text) = match &span.status {
            Status::Unset => (SpanStatus::Unset, ""),
            Status::Ok => (SpanStatus::Ok, ""),
            Status::Error { description } => (SpanStatus::Error, &**description),
        };
        let parts = [&self.attributes, &self.events, &self.links];
        SpanRecord {
            span: span_id(span.span_context.span_id()),
            parent: parent.unwrap_or_else(|| span_id(span.parent_span_id)),
            start: reading(traces, span.start_time),
            end: reading(traces, span.end_time),
            kind: match span.span_kind {
                OtelKind::Client => SpanKind::Client,
                OtelKind::Server => SpanKind::Server,
                OtelKind::Producer => SpanKind::Producer,
                OtelKind::Consumer => SpanKind::Consumer,
                OtelKind::Internal => SpanKind::Internal,
            },
            status,
            name: &span.name,
            status_text,
            scope: span.instrumentation_scope.name(),
            attributes: self.attributes.bytes(),
            events: self.events.bytes(),
            links: self.links.bytes(),
            left_out: parts.iter().map(|part| part.left_out()).sum(),
        }
    }
}

/// A time of the wall clock as a reading of the monitor's.
fn reading(traces: &Traces, time: SystemTime) -> Nanos {
    let wall = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    let clock = traces.requests().clock();
    crate::clock::nanos(wall).saturating_sub(clock.wall(0))
}

fn put_attributes(out: &mut Bounded, attributes: &[KeyValue]) {
    for KeyValue { key, value, .. } in attributes {
        let key = key.as_str();
        match value {
            Value::Bool(truth) => out.value(key, ValueRef::Bool(*truth)),
            Value::I64(number) => out.value(key, ValueRef::I64(*number)),
            Value::F64(number) => out.value(key, ValueRef::F64(*number)),
            Value::Array(array) => {
                let (items, whole) = items(array);
                let items = ValueRef::Array(Reader::new(items.bytes()));
                out.value(key, items);
                if !whole {
                    out.mark();
                }
            }
            other => out.value(key, ValueRef::Str(&other.as_str())),
        }
    }
}

/// The values of an array, as many as have room, and whether these are all of them, in whole.
fn items(array: &Array) -> (Bounded, bool) {
    let (mut out, mut whole) = (Bounded::small_attributes(), true);
    let mut put = |value: ValueRef<'_>| out.put(|out| put_value(out, value));
    match array {
        Array::Bool(all) => all.iter().for_each(|truth| put(ValueRef::Bool(*truth))),
        Array::I64(all) => all.iter().for_each(|number| put(ValueRef::I64(*number))),
        Array::F64(all) => all.iter().for_each(|number| put(ValueRef::F64(*number))),
        Array::String(all) => all.iter().for_each(|text| {
            whole &= text.as_str().len() <= MAX_ITEM;
            put(ValueRef::Str(&cut(text.as_str(), MAX_ITEM)));
        }),
        _ => {}
    }
    whole &= out.left_out() == 0;
    (out, whole)
}
