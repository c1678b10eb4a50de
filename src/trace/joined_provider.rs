//! The service's own provider, joined so that its spans become part of our traces.

use opentelemetry::trace::{Link, SpanId as OtelSpanId, SpanKind, TraceId as OtelTraceId};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::trace::{
    IdGenerator, RandomIdGenerator, SamplingDecision, SamplingResult, ShouldSample,
    TracerProviderBuilder,
};

use std::sync::Arc;

use super::sdk_processor::SdkSpanProcessor;
use super::traces::Traces;

/// Configures a provider so that its spans join our traces and its own sampler stays in effect.
pub(crate) fn join(
    builder: TracerProviderBuilder,
    sampler: Box<dyn ShouldSample>,
    traces: &Arc<Traces>,
) -> TracerProviderBuilder {
    traces.foreign_otel().record_join();
    builder
        .with_sampler(RecordingSampler(sampler))
        .with_id_generator(TraceIdGenerator::new(traces))
        .with_span_processor(SdkSpanProcessor(Arc::clone(traces)))
}

/// Gives a root span the ID of the thread's current trace.
#[derive(Debug)]
pub(super) struct TraceIdGenerator {
    traces: Arc<Traces>,
    random: RandomIdGenerator,
}

impl TraceIdGenerator {
    pub(super) fn new(traces: &Arc<Traces>) -> Self {
        Self {
            traces: Arc::clone(traces),
            random: RandomIdGenerator::default(),
        }
    }
}

impl IdGenerator for TraceIdGenerator {
    fn new_trace_id(&self) -> OtelTraceId {
        let current = self.traces.with_current(|slot, _| slot.ids().trace);
        match current {
            Some(trace) => trace.to_u128().into(),
            None => self.random.new_trace_id(),
        }
    }

    fn new_span_id(&self) -> OtelSpanId {
        self.random.new_span_id()
    }
}

/// The service's sampler. Spans that it drops are recorded but not sampled: exporters skip them, and our traces include
/// them.
#[derive(Debug, Clone)]
struct RecordingSampler(Box<dyn ShouldSample>);

impl ShouldSample for RecordingSampler {
    fn should_sample(
        &self,
        parent: Option<&Context>,
        trace: OtelTraceId,
        name: &str,
        kind: &SpanKind,
        attributes: &[KeyValue],
        links: &[Link],
    ) -> SamplingResult {
        let mut result = self
            .0
            .should_sample(parent, trace, name, kind, attributes, links);
        if result.decision == SamplingDecision::Drop {
            result.decision = SamplingDecision::RecordOnly;
        }
        result
    }
}
