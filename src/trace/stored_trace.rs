//! The encoding of a kept trace on disk. A later process reads it, so it has no numbers of callsites and no times of
//! this process's clock, and its texts are redacted.
//!
//! A later release reads the records of an earlier one, so a form never changes: a new form gets a new number.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::attribute_value::AttributeValue;
use super::decode::{Span, SpanEvent, SpanLink, read_part};
use super::limits::SpanLimits;
use super::span_record::{
    EventRef, PartHead, SpanRecord, TracePart, TraceRoot, ValueRef, attributes, events, links,
    put_head, put_link, put_no_root, put_span, put_span_root, put_value, value,
};
use crate::clock::{Clock, Nanos, wall_nanos};
use crate::model::codec::{Reader, put_bytes, put_str};
use crate::model::{KeepReason, SpanId, TraceId};

/// The form of a part of a trace: trace ID, start, then the part with all texts redacted.
const PART: u8 = 1;

/// A part of a kept trace, as it was stored.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct StoredSpans {
    pub(super) trace_id: TraceId,
    pub(super) kept: KeepReason,
    pub(super) spans: Vec<Span>,
}

/// Encodes a record of kept spans for the disk, redacted by the rules of the thread. Returns `None` if it is malformed
/// or has no spans.
pub(super) fn encode(
    record: &[u8],
    at: Nanos,
    clock: &Clock,
    limits: &SpanLimits,
) -> Option<Vec<u8>> {
    let trace = TracePart::read(record)?.trace;
    let part = read_part(record, at, clock, limits)?;
    let start = part.spans.iter().map(|span| span.start).min()?;
    let mut out = vec![PART];
    out.extend_from_slice(&trace.to_u128().to_le_bytes());
    out.extend_from_slice(&wall_nanos(start).to_le_bytes());
    // What was lost is in the attributes and the count of the root already.
    let head = PartHead {
        trace,
        reason: part.kept,
        sampling: part.sampling,
        lost_spans: 0,
        lost_events: 0,
        trace_state: &part.trace_state,
    };
    put_head(&mut out, &head);
    put_bytes(&mut out, &[]);
    let mut spans = part.spans.iter();
    match spans.as_slice().first().filter(|first| first.is_root) {
        Some(root) => {
            with_record(root, |record| put_span_root(&mut out, record));
            spans.next();
        }
        None => put_no_root(&mut out),
    }
    for span in spans {
        with_record(span, |record| put_span(&mut out, record));
    }
    Some(out)
}

/// Calls `put` with the encoding of a span.
fn with_record(span: &Span, put: impl FnOnce(&SpanRecord<'_>)) {
    let attributes = encode_attributes(&span.attributes);
    let (mut events, mut links) = (Vec::new(), Vec::new());
    for event in &span.events {
        events.extend_from_slice(&wall_nanos(event.at).to_le_bytes());
        events.push(0);
        put_str(&mut events, &event.name);
        put_bytes(&mut events, &encode_attributes(&event.attributes));
    }
    for link in &span.links {
        let attributes = encode_attributes(&link.attributes);
        put_link(&mut links, link.trace_id, link.span_id, &attributes);
    }
    let end = span.start + span.duration;
    put(&SpanRecord {
        span: span.span_id,
        parent: span.parent_span_id,
        start: wall_nanos(span.start),
        end: wall_nanos(end),
        kind: span.kind,
        status: span.status,
        name: &span.name,
        status_text: &span.status_message,
        scope: &span.scope,
        attributes: &attributes,
        events: &events,
        links: &links,
        left_out: span.left_out,
    });
}

fn encode_attributes(all: &[(String, AttributeValue)]) -> Vec<u8> {
    let mut out = Vec::new();
    for (key, value) in all {
        put_str(&mut out, key);
        encode_value(&mut out, value);
    }
    out
}

fn encode_value(out: &mut Vec<u8>, value: &AttributeValue) {
    match value {
        AttributeValue::Str(text) => put_value(out, ValueRef::Str(text)),
        AttributeValue::I64(number) => put_value(out, ValueRef::I64(*number)),
        AttributeValue::F64(number) => put_value(out, ValueRef::F64(*number)),
        AttributeValue::Bool(truth) => put_value(out, ValueRef::Bool(*truth)),
        AttributeValue::Array(items) => {
            let mut encoded = Vec::new();
            items
                .iter()
                .for_each(|item| encode_value(&mut encoded, item));
            put_value(out, ValueRef::Array(Reader::new(&encoded)));
        }
    }
}

/// The trace ID of a stored part; `None` if it has another form or is damaged.
pub(super) fn trace_id(body: &[u8]) -> Option<u128> {
    let mut reader = Reader::new(body);
    (reader.u8()? == PART).then(|| reader.u128())?
}

/// When a stored part began; `None` if it has another form or is damaged.
pub(super) fn start(body: &[u8]) -> Option<SystemTime> {
    trace_id(body)?;
    Reader::new(body.get(17..)?).u64().map(time)
}

/// Decodes a stored part; `None` if it has another form or is damaged. Its texts were redacted before they were stored.
pub(super) fn decode(body: &[u8]) -> Option<StoredSpans> {
    trace_id(body)?;
    let part = TracePart::read(body.get(25..)?)?;
    let root = match part.root {
        TraceRoot::Span(span) => Some(read_span(part.trace, &span, true)),
        _ => None,
    };
    let others = part.spans();
    let others = others.map(|span| read_span(part.trace, &span, false));
    Some(StoredSpans {
        trace_id: part.trace,
        kept: part.kept,
        spans: root.into_iter().chain(others).collect(),
    })
}

fn time(wall: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_nanos(wall)
}

fn read_span(trace_id: TraceId, span: &SpanRecord<'_>, is_root: bool) -> Span {
    let event = |(at, event): (Nanos, EventRef<'_>)| match event {
        EventRef::Named { name, attributes } => Some(SpanEvent {
            at: time(at),
            name: name.to_owned(),
            attributes: read_attributes(attributes),
        }),
        // Its callsite would be a number of another process.
        EventRef::Tracing { .. } => None,
    };
    let link = |(trace_id, span_id, attributes): (TraceId, SpanId, &[u8])| SpanLink {
        trace_id,
        span_id,
        attributes: read_attributes(attributes),
    };
    Span {
        trace_id,
        span_id: span.span,
        parent_span_id: span.parent,
        is_root,
        parent_is_remote: is_root && span.parent != SpanId::NIL,
        name: span.name.to_owned(),
        kind: span.kind,
        status: span.status,
        status_message: span.status_text.to_owned(),
        start: time(span.start),
        duration: Duration::from_nanos(span.end.saturating_sub(span.start)),
        attributes: read_attributes(span.attributes),
        events: events(span.events).filter_map(event).collect(),
        links: links(span.links).map(link).collect(),
        scope: span.scope.to_owned(),
        left_out: span.left_out,
    }
}

fn read_attributes(bytes: &[u8]) -> Vec<(String, AttributeValue)> {
    attributes(bytes)
        .map(|(key, value)| (key.to_owned(), read_value(value)))
        .collect()
}

fn read_value(of: ValueRef<'_>) -> AttributeValue {
    match of {
        ValueRef::Str(text) => AttributeValue::Str(text.to_owned()),
        ValueRef::I64(number) => AttributeValue::I64(number),
        ValueRef::F64(number) => AttributeValue::F64(number),
        ValueRef::Bool(truth) => AttributeValue::Bool(truth),
        // The items of an array are no arrays, so this does not go deeper.
        ValueRef::Array(mut items) => {
            let item = || match value(&mut items)? {
                ValueRef::Array(_) => None,
                item => Some(read_value(item)),
            };
            AttributeValue::Array(std::iter::from_fn(item).collect())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Sampling;
    use crate::trace::span_record::{SpanKind, SpanStatus, put_event, put_head};

    fn record(root: bool) -> Vec<u8> {
        let text = |out: &mut Vec<u8>, key: &str, value: ValueRef<'_>| {
            put_str(out, key);
            put_value(out, value);
        };
        let mut attributes = Vec::new();
        let mut items = Vec::new();
        put_value(&mut items, ValueRef::I64(1));
        put_value(&mut items, ValueRef::I64(2));
        text(&mut attributes, "tenant", ValueRef::Str("acme"));
        text(&mut attributes, "password", ValueRef::Str("hunter2"));
        text(
            &mut attributes,
            "url.query",
            ValueRef::Str("token=hunter2&page=2"),
        );
        text(&mut attributes, "share", ValueRef::F64(0.5));
        text(&mut attributes, "paid", ValueRef::Bool(true));
        text(
            &mut attributes,
            "sizes",
            ValueRef::Array(Reader::new(&items)),
        );
        let mut events = Vec::new();
        put_event(&mut events, 7, "tick token=hunter2", &attributes);
        let mut links = Vec::new();
        put_link(
            &mut links,
            TraceId::from_u128(8),
            SpanId::from_u64(9),
            &attributes,
        );
        let span = SpanRecord {
            span: SpanId::from_u64(1),
            parent: SpanId::from_u64(2),
            start: 3,
            end: 40,
            kind: SpanKind::Client,
            status: SpanStatus::Error,
            name: "call of /reset/4f9c61a0b2d84e7f9c61a0b2d84e7f11",
            status_text: "it broke: password=hunter2",
            scope: "theirs",
            attributes: &attributes,
            events: &events,
            links: &links,
            left_out: 5,
        };
        let mut out = Vec::new();
        let head = PartHead {
            trace: TraceId::from_u128(77),
            reason: KeepReason::Head,
            sampling: Sampling::own(true),
            lost_spans: 3,
            lost_events: 2,
            trace_state: "a=b",
        };
        put_head(&mut out, &head);
        put_bytes(&mut out, &events);
        if root {
            put_span_root(&mut out, &span);
        } else {
            put_no_root(&mut out);
        }
        put_span(&mut out, &span);
        out
    }

    #[test]
    fn a_part_reads_back_as_memory_shows_it_and_has_no_secret() {
        let clock = Clock::driven(Duration::from_secs(1_000_000_000));
        let limits = SpanLimits::default();
        for root in [true, false] {
            let record = record(root);
            let body = encode(&record, 50, &clock, &limits).unwrap();
            assert!(!body.windows(7).any(|part| part == b"hunter2"));
            let in_memory = read_part(&record, 50, &clock, &limits).unwrap();
            let stored = decode(&body).unwrap();
            assert_eq!(stored.spans, in_memory.spans);
            assert_eq!(
                (stored.kept, stored.trace_id),
                (KeepReason::Head, TraceId::from_u128(77))
            );
            assert_eq!(trace_id(&body), Some(77));
            assert_eq!(start(&body), Some(in_memory.spans[0].start));
            // Another form, and a part that is cut anywhere, is no panic.
            for end in 0..body.len() {
                let _cut = (
                    decode(&body[..end]),
                    start(&body[..end]),
                    trace_id(&body[..end]),
                );
            }
            let mut other = body.clone();
            other[0] = 2;
            assert_eq!(
                (decode(&other), start(&other), trace_id(&other)),
                (None, None, None)
            );
        }
        assert_eq!(encode(b"none", 50, &clock, &limits), None);
    }
}
