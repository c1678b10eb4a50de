//! The provider whose tracers' spans join our traces.

use std::sync::{Arc, RwLock, Weak};

use opentelemetry::trace::{
    Link, SpanContext, SpanId as OtelSpanId, SpanKind as OtelKind, SpanRef, TraceContextExt,
    TraceId as OtelTraceId, TraceState,
};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{SamplingDecision, SamplingResult, SdkTracerProvider, ShouldSample};

use super::joined_provider::TraceIdGenerator;
use super::otel_context::{current_span, span_id, trace_id};
use super::sdk_processor::{SdkSpanProcessor, first_here};
use super::traces::Traces;
use super::unique_attributes::MAX_SET;
use crate::context;
use crate::model::{read_lock, write_lock};

/// The traces of each monitor, for callers that only have a context.
static ALL: RwLock<Vec<(u32, Weak<Traces>)>> = RwLock::new(Vec::new());

/// Returns the context for an outgoing call if `context` is the thread's current one and an operation of this crate is
/// inside its span. Such an operation has no context of its own.
pub(crate) fn outgoing(context: &Context) -> Option<Context> {
    let monitor = context::with_current(None, |slot, _| slot.monitor())?;
    let of = context.span();
    let of = of.span_context();
    let ids = (trace_id(of.trace_id()), span_id(of.span_id()));
    if current_span() != Some(ids) {
        return None;
    }
    let traces = {
        let all = read_lock(&ALL);
        let (_, traces) = all.iter().find(|(number, _)| *number == monitor)?;
        traces.upgrade()?
    };
    if traces.foreign_otel().service_owns_contexts() && !traces.sender().is_exported() {
        // Only the service's provider exports spans, so the header must name the span of its context.
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
    let mut all = write_lock(&ALL);
    all.retain(|(_, traces)| traces.strong_count() > 0);
    all.push((traces.requests().number(), Arc::downgrade(traces)));
    drop(all);
    let limits = traces.limits();
    SdkTracerProvider::builder()
        .with_sampler(RecordAllSampler(Arc::clone(traces)))
        .with_span_processor(SdkSpanProcessor(Arc::clone(traces)))
        .with_id_generator(TraceIdGenerator::new(traces))
        .with_max_attributes_per_span(MAX_SET as u32)
        .with_max_events_per_span(limits.events)
        .with_max_links_per_span(limits.links)
        .with_max_attributes_per_event(limits.event_attributes)
        .with_max_attributes_per_link(limits.link_attributes)
        .with_resource(Resource::builder_empty().build())
        .build()
}

/// Records every span, because the decision to keep a trace is made when its root has ended. Within this process, the
/// sampled flag is the parent's. For the first span in this process, the sampler decides, based on the remote parent.
#[derive(Debug, Clone)]
struct RecordAllSampler(Arc<Traces>);

impl ShouldSample for RecordAllSampler {
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
            // A trace has one decision. It is the parent's, then that of the request whose ID the span got, then a new
            // one, for which a remote parent counts.
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
