//! Converts kept spans to the span data of the OpenTelemetry SDK.

use std::borrow::Cow;

use opentelemetry::trace::{
    Event, Link, SpanContext, SpanKind as OtelKind, Status, TraceFlags, TraceState,
};
use opentelemetry::{Array, InstrumentationScope, KeyValue, Value};
use opentelemetry_sdk::trace::{SpanData, SpanEvents, SpanLinks};

use super::attribute_value::AttributeValue;
use super::decode::{Span, SpanEvent, SpanLink, read_part};
use super::otlp::DecodeSpans;
use super::span_record::TracePart;
use super::trace_state::otel_state;
use super::{SpanKind, SpanLimits, SpanStatus};
use crate::clock::Clock;
use crate::model::{SpanId, TraceId};
use crate::semconv;
use crate::worker::Record;

/// Decodes records into the span data of the OpenTelemetry SDK.
pub(crate) struct SpanDecoder {
    clock: Clock,
    limits: SpanLimits,
    own: InstrumentationScope,
}

impl SpanDecoder {
    pub(crate) fn new(clock: Clock, limits: SpanLimits) -> Self {
        Self {
            clock,
            limits,
            own: InstrumentationScope::builder(env!("CARGO_PKG_NAME"))
                .with_version(env!("CARGO_PKG_VERSION"))
                .with_schema_url(semconv::SCHEMA_URL)
                .build(),
        }
    }

    fn span(&self, span: Span, flags: TraceFlags, trace_state: &TraceState) -> SpanData {
        let mut events = SpanEvents::default();
        events.events = span.events.into_iter().map(otel_event).collect();
        let mut links = SpanLinks::default();
        links.links = span.links.into_iter().map(otel_link).collect();
        SpanData {
            span_context: SpanContext::new(
                trace(span.trace_id),
                id(span.span_id),
                flags,
                false,
                trace_state.clone(),
            ),
            parent_span_id: id(span.parent_span_id),
            parent_span_is_remote: span.parent_is_remote,
            span_kind: match span.kind {
                SpanKind::Internal => OtelKind::Internal,
                SpanKind::Server => OtelKind::Server,
                SpanKind::Client => OtelKind::Client,
                SpanKind::Producer => OtelKind::Producer,
                SpanKind::Consumer => OtelKind::Consumer,
            },
            name: Cow::Owned(span.name),
            start_time: span.start,
            end_time: span.start + span.duration,
            attributes: key_values(span.attributes),
            dropped_attributes_count: span.left_out,
            events,
            links,
            status: match span.status {
                SpanStatus::Unset => Status::Unset,
                SpanStatus::Ok => Status::Ok,
                SpanStatus::Error => Status::Error {
                    description: Cow::Owned(span.status_message),
                },
            },
            instrumentation_scope: if span.scope.is_empty() {
                self.own.clone()
            } else {
                InstrumentationScope::builder(span.scope).build()
            },
        }
    }
}

fn otel_event(event: SpanEvent) -> Event {
    Event::new(event.name, event.at, key_values(event.attributes), 0)
}

fn otel_link(link: SpanLink) -> Link {
    let to = SpanContext::new(
        trace(link.trace_id),
        id(link.span_id),
        TraceFlags::default(),
        true,
        TraceState::NONE,
    );
    Link::new(to, key_values(link.attributes), 0)
}

fn key_values(attributes: Vec<(String, AttributeValue)>) -> Vec<KeyValue> {
    let attributes = attributes.into_iter();
    attributes
        .map(|(key, value)| KeyValue::new(key, otel_value(value)))
        .collect()
}

fn otel_value(value: AttributeValue) -> Value {
    match value {
        AttributeValue::Str(text) => Value::String(text.into()),
        AttributeValue::I64(number) => Value::I64(number),
        AttributeValue::F64(number) => Value::F64(number),
        AttributeValue::Bool(truth) => Value::Bool(truth),
        AttributeValue::Array(items) => Value::Array(otel_array(items)),
    }
}

fn otel_array(items: Vec<AttributeValue>) -> Array {
    let items = items.into_iter();
    match items.as_slice().first() {
        Some(AttributeValue::I64(_)) => Array::I64(
            items
                .filter_map(|item| match item {
                    AttributeValue::I64(number) => Some(number),
                    _ => None,
                })
                .collect(),
        ),
        Some(AttributeValue::F64(_)) => Array::F64(
            items
                .filter_map(|item| match item {
                    AttributeValue::F64(number) => Some(number),
                    _ => None,
                })
                .collect(),
        ),
        Some(AttributeValue::Bool(_)) => Array::Bool(
            items
                .filter_map(|item| match item {
                    AttributeValue::Bool(truth) => Some(truth),
                    _ => None,
                })
                .collect(),
        ),
        _ => Array::String(
            items
                .filter_map(|item| match item {
                    AttributeValue::Str(text) => Some(text.into()),
                    _ => None,
                })
                .collect(),
        ),
    }
}

impl DecodeSpans for SpanDecoder {
    fn spans(&mut self, record: &Record<'_>, out: &mut Vec<SpanData>) {
        // The caller did not sample the trace: it stays in memory and is not exported.
        let is_local = |part: TracePart<'_>| part.sampling.is_local();
        if TracePart::read(record.body).is_none_or(is_local) {
            return;
        }
        let Some(part) = read_part(record.body, record.at, &self.clock, &self.limits) else {
            return;
        };
        let flags = TraceFlags::new(part.sampling.trace_flags());
        let trace_state = otel_state(&part.trace_state);
        let spans = part.spans.into_iter();
        out.extend(spans.map(|span| self.span(span, flags, &trace_state)));
    }
}

fn trace(id: TraceId) -> opentelemetry::TraceId {
    id.to_u128().into()
}

fn id(id: SpanId) -> opentelemetry::SpanId {
    id.to_u64().into()
}
