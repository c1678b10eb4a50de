//! The span processor that adds the spans of the OpenTelemetry SDK's tracer to our traces.

use std::sync::Arc;
use std::time::Duration;

use opentelemetry::Context;
use opentelemetry::trace::{SpanContext, TraceContextExt};
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{Span, SpanData, SpanProcessor};

use super::active_span::{SpanParent, end_span};
use super::otel_context::{OtelContext, span_id, trace_id};
use super::sdk_encoding::EncodedSpanData;
use super::sdk_spans::SdkSpanState;
use super::traces::Traces;
use super::unique_attributes::is_made_of_tracing;
use crate::context::{self, OperationIds};
use crate::model::{Sampling, TraceId};

/// The span processor that adds SDK spans to their trace.
#[derive(Debug)]
pub(super) struct SdkSpanProcessor(pub(super) Arc<Traces>);

impl SpanProcessor for SdkSpanProcessor {
    fn on_start(&self, span: &mut Span, context: &Context) {
        use opentelemetry::trace::Span as _;
        let own = span.span_context();
        let (id, trace) = (span_id(own.span_id()), trace_id(own.trace_id()));
        let parent = context.span();
        let parent = parent.span_context();
        let parent_id = span_id(parent.span_id());
        let (traces, plain) = (&self.0, self.0.sdk_spans());
        let number = traces.requests().number();
        // The context that the host passed decides the trace. The thread's current operation only refines the parent
        // within that trace, or replaces a parent of an unknown provider, whose trace does not exist here.
        let here = context::current_slot(number);
        let is_unknown = || {
            // The parent is a span of a provider that is not joined.
            parent.is_valid()
                && !parent.is_remote()
                && traces.requests().find_trace(trace).is_none()
        };
        let current = here.filter(|(slot, _)| slot.ids().trace == trace || is_unknown());
        let place = if let Some(open) = plain.find(parent_id) {
            // The parent is a plain span, or an operation of ours that was entered inside it.
            let entered = current.filter(|(_, span)| *span != open.above);
            let above = entered.as_ref().map_or(open.above, |(_, span)| *span);
            let parent = if entered.is_some() { above } else { parent_id };
            Some((open.slot, above, parent))
        } else if let Some((slot, span)) = current {
            // The context names the root. The thread's current operation is closer.
            Some((slot, span, span))
        } else if parent.is_valid() && !parent.is_remote() {
            // The parent is in this process, and its trace runs on another thread.
            let slot = traces.requests().find_trace(trace);
            slot.map(|slot| (slot, parent_id, parent_id))
        } else {
            // No parent here: the span is the root of this process's part of its trace.
            let slot = traces.requests().new_trace_slot();
            let route = context::NO_REQUEST;
            slot.open(
                OperationIds {
                    trace,
                    span: id,
                    route,
                },
                traces.requests().clock().now(),
            );
            slot.set_poll_start(None);
            let caller = Some(parent).filter(|parent| parent.is_valid());
            let state = parent.trace_state().header();
            slot.set_sampling(first_here(traces, trace, caller), &state);
            let open = SdkSpanState {
                slot,
                above: id,
                parent: parent_id,
                is_root: true,
                of_tracing: is_made_of_tracing(),
            };
            return plain.insert(id, open);
        };
        // A span without a known place is handled as an orphan when it ends.
        if let Some((slot, above, parent)) = place {
            let open = SdkSpanState {
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
        // Removed first, so that code that runs from here on does not find an ended span as its parent.
        let open = traces
            .sdk_spans()
            .remove(span_id(span.span_context.span_id()));
        let written = EncodedSpanData::new(traces, &span);
        let parent = open.as_ref().map(|open| open.parent);
        let record = written.record(traces, &span, parent);
        match open {
            None => traces.orphan_ended(trace_id(span.span_context.trace_id()), &record),
            Some(open) => {
                let ids = open.slot.ids();
                let root = open
                    .is_root
                    .then(|| OtelContext::new(ids.trace, ids.span, Sampling::default(), ""));
                let place = SpanParent {
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

/// Makes the sampling decision for a trace that begins in this process with a plain span whose parent is remote. The
/// host's own code read that parent, so it is trusted.
pub(super) fn first_here(
    traces: &Traces,
    trace: TraceId,
    parent: Option<&SpanContext>,
) -> Sampling {
    let sampling = traces.sample(
        trace,
        context::NO_REQUEST,
        parent.map(SpanContext::is_sampled),
    );
    sampling.with_flags(parent.map_or(0, |parent| parent.trace_flags().to_u8()))
}
