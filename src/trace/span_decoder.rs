//! Converts kept spans to the span data of the OpenTelemetry SDK.

use std::borrow::Cow;

use opentelemetry::trace::{
    Event, Link, SpanContext, SpanKind as OtelKind, Status, TraceFlags, TraceState,
};
use opentelemetry::{Array, InstrumentationScope, KeyValue, StringValue, Value};
use opentelemetry_sdk::trace::{SpanData, SpanEvents, SpanLinks};

use super::attribute_value::AttributeValue;
use super::decode::{Span, read_part};
use super::otlp::DecodeSpans;
use super::span_record::TracePart;
use super::trace_state::otel_state;
use super::{SpanKind, SpanLimits, SpanStatus};
use crate::clock::Clock;
use crate::model::{SpanId, TraceId, prefix};
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
        let mut dropped = 0;
        let attributes = self.attributes(span.attributes, self.limits.attributes, &mut dropped);
        let mut events = SpanEvents::default();
        events.dropped_count = over(span.events.len(), self.limits.events);
        let max = self.limits.events as usize;
        events.events = span
            .events
            .into_iter()
            .take(max)
            .map(|event| self.event(event))
            .collect();
        let mut links = SpanLinks::default();
        links.dropped_count = over(span.links.len(), self.limits.links);
        let max = self.limits.links as usize;
        links.links = span
            .links
            .into_iter()
            .take(max)
            .map(|link| self.link(link))
            .collect();
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
            attributes,
            dropped_attributes_count: span.left_out + dropped,
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

    fn event(&self, event: super::decode::SpanEvent) -> Event {
        let mut dropped = 0;
        let max = self.limits.event_attributes;
        let attributes = self.attributes(event.attributes, max, &mut dropped);
        Event::new(event.name, event.at, attributes, dropped)
    }

    fn link(&self, link: super::decode::SpanLink) -> Link {
        let mut dropped = 0;
        let max = self.limits.link_attributes;
        let attributes = self.attributes(link.attributes, max, &mut dropped);
        let to = SpanContext::new(
            trace(link.trace_id),
            id(link.span_id),
            TraceFlags::default(),
            true,
            TraceState::NONE,
        );
        Link::new(to, attributes, dropped)
    }

    fn attributes(
        &self,
        all: Vec<(String, AttributeValue)>,
        max: u32,
        dropped: &mut u32,
    ) -> Vec<KeyValue> {
        *dropped += over(all.len(), max);
        let some = all.into_iter().take(max as usize);
        some.map(|(key, value)| KeyValue::new(key, self.value(value)))
            .collect()
    }

    fn value(&self, value: AttributeValue) -> Value {
        match value {
            AttributeValue::Str(text) => Value::String(self.text(text)),
            AttributeValue::I64(number) => Value::I64(number),
            AttributeValue::F64(number) => Value::F64(number),
            AttributeValue::Bool(truth) => Value::Bool(truth),
            AttributeValue::Array(items) => Value::Array(self.array(items)),
        }
    }

    fn array(&self, items: Vec<AttributeValue>) -> Array {
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
                        AttributeValue::Str(text) => Some(self.text(text)),
                        _ => None,
                    })
                    .collect(),
            ),
        }
    }

    /// Truncates a text to the limit, which counts characters.
    fn text(&self, mut text: String) -> StringValue {
        let max = self.limits.value_length as usize;
        if text.len() > max
            && let Some((at, _)) = text.char_indices().nth(max)
        {
            text.truncate(prefix(&text, at).len());
        }
        text.into()
    }
}

impl DecodeSpans for SpanDecoder {
    fn spans(&mut self, record: &Record<'_>, out: &mut Vec<SpanData>) {
        // The caller did not sample the trace: it stays in memory and is not exported.
        let is_local = |part: TracePart<'_>| part.sampling.is_local();
        if TracePart::read(record.body).is_none_or(is_local) {
            return;
        }
        let Some(part) = read_part(record.body, record.at, &self.clock) else {
            return;
        };
        let flags = TraceFlags::new(part.sampling.trace_flags());
        let trace_state = otel_state(&part.trace_state);
        let spans = part.spans.into_iter();
        out.extend(spans.map(|span| self.span(span, flags, &trace_state)));
    }
}

fn over(have: usize, max: u32) -> u32 {
    u32::try_from(have).unwrap_or(u32::MAX).saturating_sub(max)
}

fn trace(id: TraceId) -> opentelemetry::TraceId {
    id.to_u128().into()
}

fn id(id: SpanId) -> opentelemetry::SpanId {
    id.to_u64().into()
}
