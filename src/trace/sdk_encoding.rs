//! Encodes the SDK's span data in the compact encoding.

use std::time::{SystemTime, UNIX_EPOCH};

use opentelemetry::trace::{SpanContext, SpanKind as OtelKind, Status};
use opentelemetry::{Array, KeyValue, Value};
use opentelemetry_sdk::trace::SpanData;

use super::attribute_buffer::AttributeBuffer;
use super::limits::SpanLimits;
use super::otel_context::{span_id, trace_id};
use super::span_record::{
    SpanKind, SpanRecord, SpanStatus, ValueRef, put_event, put_link, put_value,
};
use super::traces::Traces;
use crate::clock::Nanos;
use crate::model::SpanId;
use crate::model::codec::Reader;

/// The parts of a span in their compact encoding.
pub(super) struct EncodedSpanData {
    attributes: AttributeBuffer,
    events: AttributeBuffer,
    links: AttributeBuffer,
}

impl EncodedSpanData {
    pub(super) fn new(traces: &Traces, span: &SpanData) -> Self {
        let limits = traces.limits();
        let mut written = Self {
            attributes: AttributeBuffer::attributes(limits),
            events: AttributeBuffer::events(limits),
            links: AttributeBuffer::links(limits),
        };
        put_attributes(&mut written.attributes, &span.attributes, limits);
        for event in span.events.iter() {
            let mut fields = AttributeBuffer::event_attributes(limits);
            put_attributes(&mut fields, &event.attributes, limits);
            let (at, name) = (reading(traces, event.timestamp), &event.name);
            written
                .events
                .put(|out| put_event(out, at, name, fields.bytes()));
            written
                .events
                .lost(dropped(&fields, event.dropped_attributes_count));
        }
        for link in span.links.iter() {
            let mut fields = AttributeBuffer::link_attributes(limits);
            put_attributes(&mut fields, &link.attributes, limits);
            let to: &SpanContext = &link.span_context;
            let (trace, span) = (trace_id(to.trace_id()), span_id(to.span_id()));
            written
                .links
                .put(|out| put_link(out, trace, span, fields.bytes()));
            written
                .links
                .lost(dropped(&fields, link.dropped_attributes_count));
        }
        written.attributes.lost(span.dropped_attributes_count);
        written.events.lost(span.events.dropped_count);
        written.links.lost(span.links.dropped_count);
        written
    }

    pub(super) fn record<'a>(
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

/// Converts a wall clock time to a time of the monitor's clock.
fn reading(traces: &Traces, time: SystemTime) -> Nanos {
    let wall = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    let clock = traces.requests().clock();
    crate::clock::nanos(wall).saturating_sub(clock.wall(0))
}

/// Returns how many attributes of an event or a link are missing: here, and before in the SDK.
fn dropped(attributes: &AttributeBuffer, before: u32) -> u32 {
    attributes.left_out().saturating_add(before)
}

fn put_attributes(out: &mut AttributeBuffer, attributes: &[KeyValue], limits: &SpanLimits) {
    for KeyValue { key, value, .. } in attributes {
        let key = key.as_str();
        match value {
            Value::Bool(truth) => out.value(key, ValueRef::Bool(*truth)),
            Value::I64(number) => out.value(key, ValueRef::I64(*number)),
            Value::F64(number) => out.value(key, ValueRef::F64(*number)),
            Value::Array(array) => {
                let (items, whole) = items(array, limits);
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

/// Encodes the values of an array, as many as have room. Returns them, and whether all of them are complete.
fn items(array: &Array, limits: &SpanLimits) -> (AttributeBuffer, bool) {
    let (mut out, mut whole) = (AttributeBuffer::array_items(limits), true);
    let mut put = |value: ValueRef<'_>| out.put(|out| put_value(out, value));
    match array {
        Array::Bool(all) => all.iter().for_each(|truth| put(ValueRef::Bool(*truth))),
        Array::I64(all) => all.iter().for_each(|number| put(ValueRef::I64(*number))),
        Array::F64(all) => all.iter().for_each(|number| put(ValueRef::F64(*number))),
        Array::String(all) => {
            for text in all {
                whole &= out.array_text(text.as_str());
            }
        }
        _ => {}
    }
    whole &= out.left_out() == 0;
    (out, whole)
}
