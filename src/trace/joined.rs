//! A provider of the service's own whose spans join our traces.

use opentelemetry::trace::{Link, SpanId as OtelSpanId, SpanKind, TraceId as OtelTraceId};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::trace::{
    IdGenerator, RandomIdGenerator, SamplingDecision, SamplingResult, ShouldSample,
    TracerProviderBuilder,
};

use std::sync::Arc;

use super::plain::Processor;
use super::traces::Traces;

/// Adds to a provider what brings its spans to our traces, under its own sampler.
pub(crate) fn join(
    builder: TracerProviderBuilder,
    sampler: Box<dyn ShouldSample>,
    traces: &Arc<Traces>,
) -> TracerProviderBuilder {
    traces.beside().note_joined();
    builder
        .with_sampler(Recording(sampler))
        .with_id_generator(Ids::new(traces))
        .with_span_processor(Processor(Arc::clone(traces)))
}

/// Gives a root span the id of the trace that the thread is at.
#[derive(Debug)]
pub(super) struct Ids {
    traces: Arc<Traces>,
    random: RandomIdGenerator,
}

impl Ids {
    pub(super) fn new(traces: &Arc<Traces>) -> Self {
        Self {
            traces: Arc::clone(traces),
            random: RandomIdGenerator::default(),
        }
    }
}

impl IdGenerator for Ids {
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

/// The service's sampler. What it drops is recorded and not sampled: exporters leave it out, and our traces have it.
#[derive(Debug, Clone)]
struct Recording(Box<dyn ShouldSample>);

impl ShouldSample for Recording {
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
